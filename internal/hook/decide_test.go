package hook

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rebase is the state of one onto 2222, with what is left to do and other files of it with their contents.
func rebase(todo string, files ...string) map[string]string {
	state := map[string]string{"rebase-merge/git-rebase-todo": todo, "rebase-merge/onto": "2222\n"}
	for i := 0; i+1 < len(files); i += 2 {
		state["rebase-merge/"+files[i]] = files[i+1]
	}
	return state
}

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
		{"rebase, picks to come", rebase("# x\npick 1111 a\n"), PostCheckout, checkout, false},
		{"rebase, a fixup to come", rebase("exec true\n\tf -C 1111\n"), PostCheckout, checkout, false},
		{"rebase that only moves forward", rebase(""), PostCheckout, checkout, true},
		{"rebase that only runs a command", rebase("exec make pick\nupdate-ref x\n"), PostCheckout, checkout, true},
		{"rebase that drops", rebase("noop\ndrop 1111 x\n"), PostCheckout, checkout, true},
		{"rebase, a merge inside", rebase("merge -C 1111 x\n", "done", "pick 1111 a\n"), PostMerge, []string{"0"}, true},
		{"rebase, stopped", rebase("pick 1111 a\n", "done", "pick 1111 b\n", "msgnum", "1"), PostCheckout, checkout, true},
		{"rebase that passes over commits", rebase("reword 1111 a\n", "done", "pick 4444 b\npick 3333 c\n"), PostCheckout, []string{"1111", "3333", "1"}, false},
		{"rebase that passes over commits, and a checkout of something else", rebase("reword 1111 a\n", "done", "pick 3333 b\n"), PostCheckout, []string{"1111", "4444", "1"}, true},
		{"rebase that passed over commits, stopped", rebase("reword 1111 a\n", "done", "pick 3333 b\n", "msgnum", "2"), PostCheckout, []string{"1111", "3333", "1"}, true},
		{"rebase, stopped, and a checkout of its base", rebase("pick 1111 a\n", "done", "break\n", "msgnum", "1"), PostCheckout, checkout, true},
		{"rebase, stopped, and a merge", rebase("pick 1111 a\n", "done", "pick 1111 b\n"), PostMerge, []string{"0"}, true},
		{"rebase, its list in the editor, and a checkout of something else", rebase("pick 1111 a\n"), PostCheckout, []string{"1111", "3333", "1"}, true},
		{"rebase of an older git", map[string]string{"rebase-merge/git-rebase-todo": "pick 1111 a\n"}, PostCheckout, checkout, true},
		{"rebase --apply, stopped", map[string]string{"rebase-apply/rebasing": ""}, PostCheckout, checkout, true},
		{"am, stopped", map[string]string{"rebase-apply/applying": ""}, PostCheckout, checkout, true},
		{"a line too long to read", rebase(strings.Repeat("x", 1<<20) + "\npick 1\n"), PostCheckout, checkout, true},
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
