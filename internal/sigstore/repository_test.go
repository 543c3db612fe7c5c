package sigstore

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func decode(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// repository is a TUF repository, and the mirror that serves it.
type repository struct {
	*httptest.Server
	root  []byte // the first, as a program would have it built in
	files map[string][]byte

	key     ed25519.PrivateKey // of the root, and of all roles before it is rotated
	others  ed25519.PrivateKey // of the others afterwards
	roots   int64              // how many there are
	version int64              // of the other roles

	mu     sync.Mutex
	served map[string][]byte
	asked  int
	wait   chan struct{} // if there is one, nothing is answered until it is closed
}

// newRepository publishes files, for a week.
func newRepository(t *testing.T, files map[string][]byte) *repository {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &repository{files: files, key: key, served: make(map[string][]byte)}
	r.rotate(t, time.Now().AddDate(0, 0, 30))
	r.root = r.served["/1.root.json"]
	r.publish(t, nil)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *repository) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.asked++
	b, ok := r.served[q.URL.Path]
	wait := r.wait
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-q.Context().Done():
		}
	}
	if !ok {
		http.NotFound(w, q)
		return
	}
	_, _ = w.Write(b)
}

// set changes what is served.
func (r *repository) set(change func(served map[string][]byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.served)
}

// requests is how many requests there were since it was asked last.
func (r *repository) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.asked = 0 }()
	return r.asked
}

// rotate publishes one more root, which vouches for a new key of the other roles.
func (r *repository) rotate(t *testing.T, expires time.Time) {
	t.Helper()
	r.roots++
	root := metadata.Root(expires)
	root.Signed.Version = r.roots
	_, fresh, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := r.key
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		public, err := metadata.KeyFromPublicKey(key.Public())
		if role != metadata.ROOT && r.roots > 1 {
			public, err = metadata.KeyFromPublicKey(fresh.Public())
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Signed.AddKey(public, role); err != nil {
			t.Fatal(err)
		}
	}
	b := signed(t, root, key)
	r.set(func(served map[string][]byte) { served[fmt.Sprintf("/%d.root.json", r.roots)] = b })
	if r.roots > 1 {
		r.others = fresh
	}
}

// publish signs the next version of everything but the root. The function expiry is when a role expires; nil for in a week.
func (r *repository) publish(t *testing.T, expiry func(role string) time.Time) {
	t.Helper()
	if expiry == nil {
		expiry = func(string) time.Time { return time.Now().AddDate(0, 0, 7) }
	}
	r.version++
	key := r.key
	if r.others != nil {
		key = r.others
	}
	targets, snapshot, timestamp := metadata.Targets(expiry("targets")), metadata.Snapshot(expiry("snapshot")), metadata.Timestamp(expiry("timestamp"))
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = r.version, r.version, r.version
	snapshot.Signed.Meta["targets.json"].Version = r.version
	timestamp.Signed.Meta["snapshot.json"].Version = r.version
	more := make(map[string][]byte)
	for name, b := range r.files {
		info, err := metadata.TargetFile().FromBytes(name, b, "sha256")
		if err != nil {
			t.Fatal(err)
		}
		targets.Signed.Targets[name] = info
		sum := sha256.Sum256(b)
		more["/targets/"+hex.EncodeToString(sum[:])+"."+name] = b
	}
	more[fmt.Sprintf("/%d.targets.json", r.version)] = signed(t, targets, key)
	more[fmt.Sprintf("/%d.snapshot.json", r.version)] = signed(t, snapshot, key)
	more["/timestamp.json"] = signed(t, timestamp, key)
	r.set(func(served map[string][]byte) {
		for name, b := range more {
			served[name] = b
		}
	})
}

func signed[T metadata.Roles](t *testing.T, m *metadata.Metadata[T], key ed25519.PrivateKey) []byte {
	t.Helper()
	signer, err := signature.LoadSigner(key, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sign(signer); err != nil {
		t.Fatal(err)
	}
	b, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// instance opens an instance that is fetched from r, days later than now.
func (r *repository) instance(t *testing.T, cache string, days int) *Instance {
	t.Helper()
	i := open(t, Options{CacheDir: cache})
	i.mirror.url, i.mirror.root = r.URL, r.root
	i.mirror.now = func() time.Time { return time.Now().AddDate(0, 0, days) }
	return i
}

func open(t testing.TB, o Options) *Instance {
	t.Helper()
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
