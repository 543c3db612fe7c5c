package tree

import (
	"slices"
	"testing"
)

func TestTwins(t *testing.T) {
	for name, c := range map[string]struct{ files, want []string }{
		"none":          {[]string{"a", "b/a", "b/c", "a.txt"}, nil},
		"case":          {[]string{"A", "a", "b"}, []string{"a"}},
		"three":         {[]string{"AA", "Aa", "aa"}, []string{"Aa", "aa"}},
		"folders":       {[]string{"Dir/a", "dir/b"}, nil},
		"in folders":    {[]string{"Dir/a", "dir/A"}, []string{"dir/A"}},
		"file, folder":  {[]string{"Data", "data/x"}, []string{"data"}},
		"normal forms":  {[]string{"gr\u00f6sse", "gro\u0308sse"}, []string{"gro\u0308sse"}},
		"form and case": {[]string{"GR\u00d6SSE", "gro\u0308sse"}, []string{"gro\u0308sse"}},
		"kelvin":        {[]string{"\u212a.bin", "k.bin"}, []string{"k.bin"}},
		"long s":        {[]string{"s.bin", "\u017f.bin"}, []string{"\u017f.bin"}},
		"sigma":         {[]string{"\u03c3", "\u03c2"}, []string{"\u03c2"}},
		"two marks":     {[]string{"a\u0323\u0307", "a\u0307\u0323"}, []string{"a\u0307\u0323"}},
		"two letters":   {[]string{"\u00e9", "e"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &Tree{}
			for _, f := range c.files {
				tr.Files = append(tr.Files, File{Path: f})
			}
			tr.warnOfTwins()
			var got []string
			for _, w := range tr.Warnings {
				got = append(got, w.Path)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("twins %q, want %q", got, c.want)
			}
		})
	}
}
