package hook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// proofTime is how long a clone of the scratch repository may take, a program that hangs included.
const proofTime = time.Minute

// proof is a scratch repository with a signed model.
type proof struct {
	*doctor
	root   string // the temporary folder
	source git    // the repository, without any hook
	public string // the public key's file
	lfs    bool   // its weights are in git-lfs
}

// prove clones a signed scratch repository twice, as it was signed and with a changed file, and sees what git
// says. Only the exit status counts: it is what a script would go by.
func (d *doctor) prove(ctx context.Context) (err error) {
	root, err := os.MkdirTemp("", "git-model-sign-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	p := &proof{doctor: d, root: root, source: git{dir: filepath.Join(root, "model"), env: anywhere()}, public: filepath.Join(root, "key.pub")}
	if err := p.sign(ctx); err != nil {
		if ctx.Err() == nil {
			d.add("clone", Fail, "a scratch repository could not be signed: "+err.Error(), "")
		}
		return ctx.Err()
	}
	if len(d.installed) > 0 {
		if err := p.proveClones(ctx); err != nil {
			return err
		}
		if err := p.provePush(ctx); err != nil {
			return err
		}
	}
	if len(d.servers) > 0 {
		return p.proveReceived(ctx)
	}
	return nil
}

// proveClones clones the repository, changes a file in it, and clones it again.
func (p *proof) proveClones(ctx context.Context) error {
	d := p.doctor
	code, said, err := p.clone(ctx, "as-signed")
	if err != nil {
		return err
	}
	if code != 0 {
		d.add("clone", Fail, fmt.Sprintf("a signed model was not verified, exit status %d: %s", code, said), "")
		return nil
	}
	good := headline(said)
	if err := p.checkProofLFS(ctx); err != nil {
		return err
	}
	if err := p.change(ctx); err != nil {
		return err
	}
	code, said, err = p.clone(ctx, "changed")
	switch {
	case err != nil:
		return err
	case code == 0:
		d.add("clone", Fail, "a changed model was cloned without a word: the hook did not verify it: "+good, "")
	case code != 1:
		d.add("clone", Fail, fmt.Sprintf("cloning a changed model ended with exit status %d, expected 1: %s", code, said), "")
	default:
		d.add("clone", OK, "a signed model was verified: "+good, "")
		d.add("tampering", OK, "a changed model was refused: "+headline(said), "")
	}
	return nil
}

// change commits a file that is not as it was signed.
func (p *proof) change(ctx context.Context) error {
	return p.commit(ctx, "weights.bin", []byte("changed after it was signed\n"))
}

// provePush pushes from both clones, as the user would.
func (p *proof) provePush(ctx context.Context) error {
	target := filepath.Join(p.root, "pushed.git")
	if _, err := (git{dir: p.root, env: p.source.env}).output(ctx, "init", "-q", "--bare", "--template=", target); err != nil {
		return err
	}
	push := func(clone, branch string) (int, string, error) {
		dir := filepath.Join(p.root, clone)
		if _, err := (git{dir: dir, env: p.source.env}).output(ctx, "remote", "add", "pushed", filepath.ToSlash(target)); err != nil {
			return 0, "", err
		}
		return p.run(ctx, dir, append(p.policy(), "push", "-q", "pushed", "HEAD:refs/heads/"+branch))
	}
	if !folderExists(filepath.Join(p.root, "changed")) {
		return nil // what kept it from being cloned has been told
	}
	code, said, err := push("as-signed", "as-signed")
	if err != nil {
		return err
	}
	if code != 0 {
		p.add("push", Fail, fmt.Sprintf("a signed model was not pushed, exit status %d: %s", code, said), "")
		return nil
	}
	code, said, err = push("changed", "changed")
	switch {
	case err != nil:
		return err
	case code == 0:
		p.add("push", Fail, "a changed model was pushed without a word: the hook did not check it", "git model-sign install")
	default:
		p.add("push", OK, "a changed model was not pushed: "+headline(said), "")
	}
	return nil
}

// proveReceived pushes a changed model, without the hooks of a client, to a repository with that of a server.
func (p *proof) proveReceived(ctx context.Context) error {
	target := filepath.Join(p.root, "received.git")
	if code, said, err := p.run(ctx, p.root, []string{"init", "-q", "--bare", target}); code != 0 || err != nil {
		return errors.Join(err, fmt.Errorf("making a scratch repository: %s", said))
	}
	for _, setting := range [][]string{{"modelsign.publicKey", filepath.ToSlash(p.public)}, {"modelsign.mode", "enforce"}, {"modelsign.onFailure", "fail"},
		{"modelsign.threshold", "0"}, {"modelsign.receiveRefs", "refs/heads/*"}} {
		if _, err := (git{dir: target, env: p.source.env}).output(ctx, "config", setting[0], setting[1]); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(p.servers, func(s Scope) bool { return s != Local }) {
		if _, err := Install(ctx, InstallOptions{Scope: Local, Server: true, Dir: target, Executable: p.Executable}); err != nil {
			return err
		}
	}
	push := func() (int, string, error) {
		return p.run(ctx, p.source.dir, []string{"-c", "core.hooksPath=" + os.DevNull, "push", "-q", "--no-verify", filepath.ToSlash(target), "HEAD:refs/heads/main"})
	}
	if len(p.installed) == 0 {
		code, said, err := push()
		if err == nil && code == 0 {
			err = p.change(ctx)
		} else if err == nil {
			p.add("received push", Fail, fmt.Sprintf("a signed model was not taken, exit status %d: %s", code, said), "")
			return nil
		}
		if err != nil {
			return err
		}
	}
	code, said, err := push()
	switch {
	case err != nil:
		return err
	case code == 0:
		p.add("received push", Fail, "a changed model was taken without a word: the hook did not check it", "git model-sign install --server")
	default:
		p.add("received push", OK, "a changed model was not taken: "+headline(said), "")
	}
	return nil
}

// sign makes the repository and signs it with a key of its own.
func (p *proof) sign(ctx context.Context) error {
	private := filepath.Join(p.root, "key.pem")
	if err := writeKeys(private, p.public); err != nil {
		return err
	}
	if _, err := (git{dir: p.root, env: p.source.env}).output(ctx, "init", "-q", "--template=", p.source.dir); err != nil {
		return err
	}
	if err := p.useLFS(ctx); err != nil {
		return err
	}
	if err := p.commit(ctx, "weights.bin", bytes.Repeat([]byte("weights\n"), 512)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.Executable, "sign", "--private-key", private, "--no-commit", p.source.dir)
	cmd.Dir, cmd.Env = p.source.dir, p.source.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s sign: %w: %s", p.Executable, err, gist(out))
	}
	return p.commit(ctx, "model.sig", nil)
}

// writeKeys makes a key pair that nobody but this proof will ever use.
func writeKeys(private, public string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	if der, err = x509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		return err
	}
	return os.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
}

