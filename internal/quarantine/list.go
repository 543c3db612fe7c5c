package quarantine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// The list of a quarantine is lines of text:
//
//	model-sign quarantine 1
//	worktree "."
//	00001 changed "weights.bin" "model.sig" sha256:<hex> sha256:<hex> pointer:<hex> - "why"
//
// A line for a file has its number, what is the matter with it, its path in the
// repository, that of the signature, the expected and the found digest, the
// SHA-256 of the pointer that was left, "committed" if it is what the commit
// holds, and the detail. A "-" stands for what there is none of. What came from
// outside is quoted as Go quotes strings, in ASCII, so that no name can make a line.
const (
	listName  = "list"
	firstLine = "model-sign quarantine 1\n"

	// maxList bounds the list in bytes, and maxFiles the files in it.
	maxList  = 64 << 20
	maxFiles = 99999 // what numbers of five digits tell apart
)

// ErrList says that a quarantine's list cannot be understood.
var ErrList = errors.New("list is damaged")

// ErrTooMany says that more files are wrong than one quarantine takes.
var ErrTooMany = fmt.Errorf("a quarantine takes at most %d files", maxFiles)

// encode writes the list.
func (q *Quarantine) encode() ([]byte, error) {
	if len(q.Files) > maxFiles {
		return nil, fmt.Errorf("%w, found %d", ErrTooMany, len(q.Files))
	}
	b := fmt.Appendf(nil, "%sworktree %+q\n", firstLine, q.Worktree)
	for _, f := range q.Files {
		committed, pointer := none, none
		if f.Committed {
			committed = committedMark
		}
		if f.Pointer != "" {
			pointer = pointerMark + f.Pointer
		}
		b = fmt.Appendf(b, "%s %s %+q %+q %s %s %s %s %+q\n", f.Name, f.Status, f.Path, f.Signature,
			orNone(f.Expected), orNone(f.Found), pointer, committed, f.Detail)
	}
	// What is written must be read again by the same rules.
	if _, err := decode(b); err != nil {
		return nil, err
	}
	return b, nil
}

const (
	none          = "-"
	pointerMark   = "pointer:"
	committedMark = "committed"
)

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

var (
	nameForm   = regexp.MustCompile(`^[0-9]{5}$`)
	statusForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	digestForm = regexp.MustCompile(`^(-|[a-z0-9]+:[0-9a-f]{64,128})$`)
	hashForm   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	idForm     = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z(-[1-9][0-9]{0,3})?$`)
)

// decode reads a list.
func decode(b []byte) (*Quarantine, error) {
	if len(b) > maxList {
		return nil, fmt.Errorf("%w: %d bytes", ErrList, len(b))
	}
	rest, ok := bytes.CutPrefix(b, []byte(firstLine))
	if !ok || !bytes.HasSuffix(b, []byte("\n")) {
		return nil, fmt.Errorf("%w: first or last line", ErrList)
	}
	lines := strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
	head := fields{rest: lines[0]}
	head.word("worktree")
	q := &Quarantine{Worktree: head.quoted()}
	if !head.ended() || q.Worktree == "" || len(lines)-1 > maxFiles {
		return nil, fmt.Errorf("%w: second line", ErrList)
	}
	names := make(map[string]bool)
	for i, line := range lines[1:] {
		f, ok := decodeFile(line)
		if !ok || names[f.Name] {
			return nil, fmt.Errorf("%w: line %d", ErrList, i+3)
		}
		names[f.Name] = true
		q.Files = append(q.Files, f)
	}
	return q, nil
}

func decodeFile(line string) (f File, ok bool) {
	s := fields{rest: line}
	f.Name = s.matching(nameForm)
	f.Status = s.matching(statusForm)
	f.Path = s.quoted()
	f.Signature = s.quoted()
	f.Expected = strings.TrimPrefix(s.matching(digestForm), none)
	f.Found = strings.TrimPrefix(s.matching(digestForm), none)
	if pointer := s.next(); pointer != none {
		hash, marked := strings.CutPrefix(pointer, pointerMark)
		f.Pointer, s.bad = hash, s.bad || !marked || !hashForm.MatchString(hash)
	}
	switch s.next() {
	case committedMark:
		f.Committed = true
	case none:
	default:
		s.bad = true
	}
	f.Detail = s.quoted()
	return f, s.ended() && f.Path != ""
}

// fields takes a line apart. Once something is not as it has to be, all is bad.
type fields struct {
	rest string
	bad  bool
}

// next is the text up to the next space.
func (s *fields) next() string {
	field, rest, _ := strings.Cut(s.rest, " ")
	s.rest = rest
	return field
}

func (s *fields) word(want string) { s.bad = s.next() != want || s.bad }

func (s *fields) matching(form *regexp.Regexp) string {
	field := s.next()
	s.bad = s.bad || !form.MatchString(field)
	return field
}

// quoted is a quoted text in the one way in which it is written.
func (s *fields) quoted() string {
	prefix, err := strconv.QuotedPrefix(s.rest)
	if err != nil {
		s.bad = true
		return ""
	}
	text, err := strconv.Unquote(prefix)
	rest, spaced := strings.CutPrefix(s.rest[len(prefix):], " ")
	s.bad = s.bad || err != nil || strconv.QuoteToASCII(text) != prefix || !spaced && rest != "" || spaced && rest == ""
	s.rest = rest
	return text
}

func (s *fields) ended() bool { return !s.bad && s.rest == "" }

// All lists the quarantines of a repository, the oldest first. One whose list
// cannot be read is an error beside the others.
func All(repo *gitrepo.Repository) ([]*Quarantine, error) {
	entries, err := os.ReadDir(Dir(repo))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing quarantines: %w", err)
	}
	var all []*Quarantine
	var failed []error
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue
		}
		q, err := read(filepath.Join(Dir(repo), e.Name()))
		if err != nil {
			failed = append(failed, fmt.Errorf("quarantine %s: %w", e.Name(), err))
			continue
		}
		all = append(all, q)
	}
	return all, errors.Join(failed...)
}

// Of says whether the files were in the worktree of repo.
func (q *Quarantine) Of(repo *gitrepo.Repository) bool {
	here, err := worktreeOf(repo)
	return err == nil && q.Worktree == here
}

// orphaned says whether the worktree that the files were in has been removed.
func (q *Quarantine) orphaned(repo *gitrepo.Repository) bool {
	_, err := os.Lstat(filepath.Join(repo.CommonDir, filepath.FromSlash(q.Worktree)))
	return errors.Is(err, fs.ErrNotExist)
}

// Holds says whether a file of that path is in the quarantine.
func (q *Quarantine) Holds(path string) bool {
	return slices.ContainsFunc(q.Files, func(f File) bool { return f.Held && f.Path == path })
}

// read reads a quarantine's list, and looks which of its files are there.
func read(dir string) (*Quarantine, error) {
	b, err := bounded.ReadRegular(filepath.Join(dir, listName), maxList)
	if err != nil {
		return nil, err
	}
	q, err := decode(b)
	if err != nil {
		return nil, err
	}
	q.ID, q.Dir = filepath.Base(dir), dir
	for i, f := range q.Files {
		_, err := os.Lstat(filepath.Join(dir, f.Name))
		q.Files[i].Held = err == nil
	}
	return q, nil
}
