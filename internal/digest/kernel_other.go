//go:build !amd64 && !arm64

package digest

// hardware lists the backends beside the portable one: none.
func hardware() []*backend { return nil }
