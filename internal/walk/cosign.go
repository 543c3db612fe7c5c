package walk

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/policy"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// The names of signatures that stand beside [SignatureName], for the same folder: model.<name>.sig.
const (
	coSignaturePrefix = "model."
	maxSignerName     = 40
)

// The most signatures beside another one that are looked at, and their bytes in all:
// copies of one cost whoever makes them nothing.
const (
	maxSiblings     = policy.MaxThreshold
	maxSiblingBytes = oms.MaxBundleSize
)

// siblingNames gathers the names of the signatures beside another one.
type siblingNames struct {
	names []string
	bytes int64
}

// add adds a file of a fitting name if it is a well-formed signature. It is an error if
// there are too many.
func (s *siblingNames) add(name string, raw []byte) error {
	if !claimsToBeBundle(raw) {
		return nil
	}
	if s.bytes += int64(len(raw)); len(s.names) == maxSiblings || s.bytes > maxSiblingBytes {
		return ui.Failed("take those away that are not needed", "more than %d signatures, or %s of them, lie beside each other: %s is one too many",
			maxSiblings+1, ui.Size(maxSiblingBytes), ui.Quote(name))
	}
	if _, err := oms.ParseBundle(raw); err == nil {
		s.names = append(s.names, name)
	}
	return nil
}

// leftOut are the paths of the model that a manifest leaves out, and the other
// signatures for it. What a signer took for one of those is left out only as long as it
// is one: anything could have come in its place.
func leftOut(m *oms.Manifest, siblings []string) []string {
	out := slices.Clone(siblings)
	for _, p := range m.Serialization.IgnorePaths {
		if strings.Contains(p, "/") || !isSignatureName(p) && !isCoSignatureName(p) {
			out = append(out, p)
		}
	}
	return out
}

// CoSignatureName is the name of the signature that a signer who is called so makes
// beside those of others. Names are in lower case, so that no file system takes two
// for one.
func CoSignatureName(signer string) (string, error) {
	name := coSignaturePrefix + signer + ".sig"
	if !isCoSignatureName(name) {
		return "", ui.Usage("a name has up to 40 of the characters a-z, 0-9, - and _; the signature is model.NAME.sig",
			"--co-sign %s: no name for a signature", ui.Quote(signer))
	}
	return name, nil
}

// isCoSignatureName says whether a path may be that of a signature for its folder
// beside others: it is one if it is a bundle, and no file of the same name without
// ".sig" is there, whose own signature it would be.
func isCoSignatureName(name string) bool {
	signer, prefixed := strings.CutPrefix(path.Base(name), coSignaturePrefix)
	signer, suffixed := strings.CutSuffix(signer, ".sig")
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	return prefixed && suffixed && signer != "" && len(signer) <= maxSignerName && !strings.ContainsFunc(signer, odd)
}

// signs says whether a file may be a signature for the folder that it is in, where
// holds tells which other files are there. Its content has the last word.
func signs(name string, holds func(name string) bool) bool {
	return isSignatureName(name) || isCoSignatureName(name) && !holds(strings.TrimSuffix(name, ".sig"))
}

// CoSign has the signature of p made under another name beside those of others.
func (p *Place) CoSign(signer string) error {
	name, err := CoSignatureName(signer)
	switch {
	case err != nil:
		return err
	case p.Single:
		return ui.Usage("sign the folder that it is in", "--co-sign: %s is a single file, which has one signature", ui.Quote(p.Name))
	}
	p.Signature = filepath.Join(p.Path, name)
	if _, err := os.Lstat(strings.TrimSuffix(p.Signature, ".sig")); !notExist(err) {
		return ui.Usage("choose another name", "--co-sign %s: %s would be taken for the signature of the file beside it", ui.Quote(signer), ui.Quote(name))
	}
	return nil
}

// ownName refuses a signature of a single file under a name that says it is for the
// folder, by which it would be verified as such, and written over.
func (p *Place) ownName() error {
	held := func(name string) bool {
		if name == filepath.Base(p.Path) { // wherever it lies
			return true
		}
		_, err := os.Lstat(filepath.Join(filepath.Dir(p.Signature), name))
		return !notExist(err)
	}
	if !p.Single || !signs(filepath.Base(p.Signature), held) {
		return nil
	}
	return ui.Usage("choose another name with --signature, which verify takes as well", "%s would be taken for the signature of the folder that it is in, not of %s",
		ui.Quote(p.signatureName()), ui.Quote(p.Name))
}
