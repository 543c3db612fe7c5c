package gitrepo

import (
	"context"
	"strings"
)

// Published says whether a commit has come from where the remote with that address is:
// whether a branch of that remote leads to it, as git keeps them here. Anybody can have a
// remote keep a commit under another ref, as by a pull request; such refs count for
// nothing wherever they are kept. Where git keeps no branches of the remote, as in a bare
// clone, it is one of the branches and tags.
func (r *Repository) Published(ctx context.Context, commit, address string) (bool, error) {
	tips, err := r.publishedTips(ctx, address)
	if err != nil {
		return false, err
	}
	left, err := r.revList(ctx, append(append([]string{"--max-count=1", commit, "--not"}, tips...), "--")...)
	return err == nil && len(left) == 0, err
}

// publishedTips are options and commits for git rev-list from which all is reached that is published.
func (r *Repository) publishedTips(ctx context.Context, address string) (tips []string, err error) {
	specs, err := r.refspecs(ctx, ComparedURL(address))
	if err != nil {
		return nil, err
	}
	kept := false
	for _, s := range specs {
		kept = kept || s.own
		if !s.own {
			continue
		}
		for _, glob := range s.published(r.Bare) {
			tips = append(append(tips, foreign(specs, s, r.Bare)...), "--glob="+glob)
		}
	}
	if len(tips) == 0 && (r.Bare || !kept) {
		for _, glob := range []string{"refs/heads/*", "refs/tags/*"} {
			tips = append(append(tips, foreign(specs, refspec{}, r.Bare)...), "--glob="+glob)
		}
		if r.Bare { // whose HEAD is the remote's, on a branch or not
			head, err := r.HeadCommit(ctx)
			if err != nil {
				return nil, err
			}
			tips = append(tips, strings.Fields(head)...)
		}
	}
	return tips, nil
}

// PublishedFile says whether a file of the worktree, with the content that was read of it,
// has come from where the remote with that address is: whether HEAD holds it so, and has it from
// a commit that is published, as [Repository.Published] has it.
func (r *Repository) PublishedFile(ctx context.Context, path string, content []byte, address string) (bool, error) {
	head, err := r.HeadCommit(ctx)
	if err != nil || head == "" {
		return false, err
	}
	held, err := r.CommitEntries(ctx, head, path)
	if err != nil || len(held) != 1 || held[0].Path != path {
		return false, err
	}
	if held[0].OID != r.objectID(content) { // as with other line ends in the worktree
		ids, err := r.CleanBlobIDs(ctx, []string{path})
		if err != nil || held[0].OID != ids[path] {
			return false, err
		}
	}
	tips, err := r.publishedTips(ctx, address)
	if err != nil {
		return false, err
	}
	// Usually nothing since what is published has changed the file. That is told from few commits.
	since, err := r.revList(ctx, append(append([]string{"--max-count=1", head, "--not"}, tips...), "--", path)...)
	if err != nil || len(since) == 0 {
		return err == nil, err
	}
	changed, err := r.revList(ctx, "--max-count=1", head, "--", path)
	if exitedWith(err, 128) || err == nil && len(changed) == 0 { // a partial clone may lack the trees
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return r.Published(ctx, changed[0], address)
}

// refspec is one by which refs of a remote are kept here: by their full names, in each of
// which a * may stand for the same text.
type refspec struct {
	from, to string
	own      bool // the remote has the address that is asked about
}

// refspecs lists the refspecs by which refs are kept here, of all remotes, each once.
func (r *Repository) refspecs(ctx context.Context, compared string) (specs []refspec, err error) {
	remotes, err := r.configured(ctx)
	if err != nil {
		return nil, err
	}
	vars, err := r.variables(ctx, `^remote\..*\.fetch$`)
	if err == nil {
		err = r.notOfWorktree(ctx, vars)
	}
	if err != nil {
		return nil, err
	}
	seen := map[refspec]bool{}
	for _, v := range vars {
		s, fills := parseRefspec(v.value)
		written := remotes.urls[v.place]
		is := func(a string) bool { return ComparedURL(newRemote(v.place, a, r.base()).Match) == compared }
		s.own = written != "" && (is(written) || is(remotes.expand(written)))
		if fills && !seen[s] {
			specs = append(specs, s)
		}
		seen[s] = true
	}
	return specs, nil
}

// parseRefspec reads a refspec for fetching; fills is false if it keeps nothing.
func parseRefspec(text string) (s refspec, fills bool) {
	from, to, found := strings.Cut(strings.TrimPrefix(text, "+"), ":")
	if !found || to == "" || strings.HasPrefix(text, "^") || strings.ContainsAny(to, "?[\\") || strings.Count(to, "*") != strings.Count(from, "*") || strings.Count(to, "*") > 1 {
		return s, false
	}
	// git completes a name that has no star.
	switch first, _, _ := strings.Cut(to, "/"); {
	case first == "refs":
	case strings.Contains(to, "*"):
		return s, false
	case first == "heads" || first == "tags" || first == "remotes":
		to = "refs/" + to
	default:
		to = "refs/heads/" + to
	}
	return refspec{from: from, to: to}, true
}

// published are patterns for the refs that hold the remote's branches, and its tags: all
// of them in a bare repository, and elsewhere one that the refspec names, as by git clone
// --branch; in refs/tags git puts those of any repository.
func (s refspec) published(bare bool) (globs []string) {
	before, after, star := strings.Cut(s.from, "*")
	kinds := []string{"refs/heads/"}
	if bare || !star {
		kinds = append(kinds, "refs/tags/")
	}
	for _, kind := range kinds {
		if strings.HasPrefix(before, kind) {
			globs = append(globs, exactly(s.to))
		} else if rest, above := strings.CutPrefix(kind, before); above && star && after == "" {
			globs = append(globs, strings.Replace(s.to, "*", rest+"*", 1))
		}
	}
	return globs
}

// foreign leaves out of a pattern that follows what refspecs other than s keep there and
// is not published.
func foreign(specs []refspec, s refspec, bare bool) (options []string) {
	for _, other := range specs {
		published := other.published(bare)
		if other != s && !(other.own && len(published) == 1 && published[0] == exactly(other.to)) {
			options = append(options, "--exclude="+other.to)
		}
	}
	return options
}

// exactly is a pattern for a ref: git takes what has no wildcard for a folder.
func exactly(ref string) string {
	rest, isRef := strings.CutPrefix(ref, "refs/")
	if !isRef || rest == "" || strings.Contains(rest, "*") {
		return ref
	}
	return "refs/[" + rest[:1] + "]" + rest[1:]
}
