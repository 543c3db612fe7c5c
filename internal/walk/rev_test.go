package walk_test

import (
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// TestLocateRev tells ranges from revisions that hold two dots, as git does.
func TestLocateRev(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "0\n"}) // one commit
	for _, message := range []string{"text with ..", "a..b here", "last"} {
		s.Write(dir, "a", message)
		s.CommitAll(dir, message)
	}
	id := func(rev string) string { return strings.TrimSpace(s.Git(dir, "rev-parse", rev)) }
	for rev, want := range map[string]struct {
		isRange bool
		commits []string // nil for an error
	}{
		"HEAD":                     {false, []string{id("HEAD")}},
		":/a..b":                   {false, []string{id("HEAD~1")}},
		":/xt with ..":             {true, []string{id("HEAD~1"), id("HEAD")}}, // as to git: since :/xt with
		"HEAD^{/a..b}":             {false, []string{id("HEAD~1")}},
		"HEAD^{/!-last..}":         {false, []string{id("HEAD")}},
		"@{1..2}":                  {false, []string{id("@{1..2}")}},
		"HEAD~2..HEAD^{/a..b}":     {true, []string{id("HEAD~1")}},
		"HEAD~1..":                 {true, []string{id("HEAD")}},
		"..HEAD":                   {true, []string{}},
		":/text..HEAD":             {true, []string{id("HEAD~1"), id("HEAD")}},
		":/nowhere..HEAD":          {},
		"HEAD~1...HEAD":            {},
		"HEAD^{/a..b}..HEAD":       {},
		"HEAD..nowhere":            {},
		"HEAD^{/a...b}":            {},
		":/xt with \\.\\.":         {false, []string{id("HEAD~2")}},
		"HEAD^{/text with ..}":     {false, []string{id("HEAD~2")}},
		"HEAD~1..HEAD^{/nowhere}":  {},
		"HEAD@{1}..HEAD@{now}":     {true, []string{id("HEAD")}},
		"HEAD~3..:/text with \\..": {true, []string{id("HEAD~2")}},
	} {
		r, err := walk.LocateRev(t.Context(), dir, rev, "")
		switch {
		case err != nil && want.commits != nil:
			t.Errorf("%s: %v", rev, err)
		case err == nil && (want.commits == nil || r.Range != want.isRange || strings.Join(r.Commits, " ") != strings.Join(want.commits, " ")):
			t.Errorf("%s: a range %t, of %q; want %+v", rev, r.Range, r.Commits, want)
		}
	}
}
