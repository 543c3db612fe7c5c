package check

import (
	"cmp"
	"slices"
)

// Status is what was found of one signed resource, or of one file that nobody
// signed.
type Status string

// The states of a file. Those before [Sparse] are good; that one is neither
// good nor bad, because the file is not there by the user's own choice; the rest
// are failures.
const (
	// Read: its bytes were read and have the signed digest.
	Read Status = "read"
	// Remembered: its bytes were read before, by an earlier run or for another
	// signature, and had the signed digest; the file is unchanged since.
	Remembered Status = "remembered"
	// Promised: an LFS pointer stands in its place, and names the signed digest.
	Promised Status = "promised"
	// Sparse: the file lies outside the sparse checkout.
	Sparse Status = "sparse"
	// Changed: its bytes, or its pointer, have another digest.
	Changed Status = "changed"
	// Missing: it was signed and is not there.
	Missing Status = "missing"
	// Extra: it is there and was not signed.
	Extra Status = "extra"
	// NotDownloaded: an LFS pointer stands in its place that cannot vouch for
	// it, because the signature holds no SHA-256 of the whole file.
	NotDownloaded Status = "not-downloaded"
	// Refused: something that can be no part of a model stands there, such as
	// a symbolic link or a submodule.
	Refused Status = "refused"
	// Unreadable: it could not be read, or changed while it was read.
	Unreadable Status = "unreadable"
)

// Failed says whether the state means that the model is not as signed.
func (s Status) Failed() bool {
	switch s {
	case Read, Remembered, Promised, Sparse:
		return false
	}
	return true
}

// File is the finding about one resource.
type File struct {
	// Path is the file's path in the model.
	Path string
	// Start and End are the byte range of a shard; both are 0 for whole files.
	Start, End int64
	Status     Status
	// Expected and Found are digests in hexadecimal; either may be empty.
	Expected, Found string
	// Detail says why, where the digests do not.
	Detail string
}

// Report holds a tree against a signed manifest, file by file.
type Report struct {
	// Algorithm names the hash of Expected and Found.
	Algorithm string
	// Files are the findings in the order of their paths.
	Files []File
	// Untracked are files in the worktree that git does not track. A clone
	// would not have them, so they are named and are no failure.
	Untracked []string
	// Warnings are remarks about the tree, each about one file.
	Warnings []string
	// Fetched counts the blobs that were fetched to make the report, as a partial
	// clone lacked them.
	Fetched int
	// Bytes is how much was read.
	Bytes int64
}

// Count is the number of findings with one of the states.
func (r *Report) Count(states ...Status) int {
	n := 0
	for _, f := range r.Files {
		if slices.Contains(states, f.Status) {
			n++
		}
	}
	return n
}

// Failures are the findings that mean the model is not as signed.
func (r *Report) Failures() []File {
	var bad []File
	for _, f := range r.Files {
		if f.Status.Failed() {
			bad = append(bad, f)
		}
	}
	return bad
}

// OnlyUnreadable says whether nothing is known to be wrong, but something could
// not be read: trouble rather than a verdict.
func (r *Report) OnlyUnreadable() bool {
	bad := r.Failures()
	return len(bad) > 0 && len(bad) == r.Count(Unreadable)
}

func (r *Report) add(f File) { r.Files = append(r.Files, f) }

func (r *Report) sort() {
	slices.SortStableFunc(r.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Start, b.Start))
	})
}
