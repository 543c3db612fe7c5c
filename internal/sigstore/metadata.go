package sigstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// The largest files of metadata that are read, in bytes, and how many roots may follow each other in one update. They are
// those of go-tuf's own client.
const (
	maxRoot, maxTimestamp, maxSnapshot, maxTargets = 512_000, 16_384, 2_000_000, 5_000_000
	maxRotations                                   = 256
)

// set is metadata of a repository that has been verified.
type set struct {
	*trustedmetadata.TrustedMetadata
}

// replay verifies metadata that is kept, but for its time: expired tells that.
func replay(root []byte, held kept) (*set, error) {
	if held.Timestamp == nil {
		return nil, errors.New("is nothing")
	}
	s, _, err := begin(root, held, time.Time{})
	if err == nil {
		_, err = s.UpdateTimestamp(held.Timestamp)
	}
	if err == nil {
		if _, err = s.snapshotMeta(); err == nil {
			_, err = s.UpdateSnapshot(held.Snapshot, false)
		}
	}
	if err == nil {
		_, err = s.UpdateTargets(held.Targets)
	}
	if err != nil {
		return nil, fmt.Errorf("can not be verified: %w", err)
	}
	return s, nil
}

// begin goes from the root that is built in along those that are held, for as long as each vouches for the next. It returns
// those that are good.
func begin(root []byte, held kept, now time.Time) (*set, [][]byte, error) {
	trusted, err := trustedmetadata.New(root)
	if err != nil {
		return nil, nil, err
	}
	trusted.RefTime = now
	var good [][]byte
	for _, b := range held.Roots {
		if next, err := metadata.Root().FromBytes(b); err == nil && next.Signed.Version <= trusted.Root.Signed.Version {
			continue // a newer program has a newer root built in
		}
		if _, err := trusted.UpdateRoot(b); err != nil {
			break
		}
		good = append(good, b)
	}
	return &set{trusted}, good, nil
}

// update is TUF's client workflow (section 5 of its specification), from the root that is built in and what is held. The
// function get fetches a file of the repository.
func update(root []byte, held kept, now time.Time, get func(name string, limit int64) ([]byte, error)) (fresh kept, s *set, err error) {
	if s, fresh.Roots, err = begin(root, held, now); err != nil {
		return fresh, nil, err
	}
	for range maxRotations {
		b, err := get(s.versioned("root", s.Root.Signed.Version+1, true), maxRoot)
		if errors.Is(err, errNotFound) {
			break
		}
		if err == nil {
			_, err = s.UpdateRoot(b)
		}
		if err != nil {
			return fresh, nil, s.explain(err)
		}
		fresh.Roots = append(fresh.Roots, b)
	}
	steps := []func(held kept, fresh *kept, get func(string, int64) ([]byte, error)) error{s.updateTimestamp, s.updateSnapshot, s.updateTargets}
	for _, step := range steps {
		if err := step(held, &fresh, get); err != nil {
			return fresh, nil, s.explain(err)
		}
	}
	return fresh, s, nil
}

// updateTimestamp fetches the timestamp metadata, which must not be older than those that are held.
func (s *set) updateTimestamp(held kept, fresh *kept, get func(string, int64) ([]byte, error)) error {
	if held.Timestamp != nil {
		_, _ = s.UpdateTimestamp(held.Timestamp) // if it can be verified, even if it has expired
	}
	b, err := get("timestamp.json", maxTimestamp)
	if err != nil {
		return err
	}
	_, err = s.UpdateTimestamp(b)
	if equal := (*metadata.ErrEqualVersionNumber)(nil); errors.As(err, &equal) {
		b, err = held.Timestamp, nil
	}
	fresh.Timestamp = b
	return err
}

func (s *set) updateSnapshot(held kept, fresh *kept, get func(string, int64) ([]byte, error)) error {
	meta, err := s.snapshotMeta()
	if err != nil {
		return err
	}
	if held.Snapshot != nil {
		if _, err := s.UpdateSnapshot(held.Snapshot, true); err == nil {
			fresh.Snapshot = held.Snapshot
			return nil
		}
	}
	fresh.Snapshot, err = get(s.versioned("snapshot", meta.Version, s.Root.Signed.ConsistentSnapshot), limit(meta, maxSnapshot))
	if err != nil {
		return err
	}
	_, err = s.UpdateSnapshot(fresh.Snapshot, false)
	return err
}

