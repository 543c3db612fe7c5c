package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// TestRun plays the demonstration with a small model, and wants nothing to be left of it.
func TestRun(t *testing.T) {
	needs.GitLFS(t)
	if err := programs.NoteSources(t.Context()); err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	var out bytes.Buffer
	if err := run(t.Context(), &out, 2, false); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "# Every verdict was the expected one.") {
		t.Errorf("the last line is missing:\n%s", out.String())
	}
	left, err := filepath.Glob(filepath.Join(tmp, "git-model-sign-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q (%v)", left, err)
	}
}

// TestUnexpected wants a verdict that is not the expected one to end the play.
func TestUnexpected(t *testing.T) {
	var out bytes.Buffer
	p, err := prepareQuietly(t, &out)
	if err != nil {
		t.Fatal(err)
	}
	p.turn(p.user, "A command that fails is not expected to succeed.")
	p.run("git", "no-such-command")
	p.run("git", "version")
	if p.err == nil || strings.Contains(out.String(), "git version") {
		t.Errorf("the play went on after an unexpected exit status: %v\n%s", p.err, out.String())
	}
	p.err = nil
	p.run("git", "version")
	p.expect("git version")
	if p.err != nil {
		t.Error(p.err)
	}
	p.expect("something else")
	if p.err == nil {
		t.Error("the play went on after unexpected words")
	}
}

// prepareQuietly prepares a play without building anything.
func prepareQuietly(t *testing.T, out *bytes.Buffer) (*play, error) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "git-lfs"), []byte("#!/bin/sh\n"), 0o777); err != nil {
		return nil, err
	}
	t.Setenv(programs.DirVariable, bin)
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return prepare(t.Context(), out, t.TempDir())
}
