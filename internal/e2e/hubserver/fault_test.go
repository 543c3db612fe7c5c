package hubserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestContentFaults looks at what arrives of 10,000 bytes.
func TestContentFaults(t *testing.T) {
	f := newFixture(t, Options{})
	altered := bytes.Clone(f.weights)
	altered[5000] ^= 0xff
	for _, tt := range []struct {
		kind     Kind
		argument string
		from     string // a Range
		status   int
		want     []byte
		breaks   bool
	}{
		{Corrupt, "", "", 200, altered, false},
		{Corrupt, "", "bytes=4000-", 206, altered[4000:], false},
		{Corrupt, "", "bytes=6000-", 206, altered[6000:], false},
		{Truncate, "", "", 200, f.weights[:5000], false},
		{Truncate, "", "bytes=4000-", 206, f.weights[4000:5000], false},
		{Drop, "0", "", 200, nil, true},
		{Drop, "1", "", 200, f.weights[:1], true},
		{Drop, "9999", "", 200, f.weights[:9999], true},
		{Drop, "9999", "bytes=4000-", 206, f.weights[4000:9999], true},
		{Drop, "10000", "", 200, f.weights, false},
		{NoRange, "", "bytes=4000-", 200, f.weights, false},
		{Slow, "1ms", "", 200, f.weights, false},
		{Slow, "", "bytes=9999-", 206, f.weights[9999:], false},
	} {
		f.ClearFaults()
		f.fault(tt.kind, "w.bin", tt.argument, 0)
		var headers []string
		if tt.from != "" {
			headers = []string{"Range", tt.from}
		}
		for range 2 {
			f.ClearLog()
			a := f.follow("/org/model/resolve/main/w.bin", headers...)
			if a.StatusCode != tt.status || !bytes.Equal(a.body, tt.want) || (a.err != nil) != tt.breaks {
				t.Errorf("%s %s of %q: %s, %d bytes, %v; want %d, %d bytes", tt.kind, tt.argument, tt.from, a.Status, len(a.body), a.err, tt.status, len(tt.want))
			}
			if log := f.Log(); log[len(log)-1].Sent != int64(len(tt.want)) {
				t.Errorf("%s %s of %q: logged %s, want sent=%d", tt.kind, tt.argument, tt.from, log[len(log)-1], len(tt.want))
			}
		}
		if a := f.follow("/org/model/resolve/main/z.txt"); string(a.body) != "last\n" {
			t.Errorf("%s: another file is spoilt: %q", tt.kind, a.body)
		}
		if a := f.ask("HEAD", "/org/model/resolve/main/w.bin"); a.Header.Get("X-Linked-Size") != "10000" {
			t.Errorf("%s: HEAD answers %v", tt.kind, a.Header)
		}
	}
}

func TestGzip(t *testing.T) {
	f := newFixture(t, Options{})
	f.fault(Gzip, "w.bin", "", 1)
	a := f.follow("/org/model/resolve/main/w.bin", "Accept-Encoding", "identity")
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil || a.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", err, a.Header)
	}
	if content, err := io.ReadAll(z); err != nil || !bytes.Equal(content, f.weights) {
		t.Errorf("%v, %d bytes", err, len(content))
	}
	if a := f.follow("/org/model/resolve/main/w.bin"); !bytes.Equal(a.body, f.weights) {
		t.Error("a fault of one answer spoils two")
	}
}

