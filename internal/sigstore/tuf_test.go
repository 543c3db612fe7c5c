package sigstore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// published is a repository with what an instance publishes.
func published(t *testing.T) *repository {
	t.Helper()
	return newRepository(t, map[string][]byte{
		"trusted_root.json":        verifytest.NewInstance(t).TrustedRoot(t, false),
		"signing_config.v0.2.json": []byte(`{"mediaType":"` + mediaTypeSigningConfig + `"}`),
	})
}

// both fetches all that an instance has.
func both(t *testing.T, i *Instance) error {
	t.Helper()
	if _, err := i.SigningConfig(t.Context()); err != nil {
		return err
	}
	_, err := i.TrustedRoot(t.Context())
	return err
}

// unavailable wants an error that says what is the matter and what to do, in one line each.
func unavailable(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error is %v, want %v", err, ErrUnavailable)
	}
	all := err.Error() + "\nhint: " + Hint(err)
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("it says %q, want %q in it", all, text)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("error is not one printable line: %q", err)
	}
}

func TestFetch(t *testing.T) {
	r, cache := published(t), t.TempDir()
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	r.requests()
	if err := both(t, r.instance(t, cache, 0)); err != nil || r.requests() != 0 {
		t.Errorf("a second time: %v, want no error and no request", err)
	}
	if err := both(t, r.instance(t, cache, 2)); err != nil || r.requests() == 0 {
		t.Errorf("the day after the next: %v, want no error and requests", err)
	}
	// What was asked for in a time that is still to come is not known to be recent.
	if err := both(t, r.instance(t, cache, 0)); err != nil || r.requests() == 0 {
		t.Errorf("the clock two days late: %v, want no error and requests", err)
	}
	r.Close()
	for _, days := range []int{0, 1, 6} {
		if err := both(t, r.instance(t, cache, days)); err != nil {
			t.Errorf("without a network, after %d days: %v", days, err)
		}
	}
	if err := both(t, r.instance(t, cache, -2)); err != nil {
		t.Errorf("without a network, the clock two days late: %v", err)
	}
}

// TestFetchNothingKept has no network, and nothing from when there was one.
func TestFetchNothingKept(t *testing.T) {
	r := published(t)
	r.Close()
	unavailable(t, both(t, r.instance(t, t.TempDir(), 0)), "the public Sigstore instance", r.URL, "connection refused", "hint: without a network", "--trust-config FILE")
	i := r.instance(t, t.TempDir(), 0)
	_, err := i.TrustedRoot(t.Context())
	unavailable(t, err, "the trusted root", "--trusted-root FILE")
	if strings.Contains(err.Error(), "kept") {
		t.Errorf("error is %q, and nothing is kept", err)
	}
	if Hint(errors.New("other")) != "" {
		t.Error("there is a hint for any error")
	}
}

// TestFetchBuiltInRootExpired has the root that is built in be older than two others and expired, as that of every program is
// after some months. What is kept has to do without it.
func TestFetchBuiltInRootExpired(t *testing.T) {
	r, cache := published(t), t.TempDir()
	r.rotate(t, time.Now().AddDate(0, 0, 60))
	r.rotate(t, time.Now().AddDate(0, 0, 90))
	in40days := func(string) time.Time { return time.Now().AddDate(0, 0, 50) }
	r.publish(t, in40days)
	if err := both(t, r.instance(t, cache, 40)); err != nil {
		t.Fatal(err)
	}
	r.requests()
	if err := both(t, r.instance(t, cache, 40)); err != nil || r.requests() != 0 {
		t.Errorf("a second time: %v, want no error and no request", err)
	}
	r.Close()
	if err := both(t, r.instance(t, cache, 45)); err != nil {
		t.Errorf("without a network: %v", err)
	}
	i := r.instance(t, cache, 45)
	i.mirror.root = r.served["/2.root.json"] // of a newer program
	if err := both(t, i); err != nil {
		t.Errorf("without a network, by a newer program: %v", err)
	}
	unavailable(t, both(t, r.instance(t, cache, 51)), "connection refused", "expired on", "TUF role")
}

