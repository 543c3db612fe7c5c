package walk

import (
	"bytes"
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// SignatureSuffix marks further signatures beside [SignatureName], each for its
// own folder.
const SignatureSuffix = ".oms.sig"

// isSignatureName says whether a path is that of a signature for its folder.
func isSignatureName(name string) bool {
	base := path.Base(name)
	return base == SignatureName || strings.HasSuffix(base, SignatureSuffix)
}

// Signatures lists the places of the signatures that git tracks in the worktree
// of repo: every model.sig and *.oms.sig for its own folder, and every
// FILE.sig that is a model signature beside a tracked FILE.
func Signatures(ctx context.Context, repo *gitrepo.Repository) ([]*Place, error) {
	entries, err := repo.Index(ctx, "")
	if err != nil {
		return nil, ui.Trouble("", "looking for signatures: %w", err)
	}
	var places []*Place
	for _, e := range entries {
		if !strings.HasSuffix(e.Path, ".sig") || e.SkipWorktree || e.Stage != 0 {
			continue
		}
		file := filepath.Join(repo.Top, filepath.FromSlash(e.Path))
		switch {
		case isSignatureName(e.Path):
			places = append(places, &Place{Path: filepath.Dir(file), Name: displayPath(filepath.Dir(file)), Signature: file, Repo: repo})
		case signsFile(entries, e.Path, file):
			model := strings.TrimSuffix(file, ".sig")
			places = append(places, &Place{Path: model, Name: displayPath(model), Single: true, Signature: file, Repo: repo})
		}
	}
	return places, nil
}

// signsFile says whether the tracked file called name is a model signature and
// stands beside the tracked file that it is named for. Other programs make
// files called FILE.sig as well. One that cannot be read may be a signature, and
// is looked at: a verdict must not get lost by breaking it.
func signsFile(entries []gitrepo.Entry, name, file string) bool {
	model := strings.TrimSuffix(name, ".sig")
	_, beside := slices.BinarySearchFunc(entries, model, func(e gitrepo.Entry, path string) int { return strings.Compare(e.Path, path) })
	if !beside {
		return false
	}
	raw, err := bounded.ReadRegular(file, oms.MaxBundleSize)
	return err != nil || claimsToBeBundle(raw)
}

// claimsToBeBundle says whether a file is meant as a Sigstore bundle, well
// formed or not.
func claimsToBeBundle(raw []byte) bool {
	return bytes.Contains(raw, []byte("dsseEnvelope")) || bytes.Contains(raw, []byte("vnd.dev.sigstore.bundle"))
}

// Uncovered counts the tracked files of the worktree that none of the signatures
// at places is for, and lists the first of them.
func Uncovered(ctx context.Context, repo *gitrepo.Repository, places []*Place, most int) (n int, first []string, err error) {
	entries, err := repo.Index(ctx, "")
	if err != nil {
		return 0, nil, ui.Trouble("", "looking for files without a signature: %w", err)
	}
	for _, e := range entries {
		file := filepath.Join(repo.Top, filepath.FromSlash(e.Path))
		covered := slices.ContainsFunc(places, func(p *Place) bool { return within(p.Path, file) || file == p.Signature })
		if covered {
			continue
		}
		n++
		if len(first) < most {
			first = append(first, e.Path)
		}
	}
	return n, first, nil
}
