//go:build unix

package signin

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOpen has a script stand for the browser, and looks at what it was given.
func TestOpen(t *testing.T) {
	const url = "https://issuer.test/auth?a=b&c=$(touch no);d"
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	script := filepath.Join(dir, "browser")
	t.Setenv("MODELSIGN_PASSPHRASE", "hunter2")
	spaced := filepath.Join(dir, "a browser")
	if err := os.Symlink(script, spaced); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '<%s>' \"$@\" $MODELSIGN_PASSPHRASE >"+seen+".new; mv "+seen+".new "+seen+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]string{
		script:                              "<" + url + ">",
		spaced:                              "<" + url + ">",
		script + " --new %s --end":          "<--new><" + url + "><--end>",
		script + " --app=%s":                "<--app=" + url + ">",
		"/nonexistent/browser::" + script:   "<" + url + ">",
		"/nonexistent/one:/nonexistent/two": "",
	} {
		os.Remove(seen)
		open := (&flow{Options: Options{Environment: environment("BROWSER", variable, "SSH_TTY", "1")}}).browser()
		if err := open(url); (err == nil) != (want != "") {
			t.Errorf("%s: %v", variable, err)
		}
		var got []byte
		for end := time.Now().Add(10 * time.Second); want != "" && got == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			got, _ = os.ReadFile(seen)
		}
		if string(got) != want {
			t.Errorf("%s: the browser got %s, want %s", variable, got, want)
		}
	}
}

// TestNoBrowser is where opening one makes no sense.
func TestNoBrowser(t *testing.T) {
	for _, e := range [][]string{{"SSH_CONNECTION", "1", "DISPLAY", ":1"}, {"SSH_TTY", "1", "WAYLAND_DISPLAY", "w"}} {
		if (&flow{Options: Options{Environment: environment(e...)}}).browser() != nil {
			t.Errorf("%q: a browser is opened", e)
		}
	}
}
