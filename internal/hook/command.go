package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// command is how a hook calls the program.
type command struct {
	word string // what the shell must find for the program to be there
	run  string // the words before "hook <event>"
}

// onPath is the command of a program that git finds by its name.
var onPath = command{word: "git-model-sign", run: "git model-sign"}

// commandFor is "git model-sign" if that would run the executable, and else the executable's path.
func commandFor(executable string) (command, error) {
	info, err := os.Stat(executable)
	if err != nil {
		return command{}, refuse("", "the program to call from hooks: %w", err)
	}
	if isBuildCache(executable) {
		return command{}, refuse("install the program first: go install github.com/git-model-sign/git-model-sign/cmd/git-model-sign@latest",
			"%s lies in a folder that Go will clean up: hooks cannot call it", executable)
	}
	if found, err := exec.LookPath(onPath.word); err == nil {
		if other, err := os.Stat(found); err == nil && os.SameFile(info, other) {
			return onPath, nil
		}
	}
	path, err := filepath.Abs(executable)
	if err != nil {
		return command{}, err
	}
	quoted := quote(filepath.ToSlash(path))
	return command{word: quoted, run: quoted}, nil
}

// isBuildCache says whether an executable was made by go run or go test, which put it under a folder
// go-build or go-build<number>.
func isBuildCache(executable string) bool {
	for _, element := range strings.Split(filepath.ToSlash(filepath.Dir(executable)), "/") {
		if rest, ok := strings.CutPrefix(element, "go-build"); ok && strings.Trim(rest, "0123456789") == "" {
			return true
		}
	}
	return false
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// line is the command line for an event, as a configured hook has it: git appends the arguments.
func (c command) line(event Event) string { return c.run + " hook " + string(event) }

// ourLine matches a command line that line has made, for this executable or for one that
// was installed before.
var ourLine = regexp.MustCompile(`^(?:git model-sign|'(?:[^']|'\\'')*') hook [a-z-]+$`)

// calls says whether a script calls us for an event in a line that is no comment: somebody
// has added our line by hand.
func calls(script []byte, event Event) bool {
	call := regexp.MustCompile(`(?m)^[^#\n]*model-sign(?:\.exe)?['"]? hook ` + regexp.QuoteMeta(string(event)) + `(?:\s|$)`)
	return call.Match(script)
}
