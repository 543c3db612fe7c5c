package tree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
)

// written is what a checkout of HEAD would write for files that HEAD holds as
// they are. It goes by HEAD's own attributes, not by those that lie around.
type written struct {
	attributes map[string][]string // the values of conversions, by RepoPath
	converted  map[string]bool     // by RepoPath: a checkout may write other bytes than the blob's
	scratch    *gitrepo.Scratch    // nil where HEAD is no commit yet
}

// attributesAt asks how a checkout treats files. Nothing is checked out: in most
// repositories it changes no byte of any file.
func (c *comparison) attributesAt(ctx context.Context, files []File) (w *written, err error) {
	w = &written{attributes: make(map[string][]string, len(files)), converted: make(map[string]bool)}
	head, err := c.repo.HeadCommit(ctx)
	if err != nil || head == "" || len(files) == 0 {
		return w, err
	}
	var checkout gitrepo.Checkout
	var checkoutErr error
	var wg sync.WaitGroup
	wg.Go(func() { checkout, checkoutErr = c.repo.Checkout(ctx) })
	defer wg.Wait()
	entries, err := c.attributeFiles(ctx, head, files)
	if err != nil {
		return w, err
	}
	if w.scratch, err = c.repo.NewScratch(ctx); err != nil {
		return w, err
	}
	if err := w.scratch.Add(ctx, entries); err != nil {
		return w, err
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.RepoPath
	}
	table, err := w.scratch.Attributes(ctx, paths, conversions...)
	if err != nil {
		return w, err
	}
	if wg.Wait(); checkoutErr != nil {
		return w, checkoutErr
	}
	for i, f := range files {
		w.attributes[f.RepoPath] = table[i]
		// A link and what it leads to have one path there.
		w.converted[f.RepoPath] = w.converted[f.RepoPath] || f.Size > 0 && mayConvert(checkout, table[i])
	}
	return w, nil
}

// attributeFiles are the .gitattributes that a commit holds beside files and
// above them.
func (c *comparison) attributeFiles(ctx context.Context, commit string, files []File) ([]gitrepo.Entry, error) {
	var names []string
	var entries []gitrepo.Entry
	seen := make(map[string]bool)
	for _, f := range files {
		for dir := parent(f.RepoPath); !seen[dir]; dir = parent(dir) {
			seen[dir] = true
			name := join(dir, attributesFile)
			if !strings.Contains(name, "\n") {
				names = append(names, name)
				continue
			}
			// It cannot be asked about in a line.
			found, err := c.repo.CommitEntries(ctx, commit, name)
			if err != nil {
				return nil, err
			}
			entries = append(entries, found...)
		}
	}
	objects, err := c.repo.ObjectsAt(ctx, []string{commit}, names)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if oid := objects[0][i]; oid != "" {
			entries = append(entries, gitrepo.Entry{Mode: gitrepo.ModeFile, OID: oid, Path: name})
		}
	}
	return entries, nil
}

// blobs returns files as a checkout would write them: each with the object id of
// these bytes in the place of the blob's. Files that no checkout changes are left
// out.
func (w *written) blobs(ctx context.Context, repo *gitrepo.Repository, files []File) ([]File, error) {
	var out []File
	var paths []string
	var entries []gitrepo.Entry
	for _, f := range files {
		if w.converted[f.RepoPath] {
			out, paths = append(out, f), append(paths, f.RepoPath)
			entries = append(entries, gitrepo.Entry{Mode: gitrepo.ModeFile, OID: f.BlobID, Path: f.RepoPath})
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := w.scratch.Add(ctx, entries); err != nil {
		return nil, err
	}
	places, err := w.scratch.CheckOut(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("converting files as a checkout does: %w", err)
	}
	for i := range out {
		if out[i].BlobID, err = blobIDOf(repo, places[out[i].RepoPath]); err != nil {
			return nil, fmt.Errorf("reading what a checkout writes for %q: %w", out[i].Path, err)
		}
	}
	return out, nil
}

// blobIDOf is the object id of a file's bytes as they are.
func blobIDOf(repo *gitrepo.Repository, name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	return repo.BlobID(file, info.Size())
}

func (w *written) close() error {
	if w.scratch == nil {
		return nil
	}
	return w.scratch.Close()
}

// maxInHint is how many files a hint names. Signing again names the next ones.
const maxInHint = 20

// checkOutAnew is the command that has git write files of the worktree again.
func checkOutAnew(repo *gitrepo.Repository, files []File) string {
	base, command := repo.Top, "cd "+shellQuote(repo.Top)+" && "
	if here, err := os.Getwd(); err == nil {
		if here, err = filepath.EvalSymlinks(here); err == nil {
			if _, inside := gitrepo.Within(repo.Top, here); inside {
				base, command = here, ""
			}
		}
	}
	var names []string
	for _, f := range files {
		name := filepath.Join(repo.Top, filepath.FromSlash(f.RepoPath))
		if rel, err := filepath.Rel(base, name); err == nil {
			name = rel
		}
		if strings.HasPrefix(name, "-") {
			name = "./" + name // rm would take it for an option
		}
		if name = shellQuote(name); len(names) < maxInHint && !slices.Contains(names, name) { // links may lead to one file
			names = append(names, name)
		}
	}
	all := strings.Join(names, " ")
	return command + "rm " + all + " && git checkout -- " + all
}
