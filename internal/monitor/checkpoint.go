package monitor

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// maxCheckpoint is the largest checkpoint that is read, in bytes. A real one has some 300, and more with witnesses.
	maxCheckpoint = 64 << 10

	// maxTree is a bound for the number of entries of a log, with which sums of sizes do not overflow.
	maxTree = 1 << 48
)

// errUnsigned is the error for a checkpoint that none of the keys in question has signed.
var errUnsigned = errors.New("checkpoint is not signed by a key that the trusted root lists for the log")

// checkpoint is what a log has signed of its tree, by C2SP's tlog-checkpoint.
type checkpoint struct {
	origin string // names the tree
	size   int64  // in entries
	root   tlog.Hash
	note   []byte // as it was signed, with its signatures
}

// openCheckpoint reads a checkpoint that was signed with one of a log's keys, and refuses any other.
func openCheckpoint(signed []byte, keys []Key) (checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return checkpoint{}, fmt.Errorf("checkpoint has %d bytes, at most %d are read", len(signed), maxCheckpoint)
	}
	n, err := note.Open(signed, logKeys(keys))
	unverified, invalid := (*note.UnverifiedNoteError)(nil), (*note.InvalidSignatureError)(nil)
	switch {
	case errors.As(err, &unverified):
		return checkpoint{}, errUnsigned
	case errors.As(err, &invalid):
		return checkpoint{}, errors.New("checkpoint is not signed as it says: its signature does not verify with the log's key")
	case err != nil:
		return checkpoint{}, fmt.Errorf("checkpoint cannot be read: %s", plain.Line(err.Error()))
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return checkpoint{}, fmt.Errorf("checkpoint cannot be read: %w", err)
	}
	c.note = bytes.Clone(signed)
	return c, nil
}

// parseCheckpoint reads the text of a checkpoint: origin, size, root hash, and lines of extensions that do not matter here.
func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return checkpoint{}, errors.New("expected an origin, a size and a hash, each on a line of its own")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > maxTree || strconv.FormatInt(size, 10) != lines[1] {
		return checkpoint{}, fmt.Errorf("its second line is %s, expected a number of entries", plain.Name(lines[1]))
	}
	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != tlog.HashSize {
		return checkpoint{}, errors.New("its third line is no SHA-256 in base64")
	}
	return checkpoint{origin: lines[0], size: size, root: tlog.Hash(hash)}, nil
}

// logKeys find a log's signature among those of a note, as package note asks for it. What a signature line calls its maker is not
// signed, and is not looked at: Rekor v1 writes its host's name there and Rekor v2 the tree's origin. The key alone decides.
type logKeys []Key

func (keys logKeys) Verifier(name string, hash uint32) (note.Verifier, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return len(k.ID) >= 4 && binary.BigEndian.Uint32(k.ID) == hash })
	if i < 0 {
		return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
	}
	v, err := signature.LoadVerifier(keys[i].Public, keys[i].Hash)
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	return namedVerifier{name, hash, v}, nil
}

// namedVerifier is a key under the name that a note calls it by.
type namedVerifier struct {
	name string
	hash uint32
	key  signature.Verifier
}

func (v namedVerifier) Name() string    { return v.name }
func (v namedVerifier) KeyHash() uint32 { return v.hash }

func (v namedVerifier) Verify(msg, sig []byte) bool {
	return v.key.VerifySignature(bytes.NewReader(sig), bytes.NewReader(msg)) == nil
}
