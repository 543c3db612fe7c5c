//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// TestMain lets the test be the plain program, which this one starts as itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "plain-") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun measures every case once, with files a ten-thousandth as large, and wants a row of each program that is always there.
func TestRun(t *testing.T) {
	if err := programs.NoteSources(t.Context()); err != nil {
		t.Fatal(err)
	}
	goCache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // which hashing is fastest is kept there
	small := cases()
	for i, c := range small {
		for j := range c.files {
			g := &small[i].files[j]
			g.size, g.count = max(g.size/10_000, 1), min(g.count, 20)
		}
		small[i].shards /= 10_000
	}
	var out bytes.Buffer
	b := &bench{out: &out, dir: t.TempDir(), runs: 1}
	if err := b.run(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(out.String(), "| work |")
	for _, c := range small {
		_, rows, ok := strings.Cut(table, "| "+c.name+" | "+c.plainName+" | ")
		_, next, _ := strings.Cut(rows, "\n")
		if !ok || !strings.HasPrefix(next, "|  | git-model-sign digest | ") {
			t.Errorf("no rows of %s:\n%s", c.name, out.String())
		}
	}
}
