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
func moduleFolders() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{filepath.Join(os.Getenv("SystemRoot"), "System32")}
	case "darwin":
		return []string{"/usr/local/lib/pkcs11", "/usr/local/lib", "/usr/local/lib/softhsm", "/opt/homebrew/lib/pkcs11", "/opt/homebrew/lib", "/opt/homebrew/lib/softhsm", "/Library/OpenSC/lib"}
	}
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
	return out
}

// moduleNames are the files that a module-name may mean.
func moduleNames(name string) []string {
	switch runtime.GOOS {
	case "windows":
		return []string{name + ".dll"}
	case "darwin":
		return []string{name + ".dylib", "lib" + name + ".dylib", name + ".so", "lib" + name + ".so"}
	}
	return []string{name + ".so", "lib" + name + ".so"}
}
