package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A stackFault is what a proxy in front of a server does to requests that make something: POST.
type stackFault string

const (
	noFault stackFault = ""
	before  stackFault = "the connection breaks before the server hears of it"
	after   stackFault = "the server does it, and the connection breaks before it says so"
	half    stackFault = "the connection breaks within the answer"
	hang    stackFault = "the answer never comes"
)

// A stackProxy stands in front of one server.
type stackProxy struct {
	target *url.URL
	server *httptest.Server

	mu              sync.Mutex
	fault           stackFault
	asked, answered func() // what happens besides when a request has come, and when the server has answered it
}

func newStackProxy(t testing.TB, target string) *stackProxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &stackProxy{target: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

// set has the proxy do something from now on.
func (p *stackProxy) set(f stackFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.asked, p.answered = f, nil, nil
}

// when has something happen besides when a request has come, and when the server has answered it. Either may be nil.
func (p *stackProxy) when(asked, answered func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.answered = asked, answered
}

func (p *stackProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault, asked, answered := p.fault, p.asked, p.answered
	p.mu.Unlock()
	forward := httputil.NewSingleHostReverseProxy(p.target)
	forward.ErrorLog = log.New(io.Discard, "", 0) // that a server is gone is meant
	if r.Method != http.MethodPost {
		forward.ServeHTTP(w, r)
		return
	}
	if asked != nil {
		asked()
	}
	if fault == before {
		panic(http.ErrAbortHandler) // which breaks the connection
	}
	answer := httptest.NewRecorder()
	forward.ServeHTTP(answer, r)
	if answered != nil {
		answered()
	}
	switch fault {
	case noFault:
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // a client that is gone is meant, too
		return
	case hang:
		<-r.Context().Done()
	case half:
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// behindProxies writes the instance's trust configuration with each service behind a proxy, by a name that errors have.
func (s *stackSession) behindProxies() (trust string, proxies map[string]*stackProxy) {
	s.t.Helper()
	proxies = make(map[string]*stackProxy)
	trust = s.changed(s.file("trust.json"), "proxied.json", func(b bundleJSON) {
		for member, name := range map[string]string{"caUrls": "Fulcio", "tsaUrls": "timestamp authority", "rekorTlogUrls": "Rekor"} {
			service := b.at("signingConfig", member)
			p := newStackProxy(s.t, service["url"].(string))
			proxies[name] = p
			service["url"] = strings.Replace(service["url"].(string), p.target.String(), p.server.URL, 1)
		}
	})
	return trust, proxies
}

// repository makes the model a git repository, which shows whatever is left behind.
func (s *stackSession) repository() {
	s.t.Helper()
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "Add the model"}} {
		s.exits(0, "git", append([]string{"-C", s.path("model")}, args...)...)
	}
}

// maybeLogged is in the hint where a signature that failed may have been logged.
const maybeLogged = "the log may have the signature all the same"

// stackServices are the names that errors have for the services, in the order in which signing asks them.
var stackServices = []string{"Fulcio", "timestamp authority", "Rekor"}

// failsAt wants signing to have failed for a service, to say whether the log may have the signature, and to have left nothing behind.
func (s *stackSession) failsAt(r result, service, what string, logged bool, untouched snapshot) {
	s.t.Helper()
	if r.status != 4 || !strings.Contains(r.stderr, service) {
		s.t.Errorf("%s, %s: exit status %d, want 4 and its name\n%s", service, what, r.status, r.said())
	}
	if strings.Contains(r.stderr, maybeLogged) != logged {
		s.t.Errorf("%s, %s: want it said that the log may have it: %t\n%s", service, what, logged, r.said())
	}
	if diff := untouched.diff(s.snapshot("model")); diff != "" {
		s.t.Errorf("%s, %s: something is left behind\n%s", service, what, diff)
	}
}

// TestSigstackFaults breaks the connection to each server at each point of its request. The failure names the server, nothing is
// left behind, nothing is logged twice, where it may be logged that is said, and signing again works.
func TestSigstackFaults(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	untouched, size := s.snapshot("model"), s.logSize()
	for _, name := range stackServices {
		for _, fault := range []stackFault{before, after, half} {
			proxies[name].set(fault)
			r := s.sign(trust, "model", "model/model.sig")
			proxies[name].set(noFault)
			s.failsAt(r, name, string(fault), name == "Rekor", untouched)
			if name == "Rekor" && fault != before {
				size++
			}
			if got := s.logSize(); got != size {
				t.Fatalf("%s, %s: the log has %d entries, want %d", name, fault, got, size)
			}
		}
	}
	slow := time.Second
	if s.long {
		slow = 20 * time.Second // all have half a minute
	}
	for _, p := range proxies {
		p.when(nil, func() { time.Sleep(slow) })
	}
	s.mustSign(trust, "model", "model/model.sig") // who is slow is waited for
	if r := s.verify(trust, "model/model.sig"); r.status != 0 {
		t.Errorf("what was signed afterwards does not verify\n%s", r.said())
	}
}

// TestSigstackHang waits for each server until that takes too long.
func TestSigstackHang(t *testing.T) {
	for _, name := range stackServices {
		t.Run(name, func(t *testing.T) {
			s := newStackSession(t)
			s.needLong(t)
			t.Parallel()
			s.repository()
			trust, proxies := s.behindProxies()
			untouched, begun := s.snapshot("model"), time.Now()
			proxies[name].set(hang)
			r := s.sign(trust, "model", "model/model.sig")
			t.Logf("given up after %s", time.Since(begun).Round(time.Second))
			proxies[name].set(noFault)
			s.failsAt(r, name, string(hang), name == "Rekor", untouched)
			s.mustSign(trust, "model", "model/model.sig")
		})
	}
}

// TestSigstackUnwritable has the folder of the signature missing, before the log is asked and afterwards.
func TestSigstackUnwritable(t *testing.T) {
	s := newStackSession(t)
	trust, proxies := s.behindProxies()
	size := s.logSize()
	if r := s.sign(trust, "model", "missing/model.sig"); r.status == 0 {
		t.Errorf("a signature was written where no folder is\n%s", r.said())
	}
	if got := s.logSize(); got != size {
		t.Errorf("a signature that could not be written was logged")
	}
	s.write("gone/keep", "")
	proxies["Rekor"].when(func() { _ = os.RemoveAll(s.path("gone")) }, nil)
	if r := s.sign(trust, "model", "gone/model.sig"); r.status != 4 || !strings.Contains(r.stderr, "the log has the signature") {
		t.Errorf("the folder went while it was logged: exit status %d, want 4 and a word of the log\n%s", r.status, r.said())
	}
	if got := s.logSize(); got != size+1 {
		t.Errorf("the log has %d entries more, want 1", got-size)
	}
}

// TestSigstackKilledClient kills the client, and interrupts it, while each server is at work; and kills it at times after the last
// has answered.
func TestSigstackKilledClient(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	untouched := s.snapshot("model")
	for _, name := range stackServices {
		for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
			arrived := make(chan struct{})
			proxies[name].set(hang)
			proxies[name].when(nil, func() { close(arrived) })
			said := s.ended(trust, arrived, 0, signal)
			proxies[name].set(noFault)
			if diff := untouched.diff(s.snapshot("model")); diff != "" {
				t.Errorf("ended (%s) while waiting for %s, it leaves behind\n%s", signal, name, diff)
			}
			if signal == os.Interrupt && strings.Contains(said, maybeLogged) != (name == "Rekor") {
				t.Errorf("interrupted while waiting for %s it says\n%s", name, said)
			}
		}
	}
	whole := 0
	for wait := time.Duration(0); wait < 40*time.Millisecond; wait += 4 * time.Millisecond {
		answered := make(chan struct{})
		proxies["Rekor"].when(nil, func() { close(answered) })
		s.ended(trust, answered, wait, os.Kill)
		whole += s.wholeOrAbsent(trust, wait)
	}
	t.Logf("%d of 10 were written before the client was killed", whole)
	proxies["Rekor"].set(noFault)
	s.mustSign(trust, "model", "model/model.sig")
}

