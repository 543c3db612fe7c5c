package oms

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Algorithm is a hash that files are digested with, as the format spells it
// (section 7).
type Algorithm string

// The registered algorithms.
const (
	SHA256  Algorithm = "sha256"
	BLAKE2b Algorithm = "blake2b" // with 512 bits
	BLAKE3  Algorithm = "blake3"  // with 256 bits
)

// Size returns the length of a digest in bytes, or 0 for an algorithm that the
// format does not have.
func (a Algorithm) Size() int {
	switch a {
	case SHA256, BLAKE3:
		return 32
	case BLAKE2b:
		return 64
	}
	return 0
}

// Method is how files become resources (section 6.3).
type Method string

// The two methods.
const (
	Files  Method = "files"  // one resource a file
	Shards Method = "shards" // one resource for each ShardSize bytes of a file
)

// Serialization says how a manifest was made of a model, so that a verifier can
// make it again (section 5.2.2).
type Serialization struct {
	Method   Method
	HashType Algorithm

	// ShardSize is the size of each shard of a file but its last, in bytes. It
	// is 0 for the method Files.
	ShardSize int64

	// AllowSymlinks says that symbolic links were followed.
	AllowSymlinks bool

	// IgnorePaths are the paths that were left out, each with its subtree. In a
	// manifest that was read they are whatever the signer wrote: signers have
	// written paths relative to other folders, and "..". IsIgnored matches
	// none of these.
	IgnorePaths []string
}

// Resource is a file, or one shard of a file, and its digest (section 5.2.1).
type Resource struct {
	// Path is the file's path, relative to the model and canonical as CheckPath
	// has it, or SingleFile.
	Path string

	// Start and End are the shard's first byte and the byte after its last.
	// Both are 0 for the method Files.
	Start, End int64

	// Digest is the digest of the file's or the shard's bytes.
	Digest []byte
}

// Manifest is what a signature says about a model: all of its files, with their
// digests. The functions of this package return manifests that are valid, and
// their callers should not change them.
type Manifest struct {
	// ModelName is the base name that the model had when it was signed. It is
	// information only (section 6.5), and empty in a Legacy manifest.
	ModelName string

	Serialization Serialization

	// Resources are in the order in which they are listed, which the root
	// digest depends on. No path is there twice, and none is a parent of
	// another; the shards of a file cover it from its start without a gap.
	Resources []Resource

	// Legacy says that the manifest was read from version 0.2, which has no
	// Serialization: it then says SHA-256 over whole files.
	Legacy bool
}

// NewManifest makes a manifest to be signed. The resources may come in any
// order and are put into the order of the specification (section 6.4): by the
// code points of the whole resource name. The ignored paths are sorted too.
// Neither slice is changed.
func NewManifest(modelName string, s Serialization, rs []Resource) (*Manifest, error) {
	if err := checkModelName(modelName); err != nil {
		return nil, err
	}
	s.IgnorePaths = slices.Compact(slices.Sorted(slices.Values(s.IgnorePaths)))
	if len(s.IgnorePaths) > maxIgnorePaths {
		return nil, formatErrorf("%d ignored paths, at most %d are allowed", len(s.IgnorePaths), maxIgnorePaths)
	}
	for _, p := range s.IgnorePaths {
		if err := checkIgnorePath(p); err != nil {
			return nil, err
		}
	}
	m := &Manifest{ModelName: modelName, Serialization: s, Resources: slices.Clone(rs)}
	if err := m.validate(); err != nil {
		return nil, err
	}
	m.sort()
	return m, nil
}

// checkModelName holds a model's name to what a JSON string can carry. Its value
// means nothing, so nothing else is asked of it.
func checkModelName(name string) error {
	switch {
	case name == "":
		return formatErrorf("the model's name is empty")
	case len(name) > MaxPathLength:
		return formatErrorf("the model's name %s is longer than %d bytes", quote(name), MaxPathLength)
	case !utf8.ValidString(name):
		return formatErrorf("the model's name %s is not valid UTF-8", quote(name))
	}
	return nil
}

// sort puts the resources into code-point order of their names, which for UTF-8
// is the order of their bytes.
func (m *Manifest) sort() {
	if m.Serialization.Method != Shards {
		byPath := func(a, b Resource) int { return strings.Compare(a.Path, b.Path) }
		if !slices.IsSortedFunc(m.Resources, byPath) {
			slices.SortFunc(m.Resources, byPath)
		}
		return
	}
	type named struct {
		name string
		Resource
	}
	shards := make([]named, len(m.Resources))
	for i, r := range m.Resources {
		shards[i] = named{m.ResourceName(r), r}
	}
	slices.SortFunc(shards, func(a, b named) int { return strings.Compare(a.name, b.name) })
	for i := range shards {
		m.Resources[i] = shards[i].Resource
	}
}

// ResourceName returns the name under which a resource is listed: its path, and
// for a shard also the two offsets, as in "weights.bin:0:1000000000".
func (m *Manifest) ResourceName(r Resource) string {
	if m.Serialization.Method != Shards {
		return r.Path
	}
	return string(appendShardName(make([]byte, 0, len(r.Path)+24), r))
}

// RootDigest returns the one digest that stands for the model: SHA-256 over the
// digests of all resources, in the order in which they are listed (section
// 6.5.1), whatever the files are digested with.
func (m *Manifest) RootDigest() [32]byte {
	h := sha256.New()
	for _, r := range m.Resources {
		h.Write(r.Digest)
	}
	return [32]byte(h.Sum(nil))
}

// algorithmName returns what stands in a resource as its algorithm.
//
// Section 6.3.2 asks for the serialization's hash_type. For shards the signers
// in the field write the shard's size with it, as in
// "sha256-sharded-1000000000", and the reference verifier refuses anything else.
// What is written here is what it takes; either is read.
func (s Serialization) algorithmName() string {
	if s.Method != Shards {
		return string(s.HashType)
	}
	return string(s.HashType) + "-sharded-" + strconv.FormatInt(s.ShardSize, 10)
}
