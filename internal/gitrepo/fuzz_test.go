package gitrepo

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
)

func FuzzParseStage(f *testing.F) {
	oid := strings.Repeat("1", 40)
	f.Add("H 100644 " + oid + " 0\ta b\x00S 160000 " + oid + " 3\tline\nend\ttab\x00")
	f.Add("H 100644 " + oid + " 0\t\x00")
	f.Add("H 100644 " + oid + " 4\ta\x00")
	f.Fuzz(func(t *testing.T, out string) {
		entries, err := parseStage([]byte(out))
		if err != nil {
			return
		}
		if len(entries) != strings.Count(out, "\x00") {
			t.Errorf("%d entries of %q", len(entries), out)
		}
		for _, e := range entries {
			if e.Path == "" || !strings.Contains(out, fmt.Sprintf(" %s %d\t%s\x00", e.OID, e.Stage, e.Path)) {
				t.Errorf("entry %+v is not in %q", e, out)
			}
		}
	})
}

func FuzzParseDebug(f *testing.F) {
	f.Add("a b\x00  ctime: 0:0\n  mtime: 0:0\n  dev: 0\tino: 0\n  uid: 0\tgid: 0\n  size: 0\tflags: 20004000\nc\nd\x00\n\n\n\nflags: 0\n")
	f.Add("a\x00flags: 1\n")
	f.Fuzz(func(t *testing.T, out string) {
		intents, err := parseDebug(out)
		if err == nil && len(intents) > strings.Count(out, "\x00") {
			t.Errorf("%v read from %q", intents, out)
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add("1 .M N... 100644 100644 100644 a b a b\x00? x y\x00u UU N... 1 2 3 4 5 6 7 c\x002 R. N... 1 2 3 4 5 R100 new\x00old\x00# branch\x00! ignored\x00")
	f.Add("1 .\x00")
	f.Fuzz(func(t *testing.T, out string) {
		changes, err := parseStatus(out)
		if err != nil {
			return
		}
		for _, c := range changes {
			if c.Path == "" || c.Kind == 0 || !strings.Contains(out, " "+c.Path+"\x00") {
				t.Errorf("change %+v is not in %q", c, out)
			}
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add("a\x00filter\x00lfs\x00a\x00text\x00unset\x00b\x00filter\x00unspecified\x00")
	f.Add("a\x00filter\x00")
	f.Fuzz(func(t *testing.T, out string) {
		var read strings.Builder
		err := parseAttributes(bufio.NewReader(strings.NewReader(out)), func(path, name, value []byte) error {
			fmt.Fprintf(&read, "%s\x00%s\x00%s\x00", path, name, value)
			return nil
		})
		if err == nil && read.String() != out {
			t.Errorf("%q is read as %q", out, read.String())
		}
	})
}

// FuzzRemote sees that what stands before an @ in a URL is never given out.
func FuzzRemote(f *testing.F) {
	f.Add("me", "s3cret", "example.com/m?a=b#c")
	f.Add("s3cret", "", "[::1]:8/%2f")
	f.Fuzz(func(t *testing.T, user, password, rest string) {
		const secret = "s3cret"
		if strings.ContainsAny(user+password, "/?#\\ \t\r\n\v\f\u0085\u00a0") || strings.Contains(rest, secret) {
			t.Skip()
		}
		r := newRemote("origin", "https://"+user+secret+":"+password+secret+"@"+rest, "/base")
		if strings.Contains(r.Match+r.Display, secret) {
			t.Errorf("%+v holds a secret", r)
		}
	})
}

func FuzzParseVariables(f *testing.F) {
	f.Add("file:.git/config\x00remote.a.b.url\nhttps://example.com\x00command line:\x00core.bare\x00")
	f.Add("file:x\x00nodot\nv\x00")
	f.Add("file:x\x00")
	f.Fuzz(func(t *testing.T, out string) {
		vars, err := parseVariables(out)
		if err != nil {
			return
		}
		for _, v := range vars {
			section, _, _ := strings.Cut(v.key, ".")
			if v.key != section+"."+v.name && v.key != section+"."+v.place+"."+v.name {
				t.Errorf("%q read as %+v", out, v)
			}
		}
	})
}
