package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// Difference is a path by which two of commit, index and worktree differ.
type Difference struct {
	Path string
	// What is git's letter: 'A' for added, 'D' for deleted, 'U' for not merged, 'T' for a change of type, and 'M'
	// for any other change.
	What byte
}

// Unstaged returns the tracked paths at or under a path whose files in the
// worktree are not those of the index, as far as their size, times and type tell:
// no content is read unless git itself has to, as the index was written within
// the same tick of the clock. So a file that was merely touched is among them.
func (r *Repository) Unstaged(ctx context.Context, under string) ([]Difference, error) {
	return differences(ctx, r.git, underPath([]string{"diff-files", "--name-status", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty", "-z", "--"}, under)...)
}

// StagedWith returns the paths whose names end in a suffix and that the index has
// in another way than HEAD.
func (r *Repository) StagedWith(ctx context.Context, suffix string) ([]Difference, error) {
	against := func(base string) ([]Difference, error) {
		return differences(ctx, globbing(r.git), "diff-index", "--cached", "--name-status", "--no-renames", "--no-ext-diff", "-z", base, "--", anywhereWith(suffix))
	}
	found, err := against("HEAD")
	if exitedWith(err, 128) {
		if head, unborn := r.HeadCommit(ctx); unborn == nil && head == "" {
			return against(r.emptyTree())
		}
	}
	return found, err
}

// LostPaths returns the paths whose names end in a suffix and that one commit has,
// and another has not, or with other content. It is ErrNoCommit, wrapped, if one of
// them is not here.
func (r *Repository) LostPaths(ctx context.Context, old, now, suffix string) ([]string, error) {
	if strings.HasPrefix(old, "-") || strings.HasPrefix(now, "-") {
		return nil, fmt.Errorf("%q and %q: %w", old, now, ErrNoCommit)
	}
	found, err := differences(ctx, globbing(r.git), "diff-tree", "-r", "--name-status", "--diff-filter=DMT", "--no-renames", "--no-ext-diff", "-z", old, now, "--", anywhereWith(suffix))
	if exitedWith(err, 128) {
		return nil, fmt.Errorf("%s and %s: %w: %w", old, now, ErrNoCommit, err)
	}
	var paths []string
	for _, d := range found {
		paths = append(paths, d.Path)
	}
	return paths, err
}

// globbing is a git that takes pathspecs for what they are.
func globbing(g git) git {
	g.env = with(with(g.env, "GIT_LITERAL_PATHSPECS", "0"), "GIT_NO_REPLACE_OBJECTS", "1")
	return g
}

// anywhereWith is a pathspec for what ends in a suffix.
func anywhereWith(suffix string) string { return ":(top,glob)**/*" + suffix }

// Object ids of the empty tree, which git knows without having it.
const (
	emptyTreeSHA1   = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	emptyTreeSHA256 = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
)

func (r *Repository) emptyTree() string {
	if r.ObjectFormat == SHA256 {
		return emptyTreeSHA256
	}
	return emptyTreeSHA1
}

func differences(ctx context.Context, g git, args ...string) ([]Difference, error) {
	out, err := g.output(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	return parseNameStatus(string(out))
}

// parseNameStatus reads `<letter> NUL <path> NUL`.
func parseNameStatus(out string) ([]Difference, error) {
	fields := splitNUL(out)
	if len(fields)%2 != 0 {
		return nil, fmt.Errorf("git diff: %w: %q", errRecord, fields[len(fields)-1])
	}
	found := make([]Difference, 0, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		if len(fields[i]) != 1 || fields[i+1] == "" {
			return nil, fmt.Errorf("git diff: %w: %q", errRecord, fields[i]+" "+fields[i+1])
		}
		// A path that is not merged is told twice.
		if d := (Difference{Path: fields[i+1], What: fields[i][0]}); len(found) == 0 || found[len(found)-1].Path != d.Path {
			found = append(found, d)
		}
	}
	return found, nil
}
