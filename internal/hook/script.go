package hook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/hooks"
)

// script is a hook of a hooks folder, taken apart into our lines and the rest.
type script struct {
	before, after []byte // what stands around our lines; all of it is before where there are none
	ours          *lines
}

// lines are ours in a script: a first line that tells how they got there, the body, and a last line.
type lines struct {
	origin  origin
	pad     int  // white space before the first line that is ours as well, see lfs.go
	noRefs  bool // behind that white space, and still in the line before it, stands noRefs
	newline bool // a line end before that is ours: the script did not end with one
	folders int  // how many levels of folders were made to hold the script
	body    []byte
	edited  bool // somebody has changed the body since
}

// origin says whose script it is.
type origin string

const (
	newPlain origin = "new-plain" // made by us, nothing but ours in it
	newLFS   origin = "new-lfs"   // made by us, with git-lfs's text before our lines
	added    origin = "added"     // somebody else's, and our lines at its end
)

// shebang is all that a script of ours has besides our lines.
const shebang = "#!/bin/sh\n"

// errMarks says that the marks around our lines are not as we left them.
var errMarks = errors.New("the marks around the lines of git-model-sign were edited")

// parse takes a script apart.
func parse(content []byte) (*script, error) {
	start := lineIndex(content, hooks.Begin+" ")
	if start < 0 {
		if lineIndex(content, hooks.Begin) >= 0 || lineIndex(content, hooks.End) >= 0 {
			return nil, errMarks
		}
		return &script{before: content}, nil
	}
	header, rest, _ := bytes.Cut(content[start:], []byte("\n"))
	end := lineIndex(rest, hooks.End+"\n")
	if end < 0 || lineIndex(rest, hooks.Begin) >= 0 {
		return nil, errMarks
	}
	l, err := parseHeader(string(header), rest[:end])
	if err != nil {
		return nil, err
	}
	s := &script{before: content[:start], after: rest[end+len(hooks.End)+1:], ours: l}
	if l.noRefs {
		if !bytes.HasSuffix(s.before, []byte(noRefs)) {
			return nil, errMarks
		}
		s.before = s.before[:len(s.before)-len(noRefs)]
	}
	for n := l.pad; n > 0 && len(s.before) > 0 && isSpace(s.before[len(s.before)-1]); n-- {
		s.before = s.before[:len(s.before)-1]
	}
	if l.newline && len(s.after) == 0 {
		s.before = bytes.TrimSuffix(s.before, []byte("\n"))
	}
	return s, nil
}

// lineIndex is the index of the first line that starts with prefix, -1 if there is none.
func lineIndex(content []byte, prefix string) int {
	if bytes.HasPrefix(content, []byte(prefix)) {
		return 0
	}
	if i := bytes.Index(content, []byte("\n"+prefix)); i >= 0 {
		return i + 1
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' }

func parseHeader(header string, body []byte) (*lines, error) {
	fields := strings.Fields(strings.TrimPrefix(header, hooks.Begin))
	if len(fields) == 0 {
		return nil, errMarks
	}
	l := &lines{origin: origin(fields[0]), body: body, edited: true}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, ":")
		switch name {
		case "sum":
			l.edited = value != sum(body)
		case "newline":
			l.newline = true
		case "no-refs":
			l.noRefs = true
		case "pad", "folders":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > 1<<16 {
				return nil, errMarks
			}
			if name == "pad" {
				l.pad = n
			} else {
				l.folders = n
			}
		}
	}
	return l, nil
}

// sum tells an edited body from one that another version of this program wrote.
func sum(body []byte) string {
	h := sha256.Sum256(body)
	return hex.EncodeToString(h[:4])
}

// bytes puts a script together. What parse has taken apart comes out as it was.
func (s *script) bytes() []byte {
	var b bytes.Buffer
	b.Write(s.before)
	if l := s.ours; l != nil {
		header := hooks.Begin + " " + string(l.origin)
		if l.newline {
			b.WriteByte('\n')
			header += " newline"
		}
		switch {
		case l.noRefs:
			b.WriteString(strings.Repeat(" ", l.pad) + noRefs)
			header += fmt.Sprintf(" no-refs pad:%d", l.pad)
		case l.pad > 0:
			b.WriteString(padding(l.pad))
			header += fmt.Sprintf(" pad:%d", l.pad)
		}
		if l.folders > 0 {
			header += fmt.Sprintf(" folders:%d", l.folders)
		}
		fmt.Fprintf(&b, "%s sum:%s\n%s%s\n", header, sum(l.body), l.body, hooks.End)
	}
	b.Write(s.after)
	return b.Bytes()
}

// rest is the script without our lines.
func (s *script) rest() []byte {
	return append(bytes.Clone(s.before), s.after...)
}

// pristine says that the script was made by us and that nobody has added anything to it.
func (s *script) pristine(event Event) bool {
	if s.ours == nil || s.ours.edited {
		return false
	}
	switch rest := s.rest(); s.ours.origin {
	case newPlain:
		return string(rest) == shebang
	case newLFS:
		return isLFS(event, rest)
	}
	return false
}

// body is what our lines do for an event, with the program called by c, behind git-lfs's text or not.
func body(event Event, c command, lfs bool) ([]byte, error) {
	whole, err := hooks.Script(string(event))
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(whole), hooks.Begin+"\n")
	text, _, _ := strings.Cut(rest, hooks.End+"\n")
	text = strings.ReplaceAll(text, "command -v "+onPath.word+" ", "command -v "+c.word+" ")
	text = strings.ReplaceAll(text, "\t"+onPath.run+" hook ", "\t"+c.run+" hook ")
	if lfs && event.reads() {
		text += callLFS(event)
	}
	return []byte(text), nil
}

var (
	// shells are the interpreters that run our lines at the end of a script. No other option
	// than of letters may follow, so that nothing is taken for one that is none.
	shells = regexp.MustCompile(`^#! ?(?:/usr/bin/env )?(?:/[\w./-]*/)?(?:sh|bash|dash|ash|ksh|zsh)(?: -[a-z]+)?\n`)
	// leaves matches the words by which a script may end before its last line.
	leaves = regexp.MustCompile(`(?:^|[^\w.-])(?:exit|exec|return|kill)(?:[^\w-]|$)`)
)

// unfit says why our lines cannot stand in somebody's script, or "" if they can: at its end, or at its beginning
// for an event whose hook reads. It errs on the side of refusing: nobody's script is changed in what it does.
func unfit(event Event, content []byte) string {
	if !shells.Match(content) {
		return "is not a shell script"
	}
	if event.reads() {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") && leaves.MatchString(line) {
			return fmt.Sprintf("may end before its last line, at %q", line)
		}
	}
	switch {
	case bytes.Contains(content, []byte("<<")):
		return "has a here-document, which could take our lines in"
	case bytes.HasSuffix(bytes.TrimRight(content, " \n"), []byte(`\`)):
		return "ends within a line"
	}
	return ""
}
