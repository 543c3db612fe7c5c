//go:build !unix

package durable

import "os"

// SyncFolder does nothing where a folder cannot be flushed.
func SyncFolder(*os.File) error { return nil }
