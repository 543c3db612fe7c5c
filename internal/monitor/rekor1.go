package monitor

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// rekor1Batch is how many entries Rekor v1 gives for one request.
	rekor1Batch = 10

	maxInfoBytes    = 1 << 20
	maxEntriesBytes = 64 << 20
	maxProofHashes  = 64
	maxShards       = 1000
)

// rekor1 reads a log that is served by Rekor's first version: its API is JSON, and a log may be a row of trees ("shards"), of
// which only the last one grows.
type rekor1 struct {
	log    Log
	client *Client
	base   string // with a slash at its end

	mu     sync.Mutex
	proven map[provenTree]bool
}

// provenTree is a state of a tree that was proven to be consistent with the checkpoint that entries are read by.
type provenTree struct {
	read, size int64
	root       tlog.Hash
}

func (s *rekor1) step() int64 { return rekor1Batch }

// shard is what the API says of one tree.
type shard struct {
	SignedTreeHead string `json:"signedTreeHead"`
	TreeID         string `json:"treeID"`
	TreeSize       int64  `json:"treeSize"`
}

func (s *rekor1) trees(ctx context.Context) ([]tree, error) {
	b, err := s.client.get(ctx, s.base+"api/v1/log", maxInfoBytes)
	if err != nil {
		return nil, err
	}
	shards, err := parseInfo(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %sapi/v1/log: %w", ErrUnavailable, s.base, err)
	}
	var out []tree
	var offset int64
	for i, one := range shards {
		t, err := s.tree(one, i == len(shards)-1)
		if err != nil {
			return nil, fmt.Errorf("%w: tree %s: %w", ErrUnavailable, plain.Name(one.TreeID), err)
		}
		t.offset = offset
		if offset += t.size; offset > maxTree {
			return nil, fmt.Errorf("%w: it says that it has %d entries", ErrUnavailable, offset)
		}
		out = append(out, t)
	}
	return out, nil
}

