package walk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/durable"
	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/signin"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// SignOptions say how a model is signed and what becomes of the signature.
type SignOptions struct {
	Signer        sign.Signer
	Serialization oms.Serialization
	// Promised takes LFS files from their committed pointers, without reading
	// them. It goes with SHA-256 of whole files only.
	Promised bool
	// Commit says to commit the signature where the model lies in a worktree.
	Commit bool
	// Amend puts it into the last commit instead of a new one.
	Amend bool
	// Message replaces the commit's own message.
	Message string
	// Hasher says how to hash; its algorithm is the serialization's.
	Hasher digest.Hasher
	// Input is what the user's hooks read, and Output gets their words and git's errors.
	Input    io.Reader
	Output   io.Writer
	Terminal *ui.Terminal
}

// Sign signs the model at p: it lists, refuses what must not be signed, hashes,
// signs, writes the signature whole or not at all, and commits it.
func Sign(ctx context.Context, p *Place, o SignOptions) (*ui.Signing, error) {
	if p.Internal {
		return nil, ui.Usage("sign in a worktree; --no-git takes the folder for a plain one", "%s lies inside a git repository's own folder", ui.Quote(p.Name))
	}
	if err := p.promisable(o); err != nil {
		return nil, err
	}
	if err := p.ownName(); err != nil {
		return nil, err
	}
	seen, err := p.replaceable()
	if err != nil {
		return nil, err
	}
	siblings, err := p.siblings(ctx)
	if err != nil {
		return nil, err
	}
	o.Serialization.IgnorePaths = append(siblings, o.Serialization.IgnorePaths...)
	signature, inRepo := p.signatureInRepo()
	commit := o.Commit && inRepo
	var uncommittable error
	if commit {
		uncommittable = p.committable(ctx, signature, o)
		if uncommittable != nil && (seen == nil || errors.Is(uncommittable, gitrepo.ErrInProgress)) {
			return nil, uncommittable
		}
	}
	if inRepo && isLogged(o.Signer) && !strings.HasSuffix(signature, ".sig") {
		o.Terminal.Warn("git model-sign monitor knows signatures by names that end in .sig: it will report the log's entry of %s", ui.Quote(p.signatureName()))
	}
	t, err := p.open(ctx, tree.Options{
		Ignore: o.Serialization.IgnorePaths, AllowSymlinks: o.Serialization.AllowSymlinks, Committed: true, Promised: o.Promised,
	})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if err := p.signable(ctx, t, o); err != nil {
		return nil, err
	}
	s := o.Serialization
	s.IgnorePaths = p.recordedIgnores(s.IgnorePaths)
	m, err := p.take(ctx, t, s, o)
	if err != nil {
		return nil, err
	}
	done := &ui.Signing{Model: p.Path, Signature: p.signatureName(), Manifest: m, Signer: o.Signer.Describe(), Bytes: size(t), Files: len(t.Files), Promised: promised(t)}
	if done.Unchanged, err = p.alreadySigned(ctx, m, siblings, o.Signer); err != nil {
		return nil, err
	}
	if asking, can := o.Signer.(interface{ Unasked() error }); can && done.Unchanged && asking.Unasked() != nil {
		o.Terminal.Warn("%v; the timestamps that are there are taken for those that are asked for", asking.Unasked())
	}
	if !done.Unchanged {
		if uncommittable != nil { // which matters only now
			return nil, uncommittable
		}
		if err := p.signAndWrite(ctx, m, o.Signer, seen); err != nil {
			return nil, err
		}
		done.Signer = o.Signer.Describe()
	}
	if commit {
		err = p.commit(ctx, signature, done, o)
	}
	return done, err
}

// promisable refuses to sign what LFS promises where that cannot be done.
func (p *Place) promisable(o SignOptions) error {
	s := o.Serialization
	switch {
	case !o.Promised:
	case p.Repo == nil:
		return ui.Usage("without a git worktree there are no LFS pointers to sign from", "--promised: %s is in no git worktree", ui.Quote(p.Name))
	case s.Method != oms.Files || s.HashType != oms.SHA256:
		return ui.Usage("an LFS pointer names the SHA-256 of the whole file: leave --hash and --shards out, or sign where the weights are downloaded",
			"--promised goes with --hash sha256 and without --shards")
	case s.AllowSymlinks:
		return ui.Usage("sign where the weights are downloaded", "--promised does not go with --allow-symlinks: what a link leads to may be a pointer")
	}
	return nil
}

