//go:build !darwin && !windows

package pkcs11

import (
	"os"
	"path/filepath"
	"runtime"
)

// triplets are the folders of libraries on Debian and its kin.
var triplets = map[string]string{
	"386": "i386-linux-gnu", "amd64": "x86_64-linux-gnu", "arm": "arm-linux-gnueabihf", "arm64": "aarch64-linux-gnu",
	"loong64": "loongarch64-linux-gnu", "ppc64le": "powerpc64le-linux-gnu", "riscv64": "riscv64-linux-gnu", "s390x": "s390x-linux-gnu",
}

// moduleFolders are where a module-name is looked for: the system's folders only, never those of a search path.
func moduleFolders() ([]string, error) {
	var out []string
	dirs := []string{"/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib"}
	if t := triplets[runtime.GOARCH]; t != "" {
		dirs = append([]string{"/usr/lib/" + t}, dirs...)
	}
	for _, dir := range dirs {
		for _, sub := range []string{dir + "/pkcs11", dir + "/softhsm", dir} {
			if info, err := os.Stat(sub); err == nil && info.IsDir() {
				out = append(out, sub)
			}
		}
	}
	return out, nil
}

// moduleNames are the files that a module-name may mean.
func moduleNames(name string) []string { return []string{name + ".so", "lib" + name + ".so"} }

// isLocal says whether a path is absolute and on this machine, as far as its spelling tells.
func isLocal(path string) bool { return filepath.IsAbs(path) }

// ofFileURI is the path that a file: URI's means.
func ofFileURI(path string) string { return path }
