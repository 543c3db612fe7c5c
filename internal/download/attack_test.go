package download_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/download"
)

// A destination may have been prepared by somebody who wants to have a file
// written that is none of the model's. Whatever the links in it, nothing outside
// changes, and what links lead to inside does not either.
func TestPreparedLinks(t *testing.T) {
	content := text(1000)
	f := signed("sub/dir/a", content)
	inFolder := func(dir string) download.Destination { return download.Folder{Dir: dir, Commit: commit} }
	inCache := func(dir string) download.Destination {
		return download.Cache{Dir: dir, Repo: repo, Commit: commit, Ref: "main"}
	}
	const blobs = repo + "/blobs"
	for name, c := range map[string]struct {
		to           func(dir string) download.Destination
		link, target string
		want         error
	}{
		"folder of a file":         {inFolder, "sub", "OUTSIDE", download.ErrLink},
		"folder below":             {inFolder, "sub/dir", "OUTSIDE", download.ErrLink},
		"folder inside":            {inFolder, "sub", "mine", download.ErrLink},
		"relative, outside":        {inFolder, "sub", "../outside", download.ErrLink},
		"file":                     {inFolder, "sub/dir/a", "OUTSIDE/victim", download.ErrExists},
		"file to come":             {inFolder, "sub/dir/a", "OUTSIDE/new", download.ErrExists},
		"file inside":              {inFolder, "sub/dir/a", "../../mine/file", download.ErrExists},
		"notes":                    {inFolder, ".cache", "OUTSIDE", download.ErrLink},
		"staging":                  {inFolder, ".cache/huggingface/model-sign", "OUTSIDE", download.ErrLink},
		"lock":                     {inFolder, ".cache/huggingface/model-sign/lock", "OUTSIDE/victim", download.ErrExists},
		"folder of a note":         {inFolder, ".cache/huggingface/download", "OUTSIDE", nil},
		"note":                     {inFolder, ".cache/huggingface/download/sub/dir/a.metadata", "OUTSIDE/victim", nil},
		"tag":                      {inFolder, ".cache/huggingface/.gitignore", "OUTSIDE/new", nil},
		"repository":               {inCache, repo, "OUTSIDE", download.ErrLink},
		"blobs":                    {inCache, blobs, "OUTSIDE", download.ErrLink},
		"blob":                     {inCache, blobs + "/" + f.Blob, "OUTSIDE/victim", download.ErrExists},
		"blob to come":             {inCache, blobs + "/" + f.Blob, "OUTSIDE/new", download.ErrExists},
		"snapshots":                {inCache, repo + "/snapshots", "OUTSIDE", download.ErrLink},
		"snapshot":                 {inCache, repo + "/snapshots/" + commit, "OUTSIDE", download.ErrLink},
		"folder in a snapshot":     {inCache, repo + "/" + snapshot + "sub", "OUTSIDE", download.ErrLink},
		"folder of another commit": {inCache, repo + "/snapshots/" + commit, "mine", download.ErrLink},
		"staging of a cache":       {inCache, repo + "/.model-sign", "OUTSIDE", download.ErrLink},
		"refs":                     {inCache, repo + "/refs", "OUTSIDE", download.ErrLink},
		"ref":                      {inCache, repo + "/refs/main", "OUTSIDE/victim", nil},
		"tag of a cache":           {inCache, "CACHEDIR.TAG", "OUTSIDE/new", nil},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir, outside := filepath.Join(top, "dir"), filepath.Join(top, "outside")
			write(t, outside+"/victim", "precious")
			write(t, dir+"/mine/file", "mine")
			target := c.target
			if rest, ok := strings.CutPrefix(target, "OUTSIDE"); ok {
				target = outside + rest
			}
			link(t, target, filepath.Join(dir, c.link))
			o := &origin{files: map[string][]byte{"sub/dir/a": content}}
			_, err := download.Run(t.Context(), o, []download.File{f}, c.to(dir), quick())
			if cache, ok := c.to(dir).(download.Cache); ok && err == nil {
				err = cache.WriteRef(t.Context())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			same(t, tree(t, outside), map[string]string{"victim": "precious"})
			same(t, tree(t, dir+"/mine"), map[string]string{"file": "mine"})
			if got, err := os.Readlink(filepath.Join(dir, c.link)); c.want != nil && (err != nil || got != target) {
				t.Errorf("the link is %q now (%v)", got, err)
			}
		})
	}
}

// What lies under the name of a partial file may be another file's second name, or
// a link to one: it is not written to.
func TestPreparedPartialFile(t *testing.T) {
	content := text(1000)
	for name, prepare := range map[string]func(victim, partial string) error{
		"link":        os.Symlink,
		"second name": os.Link,
		"folder":      func(_, partial string) error { return os.Mkdir(partial, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "second name" && runtime.GOOS == "windows" {
				t.Skip("files do not tell how many names they have")
			}
			dir := t.TempDir()
			o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) { c.drop(500 - int(c.offset)) }}
			if _, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick()); err == nil {
				t.Fatal("no error")
			}
			partial := filepath.Join(dir, partials(t, dir)[0])
			victim := filepath.Join(dir, "victim")
			write(t, victim, string(content[:500]))
			if err := os.Remove(partial); err != nil {
				t.Fatal(err)
			}
			if err := prepare(victim, partial); err != nil {
				t.Skip(err)
			}
			o.spoil, o.asked = nil, nil
			r := mustRun(t, o, download.Folder{Dir: dir}, signed("a", content))[0]
			if r.Err != nil || r.Resumed != 0 {
				t.Errorf("%+v, want it fetched from the start", r)
			}
			holds(t, victim, content[:500])
			holds(t, dir+"/a", content)
		})
	}
}
