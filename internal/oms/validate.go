package oms

import (
	"cmp"
	"slices"
	"strings"
)

// validate reports why a manifest is not one, whoever made it.
func (m *Manifest) validate() error {
	if err := m.Serialization.validate(); err != nil {
		return err
	}
	switch n := len(m.Resources); {
	case n == 0:
		return formatErrorf("no resources: a model has at least one file")
	case n > MaxResources:
		return formatErrorf("%d resources, at most %d are allowed", n, MaxResources)
	}
	for i := range m.Resources {
		if problem := m.resourceProblem(&m.Resources[i]); problem != "" {
			return formatErrorf("resource %d %s: %s", i+1, quote(m.ResourceName(m.Resources[i])), problem)
		}
	}
	return m.checkSet()
}

func (s *Serialization) validate() error {
	if s.HashType.Size() == 0 {
		return formatErrorf("serialization: unknown hash_type %s", quote(string(s.HashType)))
	}
	switch {
	case s.Method != Files && s.Method != Shards:
		return formatErrorf("serialization: unknown method %s", quote(string(s.Method)))
	case s.Method == Files && s.ShardSize != 0:
		return formatErrorf("serialization: shard_size stands with the method files")
	case s.Method == Shards && (s.ShardSize <= 0 || s.ShardSize > maxShardSize):
		return formatErrorf("serialization: shard_size is %d, expected a size between 1 and 2^53", s.ShardSize)
	}
	return nil
}

// resourceProblem says what is wrong with a resource by itself.
func (m *Manifest) resourceProblem(r *Resource) string {
	if problem := pathProblem(r.Path); problem != "" && r.Path != SingleFile {
		return "path " + problem
	}
	if len(r.Digest) != m.Serialization.HashType.Size() {
		return "the digest's length is not that of " + string(m.Serialization.HashType)
	}
	if m.Serialization.Method == Files {
		if r.Start != 0 || r.End != 0 {
			return "offsets stand with the method files"
		}
		return ""
	}
	switch length := r.End - r.Start; {
	case r.Start < 0 || r.End <= r.Start:
		return "the shard is empty"
	case length > m.Serialization.ShardSize:
		return "the shard is longer than shard_size"
	}
	return ""
}

// checkSet reports what is wrong with the resources taken together: a name that
// is listed twice, a file that would also have to be a folder, shards that leave
// a gap or overlap.
func (m *Manifest) checkSet() error {
	sorted := m.byPath()
	// parents holds the paths before this one of which it is an extension, the
	// longest last. In byte order the extensions of a path follow it directly.
	var parents []string
	for i := 0; i < len(sorted); {
		path := sorted[i].Path
		for len(parents) > 0 && !strings.HasPrefix(path, parents[len(parents)-1]) {
			parents = parents[:len(parents)-1]
		}
		for _, p := range parents {
			if path[len(p)] == '/' {
				return formatErrorf("resource %s lies in %s, which is listed as a file", quote(path), quote(p))
			}
		}
		parents = append(parents, path)
		n := 1
		for i+n < len(sorted) && sorted[i+n].Path == path {
			n++
		}
		if path == SingleFile && n < len(sorted) {
			return formatErrorf("resource %s: the path of a single-file model stands beside other files", quote(path))
		}
		if err := m.checkFile(sorted[i : i+n]); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// checkFile checks the resources of one file, in order of their start.
func (m *Manifest) checkFile(rs []*Resource) error {
	if m.Serialization.Method == Files {
		if len(rs) > 1 {
			return formatErrorf("resource %s is listed twice", quote(rs[0].Path))
		}
		return nil
	}
	var next int64
	for i, r := range rs {
		name := quote(m.ResourceName(*r))
		switch {
		case i > 0 && r.Start == rs[i-1].Start && r.End == rs[i-1].End:
			return formatErrorf("resource %s is listed twice", name)
		case r.Start != next:
			return formatErrorf("resource %s: expected the shard that starts at %d", name, next)
		case i < len(rs)-1 && r.End-r.Start != m.Serialization.ShardSize:
			return formatErrorf("resource %s: only a file's last shard may be shorter than shard_size %d", name, m.Serialization.ShardSize)
		}
		next = r.End
	}
	return nil
}

// byPath returns the resources in order of path and start.
func (m *Manifest) byPath() []*Resource {
	sorted := make([]*Resource, len(m.Resources))
	for i := range m.Resources {
		sorted[i] = &m.Resources[i]
	}
	order := func(a, b *Resource) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	}
	if !slices.IsSortedFunc(sorted, order) {
		slices.SortFunc(sorted, order)
	}
	return sorted
}
