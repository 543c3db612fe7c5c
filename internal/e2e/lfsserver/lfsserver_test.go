package lfsserver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
	"github.com/git-model-sign/git-model-sign/internal/e2e/lfsserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// A fixture is a server with one repository, to which a commit with one LFS object has been pushed.
type fixture struct {
	t       *testing.T
	home    *home.Home
	server  *lfsserver.Server
	url     string
	weights []byte
	oid     string
}

func newFixture(t *testing.T, o lfsserver.Options) *fixture {
	t.Helper()
	h, err := home.New(t.TempDir(), needs.GitLFS(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := lfsserver.Start(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := &fixture{t: t, home: h, server: s, weights: make([]byte, 3<<20)}
	if f.url, err = s.CreateRepository(t.Context(), "model"); err != nil {
		t.Fatal(err)
	}
	rand.NewChaCha8([32]byte{1}).Read(f.weights)
	sum := sha256.Sum256(f.weights)
	f.oid = hex.EncodeToString(sum[:])
	f.git(0, "lfs", "install")
	f.git(0, "config", "--global", "lfs.transfer.maxretries", "1")
	return f
}

// git runs git in the fixture's folder and wants this exit status.
func (f *fixture) git(status int, args ...string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	cmd := f.home.Command(ctx, f.home.Dir, "git", args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		f.t.Fatalf("git %q: %v", args, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		f.t.Fatalf("git %q: exit status %d, want %d\n%s", args, got, status, out)
	}
	return string(out)
}

// push makes the model's repository and pushes it to url.
func (f *fixture) push(url string) string {
	f.t.Helper()
	work := filepath.Join(f.home.Dir, "work")
	f.git(0, "init", "-q", work)
	if err := os.WriteFile(filepath.Join(work, "model.bin"), f.weights, 0o666); err != nil {
		f.t.Fatal(err)
	}
	f.git(0, "-C", work, "lfs", "track", "*.bin")
	f.git(0, "-C", work, "add", ".")
	f.git(0, "-C", work, "commit", "-qm", "Add the model")
	return f.git(0, "-C", work, "push", url, "main")
}

func TestPushAndClone(t *testing.T) {
	f := newFixture(t, lfsserver.Options{})
	if out := f.push(f.url); strings.Contains(strings.ToLower(out), "lock") {
		t.Errorf("a push talks of file locking:\n%s", out)
	}
	stored, err := os.ReadFile(f.server.ObjectPath(f.oid))
	if err != nil || !bytes.Equal(stored, f.weights) {
		t.Errorf("the pushed object is not on disk: %v", err)
	}
	f.git(0, "clone", f.url, "clone")
	cloned, err := os.ReadFile(filepath.Join(f.home.Dir, "clone", "model.bin"))
	if err != nil || !bytes.Equal(cloned, f.weights) {
		t.Errorf("the clone has other weights: %v", err)
	}
	st := f.server.Stats()
	if st.Uploads[f.oid] != 1 || st.Downloads[f.oid] != 1 || st.Batched[f.oid] != 2 || st.BytesServed != int64(len(f.weights)) {
		t.Errorf("counts after one push and one clone: %+v", st)
	}
	f.server.ResetStats()
	f.git(0, "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false", "clone", f.url, "bare-bones")
	if st := f.server.Stats(); st.Batches != 0 || st.BytesServed != 0 {
		t.Errorf("a clone without LFS asked for objects: %+v", st)
	}
}

// A push larger than http.postBuffer comes as a chunked request.
func TestLargePush(t *testing.T) {
	f := newFixture(t, lfsserver.Options{})
	f.git(0, "init", "-q", "work")
	if err := os.WriteFile(filepath.Join(f.home.Dir, "work", "plain.bin"), f.weights, 0o666); err != nil {
		t.Fatal(err)
	}
	f.git(0, "-C", "work", "add", ".")
	f.git(0, "-C", "work", "commit", "-qm", "Add weights to git itself")
	f.git(0, "-C", "work", "push", f.url, "main")
	f.git(0, "clone", f.url, "clone")
	cloned, err := os.ReadFile(filepath.Join(f.home.Dir, "clone", "plain.bin"))
	if err != nil || !bytes.Equal(cloned, f.weights) {
		t.Errorf("the clone has other weights: %v", err)
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  lfsserver.Fault
		status int    // of git clone
		says   string // part of what git prints
	}{
		{"missing", lfsserver.Missing, 128, "Object does not exist"},
		{"corrupt", lfsserver.Corrupt, 128, "expected OID"},
		{"truncated", lfsserver.Truncated, 128, "EOF"},
		{"slow", lfsserver.Slow, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, lfsserver.Options{Delay: time.Millisecond})
			f.push(f.url)
			f.server.SetFault(f.oid, tt.fault)
			if out := f.git(tt.status, "clone", f.url, "clone"); !strings.Contains(out, tt.says) {
				t.Errorf("git clone does not say %q:\n%s", tt.says, out)
			}
			f.server.SetFault(f.oid, lfsserver.None)
			f.git(0, "clone", f.url, "again")
		})
	}
}

func TestCredentials(t *testing.T) {
	f := newFixture(t, lfsserver.Options{User: "ada", Password: "s3cret"})
	withCredentials := strings.Replace(f.url, "http://", "http://ada:s3cret@", 1)
	f.push(withCredentials)
	f.git(0, "clone", withCredentials, "clone")
	f.git(128, "clone", f.url, "stranger")

	response, err := http.Get(strings.TrimSuffix(f.url, "/model.git") + "/-/objects/" + f.oid)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("an object was given to a stranger: %s", response.Status)
	}
}

func TestUploadOfOtherBytes(t *testing.T) {
	f := newFixture(t, lfsserver.Options{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		strings.TrimSuffix(f.url, "/model.git")+"/-/objects/"+f.oid, strings.NewReader("other bytes"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("bytes of another SHA-256 were taken: %s", response.Status)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.server.ObjectPath(f.oid)), "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("a refused upload left %v (%v)", left, err)
	}
}
