package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// content is a file that every part of differs from every other.
var content = func() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 100_000; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.Bytes()
}()

const fileURI = "/org/name/resolve/" + commit + "/dir/f%20%23%C3%B6.bin"

func open(t *testing.T, n *network, offset int64) (*hub.Content, error) {
	t.Helper()
	return n.client(hub.Environment{Token: token(t)}).Open(t.Context(), revision, "dir/f #ö.bin", offset)
}

// serve serves the content with ranges, and breaks off after so many bytes, if
// that is not negative.
func serve(breakAfter int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
		}
		w.Header().Set("ETag", `"`+blob+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-start))
		if start > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		rest := content[start:]
		if breakAfter >= 0 {
			_, _ = w.Write(rest[:min(breakAfter, len(rest))])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(rest)
	})
}

// wholeOnly serves the content to whoever asks, whatever the range.
var wholeOnly = reply(200, string(content), "ETag", `"`+blob+`"`)

func TestOpen(t *testing.T) {
	length := int64(len(content))
	for _, test := range []struct {
		name         string
		asked        int64
		server       http.Handler
		offset, size int64
		etag         string
	}{
		{"whole", 0, serve(-1), 0, length, blob},
		{"from the middle", 1000, serve(-1), 1000, length, blob},
		{"last byte", length - 1, serve(-1), length - 1, length, blob},
		{"server without ranges", 1000, wholeOnly, 0, length, blob},
		{"from the end", length, reply(416, "", "Content-Range", fmt.Sprintf("bytes */%d", length)), length, length, ""},
		{"beyond the end", length + 1, inTurn(reply(416, "", "Content-Range", fmt.Sprintf("bytes */%d", length)), serve(-1)), 0, length, blob},
		{"416 without a size", 7, inTurn(reply(416, ""), serve(-1)), 0, length, blob},
		{"length not known", 0, reply(200, string(content), "Transfer-Encoding", "chunked"), 0, -1, ""},
		{"length in the Hub's header", 0, reply(200, string(content), "Transfer-Encoding", "chunked", "X-Linked-Size", strconv.Itoa(len(content))), 0, length, ""},
		{"ETag of LFS", 0, reply(200, string(content), "ETag", `"x"`, "X-Linked-Etag", `"`+sha+`"`), 0, length, sha},
		{"weak ETag", 0, reply(200, string(content), "ETag", `W/"`+blob+`"`), 0, length, blob},
		{"identity", 0, reply(200, string(content), "Content-Encoding", "identity"), 0, length, ""},
		{"right commit", 0, reply(200, string(content), "X-Repo-Commit", commit), 0, length, ""},
		{"after a 503", 0, inTurn(reply(503, ""), serve(-1)), 0, length, blob},
		{"after a 429", 1000, inTurn(reply(429, "", "Retry-After", "1"), serve(-1)), 1000, length, blob},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.server}, func(t *testing.T, n *network) {
				f, err := open(t, n, test.asked)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if f.Offset != test.offset || f.Size != test.size || f.ETag != test.etag {
					t.Errorf("offset %d, size %d, ETag %q; want %d, %d, %q", f.Offset, f.Size, f.ETag, test.offset, test.size, test.etag)
				}
				if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content[test.offset:]) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if r := n.requests()[0]; r.to+r.uri != theHub+fileURI || r.header.Get("Accept-Encoding") != "identity" {
					t.Errorf("%s %v", r.uri, r.header)
				}
			})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	partOf := func(from int, contentRange string) http.Handler {
		return reply(206, string(content[from:]), "Content-Range", contentRange)
	}
	part := func(contentRange string) http.Handler { return partOf(1000, contentRange) }
	length := len(content)
	for _, test := range []struct {
		name   string
		offset int64
		server http.Handler
		is     error
		text   string
	}{
		{"no file", 0, reply(404, "", "X-Error-Code", "EntryNotFound"), hub.ErrEntryNotFound, "f #ö.bin"},
		{"no revision", 0, reply(404, "", "X-Error-Code", "RevisionNotFound"), hub.ErrRevisionNotFound, ""},
		{"no repository", 0, reply(401, ""), hub.ErrRepoNotFound, ""},
		{"gated", 0, reply(401, "", "X-Error-Code", "GatedRepo"), hub.ErrGated, ""},
		{"compressed", 0, reply(200, "x", "Content-Encoding", "gzip"), nil, "compressed"},
		{"other commit", 0, reply(200, "x", "X-Repo-Commit", blob), nil, "is of commit"},
		{"other start", 1000, partOf(999, fmt.Sprintf("bytes 999-%d/%d", length-1, length)), nil, "expected what follows byte 1000"},
		{"other end", 1000, part(fmt.Sprintf("bytes 1000-%d/%d", length-2, length)), nil, "sends the range"},
		{"other length", 1000, part(fmt.Sprintf("bytes 1000-%d/%d", length, length+1)), nil, "sends the range"},
		{"size not known", 1000, part(fmt.Sprintf("bytes 1000-%d/*", length-1)), nil, "sends the range"},
		{"no range", 1000, part(""), nil, "sends the range"},
		{"range that is none", 1000, part("bytes 99999999999999999999-1/2"), nil, "sends the range"},
		{"part that was not asked for", 0, partOf(0, fmt.Sprintf("bytes 0-%d/%d", length-1, length)), nil, "sends the range"},
		{"503 for good", 0, reply(503, ""), nil, "tried 5 times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.server}, func(t *testing.T, n *network) {
				_, err := open(t, n, test.offset)
				checkError(t, err, test.is, test.text)
			})
		})
	}
}

