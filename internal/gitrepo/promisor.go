package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// ErrFetch says that objects which a partial clone left out could not be had
// from any remote.
var ErrFetch = errors.New("cannot fetch what the partial clone left out")

// fetches counts what was fetched. Only one fetch runs at a time, so that what two of
// them want is fetched and counted once.
type fetches struct {
	mu sync.Mutex
	n  int
}

// Fetched is how many objects were fetched through r, as a partial clone lacked them.
func (r *Repository) Fetched() int {
	r.fetches.mu.Lock()
	defer r.fetches.mu.Unlock()
	return r.fetches.n
}

// fetchMissing fetches those of the objects that are missing from the remotes
// that promised them. Where nothing is missing nothing is asked of the network.
func (r *Repository) fetchMissing(ctx context.Context, promisors, oids []string) (int, error) {
	if len(promisors) == 0 || len(oids) == 0 {
		return 0, nil
	}
	r.fetches.mu.Lock()
	defer r.fetches.mu.Unlock()
	n, err := r.fetchFrom(ctx, promisors, oids)
	r.fetches.n += n
	return n, err
}

// fetchFrom is fetchMissing, once no other fetch is running.
func (r *Repository) fetchFrom(ctx context.Context, promisors, oids []string) (int, error) {
	missing, err := r.MissingBlobs(ctx, compactOIDs(oids))
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	wanted := len(missing)
	var failed []error
	for _, remote := range promisors {
		if err := r.fetch(ctx, remote, missing); err != nil {
			failed = append(failed, fmt.Errorf("%s from %s: %w", plural(len(missing)), r.describeRemote(ctx, remote), err))
		}
		if missing, err = r.MissingBlobs(ctx, missing); err != nil || len(missing) == 0 {
			return wanted - len(missing), err
		}
		if err := ctx.Err(); err != nil {
			return wanted - len(missing), err
		}
	}
	if len(failed) == 0 {
		failed = append(failed, fmt.Errorf("%s: %s does not have it", plural(len(missing)), strings.Join(promisors, ", ")))
	}
	return wanted - len(missing), fmt.Errorf("%w: %w", ErrFetch, errors.Join(failed...))
}

func plural(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

// compactOIDs returns each object id once.
func compactOIDs(oids []string) []string {
	sorted := slices.Clone(oids)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// describeRemote names a remote and its address, without secrets.
func (r *Repository) describeRemote(ctx context.Context, name string) string {
	address, set, err := r.ConfigGet(ctx, "remote."+name+".url")
	if err != nil || !set {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, newRemote(name, address, r.base()).Display)
}

// bulkFetchVersion is the git, 2.29, from which on fetch reads what to fetch
// from its input and can leave FETCH_HEAD alone.
const bulkFetchVersion = 29

// fetch asks a remote for objects by their ids, as git itself does when it meets
// one that is missing. An older git is left to do that object by object.
func (r *Repository) fetch(ctx context.Context, remote string, oids []string) error {
	major, minor, err := Version(ctx)
	if err != nil {
		return err
	}
	g := r.git
	g.env = with(g.env, "GIT_NO_REPLACE_OBJECTS", "1")
	if major == 2 && minor < bulkFetchVersion {
		return g.stream(ctx, lines(oids), func(out *bufio.Reader) error {
			_, err := io.Copy(io.Discard, out)
			return err
		}, "cat-file", "--batch-check")
	}
	_, err = g.output(ctx, lines(oids), "-c", "fetch.negotiationAlgorithm=noop", "-c", "maintenance.auto=false", "-c", "gc.auto=0",
		"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin", "--", remote)
	return err
}
