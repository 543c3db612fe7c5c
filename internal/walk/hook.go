package walk

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// SignatureSuffix marks further signatures beside [SignatureName], each for its
// own folder.
const SignatureSuffix = ".oms.sig"

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
		if !strings.HasSuffix(e.Path, ".sig") || e.SkipWorktree {
			continue
		}
		file := filepath.Join(repo.Top, filepath.FromSlash(e.Path))
		base := path.Base(e.Path)
		switch {
		case base == SignatureName, strings.HasSuffix(base, SignatureSuffix):
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
// files called FILE.sig as well.
func signsFile(entries []gitrepo.Entry, name, file string) bool {
	model := strings.TrimSuffix(name, ".sig")
	for _, e := range entries {
		if e.Path == model {
			raw, err := bounded.ReadRegular(file, oms.MaxBundleSize)
			if err != nil {
				return false
			}
			_, err = oms.ParseBundle(raw)
			return err == nil
		}
	}
	return false
}
