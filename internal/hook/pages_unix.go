//go:build !windows

package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/git-model-sign/git-model-sign/docs/man"
	"github.com/git-model-sign/git-model-sign/internal/secretenv"
)

// pageMark is the comment at the end of a manual page that was put in its place by Install. A page without
// one came with a package, and is not ours to take away.
const pageMark = `.\" Put here by git model-sign install --`

// installPages puts the manual pages where `git model-sign --help`, which is `man git-model-sign`, finds
// them. A single repository has none of its own.
func (s *setup) installPages(ctx context.Context) error {
	if s.Scope == Local {
		return nil
	}
	var denied error
	for _, dir := range s.pageFolders() {
		err := s.installPagesIn(dir)
		if errors.Is(err, fs.ErrPermission) {
			denied = err
			continue
		}
		if err != nil {
			return fmt.Errorf("installing the manual pages: %w", err)
		}
		switch path, ok := pageFound(ctx); {
		case !ok:
			s.result.hint("git model-sign --help needs the program man, which is not installed; git model-sign -h does without")
		case path == "":
			s.result.hint("for git model-sign --help to find the manual, set MANPATH=%s: (with the colon)", filepath.Dir(dir))
		}
		return nil
	}
	s.result.note("the manual pages could not be installed: %v", denied)
	return nil
}

// pageFolders are the folders for the manual pages, the best first: beside the program if man looks there, which it
// does for the programs on PATH, and that for the scope's own data.
func (s *setup) pageFolders() []string {
	if s.ManDir != "" {
		return []string{s.ManDir}
	}
	var dirs []string
	bin := filepath.Dir(s.Executable)
	if s.Executable != "" && slices.Contains(filepath.SplitList(os.Getenv("PATH")), bin) {
		dirs = append(dirs, filepath.Join(filepath.Dir(bin), "share", "man", "man1"))
	}
	data, err := userData()
	if s.Scope == System {
		data, err = systemData()
	}
	if err == nil {
		dirs = append(dirs, filepath.Join(data, "man", "man1"))
	}
	return dirs
}

func (s *setup) installPagesIn(dir string) error {
	folders := missing(dir)
	for _, name := range man.Names() {
		page, err := man.Page(name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		there, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		scope, levels, ours := parsePageMark(there)
		switch {
		case err == nil && !ours:
			continue // a package's
		case !ours:
			scope, levels = s.Scope, folders
		}
		want := append(bytes.Clone(page), pageMark+string(scope)+" "+strconv.Itoa(levels)+"\n"...)
		if bytes.Equal(there, want) {
			continue
		}
		if err := replace(path, want, 0o666); err != nil {
			return err
		}
		s.result.done("wrote %s", path)
		folders = 0
	}
	return nil
}

// parsePageMark reads the mark of a page: the scope that it was installed for and how many levels of folders were made.
func parsePageMark(page []byte) (scope Scope, folders int, ok bool) {
	i := lineIndex(page, pageMark)
	if i < 0 {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(string(page[i+len(pageMark):]), "%s %d", &scope, &folders); err != nil {
		return "", 0, false
	}
	return scope, folders, true
}

// uninstallPages removes the pages that were installed for the scope.
func (s *setup) uninstallPages(ctx context.Context) error {
	dirs := s.pageFolders()
	if home, err := os.UserHomeDir(); err == nil && s.Scope == Global && s.ManDir == "" {
		// The program may have been somewhere else in the user's home then. What is elsewhere is somebody else's.
		if path, _ := pageFound(ctx); path != "" && within(home, path) {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, dir := range dirs {
		levels := 0
		for _, name := range man.Names() {
			path := filepath.Join(dir, name)
			page, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			scope, folders, ours := parsePageMark(page)
			if !ours || scope != s.Scope {
				continue
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			levels = max(levels, folders)
			s.result.done("removed %s", path)
		}
		removeEmpty(dir, levels)
	}
	return nil
}

// pageFound asks man for the manual page. The path is empty where it finds none; ok says that there is a man.
func pageFound(ctx context.Context) (path string, ok bool) {
	program, err := exec.LookPath("man")
	if err != nil {
		return "", false
	}
	cmd := exec.CommandContext(ctx, program, "-w", "git-model-sign")
	cmd.Env = secretenv.Without(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		return "", true
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first, true
}
