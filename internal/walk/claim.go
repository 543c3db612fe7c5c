package walk

import (
	"context"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Claimed compares the files at p with what their signature lists, whoever made
// it. That tells a signature that is out of date from one that is not, and
// nothing else: the verdict has a Claim and no Signer, and must not be told as if
// anything had been verified.
func Claimed(ctx context.Context, p *Place, o VerifyOptions) *ui.Verdict {
	v := newVerdict(p)
	v.Err = claimInto(ctx, v, p, o)
	return v
}

func claimInto(ctx context.Context, v *ui.Verdict, p *Place, o VerifyOptions) error {
	raw, err := readSignature(ctx, p)
	if err != nil {
		return err
	}
	b, err := oms.ParseBundle(raw)
	if err != nil {
		return ui.Failed("", "%w", err)
	}
	m, err := oms.ParseStatement(b.Payload)
	if err != nil {
		return ui.Failed("", "%w", err)
	}
	v.Claim, v.Manifest = &ui.Claim{Signature: v.Signature, Bundle: b, Manifest: m}, m
	return compareFiles(ctx, v, p, m, o)
}
