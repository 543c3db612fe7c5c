package sigstore

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// maxKept is the largest file of what is kept that is read, in bytes.
const maxKept = 64 << 20

// kept is what is kept of a mirror between runs, in one file, so that it is there whole or not at all: the metadata as it was
// signed, and the targets that were fetched. It is verified anew each time that it is read.
type kept struct {
	Asked     time.Time         `json:"asked,omitzero"`  // when the mirror answered last
	Failed    time.Time         `json:"failed,omitzero"` // when it did not, if it has not answered since
	Roots     [][]byte          `json:"roots"`           // those that follow the one that is built in, in order
	Timestamp []byte            `json:"timestamp,omitempty"`
	Snapshot  []byte            `json:"snapshot,omitempty"`
	Targets   []byte            `json:"targets,omitempty"`
	Files     map[string][]byte `json:"files,omitempty"` // by the name of the target
}

// recent reports whether the mirror need not be asked again yet. A time to come is no such reason: the clock was wrong.
func (k kept) recent(now time.Time) bool {
	within := func(t time.Time, d time.Duration) bool { age := now.Sub(t); return age >= 0 && age < d }
	return within(k.Asked, askAfter) || within(k.Failed, retryAfter)
}

// read returns what is kept. What can not be read is as nothing: it is fetched again.
func (m *mirror) read() (k kept) {
	if m.cacheDir == "" {
		return kept{}
	}
	b, err := bounded.ReadRegular(m.file(), maxKept)
	if err != nil || json.Unmarshal(b, &k) != nil {
		return kept{}
	}
	return k
}

// keep writes k down, unless another process has written down newer metadata meanwhile. That it can not be written is no
// reason not to verify.
func (m *mirror) keep(ctx context.Context, k kept) {
	if m.cacheDir == "" || os.MkdirAll(filepath.Dir(m.file()), 0o700) != nil {
		return
	}
	unlock, err := durable.Lock(ctx, m.file()+".lock")
	if err != nil {
		return
	}
	defer func() { _ = unlock() }()
	there := m.read()
	if newer(m.root, there, k) {
		return
	}
	for name, b := range there.Files {
		if k.Files[name] == nil && k.Files != nil {
			k.Files[name] = b
		}
	}
	if b, err := json.Marshal(k); err == nil {
		_ = durable.WriteFile(m.file(), b, 0o600)
	}
}

// newer reports whether a has newer metadata than b. A newer root outweighs all others: where a key was replaced, versions may have
// begun anew.
func newer(root []byte, a, b kept) bool {
	if there, ours := lastRoot(root, a), lastRoot(root, b); there != ours {
		return there > ours
	}
	there, err := replay(root, a)
	if err != nil {
		return false
	}
	ours, err := replay(root, b)
	return err == nil && there.Timestamp.Signed.Version > ours.Timestamp.Signed.Version
}

// lastRoot is the version of the newest root that is held and good; 0 if not even the one that is built in is.
func lastRoot(root []byte, k kept) int64 {
	s, _, err := begin(root, k, time.Time{})
	if err != nil {
		return 0
	}
	return s.Root.Signed.Version
}
