package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// HeadCommit returns the id of the current commit, "" if there is none yet.
func (r *Repository) HeadCommit(ctx context.Context) (string, error) {
	return r.resolve(ctx, "HEAD")
}

// resolve returns the id of the commit that a name stands for, "" if none does.
func (r *Repository) resolve(ctx context.Context, rev string) (string, error) {
	if strings.HasPrefix(rev, "-") {
		return "", fmt.Errorf("%q is no revision", rev)
	}
	out, err := r.git.output(ctx, nil, "rev-parse", "--quiet", "--verify", rev+"^{commit}")
	if exitedWith(err, 1) {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// exitedWith reports whether err is git having exited with a status.
func exitedWith(err error, status int) bool {
	var e *CommandError
	return errors.As(err, &e) && e.ExitCode == status
}

// CommitEntries returns the paths at or under a path that a commit holds, all
// of them if it is "". No blob is looked at.
func (r *Repository) CommitEntries(ctx context.Context, rev, under string) ([]Entry, error) {
	if strings.HasPrefix(rev, "-") {
		return nil, fmt.Errorf("%q is no revision", rev)
	}
	out, err := r.git.output(ctx, nil, underPath([]string{"ls-tree", "-r", "-z", "--full-tree", rev, "--"}, under)...)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, record := range splitNUL(string(out)) {
		head, path, tabbed := strings.Cut(record, "\t")
		fields := strings.Fields(head)
		if !tabbed || len(fields) != 3 {
			return nil, fmt.Errorf("git ls-tree: %w: %q", errRecord, record)
		}
		mode, err := strconv.ParseUint(fields[0], 8, 32)
		if err != nil {
			return nil, fmt.Errorf("git ls-tree: %w: %q", errRecord, record)
		}
		entries = append(entries, Entry{Mode: uint32(mode), OID: fields[2], Path: path})
	}
	return entries, nil
}
