package pins_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/pins"
)

const (
	url    = "https://host.example/org/model"
	issuer = "https://accounts.example.com"
)

func pin(signature, identity string) pins.Pin {
	return pins.Pin{URL: url, Signature: signature, Method: "sigstore", Identity: identity, Issuer: issuer}
}

func parse(t *testing.T, text string) *pins.File {
	t.Helper()
	f, err := pins.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const sample = `# mine

https://host.example/org/model model.sig sigstore alice@example.com https://accounts.example.com
	# indented, and the next has tabs
https://host.example/org/model	"a b/model.sig"  sigstore	"eve\n@example.com" https://accounts.example.com
ssh://git@host.example/x model.sig sigstore bob@example.com https://accounts.example.com
`

// Comments, blank lines and the spacing of lines that are not touched stay.
func TestRewriting(t *testing.T) {
	f := parse(t, sample)
	if string(f.Bytes()) != sample || len(f.All()) != 3 || len(f.Of(url)) != 2 {
		t.Errorf("read and written:\n%s\n%v", f.Bytes(), f.All())
	}
	if p := f.Get(url, "a b/model.sig"); len(p) != 1 || p[0].Identity != "eve\n@example.com" {
		t.Errorf("%v", p)
	}
	if err := f.Set(pin("model.sig", "carol@example.com")); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(pin("\x80 \"odd\u202e", "a#b")); err != nil {
		t.Fatal(err)
	}
	if !f.Remove("ssh://git@host.example/x", "model.sig") || f.Remove("ssh://git@host.example/x", "model.sig") {
		t.Error("removed twice, or never")
	}
	want := strings.Replace(sample, "alice@", "carol@", 1)
	want = want[:strings.Index(want, "ssh://")] + url + ` "\x80 \"odd\u202e" sigstore a#b ` + issuer + "\n"
	if string(f.Bytes()) != want {
		t.Errorf("got\n%s\nwant\n%s", f.Bytes(), want)
	}
	if again := parse(t, want); !slices.Equal(again.All(), f.All()) {
		t.Errorf("read again: %v, want %v", again.All(), f.All())
	}
	if last := parse(t, strings.TrimSuffix(sample, "\n")); string(last.Bytes()) != sample {
		t.Errorf("without the last line's end:\n%s", last.Bytes())
	}
	if windows := parse(t, strings.ReplaceAll(sample, "\n", "\r\n")); len(windows.All()) != 3 || strings.Count(string(windows.Bytes()), "\r") != strings.Count(sample, "\n") {
		t.Errorf("with carriage returns:\n%q", windows.Bytes())
	}
}

// What is not understood is an error that names its line, and is never dropped.
func TestParseRefuses(t *testing.T) {
	const rest = " model.sig sigstore a https://b"
	for name, c := range map[string]struct{ line, says string }{
		"a word":                {"x", "found 1 fields"},
		"a sixth field":         {url + rest + " more", "found 6 fields"},
		"a comment behind":      {url + rest + " # comment", "odd"},
		"an empty field":        {url + ` "" sigstore a b`, "empty"},
		"no URL":                {"host" + rest, "URL"},
		"another spelling":      {"HTTPS://Host.example:443/x/" + rest, "https://host.example/x"},
		"credentials":           {"https://u:s3cret@host.example/x" + rest, "password"},
		"a user":                {"https://u@host.example/x#frag" + rest, "fragment"},
		"another method":        {url + " model.sig key a b", `"key"`},
		"an absolute path":      {url + " /model.sig sigstore a b", "no path"},
		"a path out of it":      {url + " ../model.sig sigstore a b", "no path"},
		"a path with dots":      {url + " a/../model.sig sigstore a b", "no path"},
		"no file":               {url + " . sigstore a b", "no path"},
		"a quote not closed":    {url + ` "model.sig sigstore a b`, "double quote"},
		"a raw string":          {url + " `model.sig` sigstore a\u00a0b c", "odd"},
		"text behind a quote":   {url + ` "model.sig"x sigstore a b`, "space"},
		"a bad escape":          {url + ` "\z" sigstore a b`, "double quote"},
		"an escape sequence":    {url + " model.sig sigstore a\x1b[2J b", "odd"},
		"no UTF-8":              {url + " model.sig sigstore a\xff b", "odd"},
		"a field without end":   {url + " model.sig sigstore " + strings.Repeat("a", 5000) + " b", "5000 bytes"},
		"the same, differently": {url + ` "model.sig" sigstore mallory@example.com b`, "line 3"},
	} {
		f, err := pins.Parse([]byte(sample + c.line + "\n"))
		if !errors.Is(err, pins.ErrFile) || !strings.Contains(err.Error(), "line 7") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, %v; want an error for line 7 that says %q", name, f, err, c.says)
		}
	}
	if _, err := pins.Parse(make([]byte, 17<<20)); !errors.Is(err, pins.ErrFile) {
		t.Errorf("a huge file: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	f := parse(t, "")
	for _, bad := range []pins.Pin{{}, pin("", "a"), pin("model.sig", ""), pin("../x", "a"), {URL: "https://u:p@host.example/", Signature: "model.sig", Method: "sigstore", Identity: "a", Issuer: "b"}} {
		if err := f.Set(bad); !errors.Is(err, pins.ErrFile) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if len(f.Bytes()) != 0 {
		t.Errorf("wrote %q", f.Bytes())
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("file:///x \"\\u00e9\" sigstore \"\\x00\" b"))
	f.Add([]byte("# \xff\r\n\n"))
	f.Add([]byte(twoCases))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := pins.Parse(b)
		if err != nil {
			return
		}
		written := file.Bytes()
		again, err := pins.Parse(written)
		if err != nil || !slices.Equal(again.All(), file.All()) || string(again.Bytes()) != string(written) {
			t.Fatalf("%q: read %v, then %v, %v", b, file.All(), again.All(), err)
		}
		fresh := new(pins.File)
		for _, p := range file.All() {
			if err := fresh.Set(p); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
		}
		if again, err := pins.Parse(fresh.Bytes()); err != nil || !slices.Equal(again.All(), fresh.All()) {
			t.Fatalf("%q: written anew %q, %v", b, fresh.Bytes(), err)
		}
		for _, p := range file.All() {
			if now := fresh.Get(p.URL, p.Signature); len(now) != 1 || len(file.Get(p.URL, p.Signature)) == 1 && now[0] != p {
				t.Fatalf("%q: %+v was set, and is %v", b, p, now)
			}
		}
	})
}

// A hosting service has a repository by either of two names.
func TestPinWithoutGit(t *testing.T) {
	f := parse(t, "https://host.example/org/m.git model.sig sigstore a https://b\n")
	for spelling, want := range map[string]bool{"https://host.example/org/m": true, "https://host.example/org/m.git": true, "https://host.example/org/m2": false} {
		if found := len(f.Get(spelling, "model.sig")) == 1; found != want || (len(f.Of(spelling)) == 1) != want {
			t.Errorf("%s: found %v, want %v", spelling, found, want)
		}
	}
	if _, err := pins.Parse([]byte("https://host.example/m.git model.sig sigstore a https://b\nhttps://host.example/m model.sig sigstore c https://b\n")); !errors.Is(err, pins.ErrFile) {
		t.Errorf("two signers for one repository: %v", err)
	}
}

const twoCases = `# mine
https://huggingface.co/Acme/Bert model.sig sigstore alice@example.com https://accounts.example.com
https://huggingface.co/acme/bert model.sig sigstore mallory@example.com https://accounts.example.com
# between
https://huggingface.co/acme/bert sub/model.sig sigstore alice@example.com https://accounts.example.com
https://huggingface.co/acme/BERT.git sub/model.sig sigstore alice@example.com https://accounts.example.com
`

// The Hub overlooks case. Lines that were written when it counted all hold, and are
// as they were until one of them is changed.
func TestPinWithoutCase(t *testing.T) {
	const typed = "https://huggingface.co/ACME/bert.git"
	f := parse(t, twoCases)
	if string(f.Bytes()) != twoCases || len(f.Of(typed)) != 4 || len(f.Get(typed, "model.sig")) != 2 || len(f.Get(typed, "sub/model.sig")) != 2 {
		t.Errorf("read %v, written\n%s", f.Of(typed), f.Bytes())
	}
	bob := pins.Pin{URL: typed, Signature: "model.sig", Method: "sigstore", Identity: "bob@example.com", Issuer: issuer}
	if err := f.Set(bob); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(twoCases, "\n")
	if want := lines[0] + bob.Line() + "\n" + strings.Join(lines[3:], ""); string(f.Bytes()) != want {
		t.Errorf("Bob in the place of both:\n%s", f.Bytes())
	}
	if !f.Remove(typed, "sub/model.sig") || f.Remove(typed, "sub/model.sig") || len(f.All()) != 1 {
		t.Errorf("one is left:\n%s", f.Bytes())
	}
	// As before, the same line twice is a mistake, and so is one with and without .git.
	for _, line := range []string{lines[1], strings.Replace(lines[1], "Bert", "Bert.git", 1)} {
		if _, err := pins.Parse([]byte(twoCases + line)); !errors.Is(err, pins.ErrFile) {
			t.Errorf("%s: %v", line, err)
		}
	}
	// Of any other host the case of a path counts.
	other := parse(t, strings.ReplaceAll(twoCases, "huggingface.co", "host.example"))
	if got := other.Of("https://host.example/acme/bert"); len(got) != 2 {
		t.Errorf("another host: %v", got)
	}
}
