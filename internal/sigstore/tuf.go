package sigstore

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// requestTimeout is how long one request to a mirror may take.
	requestTimeout = 30 * time.Second

	// cacheDays is how long metadata is used without asking the mirror again. Verifying many models in a row, as a hook
	// does, then asks once a day.
	cacheDays = 1
)

// mirror is a TUF repository of Sigstore's, with the root of trust that is built into sigstore-go.
type mirror struct {
	name, url string
	root      []byte
	cacheDir  string
	userAgent string
}

func newMirror(o Options) *mirror {
	m := &mirror{name: "the public Sigstore instance", url: tuf.DefaultMirror, root: tuf.DefaultRoot()}
	if o.Staging {
		m = &mirror{name: "Sigstore's staging instance", url: tuf.StagingMirror, root: tuf.StagingRoot()}
	}
	m.cacheDir, m.userAgent = o.CacheDir, o.UserAgent
	return m
}

// fetch returns a target, verified by TUF. Where the mirror can not be reached, a cached copy serves for as long as its
// metadata has not expired, which is what TUF allows.
func (m *mirror) fetch(ctx context.Context, target, what, option string) ([]byte, error) {
	b, err := m.get(ctx, target, false)
	if err != nil && m.cached() && ctx.Err() == nil {
		if b, cacheErr := m.get(ctx, target, true); cacheErr == nil {
			return b, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: fetching the %s of %s from %s: %s (without a network, give it as a file: %s)",
			ErrUnavailable, what, m.name, m.url, plain.Line(err.Error()), option)
	}
	return b, nil
}

func (m *mirror) get(ctx context.Context, target string, cacheOnly bool) ([]byte, error) {
	o := tuf.DefaultOptions().WithRoot(m.root).WithRepositoryBaseURL(m.url).WithCacheValidity(cacheDays).WithFetcher(m.fetcher(ctx))
	if m.cacheDir != "" {
		o.WithCachePath(m.cacheDir)
	}
	if cacheOnly {
		o.WithForceCache()
	}
	if os.MkdirAll(o.CachePath, 0o700) != nil {
		o.WithDisableLocalCache() // a home that can not be written to is no reason not to verify
	}
	c, err := tuf.New(o)
	if err != nil {
		return nil, err
	}
	return c.GetTarget(target)
}

// cached reports whether metadata was ever fetched from the mirror.
func (m *mirror) cached() bool {
	dir := m.cacheDir
	if dir == "" {
		dir = tuf.DefaultOptions().CachePath
	}
	_, err := os.Stat(filepath.Join(dir, tuf.URLToPath(m.url), "timestamp.json"))
	return err == nil
}

func (m *mirror) fetcher(ctx context.Context) fetcher.Fetcher {
	f := fetcher.NewDefaultFetcher()
	f.SetHTTPClient(&http.Client{Transport: Transport(ctx, m.userAgent), Timeout: requestTimeout})
	return f
}