// replaceable refuses to write the signature over anything that is not one, and returns
// the one that is there, nil if there is none.
func (p *Place) replaceable() ([]byte, error) {
	const hint = "choose another name with --signature, or move that file away"
	name := ui.Quote(p.signatureName())
	info, err := os.Lstat(p.Signature)
	switch {
	case notExist(err):
		return nil, p.outsideGit(name)
	case err != nil:
		return nil, ui.Trouble("", "looking at the signature's place: %w", err)
	case !info.Mode().IsRegular():
		return nil, ui.Usage(hint, "%s is no regular file, and is not written over", name)
	}
	raw, err := bounded.ReadRegular(p.Signature, oms.MaxBundleSize)
	if err == nil {
		_, err = oms.ParseBundle(raw)
	}
	if err != nil {
		return nil, ui.Usage(hint, "%s is there already and is no model signature, and is not written over: %w", name, err)
	}
	return raw, nil
}

// asSeen refuses to write the signature over what has come to its place since it was
// looked at: hashing and signing in take their time.
func (p *Place) asSeen(seen []byte) error {
	now, err := p.replaceable()
	if err == nil && !bytes.Equal(now, seen) {
		err = ui.Trouble("look at it, and sign again if that is still wanted", "%s has changed meanwhile, and is not written over", ui.Quote(p.signatureName()))
	}
	return err
}

// outsideGit refuses to put the signature among git's own files.
func (p *Place) outsideGit(name string) error {
	if p.Repo == nil {
		return nil
	}
	for _, dir := range []string{p.Repo.GitDir, p.Repo.CommonDir} {
		if within(dir, p.Signature) {
			return ui.Usage("choose another place with --signature", "%s lies in git's own folder", name)
		}
	}
	return nil
}

// signable refuses a tree that must not be signed, naming each file, and warns
// of what another clone could see differently.
func (p *Place) signable(ctx context.Context, t *tree.Tree, o SignOptions) error {
	refusals, warnings, err := t.CheckSignable(ctx, p.Repo)
	if err != nil {
		return ui.Trouble("", "looking at the model %s: %w", ui.Quote(p.Name), err)
	}
	warn(o.Terminal, warnings)
	warnUnpromised(t, o)
	o.Terminal.Fetched(t.Fetched)
	o.Terminal.Untracked(t.Untracked)
	o.Terminal.Uncommitted(t.Uncommitted)
	return refused(refusals)
}

func warn(terminal *ui.Terminal, warnings []tree.Problem) {
	for _, w := range warnings {
		terminal.Warn("%s", describe(w))
		if w.Hint != "" {
			terminal.Hint(w.Hint)
		}
	}
}

// warnUnpromised warns of a signature that says nothing of what LFS promises: only
// where the weights are downloaded can it be checked.
func warnUnpromised(t *tree.Tree, o SignOptions) {
	s := o.Serialization
	if s.Method == oms.Files && s.HashType == oms.SHA256 || !slices.ContainsFunc(t.Files, func(f tree.File) bool { return f.LFS }) {
		return
	}
	o.Terminal.Warn("files in LFS are signed by %s: nobody can verify that without downloading them, and no push of it passes a hook", serializationName(s))
	o.Terminal.Hint("--hash sha256 without --shards signs what LFS pointers say")
}

// serializationName names how a signature speaks of files.
func serializationName(s oms.Serialization) string {
	if s.Method == oms.Shards {
		return "shards"
	}
	return string(s.HashType)
}

// describe names a problem's file and what is the matter with it.
func describe(p tree.Problem) string {
	if p.Path == "" {
		return p.Err.Error()
	}
	return fmt.Sprintf("%s %v", ui.Quote(p.Path), p.Err)
}

// maxNamed is how many refused files are named one by one.
const maxNamed = 20