// TestFetchExpired has what is kept expire, by each of the roles, while there is no network.
func TestFetchExpired(t *testing.T) {
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		t.Run(role, func(t *testing.T) {
			r, cache := published(t), t.TempDir()
			first := time.Now().AddDate(0, 0, 3)
			if role == "root" {
				r.rotate(t, first)
			}
			r.publish(t, func(of string) time.Time {
				if of == role {
					return first
				}
				return time.Now().AddDate(0, 0, 7)
			})
			if err := both(t, r.instance(t, cache, 0)); err != nil {
				t.Fatal(err)
			}
			r.requests()
			unavailable(t, both(t, r.instance(t, cache, 4)), "what it serves expired on "+first.UTC().Format("2006-01-02"), "TUF role "+role, "this machine's clock says")
			if r.requests() == 0 {
				t.Error("the mirror was not asked for newer metadata")
			}
			r.Close()
			if err := both(t, r.instance(t, cache, 2)); err != nil {
				t.Errorf("before it expires: %v", err)
			}
			unavailable(t, both(t, r.instance(t, cache, 4)), "connection refused", "what is kept of it in "+cache,
				"expired on "+first.UTC().Format("2006-01-02"), "TUF role "+role, "this machine's clock says", "hint: connect to the network once", "--trust-config FILE")
		})
	}
}

// TestFetchRollback has the mirror serve what it has served before it served something newer.
func TestFetchRollback(t *testing.T) {
	r, cache := published(t), t.TempDir()
	var old []byte
	r.set(func(served map[string][]byte) { old = served["/timestamp.json"] })
	r.publish(t, nil)
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	held, err := os.ReadFile(r.instance(t, cache, 0).mirror.file())
	if err != nil {
		t.Fatal(err)
	}
	var newest []byte
	r.set(func(served map[string][]byte) { newest = served["/timestamp.json"]; served["/timestamp.json"] = old })

	i := r.instance(t, cache, 2)
	if err := both(t, i); err != nil {
		t.Errorf("what is kept is good, and yet: %v", err)
	}
	if i.mirror.read().Timestamp == nil || !bytes.Equal(i.mirror.read().Timestamp, newest) {
		t.Error("the older metadata have come in the place of the newer ones")
	}
	if err := os.WriteFile(i.mirror.file(), held, 0o600); err != nil {
		t.Fatal(err)
	}
	unavailable(t, both(t, r.instance(t, cache, 8)), "metadata of the wrong version", "expired on")
}

// TestFetchRotated has the key of the timestamps be stolen, which has made up a version that nobody will reach, and then be replaced by
// a new root, beneath which versions begin anew. What the stolen key signs is not believed after that, even if the new root is not
// served any more.
func TestFetchRotated(t *testing.T) {
	for _, unfinished := range []bool{false, true} {
		r, cache := published(t), t.TempDir()
		r.version = 1_000
		r.publish(t, nil)
		if err := both(t, r.instance(t, cache, 0)); err != nil {
			t.Fatal(err)
		}
		r.version++
		r.publish(t, func(string) time.Time { return time.Now().AddDate(0, 0, 20) })
		stolen := maps.Clone(r.served)
		r.rotate(t, time.Now().AddDate(0, 0, 60))
		r.version = 0
		r.publish(t, nil)
		if unfinished {
			r.set(func(served map[string][]byte) { served["/timestamp.json"] = []byte("{}") })
			unavailable(t, both(t, r.instance(t, cache, 2)), "what is kept of it")
		} else if err := both(t, r.instance(t, cache, 2)); err != nil {
			t.Fatal(err)
		}
		if k := r.instance(t, cache, 0).mirror.read(); len(k.Roots) != 1 {
			t.Fatalf("unfinished: %t: %d roots are kept, want the new one", unfinished, len(k.Roots))
		}
		r.set(func(served map[string][]byte) { clear(served); maps.Copy(served, stolen) })
		unavailable(t, both(t, r.instance(t, cache, 8)), "") // when what is kept has expired
	}
}

// TestFetchRotatedOften has more roots than are fetched at once. Those that were are kept, and the rest comes the next time.
func TestFetchRotatedOften(t *testing.T) {
	r, cache := published(t), t.TempDir()
	for range maxRotations + 1 {
		r.rotate(t, time.Now().AddDate(0, 0, 60))
	}
	r.publish(t, nil)
	_, err := r.instance(t, cache, 0).TrustedRoot(t.Context())
	unavailable(t, err, "")
	if n := r.requests(); n > maxRotations+1 {
		t.Errorf("%d requests, want at most one more than %d", n, maxRotations)
	}
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Errorf("the next time: %v", err)
	}
}

