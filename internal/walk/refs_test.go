package walk

import "testing"

func TestMatchRef(t *testing.T) {
	for _, tt := range []struct {
		pattern, ref string
		want         bool
	}{
		{"refs/heads/main", "refs/heads/main", true},
		{"refs/heads/main", "refs/heads/main2", false},
		{"refs/heads/*", "refs/heads/main", true},
		{"refs/heads/*", "refs/heads/topic/a", true},
		{"refs/heads/*", "refs/tags/v1", false},
		{"refs/heads/*", "refs/heads/", true},
		{"*", "refs/tags/v1", true},
		{"refs/*/main", "refs/heads/main", true},
		{"refs/*/main", "refs/heads/remain", false},
		{"refs/heads/release-*-final", "refs/heads/release-final", false},
		{"refs/*/a*b/*", "refs/heads/xaxb/y", false},
		{"refs/*/a*b/*", "refs/heads/axb/y", true},
		{"refs/heads/[m]ain", "refs/heads/main", false},
		{"", "refs/heads/main", false},
	} {
		if got := matchRef(tt.pattern, tt.ref); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.ref, got)
		}
	}
}
