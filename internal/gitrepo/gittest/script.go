package gittest

import (
	"os"
	"path/filepath"
)

// Script writes a shell script into the sandbox and returns its path.
func Script(s *Sandbox, name, body string) string {
	s.Helper()
	p := s.Path("bin", name)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o777); err != nil {
		s.Fatal(err)
	}
	return p
}

// Hook installs a hook into a repository.
func Hook(s *Sandbox, dir, name, body string) {
	s.Helper()
	p := filepath.Join(dir, ".git", "hooks", name)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o777); err != nil {
		s.Fatal(err)
	}
}
