package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/hubserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
)

// onTheHub publishes a signed model of as many large files on a Hub of the session's own.
func (s *session) onTheHub(lfs string, files, size int) *hubserver.Server {
	s.t.Helper()
	server, err := hubserver.Start(s.path("hub"), hubserver.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { server.Close() })
	s.Env = append(s.Env, "HF_ENDPOINT="+server.Endpoint())
	s.keyPair("key", "P-256")
	s.write("model/config.json", "{}", "model/.gitattributes", "*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
	for i := range files {
		name := fmt.Sprintf("model/weights-%d.safetensors", i)
		s.write(name, string(weights(size, name)))
	}
	s.exits(0, "git", "init", "-q", "model")
	s.exits(0, "git", "-C", "model", "lfs", "install", "--local")
	s.exits(0, "git", "-C", "model", "add", ".")
	s.exits(0, "git", "-C", "model", "commit", "-qm", "Add a model")
	s.exits(0, "git", "-C", "model", "model-sign", "--private-key", s.path("key.pem"))
	if err := server.Publish(s.t.Context(), "org/model", s.path("model")); err != nil {
		s.t.Fatal(err)
	}
	return server
}

// peak runs a program that has to succeed, and is the most memory that it had, in bytes. What the system tells
// of a process that has ended counts in the test's own, of which the process began as a copy.
func (s *session) peak(name string, args ...string) (peak int64) {
	s.t.Helper()
	cmd := s.Command(s.t.Context(), s.Dir, name, args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil || peak == 0 {
				s.t.Fatalf("%s %q: %v, peak %d", name, args, err, peak)
			}
			return peak
		case <-time.After(2 * time.Millisecond):
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if m := regexp.MustCompile(`VmHWM:\s+([0-9]+) kB`).FindSubmatch(status); m != nil {
				kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
				peak = max(peak, kib<<10)
			}
		}
	}
}

// What is downloaded passes through memory and does not stay there, however large the model is.
func TestDownloadPeakMemory(t *testing.T) {
	t.Parallel()
	const files, size, most = 8, 24 << 20, 64 << 20
	lfs := needs.GitLFS(t)
	s := newSession(t, lfs)
	s.onTheHub(lfs, files, size)
	peak := func(args ...string) int64 {
		args = append(args, "--public-key", "key.pub", "org/model")
		return s.peak("hf-model-verify", args...)
	}
	before := peak()
	after := peak("--download", "here")
	t.Logf("%d MiB without the weights, %d MiB with %d MiB of them", before>>20, after>>20, files*size>>20)
	if after-before > most {
		t.Errorf("%d MiB more to download %d MiB, want at most %d", (after-before)>>20, files*size>>20, most>>20)
	}
}

// A download says on a terminal how far it is. ^C ends it at once, and it goes on where it was.
func TestDownloadOnATerminal(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	lfs := needs.GitLFS(t)
	s := newSession(t, lfs)
	server := s.onTheHub(lfs, 2, size)
	if err := server.AddFault(hubserver.Fault{Kind: hubserver.Slow, Target: "weights-0.safetensors", Argument: "1s"}); err != nil {
		t.Fatal(err)
	}
	args := []string{"--public-key", "key.pub", "--download", "here", "org/model"}
	// Everything has arrived but the slow one, and a MiB of that.
	r := s.onTerminal(100, `\((2[5-9]|[34][0-9])\.[0-9]+ MiB/48\.00 MiB\), 3/4 files`, "hf-model-verify", args...)
	if r.status != 4 || !strings.Contains(r.text, "error: interrupted") {
		t.Errorf("^C: exit status %d, %q", r.status, r.text)
	}
	if want := regexp.MustCompile(`\rDownloading org/model: +[0-9]+% \([0-9.]+ MiB/48\.00 MiB\), [0-9]/4 files`); !want.MatchString(r.text) {
		t.Errorf("no %s in %q", want, r.text)
	}
	if r.ended > 5*time.Second { // 100 ms, if nobody else keeps the machine busy
		t.Errorf("ended only %v after ^C", r.ended)
	}
	if _, err := os.Lstat(s.path("here/weights-0.safetensors")); err == nil {
		t.Error("half a file has its name")
	}
	server.ClearFaults()
	server.ClearLog()
	r = s.onTerminal(100, "", "hf-model-verify", args...)
	if r.status != 0 || !strings.Contains(r.text, "verified") {
		t.Errorf("again: exit status %d, %q", r.status, r.text)
	}
	var sent int64
	for _, request := range server.Log() {
		if request.Host == "cdn" {
			sent += request.Sent
		}
	}
	if sent == 0 || sent >= size {
		t.Errorf("%d bytes sent again, want some and less than one file of %d", sent, size)
	}
}
