package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Inventory is what a cache holds.
type Inventory struct {
	// Snapshots are in the order of their repositories' types and ids; of one
	// repository first that of main, then those that other branches and tags lead
	// to, then the rest.
	Snapshots []CachedSnapshot
	// Problems are what a client would take for a part of a repository and that is
	// none: nothing of it can be verified.
	Problems []Problem
	// Foreign are the names of folders that belong to no repository of a known type.
	Foreign []string
}

// CachedSnapshot is a snapshot with the branches and tags that lead to it.
type CachedSnapshot struct {
	*Snapshot
	Refs []string // sorted, main first
}

// Problem is a path in the cache, relative to it and with slashes, and what is the
// matter with it.
type Problem struct {
	Path string
	Err  error
}

// The most that is looked at. The largest caches have some thousands of repositories.
const (
	maxCacheEntries = 100_000 // in one folder of a cache, or refs of one repository
	maxRefDepth     = 16      // folders below refs
)

// Scan lists all snapshots of a cache. Names that no client of the Hub writes, links
// in the place of folders and refs that lead elsewhere are problems, and the rest
// is listed all the same. The error is one of the cache's folder itself.
func Scan(ctx context.Context, cache string) (*Inventory, error) {
	entries, err := readDir(cache)
	if err != nil {
		return nil, err
	}
	inv := new(Inventory)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		inv.take(cache, e)
	}
	slices.SortStableFunc(inv.Snapshots, func(a, b CachedSnapshot) int {
		return cmp.Or(cmp.Compare(a.Type.order(), b.Type.order()), strings.Compare(a.ID, b.ID))
	})
	return inv, nil
}

// order puts models before data sets before spaces.
func (t RepoType) order() int { return slices.Index([]RepoType{Model, Dataset, Space}, t) }

// take takes in one entry of the cache's folder.
func (inv *Inventory) take(cache string, e fs.DirEntry) {
	name := e.Name()
	kind, _, isRepository := strings.Cut(name, "s--")
	repo, ok := parseCacheName(name)
	info, err := os.Stat(filepath.Join(cache, name)) // a link to a repository's folder on another disk is one
	switch {
	case strings.HasPrefix(name, "."), name == "blobs":
		// .locks and the like, and what the repositories share.
	case err == nil && !info.IsDir():
		// CACHEDIR.TAG, version.txt: no client takes them for a repository.
	case !isRepository || RepoType(kind).order() < 0:
		inv.Foreign = append(inv.Foreign, name)
	case err != nil:
		inv.problem(name, err)
	default:
		if !ok {
			inv.problem(name, fmt.Errorf("is called as no repository can be: %w", ErrMalformed))
			return
		}
		inv.takeRepository(newCached(cache, name, repo))
	}
}

// problem takes in what is the matter with a path, relative to the cache.
func (inv *Inventory) problem(path string, err error) {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	inv.Problems = append(inv.Problems, Problem{Path: path, Err: err})
}

// takeRepository takes in the snapshots and refs of one repository.
func (inv *Inventory) takeRepository(c cached) {
	base := filepath.Base(c.folder)
	refs := inv.refs(c)
	entries, err := readDir(filepath.Join(c.folder, "snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		inv.problem(base+"/snapshots", err)
	}
	var found []CachedSnapshot
	for _, e := range entries {
		name := base + "/snapshots/" + e.Name()
		if e.Type().IsRegular() {
			continue // such as .DS_Store
		}
		if !IsCommit(e.Name()) {
			inv.problem(name, fmt.Errorf("is called as no commit is: %w", ErrMalformed))
			continue
		}
		s := c.snapshot(e.Name())
		if err := s.verifyFolders(); err != nil {
			inv.problem(name, err)
			continue
		}
		found = append(found, CachedSnapshot{Snapshot: s, Refs: refs[s.Commit]})
	}
	slices.SortFunc(found, func(a, b CachedSnapshot) int {
		return cmp.Or(compareRefs(a.Refs, b.Refs), strings.Compare(a.Commit, b.Commit))
	})
	inv.Snapshots = append(inv.Snapshots, found...)
}

// compareRefs puts what main leads to first, and what nothing leads to last.
func compareRefs(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(b), len(a))
	}
	return compareRef(a[0], b[0])
}

func compareRef(a, b string) int {
	if (a == "main") != (b == "main") {
		return map[bool]int{true: -1, false: 1}[a == "main"]
	}
	return strings.Compare(a, b)
}

// refs reads which branches and tags lead to which commit.
func (inv *Inventory) refs(c cached) map[string][]string {
	base := filepath.Base(c.folder) + "/refs"
	refs := map[string][]string{}
	read := 0
	for folders := []string{""}; len(folders) > 0; {
		dir := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := readDir(filepath.Join(c.folder, "refs", filepath.FromSlash(dir)))
		if err != nil && !(dir == "" && errors.Is(err, fs.ErrNotExist)) {
			inv.problem(path.Join(base, dir), err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			read++
			switch {
			case e.IsDir() && strings.Count(name, "/") < maxRefDepth:
				folders = append(folders, name)
			case e.IsDir() || read > maxCacheEntries:
				inv.problem(base+"/"+name, fmt.Errorf("is one more than any client writes: %w", ErrMalformed))
				return refs
			case isSystemFile(e.Name()):
			default:
				hash, err := c.readRef(name)
				if err != nil {
					inv.problem(base+"/"+name, err)
					continue
				}
				refs[hash] = append(refs[hash], name)
			}
		}
	}
	for _, names := range refs {
		slices.SortFunc(names, compareRef)
	}
	return refs
}

// isSystemFile says whether a file is one that desktops leave in any folder.
func isSystemFile(name string) bool {
	return slices.Contains([]string{".DS_Store", "Thumbs.db", "desktop.ini"}, name)
}

// errTooMany says that a folder has more entries than are looked at.
var errTooMany = fmt.Errorf("holds more than %d entries", maxCacheEntries)

// readDir lists a folder in the order of its names.
func readDir(dir string) ([]fs.DirEntry, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%q is no folder: %w", dir, ErrMalformed) // opening a pipe would wait
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxCacheEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > maxCacheEntries {
		return nil, fmt.Errorf("%q %w", dir, errTooMany)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}