func TestStatus(t *testing.T) {
	f := newFixture(t, Options{})
	const tree, file = "/api/models/org/model/tree/main", "/org/model/resolve/main/w.bin"
	f.fault(Status, "@tree", "503", 2)
	f.fault(Status, "w.bin", "429 7", 1)
	f.fault(Status, "w.bin", "429 in 60", 1)
	for i, want := range []int{503, 503, 200, 200} {
		if a := f.ask("GET", tree); a.StatusCode != want {
			t.Errorf("listing %d: %s, want %d", i, a.Status, want)
		}
	}
	if a := f.ask("GET", file); a.StatusCode != 429 || a.Header.Get("Retry-After") != "7" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	a := f.ask("GET", file)
	at, err := http.ParseTime(a.Header.Get("Retry-After"))
	if wait := time.Until(at); err != nil || wait < 50*time.Second || wait > time.Minute {
		t.Errorf("Retry-After %q: %v, in %v", a.Header.Get("Retry-After"), err, wait)
	}
	f.fault(Status, "@cdn", "403", 1)
	for _, want := range []int{403, 200} {
		if a := f.follow(file); a.StatusCode != want {
			t.Errorf("the CDN: %s, want %d", a.Status, want)
		}
	}
	f.fault(Status, "*", "500", 0)
	for _, path := range []string{tree, file, "/api/models/org/model", "/api/whoami-v2", "/org/model/info/refs"} {
		if a := f.ask("GET", path); a.StatusCode != 500 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
}

func TestRedirect(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.SetAccess("org/model", Private); err != nil {
		t.Fatal(err)
	}
	authorization := []string{"Authorization", "Bearer " + token}
	f.fault(Redirect, "@tree", "", 0)
	f.fault(Redirect, "z.txt", "", 0)
	f.fault(Redirect, "w.bin", "https://example.com/w.bin", 0)
	for path, want := range map[string]string{
		"/api/models/org/model/tree/main":  f.CDN() + "/api/models/org/model/tree/main",
		"/org/model/resolve/main/z.txt":    f.CDN() + "/org/model/resolve/main/z.txt",
		"/org/model/resolve/main/w.bin":    "https://example.com/w.bin",
		"/org/model/resolve/main/a/b/none": "",
	} {
		if a := f.ask("GET", path, authorization...); a.Header.Get("Location") != want {
			t.Errorf("%s leads to %q, want %q", path, a.Header.Get("Location"), want)
		}
	}
	// The other host needs no token for its answer, and notes one that it is sent.
	if a := f.ask("GET", f.CDN()+"/api/models/org/model/tree/main"); a.StatusCode != 200 {
		t.Errorf("elsewhere: %s %s", a.Status, a.body)
	}
	if a := f.follow("/org/model/resolve/main/z.txt", authorization...); string(a.body) != "last\n" {
		t.Errorf("elsewhere: %s %s", a.Status, a.body)
	}
	if log := f.Log(); !slices.ContainsFunc(log, func(r Request) bool { return r.Host == "cdn" && r.Auth == "token" }) {
		t.Errorf("a token went unseen: %v", log)
	}
}

func TestLies(t *testing.T) {
	f := newFixture(t, Options{})
	list := func() map[string]apiEntry {
		byPath := make(map[string]apiEntry)
		for _, e := range f.list("/api/models/org/model/tree/main?recursive=true") {
			byPath[e.Path] = e
		}
		return byPath
	}
	right := list()
	f.fault(SHA256, "w.bin", "", 0)
	f.fault(Size, "w.bin", "", 0)
	f.fault(Size, "z.txt", "0", 0)
	f.fault(SHA256, "z.txt", f.oid, 0)
	f.fault(Blob, "README.md", "", 0)
	f.fault(Hide, "a/b/config.json", "", 0)
	f.fault(Extra, "../evil.py", "", 0)
	wrong := list()
	if w := wrong["w.bin"]; w.LFS == nil || w.LFS.OID == f.oid || len(w.LFS.OID) != 64 || w.Size != 10001 || w.LFS.Size != 10001 {
		t.Errorf("w.bin is %+v %+v", w, w.LFS)
	}
	if z := wrong["z.txt"]; z.LFS == nil || z.LFS.OID != f.oid || z.Size != 0 {
		t.Errorf("z.txt is %+v %+v", z, z.LFS)
	}
	if r := wrong["README.md"]; r.OID == right["README.md"].OID || len(r.OID) != 40 {
		t.Errorf("README.md is %+v", r)
	}
	if _, ok := wrong["a/b/config.json"]; ok {
		t.Error("a hidden file is listed")
	}
	if e := wrong["../evil.py"]; e.Size != 10 || e.OID != "21b405d8c2dac873e9063b1dff87e46c3876aa58" {
		t.Errorf("the extra file is %+v", e)
	}
	if a := f.follow("/org/model/resolve/main/../evil.py"); string(a.body) != "import os\n" {
		t.Errorf("the extra file: %s %q", a.Status, a.body)
	}
	if a := f.follow("/org/model/resolve/main/w.bin"); !bytes.Equal(a.body, f.weights) {
		t.Error("a lie of the listing alters content")
	}
	f.ClearFaults()
	if got := list(); len(got) != len(right) {
		t.Errorf("the listing still lies: %v", got)
	}
}

func TestRepeat(t *testing.T) {
	f := newFixture(t, Options{})
	f.fault(Repeat, "@tree", "", 2)
	all := paths(f.list("/api/models/org/model/tree/main?recursive=true"))
	if len(all) != 7+2*3 || !slices.Equal(all[:3], all[3:6]) || !slices.Equal(all[:3], all[6:9]) {
		t.Errorf("listed %q", all)
	}
}

func TestBadFaults(t *testing.T) {
	f := newFixture(t, Options{})
	for _, bad := range []Fault{
		{Kind: "nothing", Target: "x"},
		{Kind: Drop, Target: "x"},
		{Kind: Drop, Target: "x", Argument: "half"},
		{Kind: Status, Target: "x", Argument: "200"},
		{Kind: Slow, Target: "x", Argument: "5"},
		{Kind: Size, Target: "x", Argument: "big"},
		{Kind: Hide, Target: "x", Times: 1},
	} {
		if err := f.AddFault(bad); err == nil || !strings.Contains(err.Error(), "fault") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