func (s *set) updateTargets(held kept, fresh *kept, get func(string, int64) ([]byte, error)) error {
	if held.Targets != nil {
		if _, err := s.UpdateTargets(held.Targets); err == nil {
			fresh.Targets = held.Targets
			return nil
		}
	}
	meta := s.Snapshot.Signed.Meta["targets.json"]
	if meta == nil {
		return errors.New("the snapshot does not name the targets")
	}
	var err error
	fresh.Targets, err = get(s.versioned("targets", meta.Version, s.Root.Signed.ConsistentSnapshot), limit(meta, maxTargets))
	if err != nil {
		return err
	}
	_, err = s.UpdateTargets(fresh.Targets)
	if old := (*metadata.ErrExpiredMetadata)(nil); errors.As(err, &old) {
		// Time is what go-tuf looks at last; explain wants to know which.
		s.Targets[metadata.TARGETS], _ = metadata.Targets().FromBytes(fresh.Targets)
	}
	return err
}

// snapshotMeta is what the timestamp says of the snapshot; go-tuf takes for granted that it says something.
func (s *set) snapshotMeta() (*metadata.MetaFiles, error) {
	if meta := s.Timestamp.Signed.Meta["snapshot.json"]; meta != nil {
		return meta, nil
	}
	return nil, errors.New("the timestamp does not name the snapshot")
}

func limit(meta *metadata.MetaFiles, most int64) int64 {
	if meta.Length > 0 && meta.Length < most {
		return meta.Length
	}
	return most
}

func (s *set) versioned(role string, version int64, consistent bool) string {
	if !consistent {
		return role + ".json"
	}
	return fmt.Sprintf("%d.%s.json", version, role)
}

// expiry is when the first of the metadata expires, and whose that is.
func (s *set) expiry() (at time.Time, role string) {
	first := func(t time.Time, name string) {
		if role == "" || t.Before(at) {
			at, role = t, name
		}
	}
	first(s.Root.Signed.Expires, "root")
	if s.Timestamp != nil {
		first(s.Timestamp.Signed.Expires, "timestamp")
	}
	if s.Snapshot != nil {
		first(s.Snapshot.Signed.Expires, "snapshot")
	}
	if targets := s.Targets[metadata.TARGETS]; targets != nil {
		first(targets.Signed.Expires, "targets")
	}
	return at, role
}

// expired is nil while none of the metadata has expired.
func (s *set) expired(now time.Time) error {
	at, role := s.expiry()
	if now.After(at) {
		return fmt.Errorf("expired on %s (TUF role %s; this machine's clock says %s)", at.UTC().Format(timeLayout), role, now.UTC().Format(timeLayout))
	}
	return nil
}

// timeLayout is how errors give times: to the minute, in UTC.
const timeLayout = "2006-01-02 15:04 UTC"

// explain says when metadata has expired, and what its being of the wrong version means.
func (s *set) explain(err error) error {
	var old *metadata.ErrExpiredMetadata
	var version *metadata.ErrBadVersionNumber
	switch {
	case errors.As(err, &old):
		if at := s.expired(s.RefTime); at != nil {
			return fmt.Errorf("what it serves %w", at)
		}
	case errors.As(err, &version):
		return fmt.Errorf("it serves metadata of the wrong version, as somebody would who puts old ones in the place of new ones: %w", err)
	}
	return err
}

// cut returns a target's content if b is that.
func (s *set) cut(name string, b []byte) ([]byte, error) {
	info, err := s.target(name)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, errNotFound
	}
	if err := info.VerifyLengthHashes(b); err != nil {
		return nil, err
	}
	return b, nil
}

// target is what the metadata says of a target. Targets that others were delegated to sign are not looked for: they are other
// people's.
func (s *set) target(name string) (*metadata.TargetFiles, error) {
	if info := s.Targets[metadata.TARGETS].Signed.Targets[name]; info != nil && len(info.Hashes) > 0 {
		return info, nil
	}
	return nil, fmt.Errorf("the mirror has no %s", name)
}

// download fetches a target.
func (s *set) download(name string, get func(string, int64) ([]byte, error)) ([]byte, error) {
	info, err := s.target(name)
	if err != nil {
		return nil, err
	}
	path := "targets/" + name
	if s.Root.Signed.ConsistentSnapshot {
		var hashes []string
		for algorithm := range info.Hashes {
			hashes = append(hashes, algorithm)
		}
		slices.SortFunc(hashes, strings.Compare) // sha256 before sha512
		path = fmt.Sprintf("targets/%s.%s", info.Hashes[hashes[0]], name)
	}
	b, err := get(path, min(info.Length, MaxConfigSize))
	if err != nil {
		return nil, err
	}
	return s.cut(name, b)
}
