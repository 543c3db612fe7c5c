package ui

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Claim is what a signature says of itself, believed by nobody.
type Claim struct {
	// Signature is the signature's file as the user would name it.
	Signature string
	Bundle    *oms.Bundle
	Manifest  *oms.Manifest
}

// Claim writes what a signature claims, and that nothing of it was verified.
func (t *Terminal) Claim(c *Claim) {
	t.Result("%s: what %s claims; nothing here is verified", t.paint(yellow, "unverified"), Quote(c.Signature))
	root := c.Manifest.RootDigest()
	t.Result("model        %s", Quote(c.Manifest.ModelName))
	t.Result("method       %s", c.Bundle.Material)
	t.Result("signer       %s", c.signer())
	if w := c.workflow(); w != (verify.Workflow{}) {
		t.Result("workflow     %s", w)
	}
	t.Result("root digest  sha256:%x", root)
	t.Result("hashing      %s", hashing(c.Manifest.Serialization))
	if n := len(c.Manifest.Serialization.IgnorePaths); n > 0 {
		t.Result("left out     %s", QuoteAll(c.Manifest.Serialization.IgnorePaths))
	}
	t.Result("lists        %s", resources(len(c.Manifest.Resources), c.Manifest))
	for _, r := range c.Manifest.Resources {
		t.Result("  %s  %s", hex.EncodeToString(r.Digest), Quote(c.Manifest.ResourceName(r)))
	}
	if !t.Quiet {
		t.Hint("git model-sign verify checks it")
	}
}

// signer is whom the verification material names.
func (c *Claim) signer() string {
	if len(c.Bundle.Certificates) == 0 {
		if c.Bundle.KeyHint == "" {
			return "a key that is not named"
		}
		return "key " + verify.KeyID(c.Bundle.KeyHint)
	}
	leaf, err := x509.ParseCertificate(c.Bundle.Certificates[0])
	if err != nil {
		return "a certificate that cannot be read"
	}
	name := leaf.Subject.String()
	for _, email := range leaf.EmailAddresses {
		name = email
	}
	for _, uri := range leaf.URIs {
		name = uri.String()
	}
	return fmt.Sprintf("%s, certified by %s", Quote(name), Quote(leaf.Issuer.String()))
}

// workflow is what the verification material says of the job that signed.
func (c *Claim) workflow() verify.Workflow {
	if c.Bundle.Material != oms.MaterialSigstore || len(c.Bundle.Certificates) == 0 {
		return verify.Workflow{}
	}
	leaf, err := x509.ParseCertificate(c.Bundle.Certificates[0])
	if err != nil {
		return verify.Workflow{}
	}
	return verify.ClaimedWorkflow(leaf)
}

func hashing(s oms.Serialization) string {
	text := string(s.HashType) + " of whole files"
	if s.Method == oms.Shards {
		text = fmt.Sprintf("%s of shards of %d bytes", s.HashType, s.ShardSize)
	}
	if s.AllowSymlinks {
		text += ", symbolic links followed"
	}
	return text
}

// QuoteAll shows names as Quote does, the first of them where they are many.
func QuoteAll(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		if i == maxListed {
			return s + fmt.Sprintf("and %d more", len(names)-maxListed)
		}
		s += Quote(n)
	}
	return s
}

// ClaimJSON is the object that show --json prints.
type ClaimJSON struct {
	SchemaVersion int            `json:"schemaVersion"`
	Verified      bool           `json:"verified"` // always false
	Signature     string         `json:"signature"`
	Method        string         `json:"method"`
	Signer        string         `json:"signer"`
	Workflow      *WorkflowJSON  `json:"workflow,omitempty"`
	Manifest      *ManifestJSON  `json:"manifest"`
	Resources     []ResourceJSON `json:"resources"`
}

// ResourceJSON is one resource that a signature lists.
type ResourceJSON struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // <algorithm>:<hex>
}

// JSON is the claim as one object.
func (c *Claim) JSON() ClaimJSON {
	out := ClaimJSON{SchemaVersion: SchemaVersion, Signature: hidePIN(c.Signature), Method: c.Bundle.Material.String(),
		Signer: c.signer(), Workflow: workflowJSON(c.workflow()), Manifest: NewManifestJSON(c.Manifest), Resources: make([]ResourceJSON, len(c.Manifest.Resources))}
	for i, r := range c.Manifest.Resources {
		out.Resources[i] = ResourceJSON{Name: c.Manifest.ResourceName(r),
			Digest: Digest(string(c.Manifest.Serialization.HashType), hex.EncodeToString(r.Digest))}
	}
	return out
}

// Signing is what a signature that was just made says of itself.
type Signing struct {
	// Model and Signature are as the user would name them.
	Model, Signature string
	// Signer describes who signed.
	Signer string
	Files  int
	Bytes  int64
	// Promised counts the files that were taken from their LFS pointers.
	Promised int
	// Unchanged says that the signature was there already.
	Unchanged bool
	// Commit is the id of the commit made, or empty.
	Commit   string
	Manifest *oms.Manifest
}

// Signed writes what was signed.
func (t *Terminal) Signed(s *Signing) {
	if s.Unchanged {
		t.Result("unchanged %s: %s, signed already by %s", Quote(s.Signature), Plural(s.Files, "file"), s.Signer)
	} else {
		t.Result("%s %s: %s, %s, as %s", t.paint(green, "signed"), Quote(s.Signature), Plural(s.Files, "file"), Size(s.Bytes), s.Signer)
	}
	if s.Promised > 0 {
		t.Note("%s", TakenFromPointers(s.Promised))
	}
	root := s.Manifest.RootDigest()
	t.Note("root digest sha256:%x", root)
	if s.Commit != "" {
		t.Note("committed as %s", s.Commit)
	}
}

// TakenFromPointers says how many files were signed without being read.
func TakenFromPointers(n int) string {
	if n == 1 {
		return "1 file was taken from its LFS pointer and not read"
	}
	return fmt.Sprintf("%d files were taken from their LFS pointers and not read", n)
}

// SigningJSON is the object that sign --json prints.
type SigningJSON struct {
	SchemaVersion int           `json:"schemaVersion"`
	Model         string        `json:"model"`
	Signature     string        `json:"signature"`
	Signer        string        `json:"signer"`
	Files         int           `json:"files"`
	Bytes         int64         `json:"bytes"`
	Promised      int           `json:"promised"` // taken from LFS pointers, not read
	Unchanged     bool          `json:"unchanged"`
	Commit        string        `json:"commit,omitempty"`
	Manifest      *ManifestJSON `json:"manifest"`
}

// JSON is the signing as one object.
func (s *Signing) JSON() SigningJSON {
	return SigningJSON{SchemaVersion: SchemaVersion, Model: hidePIN(s.Model), Signature: hidePIN(s.Signature), Signer: s.Signer,
		Files: s.Files, Bytes: s.Bytes, Promised: s.Promised, Unchanged: s.Unchanged, Commit: s.Commit, Manifest: NewManifestJSON(s.Manifest)}
}
