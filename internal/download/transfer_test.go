package download_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/download"
)

// Wherever a connection breaks, the next one continues there, and no byte is
// fetched twice.
func TestDroppedAtEveryByte(t *testing.T) {
	content := text(60)
	for n := range len(content) {
		dir := t.TempDir()
		o := &origin{files: map[string][]byte{"a": content}}
		o.spoil = func(c *connection) {
			if c.number == 0 {
				c.drop(n)
			}
		}
		results := mustRun(t, o, download.Folder{Dir: dir}, sharded("a", content, digest.SHA256, 7))
		allRight(t, results)
		holds(t, dir+"/a", content)
		want := fmt.Sprintf("[a@0 a@%d]", n)
		if got := fmt.Sprint(o.asked); got != want || o.sent != 60 || results[0].Received != 60 {
			t.Errorf("dropped after %d: asked for %s and got %d bytes (%d told), want %s and 60", n, got, o.sent, results[0].Received, want)
		}
	}
}

func TestOneByteAConnection(t *testing.T) {
	content := text(200)
	dir := t.TempDir()
	o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) { c.drop(1) }}
	allRight(t, mustRun(t, o, download.Folder{Dir: dir}, signed("a", content)))
	holds(t, dir+"/a", content)
	if o.sent != 200 || len(o.asked) != 200 {
		t.Errorf("%d bytes over %d connections, want 200 over 200", o.sent, len(o.asked))
	}
}

// Wherever a run breaks off, the next one hashes what there is and fetches the rest.
func TestResumedByAnotherRun(t *testing.T) {
	content := text(60)
	for n := 1; n < len(content); n++ {
		dir := t.TempDir()
		to := download.Folder{Dir: dir}
		o := &origin{files: map[string][]byte{"a": content}}
		o.spoil = func(c *connection) { c.drop(max(0, n-int(c.offset))) }
		results, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, to, quick())
		if !errors.Is(err, errDropped) || !strings.Contains(err.Error(), fmt.Sprintf("%d of 60 bytes", n)) {
			t.Fatalf("a source that never gives more than %d bytes: %v", n, err)
		}
		if want := 1 + 6; len(o.asked) != want {
			t.Errorf("%d connections, want %d", len(o.asked), want)
		}
		if !errors.Is(results[0].Err, errDropped) {
			t.Errorf("result %+v", results[0])
		}
		absent(t, dir+"/a")
		if names := partials(t, dir); len(names) != 1 {
			t.Fatalf("partial files %q, want one", names)
		}
		o.spoil = nil
		results = mustRun(t, o, to, signed("a", content))
		allRight(t, results)
		holds(t, dir+"/a", content)
		if r := results[0]; r.Resumed != int64(n) || r.Received != int64(60-n) || o.sent != 60 {
			t.Errorf("broken off at %d: %+v and %d bytes sent, want no byte twice", n, r, o.sent)
		}
		if names := partials(t, dir); len(names) != 0 {
			t.Errorf("left behind: %q", names)
		}
	}
}

// A partial file belongs to a content: that of another revision is not continued.
func TestNotResumedAsAnother(t *testing.T) {
	old, other := text(100), text(101)[1:]
	for _, file := range []func(string, []byte) download.File{signed, listed} {
		dir := t.TempDir()
		o := &origin{files: map[string][]byte{"a": old}, spoil: func(c *connection) { c.drop(50 - int(c.offset)) }}
		if _, err := download.Run(t.Context(), o, []download.File{file("a", old)}, download.Folder{Dir: dir}, quick()); err == nil {
			t.Fatal("no error")
		}
		o = &origin{files: map[string][]byte{"a": other}}
		allRight(t, mustRun(t, o, download.Folder{Dir: dir}, file("a", other)))
		if got := fmt.Sprint(o.asked); got != "[a@0]" {
			t.Errorf("asked for %s, continuing another content", got)
		}
		holds(t, dir+"/a", other)
	}
}

