package monitor

import (
	"fmt"
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Known are entries that need no report, because a signature that refers to them is at hand.
type Known map[knownEntry]bool

// knownEntry is an entry by its log, its place there, and its leaf hash: a bundle that merely names an index is no reason to
// keep silent about what stands there.
type knownEntry struct {
	logID string
	index int64
	leaf  tlog.Hash
}

// AddBundle adds the entries that a bundle refers to, whether or not its signature is to be believed.
func (k Known) AddBundle(raw []byte) error {
	var b protobundle.Bundle
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &b); err != nil {
		return fmt.Errorf("reading a bundle: %s", plain.Line(err.Error()))
	}
	for _, e := range b.GetVerificationMaterial().GetTlogEntries() {
		k[knownEntry{string(e.GetLogId().GetKeyId()), e.GetLogIndex(), tlog.RecordHash(e.GetCanonicalizedBody())}] = true
	}
	return nil
}

// has says whether an entry of a log is among those that are known.
func (k Known) has(l Log, index int64, body []byte) bool {
	leaf := tlog.RecordHash(body)
	return slices.ContainsFunc(l.Keys, func(key Key) bool { return k[knownEntry{string(key.ID), index, leaf}] })
}
