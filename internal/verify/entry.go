package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// checkWhole looks at what sigstore-go, which has verified a bundle, leaves alone in it.
func checkWhole(entity *bundle.Bundle, b *oms.Bundle) error {
	if err := checkEntries(entity); err != nil {
		return err
	}
	return checkTimestamps(b)
}

// checkEntries holds all that a bundle says of its log entries to what the log has signed, once sigstore-go has verified them.
//
// sigstore-go looks at as little as it can. An entry of Rekor v2 it rebuilds from the signature, and proves that to be in the
// tree of the checkpoint; the body in the bundle, its kind, and what the proof says of the tree it leaves alone. Nothing forged
// passes by that, but a bundle in which they were changed is not the one that was signed, and clients that do read them refuse it.
func checkEntries(entity *bundle.Bundle) error {
	entries, err := entity.TlogEntries()
	for _, e := range entries {
		if err == nil {
			err = checkEntry(e.TransparencyLogEntry(), e.IsRekorV2())
		}
	}
	if err != nil {
		return refuse(ErrLog, "signature is not proven to be in the transparency log: %w", err)
	}
	return nil
}

func checkEntry(e *protorekor.TransparencyLogEntry, v2 bool) error {
	var body struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(e.GetCanonicalizedBody(), &body); err != nil {
		return fmt.Errorf("its entry cannot be read: %s", plain.Line(err.Error()))
	}
	said := e.GetKindVersion()
	switch promise := e.GetInclusionPromise(); {
	case said.GetKind() != body.Kind || said.GetVersion() != body.Version:
		return fmt.Errorf("its entry is said to be %s, and is %s",
			plain.Name(said.GetKind()+" "+said.GetVersion()), plain.Name(body.Kind+" "+body.Version))
	case promise != nil && len(promise.GetSignedEntryTimestamp()) == 0:
		return errors.New("its entry has an empty promise of inclusion")
	case v2 && e.GetIntegratedTime() != 0:
		return errors.New("its entry tells a time, which a log of Rekor v2 does not")
	}
	return checkProof(e, v2)
}

// checkProof holds the proof of inclusion to the checkpoint, whose signature sigstore-go has verified, and the body to the proof.
func checkProof(e *protorekor.TransparencyLogEntry, v2 bool) error {
	proof := e.GetInclusionProof()
	lines := strings.SplitN(proof.GetCheckpoint().GetEnvelope(), "\n", 4)
	if len(lines) < 4 {
		return errors.New("its entry has no checkpoint") // where there is a promise, that suffices to sigstore-go
	}
	// sigstore-go compares the body with the bundle if it is of Rekor v1, and rebuilds it if the checkpoint is of v2: that of v1 has
	// the number of a tree in its name. Of a body of v2 in a log of v1 it would do neither.
	if v1 := strings.Contains(lines[0], " - "); v1 == v2 {
		return fmt.Errorf("its entry is not of a kind that the log %s has", plain.Name(lines[0]))
	}
	root, err := tlog.ParseHash(lines[2])
	switch {
	case strconv.FormatInt(proof.GetTreeSize(), 10) != lines[1]:
		return fmt.Errorf("its proof of inclusion is for a tree of %d entries, the checkpoint for one of %s", proof.GetTreeSize(), plain.Name(lines[1]))
	case err != nil || !bytes.Equal(proof.GetRootHash(), root[:]):
		return errors.New("its proof of inclusion is for another tree than the checkpoint")
	case v2 && proof.GetLogIndex() != e.GetLogIndex(): // in v1 one counts in the tree, the other in all trees of the log
		return fmt.Errorf("its proof of inclusion is for entry %d, and it is entry %d", proof.GetLogIndex(), e.GetLogIndex())
	}
	hashes := make(tlog.RecordProof, len(proof.GetHashes()))
	for i, h := range proof.GetHashes() {
		copy(hashes[i][:], h)
	}
	// In v2 sigstore-go has proven the rebuilt entry by the same hashes at the same index, so that the body is the rebuilt one.
	if err := tlog.CheckRecord(hashes, proof.GetTreeSize(), root, proof.GetLogIndex(), tlog.RecordHash(e.GetCanonicalizedBody())); err != nil {
		return errors.New("its proof of inclusion is not for the entry's body")
	}
	return nil
}
