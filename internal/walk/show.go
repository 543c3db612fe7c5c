package walk

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/check"
	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/tree"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Show reads what the signature of a model claims and believes none of it. The
// name may be the model or the signature file itself.
func Show(name, signature string) (*ui.Claim, error) {
	p := &Place{Path: name, Name: name, Signature: signature}
	if signature == "" {
		info, err := os.Stat(name)
		switch {
		case err == nil && info.IsDir():
			p.Signature = filepath.Join(name, SignatureName)
		case strings.HasSuffix(name, ".sig"):
			p.Signature = name
		default:
			p.Signature = name + ".sig"
		}
	}
	raw, err := readSignature(context.Background(), p)
	if err != nil {
		return nil, err
	}
	b, err := oms.ParseBundle(raw)
	if err != nil {
		return nil, ui.Failed("", "%s: %w", ui.Quote(p.signatureName()), err)
	}
	m, err := oms.ParseStatement(b.Payload)
	if err != nil {
		return nil, ui.Failed("", "%s: %w", ui.Quote(p.signatureName()), err)
	}
	return &ui.Claim{Signature: p.signatureName(), Bundle: b, Manifest: m}, nil
}

// Digest hashes the model at p without looking at whether it could be signed,
// with h, and returns the manifest that a signature would hold.
func Digest(ctx context.Context, p *Place, s oms.Serialization, h digest.Hasher, terminal *ui.Terminal) (*oms.Manifest, error) {
	siblings, err := p.siblings(ctx)
	if err != nil {
		return nil, err
	}
	s.IgnorePaths = append(siblings, s.IgnorePaths...)
	t, err := p.open(ctx, tree.Options{Ignore: s.IgnorePaths, AllowSymlinks: s.AllowSymlinks, Committed: true})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if err := refused(append(t.Problems, t.Empty()...)); err != nil {
		return nil, err
	}
	terminal.Untracked(t.Untracked)
	terminal.Uncommitted(t.Uncommitted)
	s.IgnorePaths = p.recordedIgnores(s.IgnorePaths)
	progress := terminal.StartProgress("Hashing model", noun(s))
	defer progress.Stop()
	h.Progress = progress.Add
	m, err := check.Take(ctx, t, s, h)
	if err != nil {
		return nil, hashError(err)
	}
	return m, nil
}
