package oms_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// file returns a resource whose digest is that of its path.
func file(path string) oms.Resource {
	digest := sha256.Sum256([]byte(path))
	return oms.Resource{Path: path, Digest: digest[:]}
}

// shard returns a resource whose digest is that of its name.
func shard(path string, start, end int64) oms.Resource {
	digest := sha256.Sum256(fmt.Appendf(nil, "%s:%d:%d", path, start, end))
	return oms.Resource{Path: path, Start: start, End: end, Digest: digest[:]}
}

func inShards(size int64) oms.Serialization {
	return oms.Serialization{Method: oms.Shards, HashType: oms.SHA256, ShardSize: size}
}

func names(m *oms.Manifest) []string {
	var names []string
	for _, r := range m.Resources {
		names = append(names, m.ResourceName(r))
	}
	return names
}

// Section 5.2.1: by the code points of the whole name. UTF-16 would put U+10000
// before U+FFFD, a path's components "a/b" before "a.b", and a file's shards by
// number "w:2:4" before "w:10:12".
func TestNewManifestSorts(t *testing.T) {
	m := manifest(t, wholeFiles, file("\U00010000"), file("a/b"), file("b"), file("a.b"), file("\ufffd"), file("a/B"), file("Z"))
	want := []string{"Z", "a.b", "a/B", "a/b", "b", "\ufffd", "\U00010000"}
	if got := names(m); !slices.Equal(got, want) {
		t.Errorf("files in the order %q, expected %q", got, want)
	}

	var rs []oms.Resource
	for start := int64(0); start < 12; start += 2 {
		rs = append(rs, shard("w", start, start+2))
	}
	rs = append(rs, shard("w-1", 0, 1))
	m = manifest(t, inShards(2), rs...)
	want = []string{"w-1:0:1", "w:0:2", "w:10:12", "w:2:4", "w:4:6", "w:6:8", "w:8:10"}
	if got := names(m); !slices.Equal(got, want) {
		t.Errorf("shards in the order %q, expected %q", got, want)
	}
}

func TestNewManifestLeavesItsArguments(t *testing.T) {
	rs := []oms.Resource{file("b"), file("a")}
	s := wholeFiles
	s.IgnorePaths = []string{"y", "x", "y"}
	m := manifest(t, s, rs...)
	if rs[0].Path != "b" || s.IgnorePaths[0] != "y" {
		t.Error("the arguments were sorted in place")
	}
	if !slices.Equal(m.Serialization.IgnorePaths, []string{"x", "y"}) {
		t.Errorf("ignored paths %q", m.Serialization.IgnorePaths)
	}
}

// The value is that of the specification's test vectors.
func TestRootDigest(t *testing.T) {
	m := &oms.Manifest{Resources: []oms.Resource{
		{Digest: unhex(t, "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc")},
		{Digest: unhex(t, "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028")},
	}}
	if got, want := fmt.Sprintf("%x", m.RootDigest()), "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4"; got != want {
		t.Errorf("root digest %s, expected %s", got, want)
	}
	slices.Reverse(m.Resources)
	if got := fmt.Sprintf("%x", m.RootDigest()); got == "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4" {
		t.Error("the root digest does not depend on the order")
	}
}

