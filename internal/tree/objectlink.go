package tree

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

const (
	// maxLinkText is the longest text that a system takes for a link, in bytes.
	maxLinkText = 4096
	// maxLinks is how many links are followed on the way to one file.
	maxLinks = 40
)

// followLinks takes in what the model's symbolic links lead to in the commit
// itself, under the links' names, as addLink does in a worktree. What leads out of
// the repository is a problem: no commit holds it.
func (w *objects) followLinks(ctx context.Context) error {
	if len(w.links) == 0 {
		return nil
	}
	texts, err := w.linkTexts(ctx)
	if err != nil {
		return err
	}
	for _, link := range w.links {
		file := w.tree.inModel(link.Path)
		target, err := w.follow(link.Path, texts)
		if err != nil {
			w.problem(file, err, "")
			continue
		}
		if !w.tree.contains(target.Path) {
			w.warn(file, fmt.Errorf("%w that leads out of the model", ErrSymlink))
		}
		w.files = append(w.files, objectFile{Entry: target, name: file, link: true})
	}
	return nil
}

// contains reports whether a path in the repository lies in the model's folder.
func (t *Tree) contains(repoPath string) bool {
	base := t.base()
	return base == "" || strings.HasPrefix(repoPath, base+"/")
}

// linkTexts reads where the links of the repository lead, by their paths. One that
// is too long for a link is left out.
func (w *objects) linkTexts(ctx context.Context) (map[string]string, error) {
	byOID := make(map[string][]string)
	var entries []gitrepo.Entry
	var oids []string
	for _, e := range w.snapshot.Entries {
		if e.Mode != gitrepo.ModeSymlink {
			continue
		}
		if byOID[e.OID] == nil {
			oids, entries = append(oids, e.OID), append(entries, e)
		}
		byOID[e.OID] = append(byOID[e.OID], e.Path)
	}
	if err := w.fetch(ctx, entries); err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	return texts, w.repo.Blobs(ctx, oids, maxLinkText, func(oid string, content []byte, size int64) error {
		for _, name := range byOID[oid] {
			if size <= maxLinkText {
				texts[name] = string(content)
			}
		}
		return nil
	})
}

// follow finds the regular file that a path leads to, part by part as a system
// does.
func (w *objects) follow(name string, texts map[string]string) (gitrepo.Entry, error) {
	var none gitrepo.Entry
	at, rest, links := "", strings.Split(name, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch {
		case part == "" || part == ".":
			continue
		case part == ".." && at == "":
			return none, fmt.Errorf("%w that leads out of the repository", ErrSymlink)
		case part == "..":
			at = parent(at)
			continue
		}
		at = join(at, part)
		text, isLink := texts[at]
		if !isLink {
			continue
		}
		if links++; links > maxLinks {
			return none, fmt.Errorf("%w in a circle, or behind too many others", ErrSymlink)
		}
		if path.IsAbs(text) {
			return none, fmt.Errorf("%w to an absolute path, which is another file in every clone", ErrSymlink)
		}
		at, rest = parent(at), append(strings.Split(text, "/"), rest...)
	}
	e, found := w.snapshot.Entry(at)
	switch {
	case found && isFileMode(e.Mode):
		return e, nil
	case found && e.Mode == gitrepo.ModeSubmodule, at == "", len(w.snapshot.Under(at)) > 0:
		return none, fmt.Errorf("%w to a folder, which is not followed", ErrSymlink)
	}
	return none, fmt.Errorf("%w that leads to no tracked file", ErrSymlink)
}
