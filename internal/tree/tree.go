// Package tree says which files make up a model and opens them for reading: the
// files of a folder, a single file, the tracked files of a git worktree, what a
// commit or the index holds without any worktree, or what the Hub lists.
//
// A listing is a claim about one moment. Opening holds every file to it: nothing
// outside the model is opened, no symlink is followed unless that was allowed,
// and a file that is no longer the one that was listed is an error. What cannot
// be part of a signed model (a symlink, a socket, a name that is not UTF-8) is a
// Problem by name, never silently left out.
//
// The package reads only. It does not hash, sign or judge.
package tree

import (
	"errors"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/lfs"
)

// Causes of problems, warnings and refusals; each is wrapped in one that says more.
var (
	ErrSymlink       = errors.New("is a symbolic link")
	ErrNotUTF8       = errors.New("name is not UTF-8")
	ErrName          = errors.New("name cannot be signed")
	ErrAmbiguous     = errors.New("is in the commit twice, or as a file and as a folder")
	ErrSubmodule     = errors.New("is a submodule")
	ErrIrregular     = errors.New("is not a regular file")
	ErrUnreadable    = errors.New("cannot be read")
	ErrUnmerged      = errors.New("has merge conflicts")
	ErrUncommitted   = errors.New("has uncommitted changes")
	ErrMissing       = errors.New("is tracked but not in the worktree")
	ErrNotDownloaded = errors.New("is an LFS pointer, its content is not downloaded")
	ErrBadLFS        = errors.New("does not agree with Git LFS")
	ErrSignatureLFS  = errors.New("signature would be stored by a filter")
	ErrEmpty         = errors.New("model has no files")
	ErrDiffers       = errors.New("bytes here are not the bytes of the commit")
	// ErrOutdated says that a file was written by other rules, of line ends, ident
	// or a filter, than HEAD and the configuration have now.
	ErrOutdated = errors.New("is not as git would check it out now")
	// ErrListing says that the Hub does not have what its listing says.
	ErrListing = errors.New("is not as the Hub lists it")
	// ErrReplaced says that a file is no longer the one that was listed.
	ErrReplaced = errors.New("file was replaced after it was listed")
)

// submoduleHint says what to do about a submodule in a model.
const submoduleHint = "--ignore-paths leaves it out; the model in it is signed where it is a repository of its own"

// Kind says what stands at a path.
type Kind int

const (
	// Content is the file itself.
	Content Kind = iota
	// Pointer is an LFS pointer in place of content that is not downloaded.
	Pointer
)

// File is one file of a model.
type File struct {
	// Path is canonical and relative to the model: with slashes, UTF-8. A model
	// that is a single file has its base name here.
	Path string
	Size int64 // bytes here, at the time of listing
	Kind Kind
	// Pointer is what the pointer says, for Kind Pointer.
	Pointer lfs.Pointer
	// Promised says that signing takes the pointer's word for the content.
	Promised bool
	// LFS says that the path's attributes send it through Git LFS.
	LFS bool
	// BlobID is the object id of the content that the index holds, "" outside of
	// a worktree and for what a symbolic link leads to.
	BlobID string
	// RepoPath is the path in the repository, "" outside of a worktree.
	RepoPath string
	// Open opens the very file that was listed.
	Open func() (digest.File, error)

	blob      *blob // in a tree of objects, where Open reads one as it is
	converted bool  // a checkout may write other bytes than the blob's
}

// Problem is a path and what is the matter with it.
type Problem struct {
	Path string // relative to the model; "" for the model itself
	Err  error
	Hint string // what to do, "" if there is nothing to say; may be a command
}

// Tree is the files of a model.
type Tree struct {
	Name   string // base name of the model's path
	Root   string // absolute path of the folder, or of the single file
	Single bool   // the model is a single file
	Files  []File // sorted by Path
	// Worktree says that the files are the tracked ones of a git worktree, and
	// RepoPath is the model's path in it, "" for its top.
	Worktree bool
	RepoPath string
	// Objects says that the files are git's objects, those of a commit or the
	// index. There is no Root then, and Untracked holds intents to add only.
	Objects bool
	// Fetched counts the blobs that were fetched as a partial clone lacked them.
	Fetched int
	// Untracked files lie in the model and are no part of it, as git does not
	// track them. Ignored ones are not told.
	Untracked []string
	// Uncommitted files are staged and in no commit, with Options.Committed.
	Uncommitted []string
	Missing     []string // tracked, but not here
	Sparse      []string // tracked, left out by a sparse checkout
	// Problems are paths that cannot be part of a model: signing refuses them
	// and verifying reports them.
	Problems []Problem
	// Warnings are worth saying and no reason to refuse.
	Warnings []Problem

	access    root
	closer    func() error           // for a tree of objects
	store     *gitrepo.Store         // for a tree of objects; nil if it has not read any
	contents  contentSource          // of what is no file here; nil for files
	leftOut   func(path string) bool // by the rules of Options
	signature string                 // the signature's path in the repository, "" if outside
}

// Options say what belongs to a model.
type Options struct {
	// Signature is the absolute path of the signature file, which is never part
	// of the model. It need not exist. For a commit or the index it is the path
	// in the repository, with slashes.
	Signature string
	// Ignore are paths relative to the model that are left out with all that
	// lies under them, beside oms.DefaultIgnored.
	Ignore []string
	// Keep are paths relative to the model that are listed although Ignore or
	// oms.DefaultIgnored would leave them out: those that a signature names.
	Keep map[string]bool
	// Snapshot is the commit or index, from a caller who has read it already; nil
	// reads it.
	Snapshot *gitrepo.Snapshot
	// Committed leaves out of a worktree what HEAD does not hold yet, though it
	// is staged: a clone would not contain it. See Tree.Uncommitted.
	Committed bool
	// Promised takes the files of a worktree that HEAD holds as LFS pointers, by
	// its own attributes, from these pointers, whether they are downloaded or not.
	Promised bool
	// Follows says of a symlink to a file, by its absolute path, whether it is read
	// under its own name even without AllowSymlinks; nil follows none. A snapshot
	// in a Hugging Face cache is made of links into its repository's blobs.
	Follows func(link string) bool
	// AllowSymlinks reads what a symlink to a file leads to, under the link's
	// own name.
	AllowSymlinks bool
}
