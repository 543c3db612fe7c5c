package hubserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
)

// A fixture is a hub with the model org/model: two branches, a tag, a pull request, a file in LFS and four that are not.
type fixture struct {
	*Server
	t       *testing.T
	home    *home.Home
	commit  string // of main
	weights []byte
	oid     string
}

const token = "hf_of_this_test"

func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	h, err := home.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.Token = token
	s, err := Start(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := &fixture{Server: s, t: t, home: h, weights: bytes.Repeat([]byte("0123456789"), 1000)}
	f.oid = fmt.Sprintf("%x", sha256.Sum256(f.weights))
	f.git("init", "-q", "model")
	for name, content := range map[string]string{
		"a/b/config.json": "{}\n", "a/ö #1%.txt": "odd", "README.md": "# Model\n", "z.txt": "last\n",
		"w.bin": fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.oid, len(f.weights)),
		"model/.git/lfs/objects/" + f.oid[:2] + "/" + f.oid[2:4] + "/" + f.oid: string(f.weights),
	} {
		if !strings.HasPrefix(name, "model/") {
			name = "model/" + name
		}
		file := filepath.Join(h.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f.git("-C", "model", "add", ".")
	f.git("-C", "model", "commit", "-qm", "Add a model")
	f.git("-C", "model", "update-ref", "refs/pr/1", "HEAD")
	f.git("-C", "model", "tag", "-a", "-m", "First", "v1")
	f.git("-C", "model", "branch", "dev/next")
	f.commit = f.git("-C", "model", "rev-parse", "HEAD")
	if err := s.Publish(t.Context(), "org/model", filepath.Join(h.Dir, "model")); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) git(args ...string) string {
	f.t.Helper()
	out, err := f.home.Command(f.t.Context(), f.home.Dir, "git", args...).CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *fixture) fault(kind Kind, target, argument string, times int) {
	f.t.Helper()
	if err := f.AddFault(Fault{Kind: kind, Target: target, Argument: argument, Times: times}); err != nil {
		f.t.Fatal(err)
	}
}

// An answer is one response, with as much of its body as came.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

// ask requests a path of the hub, or an address, and follows no redirect. Headers are name and value in turn.
func (f *fixture) ask(method, at string, headers ...string) answer {
	f.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = f.Endpoint() + at
	}
	r, err := http.NewRequestWithContext(f.t.Context(), method, at, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, body, err}
}

// follow asks for a file until it is there.
func (f *fixture) follow(path string, headers ...string) answer {
	f.t.Helper()
	at := f.Endpoint() + path
	for range 4 {
		a := f.ask("GET", at, headers...)
		if a.StatusCode/100 != 3 {
			return a
		}
		next, err := a.Location()
		if err != nil {
			f.t.Fatal(err)
		}
		at = next.String()
	}
	f.t.Fatalf("%s leads to no end", path)
	return answer{}
}

// list reads a listing from page to page.
func (f *fixture) list(path string) (entries []apiEntry) {
	f.t.Helper()
	for at, pages := path, 0; at != ""; pages++ {
		if pages == 20 {
			f.t.Fatalf("%s has no end", path)
		}
		a := f.ask("GET", at)
		var page []apiEntry
		if err := json.Unmarshal(a.body, &page); a.StatusCode != http.StatusOK || err != nil {
			f.t.Fatalf("%s: %s: %v: %s", at, a.Status, err, a.body)
		}
		if len(page) > 3 {
			f.t.Errorf("%s: a page of %d entries", at, len(page))
		}
		entries = append(entries, page...)
		at = strings.TrimSuffix(strings.TrimPrefix(a.Header.Get("Link"), "<"), `>; rel="next"`)
	}
	return entries
}

func paths(entries []apiEntry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Path)
	}
	return all
}

