package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wantInCI wants a command to be a line of .ci/run.
func wantInCI(t *testing.T, s step) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Split(string(script), "\n"), s.command) {
		t.Errorf("line %d: %q is no line of .ci/run, so nothing runs it", s.line, s.command)
	}
}

// wantRunBy wants a block of the document to be what a test or session of this package runs: its file, by the path from here, has
// every option and subcommand that the block has, or reads the document. How a job gets the programs is run nowhere.
func wantRunBy(t *testing.T, document string, s step) {
	t.Helper()
	text, err := os.ReadFile(s.by)
	if err != nil {
		t.Errorf("line %d: run by no test: %v", s.line, err)
		return
	}
	if strings.Contains(string(text), strconv.Quote(document)) {
		return
	}
	var words []string
	for line := range strings.Lines(s.command) {
		begin := commands.FindString(line)
		if strings.Contains(line, installs) {
			continue
		}
		if fields := strings.Fields(line[len(begin):]); begin != "" && len(fields) > 0 {
			words = append(words, fields[0])
		}
		for _, o := range option.FindAllStringSubmatch(line, -1) {
			words = append(words, o[1])
		}
	}
	if len(words) == 0 {
		t.Errorf("line %d: nothing in it could be run", s.line)
	}
	for _, word := range words {
		if !regexp.MustCompile(`[ "-]` + regexp.QuoteMeta(word) + `\b`).Match(text) {
			t.Errorf("line %d: %s does not run this: %s is not there", s.line, s.by, word)
		}
	}
}

// wantMeasurement wants a command to be "go run PACKAGE", where the package has tests or the command without its arguments is in .ci/run,
// or "go test PACKAGE" of tests and benchmarks that there are, or the first with the second as its arguments. A benchmark has to
// have a test of its name: something runs what it measures.
func wantMeasurement(t *testing.T, s step) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(s.command, "'", ""))
	if len(words) > 2 && words[0] == "go" && words[1] == "run" {
		if len(testsOf(t, words[2])) == 0 {
			wantInCI(t, step{line: s.line, command: strings.Join(words[:3], " ")})
		}
		words = slices.DeleteFunc(words[3:], func(w string) bool { return w == "-long" })
		if len(words) == 0 {
			return
		}
	}
	if len(words) < 2 || words[0] != "go" || words[1] != "test" {
		t.Errorf("line %d: neither a measurement nor in a block: %s", s.line, s.command)
		return
	}
	at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "./") })
	if at < 0 {
		t.Errorf("line %d: of no package: %s", s.line, s.command)
		return
	}
	what, i := "Test", slices.Index(words, "-run")
	if bench := slices.Index(words, "-bench"); bench >= 0 {
		what, i = "Benchmark", bench
	}
	if i < 0 || i+1 == len(words) {
		t.Errorf("line %d: no test is named: %s", s.line, s.command)
		return
	}
	for _, name := range alternatives(words[i+1]) {
		wantTests(t, s, words[at], what, name)
	}
}

// wantTests wants a package to have tests that match a pattern, and if it is that of benchmarks, both.
func wantTests(t *testing.T, s step, folder, what, pattern string) {
	t.Helper()
	matches := regexp.MustCompile(pattern).MatchString
	tests := testsOf(t, folder)
	for _, k := range []string{"Test", what} {
		if !slices.ContainsFunc(tests, func(name string) bool { return strings.HasPrefix(name, k) && matches(name) }) {
			t.Errorf("line %d: %s has no %s that matches %s", s.line, folder, k, pattern)
		}
	}
}

// alternatives are the patterns that one of the form "x(a|b)" stands for.
func alternatives(pattern string) []string {
	before, rest, ok := strings.Cut(pattern, "(")
	if !ok {
		return []string{pattern}
	}
	var all []string
	for _, one := range strings.Split(strings.TrimSuffix(rest, ")"), "|") {
		all = append(all, before+one)
	}
	return all
}

var (
	option       = regexp.MustCompile(`\s--([a-z][A-Za-z-]*)`)
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)\(`)
)

// testsOf are the tests and benchmarks of a package of this module, which is named as the go command takes it.
func testsOf(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// The convention itself: what a document may not hold, and how output is compared.
func TestDocConvention(t *testing.T) {
	for name, text := range map[string]string{
		"a block that nothing runs":    "```sh\nls\n```\n",
		"a command in an unmarked one": "```\n$ ls\n```\n",
		"a command in a text":          "```text\ngit model-sign --quiet\n```\n",
		"one with a variable":          "```text\nA=b git push\n```\n",
		"one of a job":                 "```yaml\n    - git push\n```\n",
		"one of a step":                "```yaml\n      - run: git push\n```\n",
		"an indented fence":            "1. Run\n   ```\n   git push\n   ```\n",
		"a fence of another form":      "~~~\ngit push\n~~~\n",
		"a block by a tab":             "Run\n\n\tgit push\n",
		"the run of a paragraph":       "<!-- run by x_test.go -->\n\n```text\ngit push\n```\n",
		"a block without an end":       "```console\n$ ls\n",
	} {
		if steps, err := parseDocument(text); err == nil {
			t.Errorf("%s is taken: %v", name, steps)
		}
	}
	steps, err := parseDocument("<!-- run\ncd x\n-->\n```console\n$ git \\\n  status\nclean…\n$ echo $?\n0\n```\n```\ngo test ./...\n```\n")
	if err != nil || len(steps) != 4 || steps[1].command != "git status" || steps[1].shown[0] != "clean…" || steps[3].kind != inCI {
		t.Errorf("parsed to %+v (%v)", steps, err)
	}
	steps, err = parseDocument("<!-- run by x_test.go -->\n```text\ngit \\\n  push\n```\n\n    go run ./x\n")
	if err != nil || len(steps) != 2 || steps[0].kind != elsewhere || steps[0].by != "x_test.go" || steps[0].command != "git \\\n  push\n" || steps[1].kind != measurement {
		t.Errorf("parsed to %+v (%v)", steps, err)
	}
	for _, tt := range []struct{ shown, printed, missing string }{
		{"a…c", "a b c", ""},
		{"a\nc", "a\nb\nc\n", ""},
		{"c\na", "a\nb\nc\n", "a"},
		{"a", "a b", "a"},
		{"…", "", ""},
	} {
		if got := firstMissing(strings.Split(tt.shown, "\n"), tt.printed); got != tt.missing {
			t.Errorf("%s in %s: %s is missing, want %s", strconv.Quote(tt.shown), strconv.Quote(tt.printed), strconv.Quote(got), strconv.Quote(tt.missing))
		}
	}
}
