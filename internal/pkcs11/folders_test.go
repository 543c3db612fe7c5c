package pkcs11

import "testing"

func TestOnDrive(t *testing.T) {
	for path, want := range map[string]bool{
		`C:\Windows\a.dll`: true, `c:/a.dll`: true, `z:\a`: true,
		`\\host\share\a.dll`: false, `//host/share/a.dll`: false, `\\?\UNC\host\share\a.dll`: false, `\\.\pipe\a`: false,
		`C:a.dll`: false, `\a.dll`: false, `/a.dll`: false, `a.dll`: false, `C:\`: false, `1:\a`: false, ``: false,
	} {
		if onDrive(path) != want {
			t.Errorf("%s on a drive of this machine: %t", path, !want)
		}
	}
}
