package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// HistoryOptions say which commits VisitHistory visits.
type HistoryOptions struct {
	// Range is a revision or a range of them, as git log takes it; "" is HEAD.
	Range string
	// All visits the commits of every ref and of HEAD, in place of a range, and those too of which a merge has taken nothing.
	All bool
	// Under is a path relative to the top of the repository: what counts is a change at it or under it, or beside
	// it with Suffix. "" is everywhere.
	Under string
	// Suffix is how the names of the paths that count end.
	Suffix string
}

// Visit is a commit with the paths that it changed, against all of its parents
// where it is a merge.
type Visit struct {
	Commit string
	Time   time.Time // of the committer
	Paths  []PathChange
}

// PathChange is a path that a commit changed.
type PathChange struct {
	Path string
	// Old and New are object ids of blobs, "" where no file is there: nothing, or a submodule. Old is that of the first parent.
	Old, New string
}

// ErrStop is returned by a function that is called for each of many to end that
// without an error.
var ErrStop = errors.New("stop")

// VisitHistory calls fn for each commit of a range that changed a path that counts,
// the newest first and as soon as it is found. Which those are is what git log
// finds for the paths. An error that fn returns ends it and is returned, except
// for ErrStop. It is ErrNoCommit, wrapped, if the range names what is not there;
// that git fails at what there is, such as a history with a part that is lost, is
// never taken for that.
func (r *Repository) VisitHistory(ctx context.Context, o HistoryOptions, fn func(Visit) error) error {
	if o.Range == "" {
		o.Range = "HEAD"
	}
	if strings.HasPrefix(o.Range, "-") || strings.ContainsAny(o.Range, "\x00\n") {
		return fmt.Errorf("%q: %w", o.Range, ErrNoCommit)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := globbing(r.git)
	d, err := startDiffer(ctx, g, o.pathspecs())
	if err != nil {
		return err
	}
	defer d.close()
	args := []string{"rev-list", "--timestamp", "--end-of-options", o.Range, "--"}
	if o.All {
		args = []string{"rev-list", "--timestamp", "--full-history", "--all", "--"}
	}
	args = append(args, o.pathspecs()...)
	err = g.stream(ctx, nil, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString('\n')
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			v, err := d.visit(line)
			if err != nil {
				return err
			}
			if len(v.Paths) == 0 {
				continue
			}
			if err := fn(v); err != nil {
				return err
			}
		}
	}, args...)
	switch {
	case errors.Is(err, ErrStop):
		return nil
	case !o.All && exitedWith(err, 128):
		if known, nameErr := r.isRange(ctx, o.Range); nameErr != nil || known {
			return errors.Join(err, nameErr)
		}
		return fmt.Errorf("%q: %w: %w", o.Range, ErrNoCommit, err)
	}
	return err
}

// isRange says whether git knows every name in a range of revisions, and what they stand for is here.
func (r *Repository) isRange(ctx context.Context, revisions string) (bool, error) {
	g := r.git
	g.env = with(g.env, "GIT_NO_LAZY_FETCH", "1")
	out, err := g.output(ctx, nil, "rev-parse", revisions, "--")
	if exitedWith(err, 128) {
		return false, nil
	}
	for _, id := range strings.Fields(string(out)) {
		if id = strings.TrimPrefix(id, "^"); err == nil && r.isOID(id) {
			_, err = r.peel(ctx, id)
		}
	}
	if errors.Is(err, ErrNoCommit) {
		return false, nil
	}
	return err == nil, err
}

// Shallow says whether the history ends early, because the clone was made so.
func (r *Repository) Shallow() bool {
	info, err := os.Stat(filepath.Join(r.CommonDir, "shallow"))
	return err == nil && info.Size() > 0
}

// pathspecs are the paths that count, for a git that takes pathspecs.
func (o HistoryOptions) pathspecs() []string {
	folder := ""
	var specs []string
	if o.Under != "" {
		folder = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(o.Under) + "/"
		specs = append(specs, ":(top,literal)"+o.Under+o.Suffix)
		if strings.HasSuffix(o.Under, o.Suffix) {
			specs = append(specs, ":(top,literal)"+o.Under)
		}
	}
	return append(specs, ":(top,glob)"+folder+"**/*"+o.Suffix)
}

// differ is a git that tells what commits changed, one after the other.
type differ struct {
	ctx  context.Context
	in   io.WriteCloser
	out  *bufio.Reader
	wait func() error
}

func startDiffer(ctx context.Context, g git, pathspecs []string) (*differ, error) {
	cmd, err := g.reading(ctx, append([]string{"diff-tree", "--stdin", "-r", "-z", "-c", "--root", "--no-commit-id", "--raw", "--no-abbrev",
		"--no-renames", "--no-ext-diff", "--"}, pathspecs...)...)
	if err != nil {
		return nil, err
	}
	said := &bounded{max: maxStderr}
	cmd.Stderr = said
	d := &differ{ctx: ctx}
	if d.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, commandError(ctx, cmd, err, said)
	}
	d.wait = func() error { return commandError(ctx, cmd, cmd.Wait(), said) }
	return d, nil
}

func (d *differ) close() {
	d.in.Close()
	_ = d.wait() // what it was asked it has answered
}

// answered is a line that git gives back as it is, being no object id, and by
// which it sends what it has.
const answered = "#\n"

// visit asks about a commit, by a line `<seconds> SP <commit> LF` of rev-list.
func (d *differ) visit(line string) (Visit, error) {
	seconds, commit, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || !ok {
		return Visit{}, fmt.Errorf("git rev-list: %w: %q", errRecord, line)
	}
	v := Visit{Commit: commit, Time: time.Unix(at, 0)}
	if _, err := io.WriteString(d.in, commit+"\n"+answered); err != nil {
		return v, d.failed(err)
	}
	for {
		first, err := d.out.ReadByte()
		if err != nil {
			return v, d.failed(err)
		}
		if first == answered[0] {
			_, err := d.out.ReadByte()
			return v, err
		}
		record, err := d.out.ReadString(0)
		if err != nil {
			return v, d.failed(err)
		}
		name, err := d.out.ReadString(0)
		if err != nil {
			return v, d.failed(err)
		}
		c, err := parseRaw(string(first) + strings.TrimSuffix(record, "\x00"))
		if err != nil {
			return v, err
		}
		c.Path = strings.TrimSuffix(name, "\x00")
		v.Paths = append(v.Paths, c)
	}
}

// failed is what git says of why its output has ended.
func (d *differ) failed(err error) error {
	if said := d.wait(); said != nil {
		return said
	}
	return fmt.Errorf("git diff-tree: %w", err)
}

// parseRaw reads the part before the path of a record of git's raw diff format:
// a colon for each parent, a mode for each and for the commit, likewise the
// object ids, and a letter for each parent.
func parseRaw(record string) (c PathChange, err error) {
	parents := len(record) - len(strings.TrimLeft(record, ":"))
	fields := strings.Split(record[parents:], " ")
	if parents == 0 || len(fields) != 2*(parents+1)+1 {
		return c, fmt.Errorf("git diff-tree: %w: %q", errRecord, record)
	}
	modes, ids := fields[:parents+1], fields[parents+1:2*(parents+1)]
	submodule := strconv.FormatUint(uint64(ModeSubmodule), 8)
	file := func(i int) string {
		if modes[i] == submodule || strings.Trim(ids[i], "0") == "" {
			return ""
		}
		return ids[i]
	}
	c.Old, c.New = file(0), file(parents)
	return c, nil
}