// TestFetchTampered has something of what is kept be changed. It is never used, and fetched anew where that can be.
func TestFetchTampered(t *testing.T) {
	r := published(t)
	r.rotate(t, time.Now().AddDate(0, 0, 60))
	r.publish(t, nil)
	other := published(t)
	other.publish(t, nil)
	full := t.TempDir()
	for _, o := range []*repository{r, other} {
		if err := both(t, o.instance(t, full, 0)); err != nil {
			t.Fatal(err)
		}
	}
	strange := other.instance(t, full, 0).mirror.read()
	for name, change := range map[string]func(k *kept){
		"timestamp": func(k *kept) {
			k.Timestamp = bytes.Replace(k.Timestamp, []byte(`"version":2`), []byte(`"version":9`), 1)
		},
		"snapshot":             func(k *kept) { k.Snapshot = bytes.Replace(k.Snapshot, []byte(`"version":2`), []byte(`"version":9`), 1) },
		"targets":              func(k *kept) { k.Targets = bytes.Replace(k.Targets, []byte(`"length":`), []byte(`"length":1`), 1) },
		"root":                 func(k *kept) { k.Roots[0] = bytes.Replace(k.Roots[0], []byte(`"version":2`), []byte(`"version":3`), 1) },
		"no roots":             func(k *kept) { k.Roots = nil },
		"no snapshot":          func(k *kept) { k.Snapshot = nil },
		"another's timestamp":  func(k *kept) { k.Timestamp = strange.Timestamp },
		"another's everything": func(k *kept) { *k = strange },
		"the file": func(k *kept) {
			k.Files["trusted_root.json"] = bytes.Replace(k.Files["trusted_root.json"], []byte("sigstore"), []byte("sigst0re"), 1)
		},
		"no files": func(k *kept) { k.Files = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			i := r.instance(t, cache, 0)
			k := r.instance(t, full, 0).mirror.read()
			before := string(encode(t, k))
			if change(&k); string(encode(t, k)) == before {
				t.Fatal("nothing is changed")
			}
			k.Asked = time.Now()
			if err := os.MkdirAll(filepath.Dir(i.mirror.file()), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(i.mirror.file(), encode(t, k), 0o600); err != nil {
				t.Fatal(err)
			}
			offline := r.instance(t, cache, 0)
			offline.mirror.url = "http://127.0.0.1:1"
			if err := os.Rename(i.mirror.file(), offline.mirror.file()); err != nil {
				t.Fatal(err)
			}
			_, err := offline.TrustedRoot(t.Context())
			unavailable(t, err, "fetching the trusted root")
			if err := os.Rename(offline.mirror.file(), i.mirror.file()); err != nil {
				t.Fatal(err)
			}
			if err := both(t, i); err != nil {
				t.Errorf("with a network: %v", err)
			}
			if _, err := replay(r.root, i.mirror.read()); err != nil {
				t.Errorf("what is kept afterwards %v", err)
			}
		})
	}
}

