package walk_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/hub"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// liar is a Hub that has one repository, org/model. Each request for a file gets the next of its contents, and the last one again
// and again; what it lists is the last one.
type liar struct {
	contents map[string][]string

	mu    sync.Mutex
	asked map[string]int
}

const liarsCommit = "0123456789abcdef0123456789abcdef01234567"

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body []byte) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	}
	_, path, isFile := strings.Cut(r.URL.Path, "/resolve/"+liarsCommit+"/")
	switch contents := l.contents[path]; {
	case isFile && len(contents) > 0:
		l.mu.Lock()
		n := l.asked[path]
		l.asked[path]++
		l.mu.Unlock()
		return answer(http.StatusOK, []byte(contents[min(n, len(contents)-1)]))
	case strings.Contains(r.URL.Path, "/tree/"):
		entries := []map[string]any{}
		for path, contents := range l.contents {
			last := contents[len(contents)-1]
			id := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(last), last))
			entries = append(entries, map[string]any{"type": "file", "path": path, "size": len(last), "oid": hex.EncodeToString(id[:])})
		}
		body, err := json.Marshal(entries)
		if err != nil {
			return nil, err
		}
		return answer(http.StatusOK, body)
	case strings.Contains(r.URL.Path, "/revision/"):
		return answer(http.StatusOK, []byte(`{"id":"org/model","sha":"`+liarsCommit+`"}`))
	}
	return answer(http.StatusNotFound, nil)
}

// onHub is a signed model that such a Hub has.
func (m *signed) onHub(t *testing.T, names ...string) *liar {
	t.Helper()
	l := &liar{contents: map[string][]string{}, asked: map[string]int{}}
	for _, name := range append(names, "model.sig") {
		content, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		l.contents[name] = []string{string(content)}
	}
	return l
}

// download gets org/model from it.
func (m *signed) download(t *testing.T, l *liar, to walk.Destination) *ui.Verdict {
	t.Helper()
	client := hub.NewClient(hub.Environment{}, hub.ClientOptions{Transport: l})
	p, err := walk.LocateHub(t.Context(), client, hub.Repo{Type: hub.Model, ID: "org/model"}, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	return walk.Download(t.Context(), p, to, walk.VerifyOptions{Policy: policy.Policy{Trust: m.trust}, Terminal: m.terminal})
}

// What was looked at is what is downloaded, whatever the Hub sends when it is asked again.
func TestDownloadSignatureThatChanges(t *testing.T) {
	m := newSigned(t, map[string]string{"config.json": "{}"}, "")
	for name, right := range map[string]int{"model.sig": 1, "other.oms.sig": 2} { // as often as a verdict needs it
		l := m.onHub(t, "config.json")
		l.contents[name] = append(slices.Repeat(l.contents["model.sig"], right), "import os\n")
		dir := t.TempDir()
		v := m.download(t, l, walk.Destination{Folder: dir})
		if v.ExitCode() != ui.ExitFailed {
			t.Errorf("%s: exit code %d, %v", name, v.ExitCode(), v.Err)
		}
		if content, err := os.ReadFile(filepath.Join(dir, name)); err == nil && string(content) == "import os\n" {
			t.Errorf("%s is there with what nobody has looked at", name)
		}
	}
}

// Files without number that are called as signatures are not all fetched, and those that are not are named.
func TestSiblingsWithoutNumber(t *testing.T) {
	m := newSigned(t, map[string]string{"config.json": "{}"}, "")
	l := m.onHub(t, "config.json")
	for i := range 100 {
		l.contents[fmt.Sprintf("%03d.oms.sig", i)] = l.contents["model.sig"]
	}
	v := m.download(t, l, walk.Destination{Folder: filepath.Join(t.TempDir(), "d")})
	if n := v.Report.Count(check.Extra); n == 0 || n >= 100 || v.ExitCode() != ui.ExitFailed {
		t.Errorf("%d files are extra, exit code %d, %v", n, v.ExitCode(), v.Err)
	}
	if len(l.asked) > 80 {
		t.Errorf("%d files were fetched", len(l.asked))
	}
}

// What lay at the destination before and is not signed is named.
func TestDownloadBesideStrangers(t *testing.T) {
	m := newSigned(t, map[string]string{"config.json": "{}", "sub/x.txt": "x"}, "")
	env := hub.Environment{Cache: t.TempDir()}
	folder := t.TempDir()
	for name, test := range map[string]struct {
		to  walk.Destination
		dir string
	}{
		"folder": {walk.Destination{Folder: folder}, folder},
		"cache":  {walk.Destination{Environment: env}, filepath.Join(env.Cache, "models--org--model", "snapshots", liarsCommit)},
	} {
		l := m.onHub(t, "config.json", "sub/x.txt")
		if v := m.download(t, l, test.to); v.ExitCode() != ui.ExitOK || v.Hub.Downloaded == "" {
			t.Fatalf("%s: exit code %d, %v", name, v.ExitCode(), v.Err)
		}
		evil := filepath.Join(test.dir, "sub", "evil.py")
		if err := os.WriteFile(evil, []byte("import os\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		v := m.download(t, l, test.to)
		if v.ExitCode() != ui.ExitFailed || v.Report.Count(check.Extra) != 1 || v.Hub.Downloaded != "" {
			t.Errorf("%s: exit code %d, %+v, %v", name, v.ExitCode(), v.Report, v.Err)
		}
		if _, err := os.Lstat(evil); err != nil {
			t.Error(err) // it is not ours to delete
		}
	}
}
