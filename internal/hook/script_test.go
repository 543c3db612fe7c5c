package hook

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/hooks"
)

func TestUnfit(t *testing.T) {
	fit := []string{
		userScript,
		"#!/bin/bash\n",
		"#! /bin/sh -e\ntrue\n",
		"#!/usr/bin/env bash\nset -eu\n# exit 0 would end it\necho exits exit-code my.exit\n",
		"#!/usr/local/bin/zsh\nif true; then\n\techo x\nfi",
	}
	for _, s := range fit {
		if reason := unfit(PostCheckout, []byte(s)); reason != "" {
			t.Errorf("%q %s", s, reason)
		}
	}
	bad := []string{
		"", "\n", "echo x\n", "#!/usr/bin/python3\n", "#!/usr/bin/env node\n", "#!/bin/sh", "#!/bin/shx\n", "#!/usr/bin/fish\n", "\x7fELF\x02",
		"#!/bin/sh --posix x\n",
		"#!/bin/sh\nexit\n", "#!/bin/sh\n\texit 0 # done\n", "#!/bin/sh\ntrue||exit 1\n", "#!/bin/sh\n(exit 3)\n", "#!/bin/sh\n{ exec true; }\n",
		"#!/bin/sh\nf() { return 1; }\n", "#!/bin/sh\nx=${#y}; exit 0\n", "#!/bin/sh\ntrue;exec true\n", "#!/bin/sh\nkill $$\n",
		"#!/bin/sh\ncat <<EOF\nx\nEOF\n", "#!/bin/sh\necho x \\\n", "#!/bin/sh\necho x \\",
	}
	for _, s := range bad {
		if unfit(PostCheckout, []byte(s)) == "" {
			t.Errorf("%q is taken for one that our lines can be added to", s)
		}
	}
}

func TestCalls(t *testing.T) {
	for s, want := range map[string]bool{
		"git model-sign hook post-checkout \"$@\"\n":                 true,
		"\t'/opt/x y/git-model-sign' hook post-checkout \"$@\" || x": true,
		"run: git-model-sign.exe hook post-checkout {0}":             true,
		"true\ngit model-sign hook post-checkout":                    true,
		"# git model-sign hook post-checkout":                        false,
		"git model-sign hook post-checkout-x":                        false,
		"git model-sign hook post-merge":                             false,
		"git model-sign verify":                                      false,
	} {
		if got := calls([]byte(s), PostCheckout); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

// TestScripts holds the scripts to what the package says of them.
func TestScripts(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no sh")
		}
		t.Skip("there is no sh")
	}
	for _, event := range scripted() {
		whole, err := hooks.Script(string(event))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []command{onPath, {word: `'/a b/it'\''s'`, run: `'/a b/it'\''s'`}} {
			text, err := body(event, c, false)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("git model-sign hook")) != (c == onPath) || !bytes.Contains(text, []byte(c.run+" hook "+string(event))) ||
				!bytes.Contains(text, []byte("command -v "+c.word+" ")) {
				t.Errorf("%s: the program is not called as %s:\n%s", event, c.run, text)
			}
			path := filepath.Join(t.TempDir(), string(event))
			if err := replace(path, text, 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), shell, "-n", path).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", event, out)
			}
		}
		if string(whole) != shebang+hooks.Begin+"\n"+string(mustBody(t, event))+hooks.End+"\n" {
			t.Errorf("%s is not one block between the marks", event)
		}
	}
	if _, err := hooks.Script("pre-commit"); err == nil {
		t.Error("there is a script for pre-commit")
	}
}

func mustBody(t *testing.T, event Event) []byte {
	t.Helper()
	b, err := body(event, onPath, false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShellcheck(t *testing.T) {
	if _, err := os.Stat(filepath.Join("..", "..", "hooks")); err != nil {
		t.Skip("the sources are not here")
	}
	need(t, "shellcheck", "it reads shell scripts")
	for _, event := range scripted() {
		out, err := exec.CommandContext(t.Context(), "shellcheck", filepath.Join("..", "..", "hooks", string(event))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s", event, out)
		}
	}
}

// FuzzParse takes apart what is in a hooks folder, which anybody may have written.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", userScript, preCommitScript, shebang + hooks.Begin + " new-plain sum:00000000\nx\n" + hooks.End + "\n",
		"x" + hooks.Begin + "\n", hooks.Begin + " added newline pad:80 folders:1 sum:x\n" + hooks.End + "\n", hooks.Begin + " \n" + hooks.End + "\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := parse(content)
		if err != nil {
			return
		}
		if s.ours == nil && !bytes.Equal(s.rest(), content) {
			t.Fatalf("%q has no lines of ours, and comes out as %q", content, s.rest())
		}
		if len(s.rest()) > len(content) {
			t.Fatalf("%q without our lines is longer: %q", content, s.rest())
		}
	})
}

// FuzzAdd adds our lines to anything and takes them out again.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(userScript), true)
	f.Add([]byte("x"), false)
	f.Add([]byte(shebang+strings.Repeat(" ", 80)+"\n"), true)
	f.Fuzz(func(t *testing.T, content []byte, padded bool) {
		if s, err := parse(content); err != nil || s.ours != nil {
			return
		}
		s := &script{before: bytes.Clone(content), ours: &lines{origin: added, body: []byte("x\n"), newline: !bytes.HasSuffix(content, []byte("\n"))}}
		if padded {
			s.ours.pad = padFor(content)
		}
		back, err := parse(s.bytes())
		if err != nil || back.ours == nil || back.ours.edited {
			t.Fatalf("%q: %v %+v", s.bytes(), err, back)
		}
		if !bytes.Equal(back.rest(), content) {
			t.Fatalf("added to %q and taken out: %q", content, back.rest())
		}
		if !bytes.Equal(back.bytes(), s.bytes()) {
			t.Fatalf("%q comes out as %q", s.bytes(), back.bytes())
		}
	})
}