// refused joins refusals into one error, each file on a line, with every hint once.
func refused(refusals []tree.Problem) error {
	if len(refusals) == 0 {
		return nil
	}
	e := &ui.Error{Code: ui.ExitTrouble}
	if errors.Is(refusals[0].Err, tree.ErrEmpty) {
		e.Code = ui.ExitUsage
	}
	var errs []error
	for i, r := range refusals {
		if i < maxNamed {
			errs = append(errs, errors.New(describe(r)))
		}
		if r.Hint != "" && !slices.Contains(e.Hints, r.Hint) {
			e.Hints = append(e.Hints, r.Hint)
		}
	}
	if n := len(refusals) - maxNamed; n > 0 {
		errs = append(errs, fmt.Errorf("and %s more", ui.Plural(n, "file")))
	}
	e.Err = errors.Join(errs...)
	return e
}

// recordedIgnores are the paths that a manifest records as left out: git's own,
// the signature file where it lies in the model, and the user's.
func (p *Place) recordedIgnores(user []string) []string {
	if p.Single {
		return nil
	}
	out := oms.DefaultIgnored()
	if rel, inside := gitrepo.Within(p.Path, p.Signature); inside {
		out = append(out, rel)
	}
	return append(out, user...)
}

// take hashes the model and holds what was read against what git committed.
func (p *Place) take(ctx context.Context, t *tree.Tree, s oms.Serialization, o SignOptions) (*oms.Manifest, error) {
	for _, f := range t.Files {
		if s.Method == oms.Shards && f.Size == 0 {
			o.Terminal.Warn("%s is empty: %s", ui.Quote(f.Path), check.EmptyInShards)
		}
	}
	progress := o.Terminal.StartProgress("Hashing model", noun(s))
	o.Hasher.Progress = progress.Add
	m, err := check.Take(ctx, t, s, o.Hasher)
	progress.Stop()
	if err != nil {
		return nil, hashError(err)
	}
	if p.Repo == nil {
		return m, nil
	}
	o.Hasher.Progress = nil // its line has ended
	refusals, warnings, err := t.CompareCommitted(ctx, p.Repo, o.Hasher, sha256Of(m, t))
	if err != nil {
		return nil, ui.Trouble("", "comparing the model with what is committed: %w", err)
	}
	warn(o.Terminal, warnings)
	return m, refused(refusals)
}

// hashError gives an error of hashing its exit code: a backend that this machine
// lacks is wrong usage, and so are shards that are too small.
func hashError(err error) error {
	if errors.Is(err, check.ErrTooMany) {
		return ui.Usage("larger shards are fewer", "%w", err)
	}
	if errors.Is(err, digest.ErrBackend) {
		return ui.Usage("git model-sign bench --hash-backend=auto shows how fast each is", "hashing the model: %w", err)
	}
	return ui.Trouble("", "hashing the model: %w", err)
}

// noun is what a serialization has digests of.
func noun(s oms.Serialization) string {
	if s.Method == oms.Shards {
		return "shard"
	}
	return "file"
}

// sha256Of gives the SHA-256 of whole files that m holds, where it holds any.
func sha256Of(m *oms.Manifest, t *tree.Tree) func(path string) []byte {
	digests := make(map[string][]byte)
	if m.Serialization.Method == oms.Files && m.Serialization.HashType == oms.SHA256 {
		for _, r := range m.Resources {
			name := r.Path
			if t.Single {
				name = t.Files[0].Path
			}
			digests[name] = r.Digest
		}
	}
	return func(path string) []byte { return digests[path] }
}

// alreadySigned says whether the signature file holds this signer's signature
// of the same statement. That it was made before there were others beside it makes
// no difference.
func (p *Place) alreadySigned(ctx context.Context, m *oms.Manifest, siblings []string, signer sign.Signer) (bool, error) {
	raw, err := bounded.ReadRegular(p.Signature, oms.MaxBundleSize)
	if err != nil {
		return false, nil // it is not there, or nothing that could be a signature: it will be replaced
	}
	b, err := oms.ParseBundle(raw)
	if err != nil {
		return false, nil
	}
	payload, err := m.Statement()
	if err != nil {
		return false, ui.Trouble("", "writing the statement: %w", err)
	}
	return (bytes.Equal(b.Payload, payload) || samePayload(b.Payload, m, siblings)) && signer.Made(ctx, b), nil
}

