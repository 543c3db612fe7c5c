package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// SymbolicTarget returns the full name of the ref that an update of ref changes:
// where ref is symbolic the one that it leads to in the end, which need not be
// there yet, else ref itself. As git-receive-pack does it takes names as those of
// the namespace that is set. A chain that git does not follow is an error.
func (r *Repository) SymbolicTarget(ctx context.Context, ref string) (string, error) {
	if !strings.HasPrefix(ref, "refs/") {
		return "", fmt.Errorf("%q is no full name of a ref", ref)
	}
	namespace := ""
	for part := range strings.SplitSeq(lookup(r.git.env, "GIT_NAMESPACE"), "/") {
		if part != "" {
			namespace += "refs/namespaces/" + part + "/"
		}
	}
	out, err := r.git.output(ctx, nil, "symbolic-ref", "-q", namespace+ref)
	switch {
	case exitedWith(err, 1):
		return ref, nil
	case err != nil:
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), namespace), nil
}