// wholeOrAbsent wants a client that was killed to have left a signature that verifies, or none. It removes it and returns how many
// there are. What is written under another name first may be there too: nothing is known by that name.
func (s *stackSession) wholeOrAbsent(trust string, wait time.Duration) int {
	s.t.Helper()
	left, err := filepath.Glob(s.path("model/.tmp-model.sig-*"))
	if err != nil {
		s.t.Fatal(err)
	}
	whole := 0
	if _, err := os.Stat(s.path("model/model.sig")); err == nil {
		if r := s.verify(trust, "model/model.sig"); r.status != 0 {
			s.t.Errorf("killed %s after the log has answered, it leaves a signature that does not verify\n%s", wait, r.said())
		}
		left, whole = append(left, s.path("model/model.sig")), 1
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			s.t.Fatal(err)
		}
	}
	return whole
}

// ended signs, ends the client by a signal some time after something has happened, and returns what it said.
func (s *stackSession) ended(trust string, happened <-chan struct{}, wait time.Duration, signal os.Signal) string {
	s.t.Helper()
	token, err := s.token("", "email=alice@example.com")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.Command(ctx, s.Dir, "git-model-sign", "--identity-token", token, "--trust-config", trust,
		"--signature", s.path("model/model.sig"), "--no-commit", s.path("model"))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-happened:
	case <-ctx.Done():
		s.t.Fatal("the client did not get there")
	}
	time.Sleep(wait)
	begun := time.Now()
	_ = cmd.Process.Signal(signal) // it may be done
	_ = cmd.Wait()
	if took := time.Since(begun); took > 10*time.Second {
		s.t.Errorf("the client takes %s to end", took)
	}
	return said.String()
}

// TestSigstackPartialBundles cuts a signature off everywhere: none of the beginnings is accepted.
func TestSigstackPartialBundles(t *testing.T) {
	s := newStackSession(t)
	s.mustSign(s.file("trust.json"), "model", "model.sig")
	whole := s.read("model.sig")
	for i := 1; i < 20; i++ {
		s.write("part.sig", string(whole[:len(whole)*i/20]))
		if r := s.verify(s.file("trust.json"), "part.sig"); r.status != 1 {
			t.Errorf("the first %d of %d bytes: exit status %d, want 1\n%s", len(whole)*i/20, len(whole), r.status, r.said())
		}
	}
	var material map[string]json.RawMessage
	parts := make(bundleJSON)
	if err := json.Unmarshal(whole, &parts); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(parts["verificationMaterial"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &material); err != nil || len(material) != 3 {
		t.Fatalf("%d parts of verification material, want 3: %v", len(material), err)
	}
	for name := range material {
		s.changed(s.path("model.sig"), "part.sig", func(b bundleJSON) { delete(b.at("verificationMaterial"), name) })
		if r := s.verify(s.file("trust.json"), "part.sig"); r.status != 1 {
			t.Errorf("without %s: exit status %d, want 1\n%s", name, r.status, r.said())
		}
	}
}