func TestNewManifestRefuses(t *testing.T) {
	short := oms.Resource{Path: "a", Digest: make([]byte, 20)}
	offset := file("a")
	offset.End = 5
	blake := oms.Serialization{Method: oms.Files, HashType: oms.BLAKE2b}
	ignoring := func(p string) oms.Serialization {
		s := wholeFiles
		s.IgnorePaths = []string{p}
		return s
	}
	tests := []struct {
		problem string
		name    string
		s       oms.Serialization
		rs      []oms.Resource
	}{
		{"the model's name is empty", "", wholeFiles, []oms.Resource{file("a")}},
		{"not valid UTF-8", "\xff", wholeFiles, []oms.Resource{file("a")}},
		{"name " + `"nnn`, strings.Repeat("n", 5000), wholeFiles, []oms.Resource{file("a")}},
		{"no resources", "m", wholeFiles, nil},
		{"1000001 resources, at most 1000000", "m", wholeFiles, make([]oms.Resource, oms.MaxResources+1)},
		{`unknown hash_type "md5"`, "m", oms.Serialization{Method: oms.Files, HashType: "md5"}, []oms.Resource{file("a")}},
		{`unknown hash_type ""`, "m", oms.Serialization{Method: oms.Files}, []oms.Resource{file("a")}},
		{`unknown method "tar"`, "m", oms.Serialization{Method: "tar", HashType: oms.SHA256}, []oms.Resource{file("a")}},
		{"shard_size stands with the method files", "m", oms.Serialization{Method: oms.Files, HashType: oms.SHA256, ShardSize: 1}, []oms.Resource{file("a")}},
		{"shard_size is 0", "m", inShards(0), []oms.Resource{shard("a", 0, 1)}},
		{"shard_size is -1", "m", inShards(-1), []oms.Resource{shard("a", 0, 1)}},
		{"shard_size is 9007199254740993", "m", inShards(1<<53 + 1), []oms.Resource{shard("a", 0, 1)}},
		{`resource 1 "a": the digest's length is not that of sha256`, "m", wholeFiles, []oms.Resource{short}},
		{"the digest's length is not that of blake2b", "m", blake, []oms.Resource{file("a")}},
		{"offsets stand with the method files", "m", wholeFiles, []oms.Resource{offset}},
		{`resource 2 "a/../b": path has a ".." part`, "m", wholeFiles, []oms.Resource{file("a"), file("a/../b")}},
		{`path has a "." part`, "m", wholeFiles, []oms.Resource{file("./a")}},
		{`the path of a single-file model stands beside other files`, "m", wholeFiles, []oms.Resource{file("."), file("a")}},
		{`"a" is listed twice`, "m", wholeFiles, []oms.Resource{file("a"), file("b"), file("a")}},
		{`"a/b" lies in "a"`, "m", wholeFiles, []oms.Resource{file("a/b"), file("a")}},
		{`"a/b/c" lies in "a"`, "m", wholeFiles, []oms.Resource{file("a"), file("a-b"), file("a.b"), file("a/b/c"), file("ab")}},
		{`"a:0:5" is listed twice`, "m", inShards(5), []oms.Resource{shard("a", 0, 5), shard("a", 0, 5)}},
		{`"a:5:10": expected the shard that starts at 0`, "m", inShards(5), []oms.Resource{shard("a", 5, 10)}},
		{`"a:10:15": expected the shard that starts at 5`, "m", inShards(5), []oms.Resource{shard("a", 0, 5), shard("a", 10, 15)}},
		{`"a:3:5": expected the shard that starts at 5`, "m", inShards(5), []oms.Resource{shard("a", 0, 5), shard("a", 3, 5)}},
		{`"a:0:3": only a file's last shard`, "m", inShards(5), []oms.Resource{shard("a", 0, 3), shard("a", 0, 4)}},
		{`"a:0:3": only a file's last shard`, "m", inShards(5), []oms.Resource{shard("a", 0, 3), shard("a", 3, 5)}},
		{"the shard is longer than shard_size", "m", inShards(5), []oms.Resource{shard("a", 0, 6)}},
		{"the shard is empty", "m", inShards(5), []oms.Resource{shard("a", 0, 0)}},
		{"the shard is empty", "m", inShards(5), []oms.Resource{shard("a", 5, 0)}},
		{"the shard is empty", "m", inShards(5), []oms.Resource{shard("a", -5, 0)}},
		{`ignored path "/x": path is absolute`, "m", ignoring("/x"), []oms.Resource{file("a")}},
		{`path has a ".." part`, "m", ignoring("../x"), []oms.Resource{file("a")}},
		{"a glob character", "m", ignoring("*.bin"), []oms.Resource{file("a")}},
		{"a glob character", "m", ignoring("a[1]"), []oms.Resource{file("a")}},
		{"a glob character", "m", ignoring("what?"), []oms.Resource{file("a")}},
	}
	for _, tt := range tests {
		_, err := oms.NewManifest(tt.name, tt.s, tt.rs)
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%v, expected %s", err, tt.problem)
		}
	}
}

func TestNewManifestTakes(t *testing.T) {
	long := file("b")
	long.Digest = make([]byte, 64)
	for name, m := range map[string]*oms.Manifest{
		"files beside folders of similar names": manifest(t, wholeFiles, file("a"), file("a-"), file("a.b"), file("ab/c"), file("A/b")),
		"shards in reverse":                     manifest(t, inShards(5), shard("a", 10, 12), shard("a", 5, 10), shard("a", 0, 5), shard("a:0", 0, 5)),
		"blake2b":                               manifest(t, oms.Serialization{Method: oms.Files, HashType: oms.BLAKE2b}, long),
		"blake3":                                manifest(t, oms.Serialization{Method: oms.Files, HashType: oms.BLAKE3}, file("a")),
	} {
		got, err := oms.ParseStatement(statement(t, m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equalManifests(t, got, m)
	}
}

func equalManifests(t *testing.T, got, want *oms.Manifest) {
	t.Helper()
	a, b := got.Serialization, want.Serialization
	if got.ModelName != want.ModelName || got.Legacy != want.Legacy || !slices.EqualFunc(got.Resources, want.Resources, equalResource) ||
		a.Method != b.Method || a.HashType != b.HashType || a.ShardSize != b.ShardSize ||
		a.AllowSymlinks != b.AllowSymlinks || !slices.Equal(a.IgnorePaths, b.IgnorePaths) {
		t.Errorf("got %+v, expected %+v", got, want)
	}
}
