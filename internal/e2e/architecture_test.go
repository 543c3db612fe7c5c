package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// architecture is what docs/architecture.md says of this module's packages, which are named by their folders.
type architecture struct {
	rooms  map[string]bool     // the first cells of its tables, where they are folders
	tests  map[string]bool     // those rooms that are no part of a program
	drawn  map[string]bool     // packages in the picture
	arrows map[string][]string // who imports whom, by the picture
}

// TestArchitecture holds docs/architecture.md against the imports that there are: each package is in a table, those for tests are
// imported by no other, each arrow that is not dotted is an import, and each import between two packages of the picture is an arrow, or
// follows from several.
func TestArchitecture(t *testing.T) {
	module := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(module, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	imports := moduleImports(t, module)
	a := readArchitecture(string(text), imports)
	if len(a.tests) == 0 || len(a.drawn) == 0 || len(a.arrows) == 0 {
		t.Fatal("there is no picture, or no table of what is for tests")
	}
	for name, others := range a.arrows {
		for _, other := range others {
			if !slices.Contains(imports[name], other) {
				t.Errorf("an arrow leads from %s to %s, which it does not import", name, other)
			}
		}
	}
	if t.Failed() {
		return // such arrows could lead in a circle
	}
	for name, imported := range imports {
		if !a.rooms[name] {
			t.Errorf("no table says what %s is", name)
		}
		for _, other := range imported {
			if a.tests[other] && !a.tests[name] {
				t.Errorf("%s imports %s, which is for tests", name, other)
			}
			if a.drawn[name] && a.drawn[other] && !a.leads(name, other) {
				t.Errorf("%s imports %s: no arrow says so", name, other)
			}
		}
	}
	for name := range a.rooms {
		if _, err := os.Stat(filepath.Join(module, name)); err != nil {
			t.Errorf("a table names %s, which is not there", name)
		}
	}
}

// moduleImports says of each package of this module which others of it are imported outside of tests.
func moduleImports(t *testing.T, module string) map[string][]string {
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.Module.Path}} {{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = module
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	imports := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		var own []string
		for _, path := range fields[1:] {
			if folder, ok := strings.CutPrefix(path, fields[0]+"/"); ok {
				own = append(own, folder)
			}
		}
		imports[own[0]] = own[1:]
	}
	return imports
}

var (
	room  = regexp.MustCompile("`((?:cmd|docs|hooks|internal|kms)[a-z0-9/-]*)`")
	box   = regexp.MustCompile(`\b(\w+)\["([^":]+)`)
	arrow = regexp.MustCompile(`(?m)^\s*(\w+)\S* --> (\w+)`)
)

// readArchitecture reads the tables and the picture. A box is called as its package is, or has the package's folder in its text.
func readArchitecture(text string, imports map[string][]string) architecture {
	a := architecture{rooms: make(map[string]bool), tests: make(map[string]bool), drawn: make(map[string]bool), arrows: make(map[string][]string)}
	heading := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			heading = line
		}
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range room.FindAllStringSubmatch(cells[1], -1) {
				a.rooms[m[1]] = true
				if strings.Contains(heading, "Test doubles") {
					a.tests[m[1]] = true
				}
			}
		}
	}
	_, picture, _ := strings.Cut(text, "```mermaid\n")
	picture, _, _ = strings.Cut(picture, "```")
	folders := make(map[string]string)
	for _, m := range box.FindAllStringSubmatch(picture, -1) {
		folder := m[2]
		if _, ok := imports["internal/"+folder]; ok {
			folder = "internal/" + folder
		}
		folders[m[1]] = folder
		a.drawn[folder] = true
	}
	for _, m := range arrow.FindAllStringSubmatch(picture, -1) {
		from, to := folders[m[1]], folders[m[2]]
		a.arrows[from] = append(a.arrows[from], to)
	}
	return a
}

// leads reports whether arrows lead from one package to another.
func (a architecture) leads(from, to string) bool {
	return slices.ContainsFunc(a.arrows[from], func(next string) bool { return next == to || a.leads(next, to) })
}
