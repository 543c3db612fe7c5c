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
	{"parallel=8/1Gbit", 8, []func(http.Handler) http.Handler{paced(1e9 / 8 / 8)}},
	{"parallel=8/2.5Gbit", 8, []func(http.Handler) http.Handler{paced(2.5e9 / 8 / 8)}},
}

// BenchmarkLoopback compares a download with the same without hashing, each
// beside the other so that what else the machine does strikes both. The ratio is
// that of their times. Unpaced, the loopback interface keeps all cores busy by
// itself on both ends, so that the ratio is one of processor time.
func BenchmarkLoopback(b *testing.B) {
	const size = 64 << 20
	for _, network := range loopbacks {
		b.Run(network.name, func(b *testing.B) {
			source, files := serve(b, 8, size, network.wrap...)
			b.SetBytes(int64(len(files)) * size)
			var hashed, copied time.Duration
			for b.Loop() {
				h, c := compare(b, source, files, network.parallel)
				hashed, copied = hashed+h, copied+c
			}
			b.ReportMetric(hashed.Seconds()/copied.Seconds(), "times-plain")
		})
	}
}

// What the benchmark compares does work, with files that are small.
func TestLoopback(t *testing.T) {
	for _, network := range loopbacks {
		t.Run(network.name, func(t *testing.T) {
			source, files := serve(t, 8, 64<<10, network.wrap...)
			compare(t, source, files, network.parallel)
		})
	}
}

// compare says how long a download takes, and the same without hashing.
func compare(tb testing.TB, source web, files []download.File, parallel int) (hashed, copied time.Duration) {
	hashed = timed(tb, func(dir string) error {
		results, err := download.Run(tb.Context(), source, files, download.Folder{Dir: dir}, download.Options{Parallel: parallel})
		allRight(tb, results)
		return err
	})
	copied = timed(tb, func(dir string) error { return copyAll(source, files, dir, parallel) })
	return hashed, copied
}

func timed(tb testing.TB, fetch func(dir string) error) time.Duration {
	dir, err := os.MkdirTemp(tb.TempDir(), "")
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	if err := fetch(dir); err != nil {
		tb.Fatal(err)
	}
	took := time.Since(start)
	if err := os.RemoveAll(dir); err != nil {
		tb.Fatal(err)
	}
	return took
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
