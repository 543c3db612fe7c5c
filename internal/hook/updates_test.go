package hook

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestReadUpdates(t *testing.T) {
	a, b, none := strings.Repeat("a", 40), strings.Repeat("0b", 20), strings.Repeat("0", 40)
	long := strings.Repeat("c", 64)
	for _, tt := range []struct {
		name  string
		event Event
		in    string
		want  []Update
	}{
		{"nothing", PrePush, "", nil},
		{"an empty line", PrePush, "\n", nil},
		{"a branch", PrePush, "refs/heads/main " + a + " refs/heads/main " + b + "\n", []Update{{"refs/heads/main", b, a}}},
		{"a new branch, no line end", PrePush, "refs/heads/main " + a + " refs/heads/x " + none, []Update{{"refs/heads/x", "", a}}},
		{"deleted", PrePush, "(delete) " + none + " refs/heads/x " + a + "\n", []Update{{"refs/heads/x", a, ""}}},
		{"an expression with spaces", PrePush, "HEAD^{/fix the bug} " + a + " refs/heads/x " + none + "\n", []Update{{"refs/heads/x", "", a}}},
		{"SHA-256", PrePush, "HEAD " + long + " refs/tags/v1 " + strings.Repeat("0", 64) + "\n", []Update{{"refs/tags/v1", "", long}}},
		{"received", PreReceive, none + " " + a + " refs/heads/main\n" + a + " " + none + " refs/heads/é\n",
			[]Update{{"refs/heads/main", "", a}, {"refs/heads/é", a, ""}}},
	} {
		got, err := ReadUpdates(tt.event, strings.NewReader(tt.in))
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	for name, in := range map[string]string{
		"no id":                 "refs/heads/main HEAD refs/heads/main " + a + "\n",
		"a short id":            "refs/heads/main " + a[:39] + " refs/heads/main " + a + "\n",
		"an option":             "refs/heads/main --" + a[:38] + " refs/heads/main " + a + "\n",
		"too few fields":        a + " refs/heads/main " + a + "\n",
		"a line that is no end": strings.Repeat("x", maxUpdate+1),
	} {
		if got, err := ReadUpdates(PrePush, strings.NewReader(in)); !errors.Is(err, ErrUpdates) {
			t.Errorf("%s: got %+v, %v; want ErrUpdates", name, got, err)
		}
	}
	if got, err := ReadUpdates(PreReceive, strings.NewReader("x "+none+" "+a+" refs/heads/main\n")); !errors.Is(err, ErrUpdates) {
		t.Errorf("four fields for pre-receive: got %+v, %v", got, err)
	}
}

func FuzzReadUpdates(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add("refs/heads/main " + id + " refs/heads/main " + id + "\n")
	f.Add(id + " " + id + " refs/heads/main\n")
	f.Fuzz(func(t *testing.T, in string) {
		for _, event := range []Event{PrePush, PreReceive} {
			updates, err := ReadUpdates(event, strings.NewReader(in))
			if err != nil && updates != nil {
				t.Fatalf("%v and %d updates", err, len(updates))
			}
			for _, u := range updates {
				for _, id := range []string{u.Old, u.New} {
					if id != "" && !isObjectID(id) {
						t.Fatalf("%q gives the object id %q", in, id)
					}
				}
				if strings.ContainsAny(u.Ref, " \n") || u.Ref == "" {
					t.Fatalf("%q gives the ref %q", in, u.Ref)
				}
			}
		}
	})
}

func TestPreCommitPush(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want Update
		args int
	}{
		{nil, Update{Ref: "HEAD", New: "HEAD"}, 0},
		{map[string]string{"PRE_COMMIT_FROM_REF": "1", "PRE_COMMIT_TO_REF": "2", "PRE_COMMIT_REMOTE_NAME": "origin", "PRE_COMMIT_REMOTE_URL": "url",
			"PRE_COMMIT_REMOTE_BRANCH": "refs/heads/x", "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/y"}, Update{Ref: "refs/heads/x", Old: "1", New: "2"}, 2},
		{map[string]string{"PRE_COMMIT_REMOTE_NAME": "origin", "PRE_COMMIT_REMOTE_URL": "url",
			"PRE_COMMIT_REMOTE_BRANCH": "refs/heads/x", "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/y"}, Update{Ref: "refs/heads/x", New: "refs/heads/y"}, 2},
	} {
		got, args := PreCommitPush(func(name string) string { return tt.env[name] })
		if len(got) != 1 || got[0] != tt.want || len(args) != tt.args {
			t.Errorf("%v: got %+v %q, want %+v", tt.env, got, args, tt.want)
		}
	}
}
