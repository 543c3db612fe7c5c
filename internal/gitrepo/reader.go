package gitrepo

import (
	"context"
	"os"
)

// reader reads what a repository holds. There are two: one asks git and knows
// every shape, one reads in-process what is plain. They agree, or the second
// fails and the first is asked.
type reader interface {
	index(ctx context.Context, under string) ([]Entry, error)
	// blobs calls fn for each object id, in order; see Repository.Blobs.
	blobs(ctx context.Context, oids []string, max int64, fn BlobFunc) error
}

// gitReader asks the git program.
type gitReader struct{ r *Repository }

// plainReader reads the files of a plain repository.
type plainReader struct{ r *Repository }

var _, _ reader = gitReader{}, plainReader{}

// plain reports whether the repository's own files may be read in-process:
// its objects are SHA-1 and the environment puts nothing in another place.
func (r *Repository) plain() bool {
	if r.ObjectFormat != SHA1 {
		return false
	}
	for _, name := range []string{"GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR"} {
		if os.Getenv(name) != "" {
			return false
		}
	}
	return true
}
