package monitor

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// Entry is a signature that a log holds. Its strings are as they were signed and may hold any character.
type Entry struct {
	// Log is the log's address, and Index the entry's place in it, as bundles have it.
	Log   string
	Index int64
	// Kind is the entry's type and version, such as "dsse 0.0.1".
	Kind string
	// Identity and Issuer are whom the certificate names, and who vouched for that.
	Identity, Issuer string
	// Time is when the certificate was issued, a moment before it signed: logs of Rekor v2 keep no time.
	Time time.Time
	// Digest is what was signed, as "sha256:<hex>": for dsse and intoto the statement (the envelope's payload), for hashedrekord
	// all that the signature is made over. Rekor v2 logs envelopes as the latter.
	Digest string
}

// content is what an entry says: what was signed, and the signers' certificates or keys.
type content struct {
	kind    string
	digest  string
	signers [][]byte // certificates in DER, or keys, or whatever stands in the place of one
}

// errOtherKind says that an entry is of a type that no bundle refers to.
var errOtherKind = errors.New("an entry of another kind")

// spelling reads entries with no more care than those libraries do by which signatures are verified, each of which forgives
// something else: a log could vouch for an entry to them, and hide it from who watches, by the way in which it is written. Besides
// the case of names this ignores underscores in them, as the names of protobuf's own have.
func spelling() json.Options {
	return json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// lenient reads the first value of a text. What is behind it is not looked at.
func lenient(text []byte, to any) error {
	return json.UnmarshalDecode(jsontext.NewDecoder(bytes.NewReader(text), spelling()), to, spelling())
}

// loose is base64 in any of its spellings; nil of what is none.
type loose []byte

// UnmarshalJSON takes any value.
func (b *loose) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s, spelling()) != nil {
		return nil
	}
	s = strings.NewReplacer("\r", "", "\n", "", "-", "+", "_", "/").Replace(strings.TrimRight(s, "=\r\n"))
	*b, _ = base64.RawStdEncoding.DecodeString(s)
	return nil
}

// word is a string, or a number.
type word string

// UnmarshalJSON takes any value.
func (w *word) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s, spelling()) != nil {
		s = string(text)
	}
	*w = word(s[:min(len(s), maxWord)])
	return nil
}

// maxWord is how many bytes are read of the name of an algorithm, or of a digest in hex.
const maxWord = 256

// digestJSON is a digest in the spelling of Rekor v1, or of v2.
type digestJSON struct {
	Algorithm word  `json:"algorithm"`
	Value     word  `json:"value"`  // v1: hex
	Digest    loose `json:"digest"` // v2
}

