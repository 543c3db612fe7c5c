package hook

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Update is a ref that a push changes.
type Update struct {
	// Ref is its full name where the push arrives.
	Ref string
	// Old and New are object ids, "" for none: a ref that is new, or one that is deleted. Old need not be an
	// object that is here, and either may be one that is no commit.
	Old, New string
}

// ErrUpdates says that what was read is no list of updates such as git writes.
var ErrUpdates = errors.New("not a list of refs such as git gives a hook")

// Bounds of a list of updates. Git has none; a ref's name ends up in a file's name or a packet of 64 KiB.
const (
	maxUpdates = 1 << 20
	maxUpdate  = 64 << 10 // bytes of a line
)

// ReadUpdates reads what git gives to pre-push, `<local ref> SP <id> SP <remote ref> SP <remote id>`, or to
// pre-receive, `<old id> SP <new id> SP <ref>`, one line for each ref, see githooks(5). Lines that are empty are left out.
func ReadUpdates(event Event, r io.Reader) ([]Update, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxUpdate)
	var updates []Update
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		u, err := parseUpdate(event, lines.Text())
		if err != nil {
			return nil, err
		}
		if len(updates) == maxUpdates {
			return nil, fmt.Errorf("%w: more than %d refs", ErrUpdates, maxUpdates)
		}
		updates = append(updates, u)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: a line of more than %d bytes", ErrUpdates, maxUpdate)
	} else if err != nil {
		return nil, fmt.Errorf("reading the list of refs: %w", err)
	}
	return updates, nil
}

// parseUpdate reads one line. The local ref is whatever the user wrote, which may have spaces in it; no other field may.
func parseUpdate(event Event, line string) (u Update, err error) {
	fields := strings.Split(line, " ")
	n := len(fields)
	switch {
	case event == PreReceive && n == 3:
		u.Old, u.New, u.Ref = fields[0], fields[1], fields[2]
	case event == PrePush && n >= 4:
		u.New, u.Ref, u.Old = fields[n-3], fields[n-2], fields[n-1]
	default:
		return u, fmt.Errorf("%w: %q", ErrUpdates, line)
	}
	for _, id := range []*string{&u.Old, &u.New} {
		if !isObjectID(*id) {
			return u, fmt.Errorf("%w: %q", ErrUpdates, line)
		}
		if strings.Trim(*id, "0") == "" {
			*id = ""
		}
	}
	if u.Ref == "" {
		return u, fmt.Errorf("%w: %q", ErrUpdates, line)
	}
	return u, nil
}

// isObjectID says whether s is a full object id: SHA-1 or SHA-256 in lower case hexadecimal.
func isObjectID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// PreCommitPush is what pre-push is called for where no arguments come with it: by pre-commit, which has read
// the list of refs itself and puts one of them into the environment, or by hand. Then it is HEAD that would be
// pushed. New and Old are names of commits here, and args as git has them, or none.
func PreCommitPush(getenv func(string) string) (updates []Update, args []string) {
	u := Update{Ref: getenv("PRE_COMMIT_REMOTE_BRANCH"), Old: getenv("PRE_COMMIT_FROM_REF"), New: getenv("PRE_COMMIT_TO_REF")}
	if u.New == "" {
		u.New = getenv("PRE_COMMIT_LOCAL_BRANCH") // with the first commit of a repository all files are checked
	}
	if u.New == "" {
		u.New = "HEAD"
	}
	if u.Ref == "" {
		u.Ref = u.New
	}
	if url := getenv("PRE_COMMIT_REMOTE_URL"); url != "" {
		args = []string{getenv("PRE_COMMIT_REMOTE_NAME"), url}
	}
	return []Update{u}, args
}
