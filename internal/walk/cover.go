package walk

import (
	"path"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// cover is what one signature speaks of. Paths are relative to the top of the
// repository, with slashes.
type cover struct {
	path, signature string
	single          bool
	manifest        *oms.Manifest // nil where the signature is not believed
	named           map[string]bool
	ignored         oms.Ignored
}

// coverOf is what the signature at p speaks of. One that is not believed has failed
// by itself; its files are not told a second time.
func coverOf(p *Place, v *ui.Verdict) cover {
	c := cover{path: p.Path, signature: p.Signature, single: p.Single}
	if p.Commit == "" {
		c.path, _ = gitrepo.Within(p.Repo.Top, p.Path)
		c.signature, _ = gitrepo.Within(p.Repo.Top, p.Signature)
	}
	if v.Signer != nil && v.Manifest != nil {
		c.manifest, c.named, c.ignored = v.Manifest, signedPaths(v.Manifest), oms.NewIgnored(v.Manifest.Serialization.IgnorePaths)
	}
	return c
}

// coversOf is what the signatures that were judged together speak of.
func coversOf(p *Place, v *ui.Verdict, members []*member) []cover {
	if v.Quorum == nil || v.ExitCode() != ui.ExitOK {
		return []cover{coverOf(p, v)}
	}
	var covers []cover
	for _, m := range members {
		c := coverOf(m.place, m.verdict)
		if c.manifest == nil {
			c.path, c.single = c.signature, true // a stranger's speaks of nothing
		}
		covers = append(covers, c)
	}
	return covers
}

// holds says whether a path at or under that of c is part of what was signed, and was
// compared, or is what no signer signs there. What the signer left out is not, even
// though that is no fault of the signature: a copy of any signed folder could bring it.
func (c cover) holds(name string) bool {
	switch {
	case c.single:
		return name == c.path
	case c.manifest == nil:
		return true
	}
	rel := strings.TrimPrefix(strings.TrimPrefix(name, c.path), "/")
	return strings.HasPrefix(rel, ".github/") || c.named[rel] || !c.ignored.Has(rel)
}

// uncoveredOf are those of the tracked files that no signature speaks of, but for
// what no signer signs: git's own files, and the folder of the hosting service at
// the top of the repository or of a signed folder.
func uncoveredOf(entries []gitrepo.Entry, covers []cover) []string {
	at, signatures := map[string][]cover{}, map[string]bool{}
	for _, c := range covers {
		at[c.path] = append(at[c.path], c)
		signatures[c.signature] = true
	}
	var names []string
	last := ""
	for _, e := range entries {
		base := path.Base(e.Path)
		if e.Path == last || e.SkipWorktree || base == ".gitattributes" || base == ".gitignore" || strings.HasPrefix(e.Path, ".github/") {
			continue
		}
		last = e.Path
		holds := func(c cover) bool { return c.holds(e.Path) }
		covered := signatures[e.Path] || slices.ContainsFunc(at[""], holds)
		for dir := e.Path; dir != "" && !covered; dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)] {
			covered = slices.ContainsFunc(at[dir], holds)
		}
		if !covered {
			names = append(names, e.Path)
		}
	}
	return names
}