// String writes a digest as JSON has it elsewhere.
func (d digestJSON) String() string {
	switch {
	case d.Digest != nil:
		digest := d.Digest[:min(len(d.Digest), maxWord/2)]
		names := map[word]string{"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
		if name := names[d.Algorithm]; name != "" {
			return name + ":" + hex.EncodeToString(digest)
		}
		return string(d.Algorithm) + ":" + hex.EncodeToString(digest)
	case d.Value != "":
		return string(d.Algorithm + ":" + d.Value)
	}
	return ""
}

// verifierJSON is a signer in the spelling of Rekor v2.
type verifierJSON struct {
	Certificate rawJSON `json:"x509Certificate"`
	PublicKey   rawJSON `json:"publicKey"`
}

// rawJSON is a certificate or a key in DER.
type rawJSON struct {
	Raw loose `json:"rawBytes"`
}

// parseEntry reads the body of an entry: of the kinds hashedrekord 0.0.1 and 0.0.2, dsse 0.0.1 and 0.0.2, intoto 0.0.1 and
// 0.0.2, those that Sigstore's bundles refer to.
func parseEntry(body []byte) (content, error) {
	var e struct {
		Version string         `json:"apiVersion"`
		Kind    string         `json:"kind"`
		Spec    jsontext.Value `json:"spec"`
	}
	if err := lenient(body, &e); err != nil {
		return content{}, fmt.Errorf("entry: %s", plain.Line(err.Error()))
	}
	if e.Kind == "" {
		return content{}, errors.New("entry: it does not say of what kind it is")
	}
	c := content{kind: e.Kind + " " + e.Version}
	read := map[string]func(*content, []byte) error{
		"hashedrekord 0.0.1": (*content).hashedRekord1, "hashedrekord 0.0.2": (*content).hashedRekord2,
		"dsse 0.0.1": (*content).dsse1, "dsse 0.0.2": (*content).dsse2,
		"intoto 0.0.1": (*content).inToto1, "intoto 0.0.2": (*content).inToto2,
	}[c.kind]
	if read == nil && !slices.Contains([]string{"hashedrekord", "dsse", "intoto"}, e.Kind) {
		return content{}, errOtherKind
	}
	if read == nil {
		return content{}, fmt.Errorf("entry of kind %s: its version is not known", plain.Name(c.kind))
	}
	if err := read(&c, e.Spec); err != nil {
		return content{}, fmt.Errorf("entry of kind %s: %s", c.kind, plain.Line(err.Error()))
	}
	if len(c.signers) == 0 {
		return content{}, fmt.Errorf("entry of kind %s: it names nobody who has signed", c.kind)
	}
	return c, nil
}

func (c *content) hashedRekord1(spec []byte) error {
	var s struct {
		Data struct {
			Hash digestJSON `json:"hash"`
		} `json:"data"`
		Signature struct {
			PublicKey struct {
				Content loose `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
	}
	err := lenient(spec, &s)
	c.digest = s.Data.Hash.String()
	c.addPEM(s.Signature.PublicKey.Content)
	return err
}

func (c *content) hashedRekord2(spec []byte) error {
	var s struct {
		V struct {
			Data      digestJSON `json:"data"`
			Signature struct {
				Verifier verifierJSON `json:"verifier"`
			} `json:"signature"`
		} `json:"hashedRekordV002"`
	}
	err := lenient(spec, &s)
	c.digest = s.V.Data.String()
	c.addVerifier(s.V.Signature.Verifier)
	return err
}

func (c *content) dsse1(spec []byte) error {
	var s struct {
		Payload    digestJSON `json:"payloadHash"`
		Signatures []struct {
			Verifier loose `json:"verifier"`
		} `json:"signatures"`
	}
	err := lenient(spec, &s)
	c.digest = s.Payload.String()
	for _, one := range s.Signatures {
		c.addPEM(one.Verifier)
	}
	return err
}

func (c *content) dsse2(spec []byte) error {
	var s struct {
		V struct {
			Payload    digestJSON `json:"payloadHash"`
			Signatures []struct {
				Verifier verifierJSON `json:"verifier"`
			} `json:"signatures"`
		} `json:"dsseV002"`
	}
	err := lenient(spec, &s)
	c.digest = s.V.Payload.String()
	for _, one := range s.V.Signatures {
		c.addVerifier(one.Verifier)
	}
	return err
}

func (c *content) inToto1(spec []byte) error {
	var s struct {
		Content struct {
			Payload digestJSON `json:"payloadHash"`
			Hash    digestJSON `json:"hash"`
		} `json:"content"`
		PublicKey loose `json:"publicKey"`
	}
	err := lenient(spec, &s)
	if c.digest = s.Content.Payload.String(); c.digest == "" {
		c.digest = s.Content.Hash.String()
	}
	c.addPEM(s.PublicKey)
	return err
}

func (c *content) inToto2(spec []byte) error {
	var s struct {
		Content struct {
			Payload  digestJSON `json:"payloadHash"`
			Envelope struct {
				Signatures []struct {
					PublicKey loose `json:"publicKey"`
				} `json:"signatures"`
			} `json:"envelope"`
		} `json:"content"`
	}
	err := lenient(spec, &s)
	c.digest = s.Content.Payload.String()
	for _, one := range s.Content.Envelope.Signatures {
		c.addPEM(one.PublicKey)
	}
	return err
}

func (c *content) add(der []byte) {
	if len(der) > 0 {
		c.signers = append(c.signers, der)
	}
}

func (c *content) addVerifier(v verifierJSON) {
	c.add(v.Certificate.Raw)
	c.add(v.PublicKey.Raw)
}

// addPEM adds what is first in a PEM text, which logs encode in base64 once more. It is taken for what it is, not for what it is
// called.
func (c *content) addPEM(text []byte) {
	if again, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
		text = again // intoto 0.0.2 has it twice in some versions of Rekor
	}
	if block, _ := pem.Decode(text); block != nil {
		c.add(block.Bytes)
	}
}

// Watched are the signers whose entries are looked for.
type Watched []verify.Identity

// ErrWatched is wrapped by errors about signers who cannot be watched as they are named.
var ErrWatched = errors.New("signer to watch")

// matcher knows the entries of watched signers.
type matcher struct {
	trusted    root.TrustedMaterial
	identities []matchedIdentity
}

// matchedIdentity is an identity with its expressions, nil where it is to be matched to the letter.
type matchedIdentity struct {
	verify.Identity
	id, issuer *regexp.Regexp
}

// newMatcher compiles the watched identities. Where one names no issuer, every issuer counts.
func newMatcher(trusted root.TrustedMaterial, watched Watched) (*matcher, error) {
	m := &matcher{trusted: trusted}
	for _, id := range watched {
		one := matchedIdentity{Identity: id}
		if (id.ID == "") == (id.Regexp == "") || id.Issuer != "" && id.IssuerRegexp != "" {
			return nil, fmt.Errorf("%w: it takes an identity or an expression, and at most one of either for the provider", ErrWatched)
		}
		var err error
		if one.id, err = compile(id.Regexp); err != nil {
			return nil, fmt.Errorf("%w: identity expression: %w", ErrWatched, err)
		}
		if one.issuer, err = compile(id.IssuerRegexp); err != nil {
			return nil, fmt.Errorf("%w: identity provider expression: %w", ErrWatched, err)
		}
		m.identities = append(m.identities, one)
	}
	return m, nil
}

// compile makes an expression for the whole of a text; nil of "".
func compile(expression string) (*regexp.Regexp, error) {
	whole, err := verify.Whole(expression)
	if err != nil || whole == "" {
		return nil, err
	}
	return regexp.Compile(whole)
}

// names says whether a certificate is one of a watched signer, as who verifies a signature would.
func (m *matcher) names(found certificate.Summary) bool {
	return slices.ContainsFunc(m.identities, func(i matchedIdentity) bool {
		id := found.SubjectAlternativeName == i.ID && i.ID != "" || i.id != nil && i.id.MatchString(found.SubjectAlternativeName)
		issuer := i.Issuer == "" && i.issuer == nil || found.Issuer == i.Issuer || i.issuer != nil && i.issuer.MatchString(found.Issuer)
		return id && issuer && i.Workflow.Holds(found.Extensions)
	})
}

// signedBy finds a watched signer among those of an entry. Anybody may log a certificate of their own making with any name in it;
// only one that the instance's authority has issued counts, as it does for whoever verifies a signature.
func (m *matcher) signedBy(c content) (e Entry, found bool) {
	for _, der := range c.signers {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		summary, err := certificate.SummarizeCertificate(cert)
		if err != nil || !m.names(summary) {
			continue
		}
		if !m.issued(cert) {
			continue
		}
		return Entry{Kind: c.kind, Digest: c.digest, Identity: summary.SubjectAlternativeName, Issuer: summary.Issuer, Time: cert.NotBefore.UTC()}, true
	}
	return Entry{}, false
}

// issued says whether the instance's authority has issued a certificate: for its beginning or its end, since an authority's own time
// may begin or end in between.
func (m *matcher) issued(cert *x509.Certificate) bool {
	return slices.ContainsFunc([]time.Time{cert.NotBefore, cert.NotAfter}, func(at time.Time) bool {
		_, err := sgverify.VerifyLeafCertificate(at, cert, m.trusted)
		return err == nil
	})
}
