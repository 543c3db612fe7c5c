package walk

import (
	"slices"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

func TestUncoveredOf(t *testing.T) {
	believed := &ui.Verdict{Signer: &verify.Signer{}, Manifest: &oms.Manifest{
		Serialization: oms.Serialization{IgnorePaths: []string{"left", "kept", ".gitignore"}},
		Resources:     []oms.Resource{{Path: "kept/x"}},
	}}
	place := func(path, signature string, single bool) *Place {
		return &Place{Path: path, Signature: signature, Single: single, Commit: Staged}
	}
	for _, tt := range []struct {
		name   string
		covers []cover
		paths  []string // in order
		want   []string
	}{
		{"nothing signed", nil, []string{".gitattributes", ".github/x", ".gitignore", ".gitmodel.bin", "a", "d/.gitattributes"}, []string{".gitmodel.bin", "a"}},
		{"the top", []cover{coverOf(place("", "model.sig", false), believed)}, []string{"a", "b/c", "model.sig"}, nil},
		{"left out", []cover{coverOf(place("", "model.sig", false), believed)}, []string{"kept/x", "kept/y", "left/x", "leftover"}, []string{"kept/y", "left/x"}},
		{"a folder", []cover{coverOf(place("a", "a/model.sig", false), believed)}, []string{"a/.github/x", "a/model.sig", "a/x", "ab", "b/.github/x"}, []string{"ab", "b/.github/x"}},
		{"a folder's name is no file of git's", []cover{coverOf(place("a", "a/model.sig", false), believed)}, []string{"a/.gitignore/x"}, []string{"a/.gitignore/x"}},
		{"a file", []cover{coverOf(place("a", "a.sig", true), believed)}, []string{"a", "a.sig", "a.x", "b"}, []string{"a.x", "b"}},
		{"failed by itself", []cover{coverOf(place("a", "a/model.sig", false), &ui.Verdict{})}, []string{"a/left/x", "b"}, []string{"b"}},
	} {
		var entries []gitrepo.Entry
		for _, path := range tt.paths {
			entries = append(entries, gitrepo.Entry{Path: path})
		}
		if got := uncoveredOf(entries, tt.covers); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
