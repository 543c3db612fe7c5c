package sigstore

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

// repository serves files as a TUF mirror does, and returns its root metadata.
func repository(t *testing.T, files map[string][]byte) (server *httptest.Server, rootJSON []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	expiry := time.Now().AddDate(0, 0, 7)
	root, targets := metadata.Root(expiry), metadata.Targets(expiry)
	snapshot, timestamp := metadata.Snapshot(expiry), metadata.Timestamp(expiry)
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		if err := root.Signed.AddKey(key, role); err != nil {
			t.Fatal(err)
		}
	}
	served := make(map[string][]byte)
	for name, b := range files {
		if targets.Signed.Targets[name], err = metadata.TargetFile().FromBytes(name, b, "sha256"); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		served["/targets/"+hex.EncodeToString(sum[:])+"."+name] = b
	}
	served["/1.root.json"] = signed(t, root, signer)
	served["/1.targets.json"] = signed(t, targets, signer)
	served["/1.snapshot.json"] = signed(t, snapshot, signer)
	served["/timestamp.json"] = signed(t, timestamp, signer)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(server.Close)
	return server, served["/1.root.json"]
}

func signed[T metadata.Roles](t *testing.T, m *metadata.Metadata[T], s signature.Signer) []byte {
	t.Helper()
	if _, err := m.Sign(s); err != nil {
		t.Fatal(err)
	}
	b, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at gives an instance that is fetched another mirror.
func (i *Instance) at(url string, root []byte) *Instance {
	i.mirror.url, i.mirror.root = url, root
	return i
}

func open(t *testing.T, o Options) *Instance {
	t.Helper()
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestFetch(t *testing.T) {
	trustedRoot, signingConfig, _ := public(t)
	server, root := repository(t, map[string][]byte{"trusted_root.json": trustedRoot, "signing_config.v0.2.json": signingConfig})
	cache := t.TempDir()
	fetch := func(i *Instance) error {
		t.Helper()
		if _, err := i.SigningConfig(t.Context()); err != nil {
			return err
		}
		_, err := i.TrustedRoot(t.Context())
		return err
	}
	if err := fetch(open(t, Options{CacheDir: cache}).at(server.URL, root)); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if err := fetch(open(t, Options{CacheDir: cache}).at(server.URL, root)); err != nil {
		t.Errorf("without a network, from today's cache: %v", err)
	}
	backdate(t, cache)
	if err := fetch(open(t, Options{CacheDir: cache}).at(server.URL, root)); err != nil {
		t.Errorf("without a network, from an older cache: %v", err)
	}
	err := fetch(open(t, Options{CacheDir: t.TempDir()}).at(server.URL, root))
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), server.URL) || !strings.Contains(err.Error(), "--trust-config") {
		t.Errorf("without a network and a cache: %v, want %v with the URL and an option", err, ErrUnavailable)
	}
	_, err = open(t, Options{CacheDir: t.TempDir(), Staging: true}).at(server.URL, root).TrustedRoot(t.Context())
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "staging") || !strings.Contains(err.Error(), "--trusted-root") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without a network and a cache: %v, want %v with the instance and an option", err, ErrUnavailable)
	}
}

// backdate makes the cache look as if the mirror was asked last a month ago.
func backdate(t *testing.T, cache string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cache, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache holds %v (%v), want one file of when the mirror was asked", files, err)
	}
	if err := os.WriteFile(files[0], encode(t, map[string]time.Time{"lastTimestamp": time.Now().AddDate(0, -1, 0)}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFetchRefusesAnotherRoot(t *testing.T) {
	trustedRoot, _, _ := public(t)
	server, _ := repository(t, map[string][]byte{"trusted_root.json": trustedRoot})
	_, root := repository(t, nil)
	if _, err := open(t, Options{CacheDir: t.TempDir()}).at(server.URL, root).TrustedRoot(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want %v", err, ErrUnavailable)
	}
}

// TestFetchWithoutCache has a cache folder that can not be made.
func TestFetchWithoutCache(t *testing.T) {
	trustedRoot, _, _ := public(t)
	server, root := repository(t, map[string][]byte{"trusted_root.json": trustedRoot})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, Options{CacheDir: filepath.Join(file, "cache")}).at(server.URL, root).TrustedRoot(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	_, root := repository(t, nil)
	if _, err := open(t, Options{CacheDir: t.TempDir()}).at(server.URL, root).TrustedRoot(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

func TestPublicByDefault(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{{Options{}, "public"}, {Options{Staging: true}, "staging"}} {
		if got := open(t, c.o).String(); !strings.Contains(got, c.want) {
			t.Errorf("instance is %q, want %q", got, c.want)
		}
	}
}
