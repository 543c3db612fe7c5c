package fold_test

import (
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/fold"
)

func TestPath(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"dir/a.bin", "Dir/A.BIN", true},
		{"a", "b", false},
		{"\u00e9", "e\u0301", true},
		{"\u00c9", "e\u0301", true},
		{"\u212a", "k", true}, // the sign of Kelvin
		{"\u03c3", "\u03c2", true},
		{"a\u0323\u0307", "a\u0307\u0323", true},
		{"\u00e9", "e", false},
	} {
		if same := fold.Path(c.a) == fold.Path(c.b); same != c.same {
			t.Errorf("%+q and %+q are the same: %t, want %t", c.a, c.b, same, c.same)
		}
	}
}
