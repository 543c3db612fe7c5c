package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// ChangeKind says in which way a path differs from what is committed. Bits may
// be joined.
type ChangeKind uint8

// The kinds of change.
const (
	Staged      ChangeKind = 1 << iota // the index differs from HEAD
	Unstaged                           // the worktree differs from the index, as far as git sees
	Untracked                          // not in the index and not ignored
	Unmerged                           // a conflict
	IntentToAdd                        // git add -N
	Deleted                            // beside Staged or Unstaged: it is gone there
)

// Change is a path that is not as committed.
type Change struct {
	Path string // relative to Top; a folder that is another repository ends in a slash
	Kind ChangeKind
}

// Changes returns what `git status` finds at or under paths relative to Top;
// none means everywhere. git believes its stat cache, so that no change found
// is no proof that there is none. Renames are not looked for, as that would
// fetch blobs in a partial clone.
func (r *Repository) Changes(ctx context.Context, under ...string) ([]Change, error) {
	args := []string{"status", "--porcelain=v2", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames", "-z", "--"}
	for _, u := range under {
		if u == "" {
			under = nil
			break
		}
	}
	out, err := r.git.output(ctx, nil, append(args, under...)...)
	if err != nil {
		return nil, err
	}
	return parseStatus(string(out))
}

// parseStatus reads porcelain v2 records, each ended by NUL.
func parseStatus(out string) ([]Change, error) {
	var changes []Change
	for out != "" {
		record, rest, ended := strings.Cut(out, "\x00")
		c, origin, err := parseStatusRecord(record)
		if err != nil || !ended {
			return nil, fmt.Errorf("git status: record %q is not understood", record)
		}
		if c.Kind != 0 {
			changes = append(changes, c)
		}
		if origin {
			// A rename or copy is followed by the path that it came from.
			_, rest, _ = strings.Cut(rest, "\x00")
		}
		out = rest
	}
	return changes, nil
}

// statusFields is the number of fields before the path for each kind of record.
var statusFields = map[byte]int{'1': 8, '2': 9, 'u': 10, '?': 1}

func parseStatusRecord(record string) (c Change, origin bool, err error) {
	if record == "" {
		return c, false, errRecord
	}
	if record[0] == '#' || record[0] == '!' {
		return c, false, nil
	}
	n, known := statusFields[record[0]]
	fields := strings.SplitN(record, " ", n+1)
	if !known || len(fields) != n+1 || len(fields[0]) != 1 || fields[n] == "" {
		return c, false, errRecord
	}
	c.Path = fields[n]
	switch record[0] {
	case '?':
		c.Kind = Untracked
	case 'u':
		c.Kind = Unmerged
	default:
		if c.Kind, err = parseXY(fields[1]); err != nil {
			return c, false, err
		}
	}
	return c, record[0] == '2', nil
}

// parseXY reads the two letters for the index and the worktree.
func parseXY(xy string) (kind ChangeKind, err error) {
	if len(xy) != 2 {
		return 0, errRecord
	}
	if xy[0] != '.' {
		kind |= Staged
	}
	if xy[1] != '.' {
		kind |= Unstaged
	}
	if xy[1] == 'A' {
		kind |= IntentToAdd
	}
	if xy[0] == 'D' || xy[1] == 'D' {
		kind |= Deleted
	}
	return kind, nil
}

// UntrackedFiles returns the files at or under a path relative to Top that are
// neither tracked nor ignored. A folder that is another repository is named
// once, with a slash at its end.
func (r *Repository) UntrackedFiles(ctx context.Context, under string) ([]string, error) {
	out, err := r.git.output(ctx, nil, underPath([]string{"ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--"}, under)...)
	if err != nil {
		return nil, err
	}
	return splitNUL(string(out)), nil
}

// splitNUL splits what git wrote with -z.
func splitNUL(out string) []string {
	if out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
}
