package oms

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"
)

// ParseStatement reads the payload of a signature: a statement of version 1.0,
// its resources in any order, or of version 0.2. A repeated name, a name that is
// not canonical and a root digest other than that of the resources are errors,
// all of which wrap ErrFormat.
func ParseStatement(payload []byte) (*Manifest, error) {
	if len(payload) > MaxPayloadSize {
		return nil, formatErrorf("the statement has %d bytes, at most %d are allowed", len(payload), MaxPayloadSize)
	}
	s, err := readStatement(payload)
	if err != nil {
		return nil, err
	}
	if s.statementType != StatementType {
		return nil, formatErrorf("statement: _type is %s, expected %q", quote(s.statementType), StatementType)
	}
	var m *Manifest
	switch s.predicateType {
	case PredicateType:
		m, err = s.manifest()
	case LegacyPredicateType:
		m, err = s.legacyManifest()
	default:
		return nil, formatErrorf("statement: predicateType is %s, expected %q", quote(s.predicateType), PredicateType)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// statement is an in-toto statement whose predicate has not been read yet, as
// members may come in any order and only predicateType says what it is.
type statement struct {
	statementType string
	predicateType string
	subjects      []Resource // name and digest.sha256 of each
	predicate     []byte
	predicateAt   string
}

func readStatement(payload []byte) (*statement, error) {
	r, err := newReader(payload)
	if err != nil {
		return nil, err
	}
	s := new(statement)
	err = r.object(func(name []byte) (err error) {
		switch string(name) {
		case "_type":
			return r.string(&s.statementType, maxWord)
		case "predicateType":
			return r.string(&s.predicateType, maxWord)
		case "subject":
			return r.array(MaxResources, func(i int) error {
				subject, err := readSubject(r, i)
				s.subjects = append(s.subjects, subject)
				return err
			})
		case "predicate":
			s.predicate, s.predicateAt, err = r.raw()
			return err
		}
		return r.skip()
	})
	if err != nil {
		return nil, err
	}
	return s, r.end()
}

// readSubject reads an in-toto subject. Of its digests only SHA-256 has a
// meaning here, in both versions.
func readSubject(r *reader, i int) (Resource, error) {
	var res Resource
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "name":
			return r.string(&res.Path, MaxPathLength)
		case "digest":
			return r.object(func(name []byte) (err error) {
				if string(name) != string(SHA256) {
					return r.skip()
				}
				res.Digest, err = readDigest(r)
				return err
			})
		}
		return r.skip()
	})
	switch {
	case err != nil:
	case res.Path == "":
		err = formatErrorf("subject %d has no name", i+1)
	case len(res.Digest) != SHA256.Size():
		err = formatErrorf("subject %d %s has no SHA-256 digest", i+1, quote(res.Path))
	}
	return res, err
}

// readDigest reads a digest in lowercase hexadecimal. Its length is for the
// caller to judge, who knows the algorithm; no algorithm's is longer than 64
// bytes.
func readDigest(r *reader) ([]byte, error) {
	text, err := r.bytes(2 * BLAKE2b.Size())
	if err != nil {
		return nil, err
	}
	digest := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(digest, text); err != nil || bytes.ContainsAny(text, "ABCDEF") {
		at := r.at + string(r.dec.StackPointer())
		return nil, formatErrorf("%s: %s is not lowercase hexadecimal", quote(at), quote(text))
	}
	return digest, nil
}

// manifest reads the predicate of version 1.0 (section 5.2).
func (s *statement) manifest() (*Manifest, error) {
	if len(s.subjects) != 1 {
		return nil, formatErrorf("statement: %d subjects, expected one", len(s.subjects))
	}
	if s.predicate == nil {
		return nil, formatErrorf("statement: no predicate")
	}
	m := &Manifest{ModelName: s.subjects[0].Path}
	algorithm, err := readPredicate(subReader(s.predicate, s.predicateAt), m)
	if err != nil {
		return nil, err
	}
	if err := m.resolveNames(algorithm); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	if root := m.RootDigest(); !bytes.Equal(root[:], s.subjects[0].Digest) {
		return nil, formatErrorf("statement: the root digest is %x, but the resources have %x", s.subjects[0].Digest, root)
	}
	return m, nil
}

// legacyManifest takes the subjects for the files, as version 0.2 does. Its
// predicate says nothing.
func (s *statement) legacyManifest() (*Manifest, error) {
	m := &Manifest{
		Serialization: Serialization{Method: Files, HashType: SHA256},
		Resources:     s.subjects,
		Legacy:        true,
	}
	return m, m.validate()
}

