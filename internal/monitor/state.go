package monitor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	stateVersion = 1
	maxState     = 16 << 20
	// maxEvidence is how many files of evidence are kept. What a log has done first is what matters most.
	maxEvidence = 20
	// maxReported is how many reported entries are remembered. Only reading entries again needs them.
	maxReported = 100_000
)

// ErrState is wrapped by errors about what was kept of an earlier run and cannot be used.
var ErrState = errors.New("kept state")

// state is what is kept between runs: how far the log was read, and what it had signed by then.
type state struct {
	Version int    `json:"version"`
	Log     string `json:"log"`
	// Begun is when the log was watched first.
	Begun time.Time `json:"begun"`
	// Finished says that the log takes no entries any more and all were read.
	Finished bool `json:"finished,omitempty"`
	// Next is the index of the first entry that was not looked at.
	Next int64 `json:"next"`
	// Trees are those that the log was ever seen to have, in the order of their entries.
	Trees []keptTree `json:"trees"`
	// Reported are the indexes of entries that were reported.
	Reported []int64 `json:"reported,omitempty"`
	// Listed are the addresses of the logs that the instance had when this one was watched first, but for those that came later than
	// others which were watched by then. A state that an earlier version has written has none.
	Listed []string `json:"listed,omitempty"`
}

// keptTree is the latest state of a tree that was seen.
type keptTree struct {
	Offset     int64  `json:"offset"`
	Checkpoint string `json:"checkpoint"`
}

// store is the folder in which the state of one log is kept.
type store string

func (s store) file() string { return filepath.Join(string(s), "state.json") }

// Kept is what earlier runs have kept of a log.
type Kept struct {
	// Begun is when the log was watched first; zero if it never was.
	Begun time.Time
	// Finished says that the log takes no entries any more and that all were read.
	Finished bool
	// Listed is what the first run was given as [Options.Listed]; nil if that is not known.
	Listed []string
}

// Before says what earlier runs have kept of a log in a folder.
func Before(folder string, l Log) (Kept, error) {
	kept, err := store(folder).load(l)
	if kept == nil {
		return Kept{}, err
	}
	return Kept{Begun: kept.Begun, Finished: kept.Finished, Listed: kept.Listed}, nil
}

// lock keeps other processes from watching by the same state. It makes the folder.
func (s store) lock(ctx context.Context) (unlock func() error, err error) {
	if err := os.MkdirAll(string(s), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for what is kept: %w", err)
	}
	unlock, err = durable.Lock(ctx, filepath.Join(string(s), "lock"))
	if err != nil {
		return nil, fmt.Errorf("locking what is kept: %w", err)
	}
	return unlock, nil
}

// load reads the state; nil if there is none.
func (s store) load(l Log) (*state, error) {
	b, err := bounded.ReadRegular(s.file(), maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading what was kept: %w", err)
	}
	kept, err := parseState(b)
	if err == nil && kept.Log != l.URL {
		err = fmt.Errorf("it is that of %s", plain.Name(kept.Log))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, s.file(), err)
	}
	return kept, nil
}

func parseState(b []byte) (*state, error) {
	kept := new(state)
	if err := json.Unmarshal(b, kept, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	if kept.Version != stateVersion {
		return nil, fmt.Errorf("its version is %d, expected %d", kept.Version, stateVersion)
	}
	if kept.Begun.IsZero() {
		return nil, errors.New("it does not say when it was begun")
	}
	if kept.Next < 0 || kept.Next > maxTree || len(kept.Trees) == 0 {
		return nil, errors.New("it says no place in the log")
	}
	return kept, nil
}

// save puts the state in the place of the one before, whole or not at all.
func (s store) save(kept *state) error {
	if n := len(kept.Reported); n > maxReported {
		kept.Reported = slices.Clone(kept.Reported[n-maxReported:])
	}
	b, err := json.Marshal(kept, jsontext.Multiline(true))
	if err == nil {
		err = durable.WriteFile(s.file(), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping how far the log was read: %w", err)
	}
	return nil
}

// keepEvidence writes what a log has signed, before and now, into a file of its own, and returns its name. A log that does not mend
// its ways is asked again and again: once there are many files, the name is that of the last one.
func (s store) keepEvidence(m *Misbehaviour, at time.Time) (string, error) {
	before, err := s.evidence()
	if err != nil {
		return "", fmt.Errorf("keeping the evidence: %w", err)
	}
	if len(before) >= maxEvidence {
		return before[len(before)-1], nil
	}
	text := fmt.Sprintf("%s: %s\n%s\n\n-- checkpoint that was kept --\n%s\n-- checkpoint that was found --\n%s",
		at.UTC().Format(time.RFC3339), m.Log, m.What, orNone(m.Kept), orNone(m.Found))
	name := filepath.Join(string(s), "evidence-"+at.UTC().Format("20060102T150405Z")+"-"+rand.Text()[:8]+".txt")
	if err := durable.WriteFile(name, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("keeping the evidence: %w", err)
	}
	return name, nil
}

// evidence are the names of the files of evidence, the oldest first.
func (s store) evidence() ([]string, error) {
	files, err := os.ReadDir(string(s))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "evidence-") {
			names = append(names, filepath.Join(string(s), f.Name()))
		}
	}
	return names, nil
}

func orNone(note []byte) string {
	if len(note) == 0 {
		return "none\n"
	}
	return string(note)
}
