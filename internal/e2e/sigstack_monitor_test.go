package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestSigstackFork ends a log and starts another one with the same key under the same name, as who wants to hide an entry would: whoever
// has watched the first knows the second by it.
func TestSigstackFork(t *testing.T) {
	s := newStackSession(t)
	for _, tt := range []struct {
		server, trust string
		long          bool
		says          string
	}{
		{server: "other", trust: "other.json", says: "it has forked"},
		// A Rekor v1 that is started again makes a tree of its own.
		{server: "rekor1", trust: "v1.json", long: true, says: "is not there any more"},
	} {
		t.Run(tt.server, func(t *testing.T) {
			if tt.long {
				s.needLong(t)
			}
			trust := s.file(tt.trust)
			watch := func(status int) string {
				t.Helper()
				r := s.run("git-model-sign", "monitor", "--identity", "bob@example.com", "--trust-config", trust)
				if r.status != status {
					t.Fatalf("exit status %d, want %d\n%s", r.status, status, r.said())
				}
				return r.said()
			}
			s.mustSign(trust, "model", "first.sig")
			watch(0)
			s.mustSign(trust, "model", "second.sig")
			watch(0)
			s.anotherLog(t, tt.server)
			for _, signature := range []string{"third.sig", "fourth.sig", "fifth.sig"} {
				s.mustSign(trust, "model", signature)
			}
			for range 2 { // once is not enough
				if said := watch(1); !strings.Contains(said, tt.says) || !strings.Contains(said, "evidence-") {
					t.Errorf("it says nothing of %q:\n%s", tt.says, said)
				}
			}
		})
	}
}

// anotherLog starts a server without what it has logged. At the end of the test it is as it was.
func (s *stackSession) anotherLog(t *testing.T, server string) {
	t.Helper()
	restart := func(move func() error) {
		t.Helper()
		if err := s.server("kill", server); err != nil {
			t.Fatal(err)
		}
		if err := move(); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := s.server("start", server); err != nil {
			t.Fatal(err)
		}
	}
	storage, honest := s.file(server), s.path("honest-"+server)
	restart(func() error { return os.Rename(storage, honest) })
	t.Cleanup(func() {
		restart(func() error {
			if _, err := os.Stat(honest); err != nil {
				return err
			}
			if err := os.RemoveAll(storage); err != nil {
				return err
			}
			return os.Rename(honest, storage)
		})
	})
}
