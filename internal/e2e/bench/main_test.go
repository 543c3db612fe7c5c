package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// TestRun measures once in the smallest repository, and wants every row of it.
func TestRun(t *testing.T) {
	needs.GitLFS(t)
	if err := programs.NoteSources(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	if err := run(t.Context(), &out, "^10 files$", 1); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(out.String(), "|---|\n")
	rows := repositories()[0].rows("")
	if got := strings.Count(table, "\n"); len(rows) == 0 || got != len(rows) {
		t.Errorf("%d rows, want %d:\n%s", got, len(rows), out.String())
	}
}
