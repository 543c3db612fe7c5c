package pkcs11

import "path/filepath"

// moduleFolders are where a module-name is looked for: the system's folders only, never those of a search path.
func moduleFolders() ([]string, error) {
	return []string{
		"/usr/local/lib/pkcs11", "/usr/local/lib", "/usr/local/lib/softhsm",
		"/opt/homebrew/lib/pkcs11", "/opt/homebrew/lib", "/opt/homebrew/lib/softhsm", "/Library/OpenSC/lib",
	}, nil
}

// moduleNames are the files that a module-name may mean.
func moduleNames(name string) []string {
	return []string{name + ".dylib", "lib" + name + ".dylib", name + ".so", "lib" + name + ".so"}
}

// isLocal says whether a path is absolute and on this machine, as far as its spelling tells.
func isLocal(path string) bool { return filepath.IsAbs(path) }

// ofFileURI is the path that a file: URI's means.
func ofFileURI(path string) string { return path }