// parseInfo reads what the API says of the log: its trees, of which the last one grows.
func parseInfo(b []byte) ([]shard, error) {
	var info struct {
		shard
		Inactive []shard `json:"inactiveShards"`
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	if len(info.Inactive) > maxShards {
		return nil, fmt.Errorf("it says that it has %d trees", len(info.Inactive))
	}
	return append(info.Inactive, info.shard), nil
}

// tree checks what the API says of a tree against what the log has signed. Each tree is signed with the key that the log had in its
// time. Where the trusted root does not list that, which an instance may have left out from the start, the trees behind it can be
// watched all the same: of this one only the size is taken, for their indexes.
func (s *rekor1) tree(one shard, last bool) (tree, error) {
	keys := s.log.Keys
	if last {
		keys = s.log.current()
	}
	c, err := openCheckpoint([]byte(one.SignedTreeHead), keys)
	if errors.Is(err, errUnsigned) && !last && one.TreeSize >= 0 && one.TreeSize <= maxTree {
		return tree{checkpoint: checkpoint{size: one.TreeSize}, id: one.TreeID, unproven: true}, nil
	}
	if err != nil {
		return tree{}, err
	}
	if !strings.HasSuffix(c.origin, " - "+one.TreeID) || one.TreeID == "" {
		return tree{}, fmt.Errorf("its checkpoint is that of %s", plain.Name(c.origin))
	}
	return tree{checkpoint: c, id: one.TreeID}, nil
}

func (s *rekor1) extends(ctx context.Context, earlier checkpoint, later tree) error {
	return s.consistent(ctx, later.id, earlier.size, earlier.root, later.size, later.root)
}

// consistent has the log prove that one state of a tree begins with another.
func (s *rekor1) consistent(ctx context.Context, id string, size int64, root tlog.Hash, largerSize int64, largerRoot tlog.Hash) error {
	query := url.Values{"firstSize": {strconv.FormatInt(size, 10)}, "lastSize": {strconv.FormatInt(largerSize, 10)}, "treeID": {id}}
	b, err := s.client.get(ctx, s.base+"api/v1/log/proof?"+query.Encode(), maxInfoBytes)
	if err != nil {
		return err
	}
	proof, err := parseProof(b)
	if err != nil {
		return fmt.Errorf("%w: consistency proof: %w", ErrUnavailable, err)
	}
	if err := tlog.CheckTree(proof, largerSize, largerRoot, size, root); err != nil {
		return fmt.Errorf("%w: the log's proof that its tree of %d entries begins with its tree of %d does not hold", errDiffers, largerSize, size)
	}
	return nil
}

// parseProof reads the hashes of a consistency proof.
func parseProof(b []byte) ([]tlog.Hash, error) {
	var answer struct {
		Hashes []string `json:"hashes"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	return parseHashes(answer.Hashes)
}

// rekor1Entry is an entry as the API gives it, with the proof that it is in the tree.
type rekor1Entry struct {
	Body         string `json:"body"`
	LogIndex     int64  `json:"logIndex"`
	Verification struct {
		InclusionProof struct {
			Hashes   []string `json:"hashes"`
			RootHash string   `json:"rootHash"`
			TreeSize int64    `json:"treeSize"`
		} `json:"inclusionProof"`
	} `json:"verification"`
}

// entries returns the entries [from, to) of a tree, each after its proof was checked. Anybody may log large ones: those that are too
// much together are asked for in parts.
func (s *rekor1) entries(ctx context.Context, t tree, from, to int64) ([][]byte, error) {
	out, err := s.entriesAtOnce(ctx, t, from, to)
	if !errors.Is(err, errTooLarge) || to-from < 2 {
		return out, err
	}
	middle := from + (to-from)/2
	first, err := s.entries(ctx, t, from, middle)
	if err != nil {
		return nil, err
	}
	second, err := s.entries(ctx, t, middle, to)
	if err != nil {
		return nil, err
	}
	return append(first, second...), nil
}

func (s *rekor1) entriesAtOnce(ctx context.Context, t tree, from, to int64) ([][]byte, error) {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, strconv.FormatInt(t.offset+i, 10))
	}
	b, err := s.client.do(ctx, "POST", s.base+"api/v1/log/entries/retrieve", `{"logIndexes":[`+strings.Join(list, ",")+`]}`, maxEntriesBytes)
	if err != nil {
		return nil, err
	}
	found, err := parseEntries(b)
	if err != nil {
		return nil, fmt.Errorf("%w: entries from %d on: %w", ErrUnavailable, t.offset+from, err)
	}
	out := make([][]byte, to-from)
	for i := range out {
		index := from + int64(i)
		e, there := found[t.offset+index]
		if !there {
			return nil, fmt.Errorf("%w: entry %d: the log has signed that it is there, and does not give it", ErrUnavailable, t.offset+index)
		}
		if out[i], err = s.included(ctx, t, index, e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", t.offset+index, err)
		}
	}
	return out, nil
}

// parseEntries reads an answer of the API: an array of objects, each with entries by their identifiers.
func parseEntries(b []byte) (map[int64]rekor1Entry, error) {
	var answer []map[string]rekor1Entry
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, errors.New(plain.Line(err.Error()))
	}
	found := map[int64]rekor1Entry{}
	for _, entries := range answer {
		for _, e := range entries {
			found[e.LogIndex] = e
		}
	}
	return found, nil
}

// included checks that an entry is at an index of a tree, and returns it. Its proof leads to the tree as it was when the log
// answered, which has to be a later or an earlier state of the one that entries are read by.
func (s *rekor1) included(ctx context.Context, t tree, index int64, e rekor1Entry) ([]byte, error) {
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64", ErrUnavailable)
	}
	given := e.Verification.InclusionProof
	proof, err := parseHashes(given.Hashes)
	if err != nil {
		return nil, fmt.Errorf("%w: inclusion proof: %w", ErrUnavailable, err)
	}
	root, err := parseHash(given.RootHash)
	if err != nil {
		return nil, fmt.Errorf("%w: root hash: %w", ErrUnavailable, err)
	}
	size := given.TreeSize
	if size <= index || size > maxTree {
		return nil, fmt.Errorf("%w: its proof is for a tree of %d entries, and it is the one at %d", errDiffers, size, index)
	}
	if err := tlog.CheckRecord(tlog.RecordProof(proof), size, root, index, tlog.RecordHash(body)); err != nil {
		return nil, fmt.Errorf("%w: the log's proof that the entry is in the tree does not hold", errDiffers)
	}
	return body, s.sameTree(ctx, t, size, root)
}

// sameTree checks that a state of a tree is one of the tree that entries are read by.
func (s *rekor1) sameTree(ctx context.Context, t tree, size int64, root tlog.Hash) error {
	if size == t.size {
		if root != t.root {
			return fmt.Errorf("%w: the log's tree of %d entries has the root hash %s, and it has signed %s", errDiffers, size, root, t.root)
		}
		return nil
	}
	key := provenTree{t.size, size, root}
	s.mu.Lock()
	proven := s.proven[key]
	s.mu.Unlock()
	if proven {
		return nil
	}
	var err error
	if size > t.size {
		err = s.consistent(ctx, t.id, t.size, t.root, size, root)
	} else {
		err = s.consistent(ctx, t.id, size, root, t.size, t.root)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proven == nil || len(s.proven) >= 10_000 {
		s.proven = map[provenTree]bool{}
	}
	s.proven[key] = true
	return nil
}

func parseHashes(list []string) ([]tlog.Hash, error) {
	if len(list) > maxProofHashes {
		return nil, fmt.Errorf("it has %d hashes, at most %d are read", len(list), maxProofHashes)
	}
	out := make([]tlog.Hash, len(list))
	for i, text := range list {
		var err error
		if out[i], err = parseHash(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseHash(text string) (tlog.Hash, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%s is no SHA-256 in hex", plain.Name(text))
	}
	return tlog.Hash(b), nil
}
