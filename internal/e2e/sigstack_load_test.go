package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// logSize is how many entries the log's published checkpoint counts, once it stays the same for a few publications.
func (s *stackSession) logSize() int {
	s.t.Helper()
	size, since := -1, time.Now()
	for time.Since(since) < 700*time.Millisecond {
		b, err := os.ReadFile(s.file("rekor/checkpoint"))
		if err != nil {
			s.t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.Split(string(b), "\n")[1])
		if err != nil {
			s.t.Fatal(err)
		}
		if n != size {
			size, since = n, time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return size
}

// logEntries reads all entries from the log's files: entry bundles of C2SP tlog-tiles, each entry after its length.
func (s *stackSession) logEntries() []string {
	s.t.Helper()
	size := s.logSize()
	var all []string
	for tile := 0; tile*256 < size; tile++ {
		name := fmt.Sprintf("rekor/tile/entries/%03d", tile)
		if rest := size - tile*256; rest < 256 {
			name += fmt.Sprintf(".p/%d", rest)
		}
		b, err := os.ReadFile(s.file(filepath.FromSlash(name)))
		if err != nil {
			s.t.Fatal(err)
		}
		for len(b) > 2 {
			n := int(binary.BigEndian.Uint16(b))
			all = append(all, string(b[2:2+n]))
			b = b[2+n:]
		}
	}
	if len(all) != size {
		s.t.Fatalf("the log's files have %d entries, its checkpoint %d", len(all), size)
	}
	return all
}

// inLog wants each of the signatures to verify and to be in the log once, and the log to have grown by as many since it had size.
func (s *stackSession) inLog(size int, signatures []string) {
	s.t.Helper()
	entries := s.logEntries()
	if got := len(entries) - size; got != len(signatures) {
		s.t.Errorf("%d signatures made %d entries", len(signatures), got)
	}
	s.onceInLog(entries, signatures)
}

// onceInLog wants each of the signatures to verify and to be among the entries, and no entry to be there twice.
func (s *stackSession) onceInLog(entries, signatures []string) {
	s.t.Helper()
	slices.Sort(entries)
	if unique := slices.Compact(slices.Clone(entries)); len(unique) != len(entries) {
		s.t.Errorf("the log has %d entries twice", len(entries)-len(unique))
	}
	for _, file := range signatures {
		if r := s.verify(s.file("trust.json"), file); r.status != 0 {
			s.t.Errorf("%s does not verify\n%s", file, r.said())
		}
		b := make(bundleJSON)
		if err := json.Unmarshal(s.read(file), &b); err != nil {
			s.t.Fatal(err)
		}
		body, err := base64.StdEncoding.DecodeString(b.entry()["canonicalizedBody"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		if _, found := slices.BinarySearch(entries, string(body)); !found {
			s.t.Errorf("the entry of %s is not in the log", file)
		}
	}
}

// TestSigstackConcurrent has 20 people sign at once.
func TestSigstackConcurrent(t *testing.T) {
	s := newStackSession(t)
	size := s.logSize()
	var signatures []string
	var signers sync.WaitGroup
	results := make(chan result, 20)
	begun := time.Now()
	for i := range 20 {
		file := fmt.Sprintf("concurrent%d.sig", i)
		signatures = append(signatures, file)
		signers.Go(func() { results <- s.sign(s.file("trust.json"), "model", file) })
	}
	signers.Wait()
	close(results)
	t.Logf("%d signatures at once took %s; the log had %d entries, and has %d", len(signatures), time.Since(begun).Round(100*time.Millisecond), size, s.logSize())
	for r := range results {
		if r.status != 0 {
			t.Errorf("exit status %d\n%s", r.status, r.said())
		}
	}
	s.inLog(size, signatures)
}

// TestSigstackSequential signs 200 times in a row.
func TestSigstackSequential(t *testing.T) {
	s := newStackSession(t)
	s.needLong(t)
	size := s.logSize()
	var signatures []string
	begun := time.Now()
	for i := range 200 {
		signatures = append(signatures, fmt.Sprintf("sequential%d.sig", i))
		s.mustSign(s.file("trust.json"), "model", signatures[i])
	}
	t.Logf("%d signatures in a row took %s; the log had %d entries, and has %d", len(signatures), time.Since(begun).Round(time.Second), size, s.logSize())
	s.inLog(size, signatures)
}

// TestSigstackManyFiles signs a manifest of 100,000 files, about 10 MB: more than the 4 MiB that Rekor v2 takes in a request, so
// what it gets must be the statement's digest.
func TestSigstackManyFiles(t *testing.T) {
	s := newStackSession(t)
	s.manyFiles("many", 100_000)
	s.mustSign(s.file("trust.json"), "many", "many.sig")
	s.exits(0, "git-model-sign", "verify", "--identity", "alice@example.com", "--identity-provider", s.issuer,
		"--trust-config", s.file("trust.json"), "--signature", s.path("many.sig"), s.path("many"))
}

// TestSigstackManyFilesRekor1 signs them at a Rekor v1, which is sent the whole statement, and here takes 4 MiB.
func TestSigstackManyFilesRekor1(t *testing.T) {
	s := newStackSession(t)
	s.needLong(t)
	s.manyFiles("some", 10_000)
	s.mustSign(s.file("v1.json"), "some", "some.sig")
	s.manyFiles("many", 100_000)
	r := s.sign(s.file("v1.json"), "many", "many.sig")
	if r.status != 4 || !strings.Contains(r.stderr, "hint: nothing was written; this log is sent the whole list of files, ") ||
		strings.Contains(r.stderr, maybeLogged) || strings.Contains(r.stderr, "again later") {
		t.Errorf("exit status %d, want 4 and what to do\n%s", r.status, r.said())
	}
	if _, err := os.Stat(s.path("many.sig")); err == nil {
		t.Error("there is a signature")
	}
	t.Logf("what is said:\n%s", r.stderr)
}

// manyFiles makes a model of empty files.
func (s *stackSession) manyFiles(name string, n int) {
	s.t.Helper()
	dir := s.path(name)
	for i := range n {
		sub := filepath.Join(dir, strconv.Itoa(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, strconv.Itoa(i)), nil, 0o666); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestSigstackTime says by how much a Sigstore signature takes longer than one with a key. It measures for somebody who reads it,
// and so with -v: the figures of docs/performance.md. Otherwise it is a test that it could.
func TestSigstackTime(t *testing.T) {
	s := newStackSession(t)
	s.keyPair("key", "P-256")
	runs := 1
	if testing.Verbose() {
		runs = 11
	}
	var withKey, withSigstore []time.Duration
	for i := range runs {
		token, err := s.token("", "email=alice@example.com")
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		s.exits(0, "git-model-sign", "--private-key", s.path("key.pem"), "--signature", s.path(fmt.Sprintf("key%d.sig", i)), s.path("model"))
		middle := time.Now()
		s.exits(0, "git-model-sign", "--identity-token", token, "--trust-config", s.file("trust.json"), "--signature", s.path(fmt.Sprintf("id%d.sig", i)), s.path("model"))
		withKey = append(withKey, middle.Sub(begun))
		withSigstore = append(withSigstore, time.Since(middle))
	}
	slices.Sort(withKey)
	slices.Sort(withSigstore)
	show := func(d []time.Duration) string {
		return fmt.Sprintf("%d ms (%d-%d)", d[runs/2].Milliseconds(), d[0].Milliseconds(), d[runs-1].Milliseconds())
	}
	t.Logf("with a key %s, with Sigstore %s, %d ms more", show(withKey), show(withSigstore), (withSigstore[runs/2] - withKey[runs/2]).Milliseconds())
}
