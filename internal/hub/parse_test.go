package hub

import (
	"strings"
	"testing"
)

func TestNextLink(t *testing.T) {
	for _, test := range []struct {
		headers []string
		want    string
		err     error
	}{
		{nil, "", nil},
		{[]string{""}, "", nil},
		{[]string{`<https://a/b?c=d,e;f>; rel="next"`}, "https://a/b?c=d,e;f", nil},
		{[]string{`<a>; rel=next`}, "a", nil},
		{[]string{`<a>;REL=NEXT`}, "a", nil},
		{[]string{`<a> ; rel = "next"`}, "a", nil},
		{[]string{`<a>; title="x, <b>; rel=\"next\""; rel="last next"`}, "a", nil},
		{[]string{`<a>; rel="prev", <b>; rel="next", <c>; rel="last"`}, "b", nil},
		{[]string{`<a>; rel="prev"`, `<b>; rel="next"`}, "b", nil},
		{[]string{`, ,<a>; rel=next,`}, "a", nil},
		{[]string{`<a>; rel=next; x`}, "a", nil},
		{[]string{`<a>; x; rel=next`}, "a", nil},
		{[]string{`<a>; rel=prev; rel=next`}, "", nil}, // the first counts
		{[]string{`<a>; rel="next"`, `<a>; rel="next"`}, "a", nil},
		{[]string{`<a>; rel="nextish"`}, "", nil},
		{[]string{`<a>`}, "", nil},
		{[]string{`<a>; rel="next", <b>; rel="next"`}, "", errTwoLinks},
		{[]string{`a; rel="next"`}, "", errLink},
		{[]string{`a>; rel="next"`}, "", errLink},
		{[]string{`<a; rel="next"`}, "", errLink},
		{[]string{`<>; rel="next"`}, "", errLink},
		{[]string{`<a>; rel="next`}, "", errLink},
		{[]string{`<a>; rel="next\`}, "", errLink},
		{[]string{`<a> rel="next"`}, "", errLink},
		{[]string{`<a>; rel="next"x`}, "", errLink},
	} {
		got, err := nextLink(test.headers)
		if got != test.want || err != test.err {
			t.Errorf("%q: %q, %v; want %q, %v", test.headers, got, err, test.want, test.err)
		}
	}
}

func FuzzLink(f *testing.F) {
	for _, s := range []string{`<https://a/b?c=d>; rel="next"`, `<a>; title="x\"y"; rel="last next", <b>; rel=prev`, `<a>;`, `,`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := nextLink([]string{s})
		if err != nil || target == "" {
			return
		}
		if strings.Contains(target, ">") || !strings.Contains(s, "<"+target+">") || !strings.Contains(strings.ToLower(s), "next") {
			t.Fatalf("%q: %q", s, target)
		}
		again, err := nextLink([]string{`<` + target + `>; rel="next"`})
		if err != nil || again != target {
			t.Fatalf("%q: %q becomes %q, %v", s, target, again, err)
		}
	})
}

func FuzzListing(f *testing.F) {
	const blob = "89abcdef89abcdef89abcdef89abcdef89abcdef"
	sha := strings.Repeat("5a", 32)
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"type":"directory","path":"a"},{"type":"file","path":"a/b","size":1,"oid":"` + blob + `"}]`))
	f.Add([]byte(`[{"type":"file","path":"c","size":10,"oid":"` + blob + `","lfs":{"oid":"` + sha + `","size":10,"pointerSize":127}}]`))
	f.Add([]byte(`[{"type":"file","path":"a","size":1,"oid":"` + blob + `"},{"type":"file","path":"a/b","size":1,"oid":"` + blob + `"}]`))
	f.Fuzz(func(t *testing.T, page []byte) {
		l := newListing()
		if l.add(page) != nil || l.finish() != nil {
			return
		}
		last := ""
		for _, e := range l.entries {
			for part := range strings.SplitSeq(e.Path, "/") {
				if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
					t.Fatalf("path %q", e.Path)
				}
			}
			if e.Path <= last || strings.HasPrefix(e.Path, last+"/") && last != "" || e.Size < 0 || len(e.BlobID) != 40 || len(e.SHA256) != 0 && len(e.SHA256) != 64 {
				t.Fatalf("after %q: %+v", last, e)
			}
			last = e.Path
		}
	})
}