func TestOpenFollowsRedirects(t *testing.T) {
	const signed = "/blob?X-Amz-Signature=hunter2"
	lead := func(location string) http.Handler {
		return reply(302, "Found", "Location", location, "X-Linked-Etag", `"`+sha+`"`, "X-Linked-Size", strconv.Itoa(len(content)), "X-Repo-Commit", commit)
	}
	for _, test := range []struct {
		name     string
		server   http.Handler
		is       error
		text     string // "" where it succeeds
		requests []string
	}{
		{"to another host", lead(cdn + signed), nil, "", []string{theHub + fileURI, cdn + signed}},
		{"to another port", lead(theHub + ":8443/blob"), nil, "", []string{theHub + fileURI, theHub + ":8443/blob"}},
		{"within the Hub, then away", inTurn(lead("/api/resolve-cache/f"), lead(cdn+signed)), nil, "", []string{theHub + fileURI, theHub + "/api/resolve-cache/f", cdn + signed}},
		{"to another host and back", lead(cdn + "/back"), nil, "", []string{theHub + fileURI, cdn + "/back", theHub + "/home"}},
		{"to http", lead("http://cdn.example.com" + signed), hub.ErrRedirect, "from https to http", []string{theHub + fileURI}},
		{"to http by a detour", lead(cdn + "/http"), hub.ErrRedirect, "from https to http", []string{theHub + fileURI, cdn + "/http"}},
		{"to a user", lead("https://user:hunter2@cdn.example.com/blob"), hub.ErrRedirect, "without a user", []string{theHub + fileURI}},
		{"to a file", lead("file:///etc/passwd"), hub.ErrRedirect, "scheme https", []string{theHub + fileURI}},
		{"in a circle", lead(fileURI), hub.ErrRedirect, "more than 10", slices.Repeat([]string{theHub + fileURI}, 11)},
		{"to who refuses", lead(cdn + "/403?key=hunter2"), nil, cdn + "/403: HTTP status 403 (Forbidden)", []string{theHub + fileURI, cdn + "/403?key=hunter2"}},
		{"to who says that it is not there", lead(cdn + "/404"), nil, "HTTP status 404", []string{theHub + fileURI, cdn + "/404"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI == "/home" {
					serve(-1).ServeHTTP(w, r)
					return
				}
				test.server.ServeHTTP(w, r)
			})
			hosts := map[string]http.Handler{theHub: home, theHub + ":8443": reply(200, string(content)), cdn: at(map[string]http.Handler{
				signed:             reply(200, string(content), "ETag", `"other"`, "X-Linked-Size", "1", "X-Repo-Commit", blob),
				"/back":            reply(302, "", "Location", theHub+"/home"),
				"/http":            reply(302, "", "Location", "http://huggingface.co/"),
				"/403?key=hunter2": reply(403, "", "X-Error-Code", "GatedRepo", "X-Error-Message", "hunter2"),
				"/404":             reply(404, "", "X-Error-Code", "EntryNotFound"),
			})}
			online(t, hosts, func(t *testing.T, n *network) {
				f, err := open(t, n, 0)
				if test.text != "" {
					checkError(t, err, test.is, test.text)
					for _, other := range []error{hub.ErrEntryNotFound, hub.ErrGated} {
						checkIsNot(t, err, other)
					}
				} else if err != nil {
					t.Fatal(err)
				} else {
					if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content) || f.ETag != sha || f.Size != int64(len(content)) {
						t.Errorf("%d bytes, %v, ETag %q, size %d", len(got), err, f.ETag, f.Size)
					}
					f.Close()
				}
				if got := n.uris(); !slices.Equal(got, test.requests) {
					t.Errorf("requests %q, want %q", got, test.requests)
				}
				checkTokens(t, n)
			})
		})
	}
}

func checkIsNot(t *testing.T, err, is error) {
	t.Helper()
	if errors.Is(err, is) {
		t.Errorf("error %v is %v, which only the Hub can say", err, is)
	}
}

// checkTokens checks that the token went to the Hub, on every request before one
// to elsewhere, and to nobody and never thereafter.
func checkTokens(t *testing.T, n *network) {
	t.Helper()
	left := false
	for _, r := range n.requests() {
		left = left || r.to != theHub
		if got := r.header.Get("Authorization"); left && got != "" || !left && got != "Bearer "+secret {
			t.Errorf("the Authorization for %s%s is %q", r.to, r.uri, got)
		}
	}
}

