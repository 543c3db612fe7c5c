package download_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/git-model-sign/git-model-sign/internal/download"
)

// Unless somebody asks for another number, eight files come at a time: with every
// connection held up, there are eight of them when nothing goes on any more.
func TestEightAtATime(t *testing.T) {
	dir := t.TempDir()
	o := &origin{files: make(map[string][]byte)}
	var files []download.File
	for i := range 10 {
		name := fmt.Sprint(i)
		o.files[name] = text(100 + i)
		files = append(files, signed(name, o.files[name]))
	}
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		held := make(chan struct{})
		o.spoil = func(c *connection) {
			open.Add(1)
			c.read = func(c *connection, b []byte) (int, error) {
				<-held
				return plainRead(c, b)
			}
		}
		var results []download.Result
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			results, err = download.Run(t.Context(), o, files, download.Folder{Dir: dir}, download.Options{})
		}()
		synctest.Wait()
		if n := open.Load(); n != 8 {
			t.Errorf("%d files are fetched at a time, want 8", n)
		}
		close(held)
		<-done
		if err != nil {
			t.Fatal(err)
		}
		allRight(t, results)
	})
	for name, content := range o.files {
		holds(t, filepath.Join(dir, name), content)
	}
}