// samePayload says whether a payload differs from what m says by nothing but which
// other signatures it leaves out.
func samePayload(payload []byte, m *oms.Manifest, siblings []string) bool {
	old, err := oms.ParseStatement(payload)
	if err != nil || old.Legacy || old.ModelName != m.ModelName || len(siblings) == 0 {
		return false
	}
	others := make(map[string]bool, len(siblings))
	for _, name := range siblings {
		others[name] = true
	}
	return manifestKey(old, others) == manifestKey(m, others)
}

// signAndWrite signs the manifest and puts the signature in its place, whole or
// not at all.
func (p *Place) signAndWrite(ctx context.Context, m *oms.Manifest, signer sign.Signer, seen []byte) error {
	payload, err := m.Statement()
	if err != nil {
		return ui.Trouble("", "writing the statement: %w", err)
	}
	// Before anything is logged: what is logged and cannot be written helps nobody.
	if err := durable.Writable(p.Signature); err != nil {
		return ui.Trouble("nothing was signed; choose another place with --signature, or mend that", "the signature could not be written: %w", err)
	}
	if err := p.asSeen(seen); err != nil {
		return err
	}
	bundle, err := signer.Sign(ctx, payload)
	switch {
	case errors.Is(err, sign.ErrToken), errors.Is(err, sign.ErrCertificate), errors.Is(err, sign.ErrConfig):
		return ui.Usage(cmp.Or(signin.Hint(err), sign.Hint(err)), "signing: %w", err)
	case signin.Hint(err) != "":
		return ui.Trouble(signin.Hint(err), "signing: %w", err)
	case err != nil:
		return ui.Trouble(signHint(err, len(payload)), "signing: %w", err)
	}
	if err := p.asSeen(seen); err != nil {
		return err
	}
	if err := durable.WriteFile(p.Signature, bundle, 0o644); err != nil {
		return ui.Trouble(writeHint(signer), "writing the signature: %w", err)
	}
	return nil
}

// signHint says what became of a signature that failed, and what to do, where the error says nothing of that itself.
func signHint(err error, size int) string {
	hint := "nothing was written; sign again when that is mended"
	if errors.Is(err, sign.ErrMaybeTooLarge) {
		hint = fmt.Sprintf("nothing was written; this log is sent the whole list of files, %.1f MiB, which may be more than it takes\n"+
			"sign at an instance with Rekor v2, which is sent a digest, or with a key", float64(size)/(1<<20))
	}
	if errors.Is(err, sign.ErrMaybeLogged) {
		hint += "\n" + ui.MaybeLogged
	}
	if what := sign.Hint(err); what != "" && !errors.Is(err, sign.ErrMaybeTooLarge) { // to sign again later would not help
		hint = what + "\n" + hint
	}
	return hint
}

// writeHint says what became of a signature that was made, and is not there.
func writeHint(signer sign.Signer) string {
	if isLogged(signer) {
		return "the log has the signature, which does no harm; to sign again logs another"
	}
	return ""
}

// isLogged says whether what a signer signs stands in a log.
func isLogged(signer sign.Signer) bool {
	_, logged := signer.(*sign.Sigstore)
	return logged
}

// signatureInRepo is the signature's path in the repository, and whether its
// worktree is where it lies, by whatever links that is named.
func (p *Place) signatureInRepo() (string, bool) {
	if p.Repo == nil {
		return "", false
	}
	if p.Commit != "" && !p.Detached {
		return p.Signature, true
	}
	path, err := p.Repo.PathOf(p.Signature)
	return path, err == nil
}

// size is the sum of the model's files in bytes: for those that are promised,
// what their pointers say.
func size(t *tree.Tree) int64 {
	var n int64
	for _, f := range t.Files {
		if f.Promised {
			n += f.Pointer.Size
		} else {
			n += f.Size
		}
	}
	return n
}

// promised counts the files that are taken from their pointers.
func promised(t *tree.Tree) int {
	n := 0
	for _, f := range t.Files {
		if f.Promised {
			n++
		}
	}
	return n
}
