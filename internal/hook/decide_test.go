package hook

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	checkout := []string{"1111", "2222", "1"}
	tests := []struct {
		name  string
		state map[string]string // files of the git folder
		event Event
		args  []string
		want  bool
	}{
		{"checkout", nil, PostCheckout, checkout, true},
		{"clone", nil, PostCheckout, []string{"0000", "2222", "1"}, true},
		{"same commit", nil, PostCheckout, []string{"2222", "2222", "1"}, true},
		{"single files", nil, PostCheckout, []string{"2222", "2222", "0"}, false},
		{"checkout without arguments", nil, PostCheckout, nil, true},
		{"merge", nil, PostMerge, []string{"0"}, true},
		{"squash", nil, PostMerge, []string{"1"}, true},
		{"amend", nil, PostRewrite, []string{"amend"}, false},
		{"end of a rebase", map[string]string{"rebase-merge/git-rebase-todo": ""}, PostRewrite, []string{"rebase"}, true},
		{"rewritten by a newer git's command", nil, PostRewrite, []string{"replay"}, true},
		{"index", nil, PostIndexChange, []string{"1", "0"}, false},
		{"rebase, picks to come", map[string]string{"rebase-merge/git-rebase-todo": "# x\npick 1111 a\n"}, PostCheckout, checkout, false},
		{"rebase, a fixup to come", map[string]string{"rebase-merge/git-rebase-todo": "exec true\n\tf -C 1111\n"}, PostCheckout, checkout, false},
		{"rebase, a merge inside", map[string]string{"rebase-merge/git-rebase-todo": "merge -C 1111 x\n"}, PostMerge, []string{"0"}, false},
		{"rebase that only moves forward", map[string]string{"rebase-merge/git-rebase-todo": ""}, PostCheckout, checkout, true},
		{"rebase that only runs a command", map[string]string{"rebase-merge/git-rebase-todo": "exec make pick\nupdate-ref x\n"}, PostCheckout, checkout, true},
		{"rebase that drops", map[string]string{"rebase-merge/git-rebase-todo": "noop\ndrop 1111 x\n"}, PostCheckout, checkout, true},
		{"rebase --apply, stopped", map[string]string{"rebase-apply/rebasing": ""}, PostCheckout, checkout, false},
		{"am, stopped", map[string]string{"rebase-apply/applying": ""}, PostCheckout, checkout, true},
		{"a line too long to read", map[string]string{"rebase-merge/git-rebase-todo": strings.Repeat("x", 1<<20) + "\npick 1\n"}, PostCheckout, checkout, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.state {
				path := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Decide(tt.event, tt.args, dir)
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
	if _, err := Decide("pre-commit", nil, ""); !errors.Is(err, ErrEvent) {
		t.Errorf("pre-commit: got %v, want ErrEvent", err)
	}
}
