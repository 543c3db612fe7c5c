package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
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

	mu      sync.Mutex
	fault   stackFault
	arrived chan struct{} // closed when a request hangs
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

// set has the proxy do something from now on. What it returns is closed when a request hangs.
func (p *stackProxy) set(f stackFault) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.arrived = f, make(chan struct{})
	return p.arrived
}

func (p *stackProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault, arrived := p.fault, p.arrived
	p.mu.Unlock()
	forward := httputil.NewSingleHostReverseProxy(p.target)
	if fault == noFault || r.Method != http.MethodPost {
		forward.ServeHTTP(w, r)
		return
	}
	if fault == before {
		panic(http.ErrAbortHandler) // which breaks the connection
	}
	answer := httptest.NewRecorder()
	forward.ServeHTTP(answer, r)
	switch fault {
	case hang:
		close(arrived)
		<-r.Context().Done()
	case half:
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, bytes.NewReader(answer.Body.Bytes()[:answer.Body.Len()/2]))
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

// TestSigstackFaults breaks the connection to each server at each point of its request. The failure names the server, nothing is
// left behind, nothing is logged twice, and signing again works.
func TestSigstackFaults(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	for name, p := range proxies {
		for _, fault := range []stackFault{before, after, half} {
			untouched, logged := s.snapshot("model"), s.logSize()
			p.set(fault)
			r := s.sign(trust, "model", "model/model.sig")
			p.set(noFault)
			if r.status != 4 || !strings.Contains(r.stderr, name) {
				t.Errorf("%s, %s: exit status %d, want 4 and its name\n%s", name, fault, r.status, r.said())
			}
			if diff := untouched.diff(s.snapshot("model")); diff != "" {
				t.Errorf("%s, %s: something is left behind\n%s", name, fault, diff)
			}
			want := logged
			if name == "Rekor" && fault != before {
				want++
			}
			if got := s.logSize(); got != want {
				t.Errorf("%s, %s: the log has %d entries more, want %d", name, fault, got-logged, want-logged)
			}
		}
	}
	s.mustSign(trust, "model", "model/model.sig")
	if r := s.verify(trust, "model/model.sig"); r.status != 0 {
		t.Errorf("what was signed afterwards does not verify\n%s", r.said())
	}
}

// TestSigstackKilledClient kills the client while each server is at work, and at times after the last has answered.
func TestSigstackKilledClient(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	for name, p := range proxies {
		untouched := s.snapshot("model")
		arrived := p.set(hang)
		s.killed(trust, arrived, 0)
		p.set(noFault)
		if diff := untouched.diff(s.snapshot("model")); diff != "" {
			t.Errorf("killed while waiting for %s, it leaves behind\n%s", name, diff)
		}
	}
	log := proxies["Rekor"]
	for wait := time.Duration(0); wait < 40*time.Millisecond; wait += 4 * time.Millisecond {
		answered := make(chan struct{})
		log.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			log.ServeHTTP(w, r)
			close(answered)
		})
		s.killed(trust, answered, wait)
		if _, err := os.Stat(s.path("model/model.sig")); err == nil {
			if r := s.verify(trust, "model/model.sig"); r.status != 0 {
				t.Errorf("killed %s after the log has answered, it leaves a signature that does not verify\n%s", wait, r.said())
			}
			if err := os.Remove(s.path("model/model.sig")); err != nil {
				t.Fatal(err)
			}
		}
	}
	log.server.Config.Handler = log
	s.mustSign(trust, "model", "model/model.sig")
}

// killed signs, and kills the client some time after something has happened.
func (s *stackSession) killed(trust string, happened <-chan struct{}, wait time.Duration) {
	s.t.Helper()
	token, err := s.token("", "email=alice@example.com")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.Command(ctx, s.Dir, "git-model-sign", "--identity-token", token, "--trust-config", trust,
		"--signature", s.path("model/model.sig"), "--no-commit", s.path("model"))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-happened:
	case <-ctx.Done():
		s.t.Fatal("the client did not get there")
	}
	time.Sleep(wait)
	cancel()
	_ = cmd.Wait() // killed, or done before
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