func TestRevisions(t *testing.T) {
	f := newFixture(t, Options{})
	for _, revision := range []string{"main", "dev%2Fnext", "v1", "refs%2Fpr%2F1", "refs%2Fheads%2Fmain", f.commit} {
		a := f.ask("GET", "/api/models/org/model/revision/"+revision)
		var info struct{ ID, SHA string }
		if err := json.Unmarshal(a.body, &info); err != nil || info.ID != "org/model" || info.SHA != f.commit {
			t.Errorf("%s: %s %s, want %s", revision, a.Status, a.body, f.commit)
		}
	}
	for _, revision := range []string{"v2", "--all", "dev", f.commit[:8], strings.Repeat("0", 40), "refs%2Fpr%2F2"} {
		if a := f.ask("GET", "/api/models/org/model/revision/"+revision); a.StatusCode != 404 || a.Header.Get("X-Error-Code") != "RevisionNotFound" {
			t.Errorf("%s: %s %s", revision, a.Status, a.body)
		}
	}
}

func TestListing(t *testing.T) {
	f := newFixture(t, Options{})
	all := f.list("/api/models/org/model/tree/main?recursive=true&expand=false")
	if got, want := paths(all), []string{"README.md", "a", "a/b", "a/b/config.json", "a/ö #1%.txt", "w.bin", "z.txt"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	readme, weights := all[0], all[5]
	if readme.Type != "file" || readme.Size != 8 || readme.OID != f.git("-C", "model", "rev-parse", "HEAD:README.md") || readme.LFS != nil {
		t.Errorf("README.md is %+v", readme)
	}
	if weights.LFS == nil || *weights.LFS != (apiLFS{f.oid, int64(len(f.weights)), 130}) || weights.Size != int64(len(f.weights)) {
		t.Errorf("w.bin is %+v %+v", weights, weights.LFS)
	}
	if got, want := paths(f.list("/api/models/org/model/tree/main")), []string{"README.md", "a", "w.bin", "z.txt"}; !slices.Equal(got, want) {
		t.Errorf("the top is %q, want %q", got, want)
	}
	if got, want := paths(f.list("/api/models/org/model/tree/v1/a")), []string{"a/b", "a/ö #1%.txt"}; !slices.Equal(got, want) {
		t.Errorf("in a is %q, want %q", got, want)
	}
	if a := f.ask("GET", "/api/models/org/model/tree/main/none"); a.StatusCode != 404 || a.Header.Get("X-Error-Code") != "EntryNotFound" {
		t.Errorf("a folder that is not there: %s %s", a.Status, a.body)
	}
	response, err := http.PostForm(f.Endpoint()+"/api/models/org/model/paths-info/main", url.Values{"paths": {"w.bin", "none", "a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var some []apiEntry
	if err := json.NewDecoder(response.Body).Decode(&some); err != nil || !slices.Equal(paths(some), []string{"w.bin", "a"}) {
		t.Errorf("paths-info: %v %+v", err, some)
	}
}

func TestContent(t *testing.T) {
	f := newFixture(t, Options{})
	a := f.ask("HEAD", "/org/model/resolve/main/w.bin")
	location := a.Header.Get("Location")
	if a.StatusCode != 302 || !strings.HasPrefix(location, f.CDN()+"/") || a.Header.Get("X-Repo-Commit") != f.commit ||
		a.Header.Get("X-Linked-Etag") != `"`+f.oid+`"` || a.Header.Get("X-Linked-Size") != "10000" || a.Header.Get("X-Xet-Hash") != "" {
		t.Errorf("a large file: %s %v", a.Status, a.Header)
	}
	if a := f.ask("GET", location); !bytes.Equal(a.body, f.weights) {
		t.Errorf("its content: %s, %d bytes", a.Status, len(a.body))
	}
	for _, forged := range []string{strings.Replace(location, "Signature=", "Signature=A", 1), strings.Replace(location, f.oid, f.oid[1:]+"0", 1)} {
		if a := f.ask("GET", forged); a.StatusCode != 403 {
			t.Errorf("%s, of which it signed another: %s", forged, a.Status)
		}
	}
	a = f.ask("HEAD", "/org/model/resolve/main/a/%C3%B6%20%231%25.txt")
	if at := a.Header.Get("Location"); a.StatusCode != 307 || at != "/api/resolve-cache/models/org/model/"+f.commit+"/a/%C3%B6%20%231%25.txt" {
		t.Errorf("a small file: %s %v", a.Status, a.Header)
	}
	if a := f.follow("/org/model/resolve/main/a/%C3%B6%20%231%25.txt"); string(a.body) != "odd" || a.ContentLength != 3 || a.Header.Get("ETag") == "" {
		t.Errorf("its content: %s %q %v", a.Status, a.body, a.Header)
	}
	for _, path := range []string{"none", "a", "a/none"} {
		if a := f.ask("GET", "/org/model/resolve/main/"+path); a.StatusCode != 404 || a.Header.Get("X-Error-Code") != "EntryNotFound" || a.Header.Get("X-Repo-Commit") == "" {
			t.Errorf("%s: %s %v", path, a.Status, a.Header)
		}
	}
	for _, tt := range []struct {
		headers []string
		status  int
		size    int
	}{
		{[]string{"Range", "bytes=9000-"}, 206, 1000},
		{[]string{"Range", "bytes=0-99"}, 206, 100},
		{[]string{"Range", "bytes=10000-"}, 416, -1},
		{[]string{"Range", "bytes=9000-", "If-Range", `"` + f.oid + `"`}, 206, 1000},
		{[]string{"Range", "bytes=9000-", "If-Range", `"other"`}, 200, 10000},
	} {
		a := f.follow("/org/model/resolve/main/w.bin", tt.headers...)
		if a.StatusCode != tt.status || tt.size >= 0 && len(a.body) != tt.size {
			t.Errorf("%q: %s, %d bytes; want %d, %d", tt.headers, a.Status, len(a.body), tt.status, tt.size)
		}
	}
}

func TestNoCDN(t *testing.T) {
	f := newFixture(t, Options{NoCDN: true, PageSize: 2})
	if a := f.ask("GET", "/org/model/resolve/main/w.bin"); a.StatusCode != 200 || !bytes.Equal(a.body, f.weights) || a.Header.Get("ETag") != `"`+f.oid+`"` {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	if a := f.ask("GET", "/api/models/org/model/tree/main?recursive=1"); !strings.Contains(a.Header.Get("Link"), "cursor=2") {
		t.Errorf("pages of two: %v", a.Header)
	}
}

func TestAccess(t *testing.T) {
	f := newFixture(t, Options{})
	const info, file, refs = "/api/models/org/model", "/org/model/resolve/main/z.txt", "/org/model/info/refs?service=git-upload-pack"
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	for _, tt := range []struct {
		access  Access
		path    string
		headers []string
		status  int
		code    string
	}{
		{Public, info, nil, 200, ""},
		{Public, file, bearer(token), 307, ""},
		{Public, refs, nil, 200, ""},
		{Public, info, bearer("hf_wrong"), 401, ""},
		{Public, "/api/models/org/none", nil, 401, "RepoNotFound"},
		{Public, "/api/models/org/none", bearer(token), 404, "RepoNotFound"},
		{Public, "/api/datasets/org/model", bearer(token), 404, "RepoNotFound"},
		{Private, info, nil, 401, "RepoNotFound"},
		{Private, file, nil, 401, "RepoNotFound"},
		{Private, refs, nil, 401, ""},
		{Private, info, bearer(token), 200, ""},
		{Private, refs, []string{"Authorization", "Basic dmlzaXRvcjpoZl9vZl90aGlzX3Rlc3Q="}, 200, ""},
		{Gated, info, nil, 200, ""},
		{Gated, file, nil, 401, "GatedRepo"},
		{Gated, file, bearer(token), 307, ""},
		{Denied, info, bearer(token), 200, ""},
		{Denied, file, bearer(token), 403, "GatedRepo"},
		{Public, "/api/whoami-v2", nil, 401, ""},
		{Public, "/api/whoami-v2", bearer(token), 200, ""},
		{Public, "/api", nil, 404, ""},
		{Public, "/", nil, 404, ""},
	} {
		if err := f.SetAccess("org/model", tt.access); err != nil {
			t.Fatal(err)
		}
		if a := f.ask("GET", tt.path, tt.headers...); a.StatusCode != tt.status || a.Header.Get("X-Error-Code") != tt.code {
			t.Errorf("access %d, %s %q: %s %q; want %d %q", tt.access, tt.path, tt.headers, a.Status, a.Header.Get("X-Error-Code"), tt.status, tt.code)
		}
	}
}

func TestRename(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.Publish(t.Context(), "datasets/org/data", filepath.Join(f.home.Dir, "model")); err != nil {
		t.Fatal(err)
	}
	for _, names := range [][2]string{{"org/model", "other/better"}, {"datasets/org/data", "datasets/org/more"}} {
		if err := f.Rename(names[0], names[1]); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"/api/models/org/model/tree/main?recursive=1": "/api/models/other/better/tree/main?recursive=1",
		"/org/model/resolve/main/a%20b":               "/other/better/resolve/main/a%20b",
		"/datasets/org/data/resolve/v1/x":             "/datasets/org/more/resolve/v1/x",
		"/org/model.git/info/refs":                    "/other/better.git/info/refs",
	} {
		if a := f.ask("GET", from); a.StatusCode != 307 || a.Header.Get("Location") != to {
			t.Errorf("%s leads to %q with %s, want %s", from, a.Header.Get("Location"), a.Status, to)
		}
	}
	if a := f.follow("/org/model/resolve/main/z.txt"); string(a.body) != "last\n" {
		t.Errorf("%s %q", a.Status, a.body)
	}
	f.git("clone", "-q", f.Endpoint()+"/org/model", "clone")
}

func TestLog(t *testing.T) {
	f := newFixture(t, Options{})
	f.follow("/org/model/resolve/main/w.bin", "Range", "bytes=9990-")
	f.ask("HEAD", "/org/model/resolve/main/w.bin", "Authorization", "Bearer "+token)
	f.ask("GET", "/api/models/org/model", "Authorization", "Bearer hf_wrong")
	log := f.Log()
	if len(log) != 4 {
		t.Fatalf("logged %v", log)
	}
	for i, want := range []string{
		"GET hub /org/model/resolve/main/w.bin auth=none range=bytes=9990- status=302 sent=",
		"GET cdn /repos/org/model/" + f.oid + "?Expires=",
		"HEAD hub /org/model/resolve/main/w.bin auth=token range=- status=302 sent=0",
		"GET hub /api/models/org/model auth=other range=- status=401 sent=",
	} {
		if !strings.HasPrefix(log[i].String(), want) {
			t.Errorf("logged %q, want %q", log[i], want)
		}
	}
	if !strings.HasSuffix(log[1].String(), " auth=none range=bytes=9990- status=206 sent=10") {
		t.Errorf("logged %q", log[1])
	}
	f.ClearLog()
	if log := f.Log(); len(log) != 0 {
		t.Errorf("still logged: %v", log)
	}
}

// Publishing again brings what is new and removes what is gone.
func TestPublishAgain(t *testing.T) {
	f := newFixture(t, Options{})
	f.git("-C", "model", "rm", "-q", "z.txt")
	f.git("-C", "model", "commit", "-qm", "Remove a file")
	f.git("-C", "model", "tag", "-d", "v1")
	if err := f.Publish(context.Background(), "org/model", filepath.Join(f.home.Dir, "model")); err != nil {
		t.Fatal(err)
	}
	if a := f.ask("GET", "/org/model/resolve/main/z.txt"); a.StatusCode != 404 {
		t.Errorf("a file that is gone: %s", a.Status)
	}
	if a := f.ask("GET", "/org/model/resolve/"+f.commit+"/z.txt"); a.StatusCode != 307 {
		t.Errorf("the same of an earlier commit: %s", a.Status)
	}
	if a := f.ask("GET", "/api/models/org/model/revision/v1"); a.StatusCode != 404 {
		t.Errorf("a tag that is gone: %s", a.Status)
	}
	for _, name := range []string{"model", "org/model/x", "models/org/m", "../x", "org/..", "/org/model"} {
		if err := f.Create(t.Context(), name); err == nil {
			t.Errorf("there is a repository %q", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"/", "/api", "/api/", "/api/models/o/m/tree/main/a%2Fb", "/api/resolve-cache/models/o/m/c/p", "/datasets/o/d/resolve/refs%2Fpr%2F1/a/b", "/o/m.git/info/refs", "/%zz"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		q := parse(u)
		if q.about == "resolve" && (q.revision == "" && !strings.Contains(path, "//") || !strings.Contains(u.Path, q.path)) {
			t.Errorf("%q asks for %+v", path, q)
		}
	})
}
