package oms

import (
	"encoding/hex"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Statement returns the manifest as the in-toto statement that is signed
// (section 6.6): JSON on one line, with members in a fixed order, so that equal
// manifests have equal statements. A Legacy manifest has none, and a manifest
// that would not fit into a bundle is an error.
func (m *Manifest) Statement() ([]byte, error) {
	if m.Legacy {
		return nil, formatErrorf("a manifest of version 0.2 is not written again")
	}
	root := m.RootDigest()
	b := make([]byte, 0, m.statementSize())
	b = append(b, `{"_type":"`+StatementType+`","subject":[{"name":`...)
	b, err := jsontext.AppendQuote(b, m.ModelName)
	if err != nil {
		return nil, checkModelName(m.ModelName)
	}
	b = append(b, `,"digest":{"sha256":"`...)
	b = hex.AppendEncode(b, root[:])
	b = append(b, `"}}],"predicateType":"`+PredicateType+`","predicate":{"resources":[`...)
	if b, err = m.appendResources(b); err != nil {
		return nil, err
	}
	b = append(b, `],"serialization":`...)
	if b, err = m.Serialization.appendTo(b); err != nil {
		return nil, err
	}
	b = append(b, "}}"...)
	if len(b) > MaxPayloadSize {
		return nil, formatErrorf("the statement has %d bytes, at most %d fit into a bundle", len(b), MaxPayloadSize)
	}
	return b, nil
}

// statementSize estimates a statement's size from above, but for escapes in
// names, so that a large one is built in place.
func (m *Manifest) statementSize() int {
	perResource := len(`{"name":"","digest":"","algorithm":""},`) + len(m.Serialization.algorithmName()) + 2*m.Serialization.HashType.Size()
	if m.Serialization.Method == Shards {
		perResource += 24
	}
	n := 1024 + len(m.ModelName) + perResource*len(m.Resources)
	for i := range m.Resources {
		n += len(m.Resources[i].Path)
	}
	for _, p := range m.Serialization.IgnorePaths {
		n += len(p) + 3
	}
	return n
}

// appendResources appends the elements of predicate.resources (section 5.2.1).
func (m *Manifest) appendResources(b []byte) ([]byte, error) {
	tail := []byte(`","algorithm":"` + m.Serialization.algorithmName() + `"}`)
	var name []byte
	for i, r := range m.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		name = append(name[:0], r.Path...)
		if m.Serialization.Method == Shards {
			name = appendShardName(name[:0], r)
		}
		b = append(b, `{"name":`...)
		var err error
		if b, err = jsontext.AppendQuote(b, name); err != nil {
			return nil, CheckPath(r.Path)
		}
		b = append(b, `,"digest":"`...)
		b = hex.AppendEncode(b, r.Digest)
		b = append(b, tail...)
	}
	return b, nil
}

// appendTo appends predicate.serialization (section 5.2.2).
func (s *Serialization) appendTo(b []byte) ([]byte, error) {
	b = append(b, `{"method":"`+string(s.Method)+`","hash_type":"`+string(s.HashType)+`"`...)
	if s.Method == Shards {
		b = append(b, `,"shard_size":`...)
		b = strconv.AppendInt(b, s.ShardSize, 10)
	}
	b = append(b, `,"allow_symlinks":`...)
	b = strconv.AppendBool(b, s.AllowSymlinks)
	if len(s.IgnorePaths) == 0 {
		return append(b, '}'), nil
	}
	b = append(b, `,"ignore_paths":[`...)
	for i, p := range s.IgnorePaths {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = jsontext.AppendQuote(b, p); err != nil {
			return nil, checkIgnorePath(p)
		}
	}
	return append(b, "]}"...), nil
}
