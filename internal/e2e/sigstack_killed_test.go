package e2e

import (
	"fmt"
	"testing"
	"time"
)

// stackServers are the servers of the instance, and by the index of stackServices which one asks for it last. Fulcio waits half a
// minute for a CT log that is gone, so that one is for the long form.
var stackServers = []struct {
	name  string
	until int
	long  bool
}{{"fulcio", 0, false}, {"ct", 0, true}, {"tsa", 1, false}, {"rekor", 2, false}}

// TestSigstackKilledServers kills each server between each pair of steps: as a request for Fulcio, the timestamp authority and Rekor
// comes, and when Rekor has answered. Who is needed no more is not missed; else its failure is named and nothing is left behind.
func TestSigstackKilledServers(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	untouched := s.snapshot("model")
	var made []string
	for moment := range len(stackServices) + 1 {
		for _, victim := range stackServers {
			if victim.long && !s.long {
				continue
			}
			what := fmt.Sprintf("%s is killed when %d services have answered", victim.name, moment)
			kill := func() {
				if err := s.server("kill", victim.name); err != nil {
					t.Error(err)
				}
			}
			file := fmt.Sprintf("%s-%d.sig", victim.name, moment)
			if moment < len(stackServices) {
				proxies[stackServices[moment]].when(kill, nil)
			} else {
				proxies["Rekor"].when(nil, kill)
			}
			r := s.sign(trust, "model", file)
			for _, p := range proxies {
				p.set(noFault)
			}
			if err := s.server("start", victim.name); err != nil {
				t.Fatal(err)
			}
			if moment <= victim.until {
				// Behind a proxy the server that is gone is one that has answered 502, so what Rekor has is not known.
				s.failsAt(r, stackServices[victim.until], what, victim.name == "rekor", untouched)
				continue
			}
			if made = append(made, file); r.status != 0 {
				t.Errorf("%s: exit status %d\n%s", what, r.status, r.said())
			}
		}
	}
	again := "again.sig"
	s.mustSign(trust, "model", again)
	s.inLog(s.logSize()-len(made)-1, append(made, again))
}

// TestSigstackKilledAtWork kills Rekor while it is at work on an entry, and has it come back: the signature is there and verifies, or
// is not there; what is signed next verifies; and the log has everything once.
func TestSigstackKilledAtWork(t *testing.T) {
	s := newStackSession(t)
	s.repository()
	trust, proxies := s.behindProxies()
	untouched, size := s.snapshot("model"), s.logSize()
	waits := []time.Duration{0, 60, 300, 1500} // the last is after its answer
	var made []string
	for i, wait := range waits {
		killed := make(chan error, 1)
		proxies["Rekor"].when(func() {
			time.AfterFunc(wait*time.Millisecond, func() { killed <- s.server("kill", "rekor") })
		}, nil)
		file := fmt.Sprintf("work%d.sig", i)
		r := s.sign(trust, "model", file)
		proxies["Rekor"].set(noFault)
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if err := s.server("start", "rekor"); err != nil {
			t.Fatal(err)
		}
		if r.status == 0 {
			made = append(made, file)
		} else {
			s.failsAt(r, "Rekor", fmt.Sprintf("killed %s after it was asked", wait*time.Millisecond), true, untouched)
		}
		next := "next-" + file
		s.mustSign(trust, "model", next)
		made = append(made, next)
	}
	entries := s.logEntries()
	s.onceInLog(entries, made)
	t.Logf("%d of %d signatures were made; of the others the log has %d, of which it was said that it may",
		len(made)-len(waits), len(waits), len(entries)-size-len(made))
}
