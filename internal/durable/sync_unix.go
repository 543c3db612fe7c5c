//go:build unix

package durable

import "os"

// SyncFolder makes what was renamed or made in an open folder last through a
// power failure.
func SyncFolder(d *os.File) error { return d.Sync() }
