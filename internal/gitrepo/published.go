package gitrepo

import (
	"context"
	"strings"
)

// Published says whether a commit has come from where the remote with that address is:
// whether one of the refs leads to it in which git keeps those of that remote. Where git
// keeps none, as in a bare clone, it is one of the branches and tags.
func (r *Repository) Published(ctx context.Context, commit, address string) (bool, error) {
	remotes, err := r.configured(ctx)
	if err != nil {
		return false, err
	}
	vars, err := r.variables(ctx, `^remote\..*\.fetch$`)
	if err == nil {
		err = r.notOfWorktree(ctx, vars)
	}
	if err != nil {
		return false, err
	}
	address = ComparedURL(address)
	var tips []string
	for _, v := range vars {
		written := remotes.urls[v.place]
		is := func(a string) bool { return ComparedURL(newRemote(v.place, a, r.base()).Match) == address }
		if written == "" || !is(written) && !is(remotes.expand(written)) {
			continue
		}
		if glob := trackingGlob(v.value); glob != "" {
			tips = append(tips, "--glob="+glob)
		}
	}
	if len(tips) == 0 {
		tips = []string{"--branches", "--tags"}
		if r.Bare { // whose HEAD is the remote's, on a branch or not
			head, err := r.HeadCommit(ctx)
			if err != nil {
				return false, err
			}
			tips = append(tips, strings.Fields(head)...)
		}
	}
	left, err := r.revList(ctx, append(append([]string{"--max-count=1", commit, "--not"}, tips...), "--")...)
	return err == nil && len(left) == 0, err
}

// trackingGlob matches the refs that a refspec of a remote fills; "" if it fills none.
func trackingGlob(refspec string) string {
	_, to, found := strings.Cut(refspec, ":")
	rest, isRef := strings.CutPrefix(to, "refs/")
	if !found || !isRef || rest == "" || strings.HasPrefix(refspec, "^") || strings.ContainsAny(to, "?[\\") {
		return ""
	}
	if strings.Contains(rest, "*") {
		return to
	}
	// git takes what has no wildcard for a folder.
	if c := rest[0]; c < 'a' || c > 'z' {
		return ""
	}
	return "refs/[" + rest[:1] + "]" + rest[1:]
}
