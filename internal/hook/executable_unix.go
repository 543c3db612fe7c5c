//go:build !windows

package hook

import "io/fs"

// executable says whether git would run a hook.
func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }
