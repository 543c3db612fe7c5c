package download_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/download"
)

// web is a source that asks an HTTP server for ranges.
type web struct {
	client *http.Client
	url    string
}

func (w web) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/"+path, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, 0, 0, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp.Body, resp.ContentLength, 0, nil
	case resp.StatusCode == http.StatusPartialContent:
		return resp.Body, offset + resp.ContentLength, offset, nil
	}
	resp.Body.Close()
	return nil, 0, 0, fmt.Errorf("status %s", resp.Status)
}

// serve is a server on loopback of n files of the same size, and what they are.
func serve(tb testing.TB, n, size int, wrap ...func(http.Handler) http.Handler) (web, []download.File) {
	dir := tb.TempDir()
	content := text(size)
	var files []download.File
	for i := range n {
		name := fmt.Sprint(i)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			tb.Fatal(err)
		}
		f := signed(name, content)
		files = append(files, f)
	}
	handler := http.FileServer(http.Dir(dir))
	for _, w := range wrap {
		handler = w(handler)
	}
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return web{server.Client(), server.URL}, files
}

// Over HTTP, with connections that the server cuts: each range is asked for once.
func TestHTTP(t *testing.T) {
	content := text(3 << 20)
	var sent int64
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		counted := &countingWriter{ResponseWriter: w, limit: 1 << 20}
		defer func() { sent += counted.sent }()
		http.ServeContent(counted, r, "", time.Time{}, bytes.NewReader(content))
	}))
	defer server.Close()
	dir := t.TempDir()
	results, err := download.Run(t.Context(), web{server.Client(), server.URL}, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick())
	if err != nil {
		t.Fatal(err)
	}
	allRight(t, results)
	holds(t, dir+"/a", content)
	if requests < 3 || results[0].Received != int64(len(content)) {
		t.Errorf("%d requests for %d bytes", requests, results[0].Received)
	}
}

// countingWriter cuts the connection after some bytes.
type countingWriter struct {
	http.ResponseWriter
	sent, limit int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	if w.sent+int64(len(b)) > w.limit {
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	n, err := w.ResponseWriter.Write(b)
	w.sent += int64(n)
	return n, err
}

// paced has a handler send so many bytes a second on each connection.
func paced(rate int) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&pacedWriter{ResponseWriter: w, rate: rate, start: time.Now()}, r)
		})
	}
}

type pacedWriter struct {
	http.ResponseWriter
	rate, sent int
	start      time.Time
}

func (w *pacedWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Until(w.start.Add(time.Duration(w.sent) * time.Second / time.Duration(w.rate))))
	n, err := w.ResponseWriter.Write(b)
	w.sent += n
	return n, err
}

// loopbacks are the networks, and how many files at a time, of the table in docs/performance.md.
var loopbacks = []struct {
	name     string
	parallel int
	wrap     []func(http.Handler) http.Handler
}{
	{"parallel=1", 1, nil},
	{"parallel=8", 8, nil},
	{"1Gbit", 8, []func(http.Handler) http.Handler{paced(1e9 / 8 / 8)}},
	{"2.5Gbit", 8, []func(http.Handler) http.Handler{paced(2.5e9 / 8 / 8)}},
}

// BenchmarkLoopback compares a download with a plain program's, which does not
// hash, and with our own without hashing, in turns, so that what else the machine
// does strikes all three. The ratios are those of their times, and the processor
// times are of both ends. Unpaced, the loopback interface keeps all cores busy by
// itself, so that the ratios are of processor time too.
func BenchmarkLoopback(b *testing.B) {
	const size = 64 << 20
	for _, network := range loopbacks {
		b.Run(network.name, func(b *testing.B) {
			source, files := serve(b, 8, size, network.wrap...)
			var c comparison
			for b.Loop() {
				c.compare(b, source, files, network.parallel)
			}
			gb := float64(b.N) * float64(len(files)) * size / 1e9
			b.ReportMetric(1000*gb/c.plain.wall.Seconds(), "plain-MB/s")
			b.ReportMetric(c.ours.wall.Seconds()/c.plain.wall.Seconds(), "times-plain")
			b.ReportMetric(c.unhashed.wall.Seconds()/c.plain.wall.Seconds(), "unhashed-times-plain")
			b.ReportMetric(c.ours.cpu.Seconds()/gb, "cpu-s/GB")
			b.ReportMetric(c.unhashed.cpu.Seconds()/gb, "unhashed-cpu-s/GB")
			b.ReportMetric(c.plain.cpu.Seconds()/gb, "plain-cpu-s/GB")
		})
	}
}

// What the benchmark compares does work, with files that are small.
func TestLoopback(t *testing.T) {
	for _, network := range loopbacks {
		t.Run(network.name, func(t *testing.T) {
			source, files := serve(t, 8, 64<<10, network.wrap...)
			new(comparison).compare(t, source, files, network.parallel)
		})
	}
}

// What hashing is told from does not hash.
func TestUnhashed(t *testing.T) {
	o := &origin{files: map[string][]byte{"a": []byte("wrong")}}
	files := []download.File{signed("a", []byte("right"))}
	results, err := download.Run(t.Context(), o, files, download.Folder{Dir: t.TempDir()}, download.Unhashed(quick()))
	if err != nil {
		t.Fatal(err)
	}
	allRight(t, results)
}

// comparison is what downloads took: ours, ours without hashing, and a plain program's.
type comparison struct{ ours, unhashed, plain cost }

func (c *comparison) compare(tb testing.TB, source web, files []download.File, parallel int) {
	run := func(o download.Options) func(dir string) error {
		return func(dir string) error {
			results, err := download.Run(tb.Context(), source, files, download.Folder{Dir: dir}, o)
			allRight(tb, results)
			return err
		}
	}
	c.ours.add(tb, run(download.Options{Parallel: parallel}))
	c.unhashed.add(tb, run(download.Unhashed(download.Options{Parallel: parallel})))
	c.plain.add(tb, func(dir string) error { return copyAll(source, files, dir, parallel) })
}

// cost is what downloads took.
type cost struct{ wall, cpu time.Duration }

// add downloads into a new folder.
func (c *cost) add(tb testing.TB, fetch func(dir string) error) {
	dir, err := os.MkdirTemp(tb.TempDir(), "")
	if err != nil {
		tb.Fatal(err)
	}
	start, spent := time.Now(), cpu(tb)
	if err := fetch(dir); err != nil {
		tb.Fatal(err)
	}
	c.wall += time.Since(start)
	c.cpu += cpu(tb) - spent
	if err := os.RemoveAll(dir); err != nil {
		tb.Fatal(err)
	}
}

// copyAll downloads as a program that does not hash would: a file each, flushed.
func copyAll(source web, files []download.File, dir string, parallel int) error {
	next := make(chan download.File, len(files))
	for _, f := range files {
		next <- f
	}
	close(next)
	errs := make(chan error, parallel)
	for range parallel {
		go func() {
			buffer := make([]byte, 256<<10)
			for f := range next {
				if err := copyOne(source, f, filepath.Join(dir, f.Path), buffer); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range parallel {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func copyOne(source web, f download.File, name string, buffer []byte) error {
	body, _, _, err := source.Open(context.Background(), f.Path, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	// Hidden from io.CopyBuffer, that copies in the kernel if it can: that would be
	// another comparison.
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{body}, buffer); err != nil {
		return err
	}
	return out.Sync()
}
