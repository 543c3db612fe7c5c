package monitor

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Log is a transparency log of a Sigstore instance, as its trusted root describes it.
type Log struct {
	// URL is where the log is.
	URL string
	// ID is the log's identifier, by which bundles name it. Its first four bytes are the key hash in signatures of checkpoints.
	ID []byte
	// Key and Hash are what it signs with.
	Key  crypto.PublicKey
	Hash crypto.Hash
}

// String is the log's address without its scheme.
func (l Log) String() string {
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" {
		return plain.Name(l.URL)
	}
	return plain.Name(strings.TrimSuffix(u.Host+u.Path, "/"))
}

// ErrNoLog says that a trusted root has no log that could be watched.
var ErrNoLog = errors.New("no such log in the trusted root")

// Logs are the logs of a trusted root that take entries at a time, in the order of their addresses; of several keys for one
// address the newest counts. With only, a log's address with or without its scheme, they are that one, also after its time.
func Logs(trusted *root.TrustedRoot, only string, now time.Time) ([]Log, error) {
	newest := map[string]*root.TransparencyLog{}
	for _, l := range trusted.RekorLogs() {
		ended := !l.ValidityPeriodEnd.IsZero() && l.ValidityPeriodEnd.Before(now)
		if l.ValidityPeriodStart.After(now) || ended && only == "" {
			continue
		}
		if before := newest[l.BaseURL]; before == nil || before.ValidityPeriodStart.Before(l.ValidityPeriodStart) {
			newest[l.BaseURL] = l
		}
	}
	var out []Log
	for _, l := range newest {
		log := Log{URL: l.BaseURL, ID: l.ID, Key: l.PublicKey, Hash: l.SignatureHashFunc}
		if only == "" || strings.TrimSuffix(only, "/") == strings.TrimSuffix(l.BaseURL, "/") || only == log.String() {
			out = append(out, log)
		}
	}
	if len(out) == 0 {
		return nil, ErrNoLog
	}
	slices.SortFunc(out, func(a, b Log) int { return strings.Compare(a.URL, b.URL) })
	for _, l := range out {
		u, err := url.Parse(l.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(l.ID) < 4 {
			return nil, fmt.Errorf("%w: %s (%s) is no address of a log", ErrNoLog, plain.Name(l.URL), hex.EncodeToString(l.ID))
		}
	}
	return out, nil
}

// tree is one of the trees that a log is made of, and the state in which it is read.
type tree struct {
	checkpoint
	id     string
	offset int64 // the log index of its first entry
}

// source is a log by way of the API that it is served by. Its methods may be called from several goroutines.
type source interface {
	// trees returns the log's trees in the order of their entries. Each has been signed by the log.
	trees(ctx context.Context) ([]tree, error)
	// extends proves that a tree begins with an earlier state of it, which is smaller and not empty.
	extends(ctx context.Context, earlier checkpoint, later tree) error
	// entries returns the entries [from, to) of a tree, counted in the tree, each proven to be in it. A multiple of step may lie
	// at either end, and none between.
	entries(ctx context.Context, t tree, from, to int64) ([][]byte, error)
	step() int64
}

// errDiffers is wrapped by errors that say that a log does not stand by what it has signed.
var errDiffers = errors.New("the log contradicts itself")

// open finds out how a log is served, which its trusted root does not say.
func (l Log) open(ctx context.Context, c *Client) (source, error) {
	base := strings.TrimSuffix(l.URL, "/") + "/"
	for _, path := range []string{"api/v2/", ""} {
		_, err := c.get(ctx, base+path+"checkpoint", maxCheckpoint)
		if err == nil {
			return &tiles{log: l, client: c, base: base + path}, nil
		}
		if !errors.Is(err, errNotThere) {
			return nil, err
		}
	}
	return &rekor1{log: l, client: c, base: base}, nil
}