func TestWrong(t *testing.T) {
	content := text(3000)
	bad := text(3000)
	bad[2999] ^= 1
	longer := append(text(3000), 'x')
	for name, c := range map[string]struct {
		file  download.File
		serve []byte
		spoil func(c *connection)
		says  string
		asked int
	}{
		"bytes":          {signed("a", content), bad, nil, fmt.Sprintf("expected sha256 %x, found %x", sum(content), sum(bad)), 1},
		"git's id":       {listed("a", content), bad, nil, "expected git blob " + blobID(content) + ", found " + blobID(bad), 1},
		"a shard":        {sharded("a", content, digest.SHA256, 1000), bad, nil, "in bytes 2000 to 3000", 1},
		"signed, listed": {withBlob(signed("a", bad), blobID(content)), bad, nil, "expected git blob " + blobID(content), 1},
		"announced longer": {signed("a", content), longer, func(c *connection) { c.data = nil },
			"expected 3000 bytes, the source has 3001", 1},
		"announced shorter": {signed("a", content), content[:2999], func(c *connection) { c.data = nil },
			"expected 3000 bytes, the source has 2999", 1},
		"longer": {signed("a", content), longer, func(c *connection) { c.size = 3000 }, "received more", 1},
		"without end": {signed("a", content), content, func(c *connection) {
			c.size, c.read = -1, func(_ *connection, b []byte) (int, error) { return len(b), nil }
		}, "received more", 1},
		"in pieces": {signed("a", content), bad, func(c *connection) {
			if c.number == 0 {
				c.drop(1000)
			}
		}, "expected sha256", 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			right := text(100)
			o := &origin{files: map[string][]byte{"a": c.serve, "b": right}}
			o.spoil = func(conn *connection) {
				if conn.path == "a" && c.spoil != nil {
					c.spoil(conn)
				}
			}
			options := quick()
			options.Parallel = 1
			var done atomic.Int64
			options.Progress = func(p digest.Progress) { done.Add(p.Bytes) }
			results, err := download.Run(t.Context(), o, []download.File{c.file, signed("b", right)}, download.Folder{Dir: dir, Commit: commit}, options)
			if err != nil {
				t.Fatal(err)
			}
			if err := results[0].Err; !errors.Is(err, download.ErrWrong) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"a"`) {
				t.Errorf("error %v, want ErrWrong of a with %q", err, c.says)
			}
			if len(o.asked) != c.asked+1 {
				t.Errorf("asked for %q", o.asked)
			}
			if results[1].Err != nil {
				t.Errorf("the other file: %v", results[1].Err)
			}
			if done.Load() != int64(len(right)) {
				t.Errorf("%d bytes told as done, want those of the right file", done.Load())
			}
			holds(t, dir+"/b", right)
			found := tree(t, dir)
			delete(found, "b")
			delete(found, ".cache/huggingface/download/b.metadata")
			if len(found) > 0 {
				t.Errorf("left behind: %q", found)
			}
		})
	}
}

func withBlob(f download.File, blob string) download.File {
	f.Blob = blob
	return f
}

// What an earlier run left may be wrong: then it is thrown away, once.
func TestWrongPartialFile(t *testing.T) {
	content := text(3000)
	for name, damage := range map[string]func(b []byte) []byte{
		"another byte": func(b []byte) []byte { b[10] ^= 1; return b },
		"complete":     func([]byte) []byte { return text(3001)[1:] },
		"too long":     nil,
	} {
		for _, f := range []download.File{signed("a", content), sharded("a", content, digest.SHA256, 500), listed("a", content)} {
			dir := t.TempDir()
			o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) { c.drop(2000 - int(c.offset)) }}
			if _, err := download.Run(t.Context(), o, []download.File{f}, download.Folder{Dir: dir}, quick()); err == nil {
				t.Fatal("no error")
			}
			partial := filepath.Join(dir, partials(t, dir)[0])
			b, err := os.ReadFile(partial)
			if err != nil {
				t.Fatal(err)
			}
			if damage != nil {
				write(t, partial, string(damage(b)))
			} else if err := os.Truncate(partial, 1<<40); err != nil { // which would take an hour to hash
				t.Skip(err)
			}
			o.spoil, o.asked = nil, nil
			results := mustRun(t, o, download.Folder{Dir: dir}, f)
			allRight(t, results)
			holds(t, dir+"/a", content)
			if last := o.asked[len(o.asked)-1]; last != "a@0" || len(o.asked) > 2 {
				t.Errorf("%s: asked for %q, want it from the start at last", name, o.asked)
			}
			if results[0].Resumed != 0 {
				t.Errorf("%s: %+v, want nothing of it used", name, results[0])
			}
		}
	}
}

// A wrong shard is the end: the bytes after it are not fetched.
func TestWrongShardEndsEarly(t *testing.T) {
	content := text(64 << 20)
	f := sharded("a", content, digest.SHA256, 1<<20)
	content[100] ^= 1
	o := &origin{files: map[string][]byte{"a": content}}
	r := mustRun(t, o, download.Folder{Dir: t.TempDir()}, f)[0]
	if !errors.Is(r.Err, download.ErrWrong) {
		t.Fatalf("error %v, want ErrWrong", r.Err)
	}
	// The first shard, and what came while it was judged.
	if o.sent > 8<<20 {
		t.Errorf("%d bytes were fetched of a file whose first MiB is wrong", o.sent)
	}
}

// A source that ends early without an error is no better than one that breaks.
func TestTruncated(t *testing.T) {
	content := text(1000)
	o := &origin{files: map[string][]byte{"a": content}}
	o.spoil = func(c *connection) { c.data = c.data[:min(len(c.data), max(0, 400-int(c.offset)))] }
	dir := t.TempDir()
	_, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick())
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, download.ErrWrong) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
	absent(t, dir+"/a")
	if len(partials(t, dir)) != 1 {
		t.Error("what came is not kept")
	}
}

// A server may answer a range with the whole file, or with more than was asked for.
func TestIgnoredRange(t *testing.T) {
	content := text(1000)
	for _, begins := range []int64{0, 250} {
		dir := t.TempDir()
		o := &origin{files: map[string][]byte{"a": content}}
		o.spoil = func(c *connection) {
			if c.number == 0 {
				c.drop(400)
			} else {
				c.begins, c.data = begins, content[begins:]
			}
		}
		allRight(t, mustRun(t, o, download.Folder{Dir: dir}, signed("a", content)))
		holds(t, dir+"/a", content)
	}
	o := &origin{files: map[string][]byte{"a": content}}
	o.spoil = func(c *connection) { c.begins = 10 }
	dir := t.TempDir()
	if _, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick()); err == nil || errors.Is(err, download.ErrWrong) {
		t.Errorf("a source that leaves bytes out: %v", err)
	}
	absent(t, dir+"/a")
}

// A break after the last byte is none.
func TestBreakAtTheEnd(t *testing.T) {
	content := text(1000)
	o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) { c.end = errDropped }}
	allRight(t, mustRun(t, o, download.Folder{Dir: t.TempDir()}, signed("a", content)))
	if len(o.asked) != 1 {
		t.Errorf("asked for %q", o.asked)
	}
}

func TestTrickle(t *testing.T) {
	content := text(3000)
	dir := t.TempDir()
	o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) {
		c.read = func(c *connection, b []byte) (int, error) { return plainRead(c, b[:1]) }
	}}
	allRight(t, mustRun(t, o, download.Folder{Dir: dir}, signed("a", content)))
	holds(t, dir+"/a", content)
}

// Between connections there is a pause, even after one that was of some use.
func TestPauses(t *testing.T) {
	content := text(100)
	o := &origin{files: map[string][]byte{"a": content}, spoil: func(c *connection) {
		if c.number%2 == 0 {
			c.drop(10)
		} else {
			c.drop(0)
		}
	}}
	var pauses []time.Duration
	options := quick()
	options.Sleep = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	if _, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: t.TempDir()}, options); err != nil {
		t.Fatal(err)
	}
	if len(pauses) != len(o.asked)-1 {
		t.Fatalf("%d pauses between %d connections", len(pauses), len(o.asked))
	}
	for i, d := range pauses {
		if d <= 0 || (i%2 == 0) != (d < 160*time.Millisecond) {
			t.Errorf("pause %d is %v", i, d)
		}
	}
}

// An error of the source's own ends the run: the other files are not asked for in
// vain, and what has come of them is kept.
func TestSourceFails(t *testing.T) {
	refused := errors.New("gated")
	content := text(1000)
	o := &origin{files: map[string][]byte{"a": content, "b": content, "c": content}}
	begun := make(chan struct{})
	o.spoil = func(c *connection) {
		switch c.path {
		case "a":
			data := c.data
			c.data = nil
			c.read = func(c *connection, b []byte) (int, error) {
				if data != nil {
					n := copy(b, data[:10])
					data = nil
					return n, nil
				}
				close(begun)
				<-c.closed
				return 0, io.ErrClosedPipe
			}
		case "b":
			c.origin.mu.Unlock()
			<-begun
			c.origin.mu.Lock()
			c.refusedToOpen = refused
		}
	}
	dir := t.TempDir()
	options := quick()
	options.Parallel = 2
	files := []download.File{signed("a", content), signed("b", content), signed("c", content)}
	results, err := download.Run(t.Context(), o, files, download.Folder{Dir: dir}, options)
	if !errors.Is(err, refused) || !errors.Is(results[1].Err, refused) {
		t.Errorf("error %v, want that of the source", err)
	}
	for _, i := range []int{0, 2} {
		if r := results[i]; !errors.Is(r.Err, download.ErrStopped) || errors.Is(r.Err, refused) {
			t.Errorf("%q: %v, want ErrStopped", r.Path, r.Err)
		}
	}
	if names := partials(t, dir); len(names) != 1 || len(o.asked) != 2 {
		t.Errorf("partial files %q after %q, want what came of a, and c not asked for", names, o.asked)
	}
}

// An interrupt is answered within a tenth of a second, whatever a connection
// waits for, and what has come is kept.
func TestInterrupt(t *testing.T) {
	content := text(1 << 20)
	for name, wait := range map[string]func(c *connection, release chan struct{}) error{
		"obeys":    func(c *connection, _ chan struct{}) error { <-c.ctx.Done(); return c.ctx.Err() },
		"is stuck": func(_ *connection, release chan struct{}) error { <-release; return errDropped },
		"closes":   func(c *connection, _ chan struct{}) error { <-c.closed; return errDropped },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := &origin{files: map[string][]byte{"a": content}}
			waits, release := make(chan struct{}), make(chan struct{})
			o.spoil = func(c *connection) {
				c.read = func(c *connection, b []byte) (int, error) {
					if len(c.data) > 500_000 {
						return plainRead(c, b)
					}
					close(waits)
					return 0, wait(c, release)
				}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan time.Time)
			why := errors.New("interrupted")
			go func() {
				<-waits
				time.Sleep(20 * time.Millisecond)
				cancel(why)
				ended <- time.Now()
			}()
			results, err := download.Run(ctx, o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick())
			returned := time.Now()
			if took := returned.Sub(<-ended); took > 10*time.Second {
				t.Errorf("returned %v after the interrupt", took)
			}
			if !errors.Is(err, why) || results != nil {
				t.Errorf("got %v and %v, want the interrupt", results, err)
			}
			close(release)
			o.mu.Lock() // one that was stuck may still be at its end
			sent := o.sent
			o.spoil = nil
			o.mu.Unlock()
			absent(t, dir+"/a")
			r := mustRun(t, o, download.Folder{Dir: dir}, signed("a", content))[0]
			if r.Err != nil || r.Resumed != sent || r.Received != int64(len(content))-sent {
				t.Errorf("then %+v, want what followed %d bytes", r, sent)
			}
			holds(t, dir+"/a", content)
		})
	}
}

// However large the files, memory is what the buffers take.
func TestMemory(t *testing.T) {
	const size, n = 32 << 20, 8
	content := make([]byte, size)
	o := &origin{files: make(map[string][]byte)}
	var files []download.File
	for i := range n {
		name := fmt.Sprint(i)
		o.files[name] = content
		files = append(files, signed(name, content))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	allRight(t, mustRun(t, o, download.Folder{Dir: t.TempDir()}, files...))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 24<<20 {
		t.Errorf("%d bytes of memory for %d of files", used, n*size)
	}
}
