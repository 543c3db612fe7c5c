package monitor

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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
	// Keys are those that the log has signed with, the newest first.
	Keys []Key
	// Begun is from when on it takes entries, by its trusted root, and Ended says that it takes none any more.
	Begun time.Time
	Ended bool
}

// Key is one that a log has signed with.
type Key struct {
	// ID is what bundles name the log by while it signs with this key. The first four bytes are the key hash in signatures of
	// checkpoints.
	ID []byte
	// Public and Hash are what signatures verify with.
	Public crypto.PublicKey
	Hash   crypto.Hash
	// Ended says that the log signs nothing new with it: it vouches for what was signed by then, such as trees of Rekor v1 that
	// grow no more.
	Ended bool
}

// current are the keys that may sign what the log is now. Nothing new comes to a log that has ended, so any of its keys may.
func (l Log) current() []Key {
	if l.Ended {
		return l.Keys
	}
	return slices.DeleteFunc(slices.Clone(l.Keys), func(k Key) bool { return k.Ended })
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

// Logs are the logs of a trusted root that have begun to take entries, in the order of their addresses: those that have ended too.
// With only, a log's address with or without its scheme, they are that one.
func Logs(trusted *root.TrustedRoot, only string, now time.Time) ([]Log, error) {
	byURL := map[string]*Log{}
	listed := slices.Collect(maps.Values(trusted.RekorLogs()))
	slices.SortFunc(listed, func(a, b *root.TransparencyLog) int { return b.ValidityPeriodStart.Compare(a.ValidityPeriodStart) })
	for _, l := range listed {
		if l.ValidityPeriodStart.After(now) {
			continue
		}
		if err := checkAddress(l); err != nil {
			return nil, err
		}
		log := byURL[l.BaseURL]
		if log == nil {
			log = &Log{URL: l.BaseURL, Ended: true}
			byURL[l.BaseURL] = log
		}
		ended := !l.ValidityPeriodEnd.IsZero() && l.ValidityPeriodEnd.Before(now)
		log.Keys = append(log.Keys, Key{ID: l.ID, Public: l.PublicKey, Hash: l.SignatureHashFunc, Ended: ended})
		log.Begun, log.Ended = l.ValidityPeriodStart, log.Ended && ended
	}
	var out []Log
	for _, l := range byURL {
		if only == "" || strings.TrimSuffix(only, "/") == strings.TrimSuffix(l.URL, "/") || only == l.String() {
			out = append(out, *l)
		}
	}
	if len(out) == 0 {
		return nil, ErrNoLog
	}
	slices.SortFunc(out, func(a, b Log) int { return strings.Compare(a.URL, b.URL) })
	return out, nil
}

// checkAddress refuses what cannot be asked, or told from other logs.
func checkAddress(l *root.TransparencyLog) error {
	u, err := url.Parse(l.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(l.ID) < 4 {
		return fmt.Errorf("%w: %s (%s) is no address of a log", ErrNoLog, plain.Name(l.BaseURL), hex.EncodeToString(l.ID))
	}
	return nil
}

// tree is one of the trees that a log is made of, and the state in which it is read.
type tree struct {
	checkpoint
	id     string
	offset int64 // the log index of its first entry
	// unproven says that no key that the trusted root lists has signed it: its size is what the log says, and its entries are
	// not read.
	unproven bool
}

// source is a log by way of the API that it is served by. Its methods may be called from several goroutines.
type source interface {
	// trees returns the log's trees in the order of their entries. Each has been signed by the log, unless it is unproven; the last
	// one never is.
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