// readPredicate reads resources and serialization, in whatever order they come.
// It leaves whole names in the resources' paths, and returns the algorithm that
// all of them have.
func readPredicate(r *reader, m *Manifest) (algorithm string, err error) {
	var serialization bool
	err = r.object(func(name []byte) error {
		switch string(name) {
		case "resources":
			return r.array(MaxResources, func(i int) error {
				res, err := readResource(r, i, &algorithm)
				m.Resources = append(m.Resources, res)
				return err
			})
		case "serialization":
			serialization = true
			return readSerialization(r, &m.Serialization)
		}
		return r.skip()
	})
	if err == nil && !serialization {
		err = formatErrorf("predicate: no serialization")
	}
	return algorithm, err
}

// readResource reads one resource descriptor (section 5.2.1), but leaves it to
// resolveNames and validate to judge the name and the digest's length. The first
// resource sets algorithm, which the others have to share.
func readResource(r *reader, i int, algorithm *string) (Resource, error) {
	var res Resource
	var hashed bool
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "name":
			return r.string(&res.Path, maxNameLength)
		case "digest":
			res.Digest, err = readDigest(r)
			return err
		case "algorithm":
			hashed = true
			return readAlgorithm(r, i, algorithm)
		}
		return r.skip()
	})
	switch {
	case err != nil:
	case res.Path == "":
		err = formatErrorf("resource %d has no name", i+1)
	case !hashed:
		err = formatErrorf("resource %d %s has no algorithm", i+1, quote(res.Path))
	case res.Digest == nil:
		err = formatErrorf("resource %d %s has no digest", i+1, quote(res.Path))
	}
	return res, err
}

func readAlgorithm(r *reader, i int, algorithm *string) error {
	if i == 0 {
		return r.string(algorithm, maxWord)
	}
	b, err := r.bytes(maxWord)
	if err == nil && string(b) != *algorithm {
		err = formatErrorf("resource %d: algorithm is %s, but that of the resources before is %s", i+1, quote(b), quote(*algorithm))
	}
	return err
}

// readSerialization reads predicate.serialization (section 5.2.2).
func readSerialization(r *reader, s *Serialization) error {
	var symlinks bool
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "method":
			return r.string((*string)(&s.Method), maxWord)
		case "hash_type":
			return r.string((*string)(&s.HashType), maxWord)
		case "shard_size":
			s.ShardSize, err = readShardSize(r)
			return err
		case "allow_symlinks":
			symlinks = true
			return r.bool(&s.AllowSymlinks)
		case "ignore_paths":
			return r.array(maxIgnorePaths, func(int) error {
				var p string
				err := r.string(&p, MaxPathLength)
				s.IgnorePaths = append(s.IgnorePaths, p)
				return err
			})
		}
		return r.skip()
	})
	if err == nil && !symlinks {
		err = formatErrorf("serialization: no allow_symlinks")
	}
	return err
}

// readShardSize reads a positive integer. Signers that build the statement from
// a protobuf Struct keep it as a double and may write 1000000000.0 or 1e9, so
// every spelling of an integer is one.
func readShardSize(r *reader) (int64, error) {
	text, err := r.number()
	if err != nil {
		return 0, err
	}
	// big.Rat is exact, but would write a large exponent out.
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(mantissa) <= 32 && len(strings.TrimLeft(exponent, "+-0")) <= 2 {
		if n, ok := new(big.Rat).SetString(text); ok && n.IsInt() && n.Num().IsInt64() {
			if size := n.Num().Int64(); size > 0 && size <= maxShardSize {
				return size, nil
			}
		}
	}
	return 0, formatErrorf("serialization: shard_size is %s, expected an integer between 1 and 2^53", quote(text))
}

// resolveNames turns the names that readPredicate left in the paths into paths
// and offsets, and holds the resources' algorithm to the serialization's.
func (m *Manifest) resolveNames(algorithm string) error {
	s := &m.Serialization
	if err := s.validate(); err != nil {
		return err
	}
	if len(m.Resources) > 0 && algorithm != string(s.HashType) && algorithm != s.algorithmName() {
		return formatErrorf("the resources' algorithm is %s, but hash_type is %s", quote(algorithm), quote(string(s.HashType)))
	}
	if s.Method != Shards {
		return nil
	}
	for i := range m.Resources {
		r := &m.Resources[i]
		path, start, end, ok := splitShard(r.Path)
		if !ok {
			return formatErrorf(`resource %d %s: expected the name of a shard, "path:start:end"`, i+1, quote(r.Path))
		}
		r.Path, r.Start, r.End = path, start, end
	}
	return nil
}