// useLFS keeps the weights in git-lfs if that is set up. Where all repositories share one hooks folder it is left
// out: git-lfs would put its hooks there.
func (p *proof) useLFS(ctx context.Context) error {
	_, filters, err := p.source.get(ctx, "filter.lfs.process")
	if err != nil {
		return err
	}
	_, shared, err := p.source.get(ctx, hooksPathKey)
	if err != nil || !filters || shared || p.doctor.lfs == "" {
		return err
	}
	p.lfs = true
	return p.commit(ctx, ".gitattributes", []byte("*.bin filter=lfs diff=lfs merge=lfs -text\n"))
}

// commit commits a file, with new content if that is not nil. It runs none of the user's hooks and signs nothing.
func (p *proof) commit(ctx context.Context, name string, content []byte) error {
	if content != nil {
		if err := os.WriteFile(filepath.Join(p.source.dir, name), content, 0o666); err != nil {
			return err
		}
	}
	run := func(args ...string) (string, error) {
		return p.source.output(ctx, slices.Concat([]string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.safecrlf=false",
			"-c", "user.name=git-model-sign doctor", "-c", "user.email=doctor@localhost"}, args)...)
	}
	if _, err := run("add", "-f", "--", name); err != nil {
		return err
	}
	tree, err := run("write-tree")
	if err != nil {
		return err
	}
	args := []string{"commit-tree", "--no-gpg-sign", "-m", name, tree}
	if parent, err := run("rev-parse", "-q", "--verify", "HEAD"); err == nil {
		args = append(args, "-p", parent)
	}
	id, err := run(args...)
	if err != nil {
		return err
	}
	_, err = run("update-ref", "HEAD", id)
	return err
}

// policy are the options of git by which the scratch repository's signer is believed. A softer policy is no proof.
func (p *proof) policy() []string {
	return []string{"-c", "modelsign.publicKey=" + filepath.ToSlash(p.public), "-c", "modelsign.mode=enforce", "-c", "modelsign.onFailure=fail",
		"-c", "modelsign.threshold=0"}
}

// clone clones the repository as the user would, except that its signer is believed for once. It returns the exit
// status of what ran the hook, and the gist of what was said.
func (p *proof) clone(ctx context.Context, name string) (code int, said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	target := filepath.Join(p.root, name)
	trust := append(p.policy(), "-c", "protocol.file.allow=always")
	if !slices.ContainsFunc(p.installed, func(s Scope) bool { return s != Local }) {
		// Only this repository has hooks, so the scratch clone gets them in the same way.
		if code, said, err = p.run(ctx, p.root, append(trust, "clone", "-q", "-n", p.source.dir, target)); code != 0 || err != nil {
			return code, said, err
		}
		if _, err := Install(ctx, InstallOptions{Scope: Local, Dir: target, Executable: p.Executable}); err != nil {
			return 0, "", err
		}
		return p.run(ctx, target, append(trust, "checkout", "-q"))
	}
	return p.run(ctx, p.root, append(trust, "clone", "-q", p.source.dir, target))
}

// run runs git with the user's configuration.
func (p *proof) run(ctx context.Context, dir string, args []string) (code int, said string, err error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, anywhere()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("git clone of a scratch repository: %w", errors.Join(context.Cause(ctx), err))
	}
	return cmd.ProcessState.ExitCode(), gist(out), nil
}

// gist is what a program said, with single spaces and not without end.
func gist(out []byte) string {
	const most = 1000
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(out), "?")) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	said := strings.Join(lines, "\n")
	if len(said) > most {
		said = strings.ToValidUTF8(said[:most], "") + " ..."
	}
	if said == "" {
		return "it said nothing"
	}
	return said
}

func headline(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// checkProofLFS sees whether git-lfs has got all of its hooks in a new clone, and takes them for its own.
func (p *proof) checkProofLFS(ctx context.Context) error {
	if !p.lfs || p.configured {
		return ctx.Err()
	}
	clone := git{dir: filepath.Join(p.root, "as-signed"), env: anywhere()}
	_, err := clone.output(ctx, "lfs", "update")
	lost := lostLFS(filepath.Join(clone.dir, ".git", "hooks"))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.add("git-lfs in clones", Fail, "it does not get along with the hooks: "+gist([]byte(err.Error())), "git model-sign install")
	case len(lost) > 0:
		p.add("git-lfs in clones", Fail, "hooks of git-lfs are missing: "+strings.Join(lost, ", "), "git model-sign install")
	default:
		p.add("git-lfs in clones", OK, "all four of its hooks are there", "")
	}
	return nil
}
