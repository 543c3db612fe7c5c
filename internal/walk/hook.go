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
	"github.com/git-model-sign/git-model-sign/internal/pins"
	"github.com/git-model-sign/git-model-sign/internal/policy"
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
// of repo: every model.sig and *.oms.sig for its own folder, every FILE.sig that
// is a model signature beside a tracked FILE, and every other model.NAME.sig that
// is one, for its own folder again.
func Signatures(ctx context.Context, repo *gitrepo.Repository) ([]*Place, error) {
	entries, err := repo.Index(ctx, "")
	if err != nil {
		return nil, ui.Trouble("", "looking for signatures: %w", err)
	}
	return signaturesAmong(repo, entries), nil
}

// signaturesAmong are the signatures among the entries of the index.
func signaturesAmong(repo *gitrepo.Repository, entries []gitrepo.Entry) []*Place {
	var places []*Place
	for _, e := range entries {
		if !strings.HasSuffix(e.Path, ".sig") || e.SkipWorktree || e.Stage != 0 {
			continue
		}
		file := filepath.Join(repo.Top, filepath.FromSlash(e.Path))
		_, beside := findEntry(entries, strings.TrimSuffix(e.Path, ".sig"))
		switch {
		case isSignatureName(e.Path), !beside && isCoSignatureName(e.Path) && maybeBundle(file):
			places = append(places, &Place{Path: filepath.Dir(file), Name: displayPath(filepath.Dir(file)), Signature: file, Repo: repo})
		case beside && maybeBundle(file):
			model := strings.TrimSuffix(file, ".sig")
			places = append(places, &Place{Path: model, Name: displayPath(model), Single: true, Signature: file, Repo: repo})
		}
	}
	return places
}

// findEntry finds a path among the entries of the index.
func findEntry(entries []gitrepo.Entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e gitrepo.Entry, path string) int { return strings.Compare(e.Path, path) })
}

// maybeBundle says whether a tracked file is meant as a model signature. Other
// programs make files called FILE.sig as well. One that cannot be read may be a
// signature, and is looked at: a verdict must not get lost by breaking it.
func maybeBundle(file string) bool {
	raw, err := bounded.ReadRegular(file, oms.MaxBundleSize)
	return err != nil || claimsToBeBundle(raw)
}

// claimsToBeBundle says whether a file is meant as a Sigstore bundle, well
// formed or not. JSON has other spellings of the words, which hide nothing.
func claimsToBeBundle(raw []byte) bool {
	if bytes.Contains(raw, []byte("dsseEnvelope")) || bytes.Contains(raw, []byte("vnd.dev.sigstore.bundle")) {
		return true
	}
	_, err := oms.ParseBundle(raw)
	return err == nil
}

// survey is what is known of a worktree before a signature is verified.
type survey struct {
	entries []gitrepo.Entry // of the index
	places  []*Place        // of the signatures that git tracks
	// known are the signers that are pinned by now, never nil: those that verifying
	// pins make nobody a stranger.
	known    []pins.Pin
	vanished []*ui.Verdict // on signatures of known that git does not track any more
}

// surveyWorktree reads the index and the known signers, each once.
func surveyWorktree(ctx context.Context, repo *gitrepo.Repository, url string, p policy.Policy) (*survey, error) {
	entries, err := repo.Index(ctx, "")
	if err != nil {
		return nil, ui.Trouble("", "looking for signatures: %w", err)
	}
	s := &survey{entries: entries, places: signaturesAmong(repo, entries), known: []pins.Pin{}}
	judge, err := newJudge(url, p)
	if err != nil {
		return nil, trustError(err)
	}
	if judge != nil && len(judge.Pins()) > 0 {
		s.known = append(s.known, judge.Pins()...)
		s.findVanished(repo, judge)
	}
	return s, nil
}

// findVanished judges the signatures that are pinned and that git does not track
// as signatures any more. One outside the sparse checkout is still there.
func (s *survey) findVanished(repo *gitrepo.Repository, judge *pins.Judge) {
	there := map[string]bool{}
	for _, e := range s.entries {
		there[e.Path] = e.SkipWorktree || e.Stage != 0
	}
	for _, p := range s.places {
		if name, inside := p.inRepository(); inside {
			there[name] = true
		}
	}
	for _, pin := range s.known {
		if there[pin.Signature] {
			continue
		}
		there[pin.Signature] = true // which is said once, however often it is pinned
		file := filepath.Join(repo.Top, filepath.FromSlash(pin.Signature))
		p := &Place{Path: filepath.Dir(file), Signature: file, Repo: repo}
		v := newVerdict(p)
		v.Err = changed(v, p, judge.Missing(pin.Signature))
		s.vanished = append(s.vanished, v)
	}
}

// uncovered are the tracked files that lie where no signature is for.
func (s *survey) uncovered(repo *gitrepo.Repository) []string {
	var names []string
	for _, e := range s.entries {
		file := filepath.Join(repo.Top, filepath.FromSlash(e.Path))
		if !slices.ContainsFunc(s.places, func(p *Place) bool { return within(p.Path, file) || file == p.Signature }) {
			names = append(names, e.Path)
		}
	}
	return names
}