// TestFetchSlowly has a mirror that takes connections and does not answer.
func TestFetchSlowly(t *testing.T) {
	r, cache := published(t), t.TempDir()
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	wait := make(chan struct{})
	defer close(wait)
	r.mu.Lock()
	r.wait = wait
	r.mu.Unlock()
	r.requests()
	start := time.Now()
	i := r.instance(t, cache, 2)
	i.mirror.short, i.mirror.long = 5*time.Second, time.Hour
	if err := both(t, i); err != nil || r.requests() != 1 {
		t.Errorf("what is kept is good, and yet: %v (or not one request)", err)
	}
	i = r.instance(t, t.TempDir(), 0)
	i.mirror.short, i.mirror.long = time.Hour, 200*time.Millisecond
	unavailable(t, both(t, i), "no answer in time", "--trust-config")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestFetchTogether has many processes share a folder while the mirror publishes something new.
func TestFetchTogether(t *testing.T) {
	r, cache := published(t), t.TempDir()
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	r.publish(t, nil)
	var group sync.WaitGroup
	for n := range 16 {
		days := n % 2 * 2 // every other one asks the mirror
		group.Go(func() {
			if err := both(t, r.instance(t, cache, days)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	m := r.instance(t, cache, 0).mirror
	s, err := replay(r.root, m.read())
	if err != nil || s.Timestamp.Signed.Version != 2 || len(m.read().Files) != 2 {
		t.Errorf("what is kept: %v, with %d files, want version 2 of both", err, len(m.read().Files))
	}
	old := m.read()
	old.Timestamp, old.Snapshot, old.Targets = []byte("{}"), nil, nil
	m.keep(t.Context(), old)
	if _, err := replay(r.root, m.read()); err == nil {
		t.Error("the test can not tell what is written")
	}
}

// TestKeepNewer has a process that was slower than another write down what it has.
func TestKeepNewer(t *testing.T) {
	r, cache := published(t), t.TempDir()
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	m := r.instance(t, cache, 2).mirror
	old := m.read()
	r.publish(t, nil)
	if err := both(t, r.instance(t, cache, 2)); err != nil {
		t.Fatal(err)
	}
	m.keep(t.Context(), old)
	if s, err := replay(r.root, m.read()); err != nil || s.Timestamp.Signed.Version != 2 {
		t.Errorf("the older one is kept: %v", err)
	}
}

func TestKeptIsTheUsersOwn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	r, cache := published(t), filepath.Join(t.TempDir(), "new")
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFetchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *repository, served map[string][]byte)
		text   string
	}{
		"another root":    {nil, ""},
		"endless":         {func(_ *repository, served map[string][]byte) { served["/timestamp.json"] = make([]byte, 20_000) }, "more than 16384 bytes"},
		"no timestamp":    {func(_ *repository, served map[string][]byte) { delete(served, "/timestamp.json") }, "does not have it"},
		"junk":            {func(_ *repository, served map[string][]byte) { served["/timestamp.json"] = []byte("<html>\x1b[2J") }, ""},
		"changed targets": {func(_ *repository, served map[string][]byte) { served["/1.targets.json"][100] ^= 1 }, ""},
		"root that nobody signed": {func(_ *repository, served map[string][]byte) {
			served["/2.root.json"] = bytes.Replace(served["/1.root.json"], []byte(`"version":1`), []byte(`"version":2`), 1)
		}, ""},
		"changed file": {func(_ *repository, served map[string][]byte) {
			for name := range served {
				if strings.HasPrefix(name, "/targets/") {
					served[name] = bytes.Replace(served[name], []byte("sigstore"), []byte("sigst0re"), 1)
				}
			}
		}, "hash"},
		"no such file": {func(r *repository, served map[string][]byte) {
			for name := range served {
				if strings.HasPrefix(name, "/targets/") {
					delete(served, name)
				}
			}
		}, "does not have it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := published(t)
			if name == "another root" {
				r.root = published(t).root
			} else {
				r.set(func(served map[string][]byte) { c.change(r, served) })
			}
			cache := t.TempDir()
			i := r.instance(t, cache, 0)
			unavailable(t, both(t, i), c.text)
			if i.mirror.read().Timestamp != nil {
				t.Error("something is kept")
			}
		})
	}
}

// TestFetchWithoutCache has a cache folder that can not be made, and none.
func TestFetchWithoutCache(t *testing.T) {
	r := published(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{filepath.Join(file, "cache"), ""} {
		if err := both(t, r.instance(t, cache, 0)); err != nil {
			t.Error(err)
		}
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	r, cache := published(t), t.TempDir()
	if err := both(t, r.instance(t, cache, 0)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, cache := range []string{cache, t.TempDir()} {
		if _, err := r.instance(t, cache, 2).TrustedRoot(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want %v", err, context.Canceled)
		}
	}
}

func TestPublicByDefault(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{{Options{}, "public"}, {Options{Staging: true}, "staging"}} {
		i := open(t, c.o)
		if got := i.String(); !strings.Contains(got, c.want) {
			t.Errorf("instance is %q, want %q", got, c.want)
		}
		if _, _, err := begin(i.mirror.root, kept{}, time.Now()); err != nil {
			t.Errorf("the root of %s that is built in: %v", i, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	root := open(f, Options{}).mirror.root
	f.Add([]byte(`{"signed":{"_type":"timestamp","meta":{}},"signatures":[]}`), root, []byte(`{"signed":{"_type":"targets"}}`))
	f.Fuzz(func(t *testing.T, timestamp, next, targets []byte) {
		k := kept{Roots: [][]byte{next}, Timestamp: timestamp, Snapshot: targets, Targets: targets}
		if _, err := replay(root, k); err == nil {
			t.Error("metadata that nobody signed are believed")
		}
	})
}
