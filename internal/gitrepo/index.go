package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// File modes of git.
const (
	ModeFile       uint32 = 0o100644
	ModeExecutable uint32 = 0o100755
	ModeSymlink    uint32 = 0o120000
	ModeSubmodule  uint32 = 0o160000
)

// Entry is a tracked path.
type Entry struct {
	Mode uint32 // one of git's modes
	OID  string // object id in hex
	Path string // relative to Top, with slashes, raw bytes
	// Stage is 0, or 1 to 3 for the sides of a path that is not merged.
	Stage        int
	SkipWorktree bool // left out of a sparse checkout
	IntentToAdd  bool // named by git add -N; there is no content yet
}

// Index returns the tracked paths that are, or lie under, a path relative to
// Top; "" means all. They are in the index's order, that of bytes.
func (r *Repository) Index(ctx context.Context, under string) ([]Entry, error) {
	if r.plain() {
		if entries, err := (plainReader{r}).index(ctx, under); err == nil {
			return entries, nil
		}
	}
	return gitReader{r}.index(ctx, under)
}

// index lists what `git ls-files` lists.
func (g gitReader) index(ctx context.Context, under string) ([]Entry, error) {
	out, err := g.r.git.output(ctx, nil, underPath([]string{"ls-files", "--full-name", "--stage", "-t", "-z", "--"}, under)...)
	if err != nil {
		return nil, err
	}
	entries, err := parseStage(out)
	if err != nil {
		return nil, err
	}
	return entries, g.markIntentToAdd(ctx, entries, under)
}

// parseStage reads records `<tag> SP <mode> SP <oid> SP <stage> TAB <path> NUL`.
func parseStage(out []byte) ([]Entry, error) {
	entries := make([]Entry, 0, bytes.Count(out, []byte{0}))
	for rest := string(out); rest != ""; {
		record, after, ended := strings.Cut(rest, "\x00")
		e, err := parseStageRecord(record)
		if err != nil || !ended {
			return nil, fmt.Errorf("git ls-files: record %q is not understood", record)
		}
		entries = append(entries, e)
		rest = after
	}
	return entries, nil
}

var errRecord = errors.New("record is not understood")

func parseStageRecord(record string) (Entry, error) {
	head, path, tabbed := strings.Cut(record, "\t")
	tag, head, _ := strings.Cut(head, " ")
	mode, head, _ := strings.Cut(head, " ")
	oid, stage, _ := strings.Cut(head, " ")
	m, err := strconv.ParseUint(mode, 8, 32)
	if err != nil || !tabbed || path == "" || len(stage) != 1 || stage[0] < '0' || stage[0] > '3' {
		return Entry{}, errRecord
	}
	return Entry{Mode: uint32(m), OID: oid, Path: path, Stage: int(stage[0] - '0'), SkipWorktree: tag == "S" || tag == "s"}, nil
}

// Object ids of the empty blob, which an intent to add stands on.
const (
	emptySHA1   = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
	emptySHA256 = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
)

// markIntentToAdd finds the entries that are only an intent to add, which
// ls-files does not tell. They stand on the empty blob.
func (g gitReader) markIntentToAdd(ctx context.Context, entries []Entry, under string) error {
	empty := func(e Entry) bool { return e.Stage == 0 && (e.OID == emptySHA1 || e.OID == emptySHA256) }
	if g.r.Top == "" || !slices.ContainsFunc(entries, empty) {
		return nil
	}
	intents, err := g.intents(ctx, under)
	if err != nil {
		return err
	}
	for i, e := range entries {
		entries[i].IntentToAdd = empty(e) && intents[e.Path]
	}
	return nil
}

// intents returns the set of paths that are an intent to add. For diff-files
// such a path is an addition from git 2.28 on. Before, only the flags tell which
// ls-files prints for debugging, in a form that may change in a version that is
// still to come.
func (g gitReader) intents(ctx context.Context, under string) (map[string]bool, error) {
	major, minor, err := Version(ctx)
	if err != nil {
		return nil, err
	}
	if major == 2 && minor < 28 {
		out, err := g.r.git.output(ctx, nil, underPath([]string{"ls-files", "--debug", "--full-name", "-z", "--"}, under)...)
		if err != nil {
			return nil, err
		}
		return parseDebug(string(out))
	}
	out, err := g.r.git.output(ctx, nil, underPath([]string{"diff-files", "--name-only", "--diff-filter=A", "--no-renames", "--no-ext-diff",
		"--ignore-submodules=all", "-z", "--"}, under)...)
	if err != nil {
		return nil, err
	}
	added := map[string]bool{}
	for _, path := range splitNUL(string(out)) {
		added[path] = true
	}
	return added, nil
}

// intentFlag is the bit of an entry in git's memory that marks an intent to add.
const intentFlag = 1 << 29

// parseDebug reads records `<path> NUL` and five lines, the last of which ends in
// `flags: <hex>`, and returns the paths with intentFlag.
func parseDebug(out string) (map[string]bool, error) {
	intents := map[string]bool{}
	for out != "" {
		path, rest, ok := strings.Cut(out, "\x00")
		var line string
		for range 5 {
			line, rest, _ = strings.Cut(rest, "\n")
		}
		_, hex, hasFlags := strings.Cut(line, "flags: ")
		flags, err := strconv.ParseUint(hex, 16, 64)
		if !ok || !hasFlags || err != nil {
			return nil, fmt.Errorf("git ls-files --debug: %w: %q", errRecord, line)
		}
		if flags&intentFlag != 0 {
			intents[path] = true
		}
		out = rest
	}
	return intents, nil
}

// underPath adds a path to a command's arguments, unless it means all.
func underPath(args []string, under string) []string {
	if under == "" {
		return args
	}
	return append(args, under)
}

// IsUnder reports whether a path in a repository is base or lies under it; base ""
// holds all.
func IsUnder(path, base string) bool {
	return base == "" || path == base || strings.HasPrefix(path, base) && path[len(base)] == '/'
}

// ForgetStat has the index forget what the files of some of its entries looked
// like, so that git compares their content the next time that it looks: it takes
// a file of another size for changed, and where a filter is between the two, as
// with an LFS pointer and what it stands for, it need not be. What is staged stays.
func (r *Repository) ForgetStat(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var stdin strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&stdin, "%o %s %d\t%s\x00", e.Mode, e.OID, e.Stage, e.Path)
	}
	cmd, err := r.git.command(ctx, "update-index", "-z", "--index-info")
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(stdin.String())
	return run(ctx, cmd)
}