func TestReadGoesOn(t *testing.T) {
	etag := func(h http.Handler, etag string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&headerWriter{w, etag}, r)
		})
	}
	stall := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+blob+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:500])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, test := range []struct {
		name   string
		server http.Handler
		text   string // of the error; "" where it arrives
		ranges []string
	}{
		{"broken once", inTurn(serve(500), serve(-1)), "", []string{"", "bytes=500-"}},
		{"broken at every thousandth byte", serve(1000), "", nil},
		{"broken at the last byte", inTurn(serve(len(content)-1), serve(-1)), "", []string{"", fmt.Sprintf("bytes=%d-", len(content)-1)}},
		{"broken before the first byte", inTurn(serve(0), serve(-1)), "", []string{"", ""}},
		{"then without ranges", inTurn(serve(500), wholeOnly), "", []string{"", "bytes=500-"}},
		{"then not reachable", inTurn(serve(500), reply(502, ""), reply(502, ""), serve(-1)), "", []string{"", "bytes=500-", "bytes=500-", "bytes=500-"}},
		{"ended early", inTurn(reply(200, string(content[:500]), "ETag", blob, "Transfer-Encoding", "chunked", "X-Linked-Size", strconv.Itoa(len(content))), serve(-1)),
			"", []string{"", "bytes=500-"}},
		{"silent", inTurn(stall, serve(-1)), "", []string{"", "bytes=500-"}},
		{"broken for good", inTurn(serve(500), serve(0)), "broken off at byte 500", []string{"", "bytes=500-", "bytes=500-", "bytes=500-", "bytes=500-"}},
		{"then gone", inTurn(serve(500), reply(404, "", "X-Error-Code", "EntryNotFound")), "no such file", []string{"", "bytes=500-"}},
		{"then another file", inTurn(serve(500), etag(serve(-1), "other")), "another size or ETag", []string{"", "bytes=500-"}},
		{"then a shorter file", inTurn(serve(500), reply(206, "abc", "Content-Range", "bytes 500-502/503", "ETag", blob)), "another size or ETag", []string{"", "bytes=500-"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.server}, func(t *testing.T, n *network) {
				f, err := open(t, n, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				got, err := io.ReadAll(f)
				if test.text != "" {
					checkError(t, err, nil, test.text)
				} else if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if !bytes.HasPrefix(content, got) {
					t.Error("bytes were wrong")
				}
				var ranges []string
				for _, r := range n.requests() {
					ranges = append(ranges, r.header.Get("Range"))
				}
				if test.ranges != nil && !slices.Equal(ranges, test.ranges) {
					t.Errorf("ranges %q, want %q", ranges, test.ranges)
				}
				checkTokens(t, n)
			})
		})
	}
}

// headerWriter says another ETag.
type headerWriter struct {
	http.ResponseWriter
	etag string
}

func (w *headerWriter) WriteHeader(status int) {
	w.Header().Set("ETag", w.etag)
	w.ResponseWriter.WriteHeader(status)
}

func TestLongerThanItSays(t *testing.T) {
	long := reply(200, string(content), "Transfer-Encoding", "chunked", "X-Linked-Size", "1000")
	online(t, map[string]http.Handler{theHub: long}, func(t *testing.T, n *network) {
		f, err := open(t, n, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = io.ReadAll(f)
		checkError(t, err, nil, "goes on after the 1000 bytes")
	})
}

// A reader may take its time: silence is the server's only while it is waited for.
func TestSlowReader(t *testing.T) {
	online(t, map[string]http.Handler{theHub: serve(-1)}, func(t *testing.T, n *network) {
		f, err := open(t, n, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		first := make([]byte, 1)
		if _, err := io.ReadFull(f, first); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(append(first, got...), content) || len(n.requests()) != 1 {
			t.Errorf("%d bytes, %v, %d requests", len(got), err, len(n.requests()))
		}
	})
}

func TestCancelWhileReading(t *testing.T) {
	for name, server := range map[string]http.Handler{
		"reading": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
		"waiting": inTurn(serve(10), reply(429, "", "Retry-After", "200")),
	} {
		t.Run(name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: server}, func(t *testing.T, n *network) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f, err := n.client(hub.Environment{}).Open(ctx, revision, "f", 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				time.AfterFunc(5*time.Second, cancel)
				_, err = io.ReadAll(f)
				checkError(t, err, context.Canceled, "fetching")
			})
		})
	}
}

func TestReadAfterClose(t *testing.T) {
	online(t, map[string]http.Handler{theHub: serve(-1)}, func(t *testing.T, n *network) {
		f, err := open(t, n, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, err := f.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("error %v", err)
		}
		if len(n.requests()) != 1 {
			t.Errorf("it was asked for again: %q", n.uris())
		}
	})
}
