package verify

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
)

// TimestampAuthorities are those whose RFC 3161 timestamps are believed: that a signature was there at a time. A timestamp
// makes up for a certificate that has expired since; one that is not believed counts as none, for anybody could have taken it
// out of the bundle. Make it with NewTimestampAuthorities; nil believes nobody.
//
// The certificates of an authority have to be valid at the time that its timestamp tells, as Sigstore's clients ask, not now.
type TimestampAuthorities struct {
	each     []root.TimestampingAuthority
	instance *sigstore.Instance
}

// NewTimestampAuthorities reads PEM files with the certificates of one authority in each: at least a self-signed (root) one,
// then any intermediates, and the one that timestamps are signed with where they do not bring it along. If it is there,
// timestamps by another one of the same root are not believed. The authorities of a Sigstore instance are believed too, if
// there is one; it has to be one that its user has described, lest the network is asked.
func NewTimestampAuthorities(chainsPEM [][]byte, instance *sigstore.Instance) (*TimestampAuthorities, error) {
	a := &TimestampAuthorities{instance: instance}
	for _, b := range chainsPEM {
		certs, err := ParseCertificates(b)
		if err != nil {
			return nil, err
		}
		authorities, err := authoritiesOf(certs)
		if err != nil {
			return nil, err
		}
		a.each = append(a.each, authorities...)
	}
	return a, nil
}

// authoritiesOf tells roots, intermediates and signing certificates apart.
func authoritiesOf(certs []*x509.Certificate) ([]root.TimestampingAuthority, error) {
	var roots, between []*x509.Certificate
	leaves := []*x509.Certificate{nil} // nil stands for whichever a timestamp brings along
	for _, c := range certs {
		switch {
		case selfSigned(c):
			roots = append(roots, c)
		case !c.IsCA && slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageTimeStamping):
			if leaves[0] == nil {
				leaves = nil
			}
			leaves = append(leaves, c)
		default:
			between = append(between, c)
		}
	}
	if len(roots) == 0 {
		return nil, refuse(ErrConfig, "no self-signed (root) certificate is in the file: %s was issued by %s, which is needed too", Subject(certs[0]), issuer(certs[0]))
	}
	var out []root.TimestampingAuthority
	for _, r := range roots {
		for _, leaf := range leaves {
			out = append(out, &root.SigstoreTimestampingAuthority{Root: r, Intermediates: between, Leaf: leaf})
		}
	}
	return out, nil
}

// authorities are all of them.
func (a *TimestampAuthorities) authorities(ctx context.Context) ([]root.TimestampingAuthority, error) {
	switch {
	case a == nil:
		return nil, nil
	case a.instance == nil:
		return a.each, nil
	}
	trusted, err := a.instance.TrustedRoot(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Concat(a.each, trusted.TimestampingAuthorities()), nil
}

// earliest is the earliest time at which the signature of b was there, as a timestamp says that is believed. Where none does,
// it is the zero time, and doubt says why, nil if there is no timestamp at all.
func (a *TimestampAuthorities) earliest(ctx context.Context, b *oms.Bundle) (at time.Time, doubt, err error) {
	if len(b.Timestamps) == 0 {
		return at, nil, nil
	}
	authorities, err := a.authorities(ctx)
	switch {
	case err != nil:
		return at, nil, err
	case len(authorities) == 0:
		return at, refuse(ErrTimestamp, "nothing says whose timestamps to believe"), nil
	}
	for _, der := range b.Timestamps {
		t, err := checkTimestamp(der, b.Signature, authorities)
		if err != nil && doubt == nil {
			doubt = refuse(ErrTimestamp, "its timestamp is not believed: %w", err)
		}
		if err == nil && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if !at.IsZero() {
		doubt = nil
	}
	return at, doubt, nil
}

// CheckTimestamp checks a timestamp of a signature for everything but whose it is: by its form, its own certificate, which has
// to be for timestamping, and what it is of. It returns the certificate and the time.
func CheckTimestamp(der, signature []byte) (by *x509.Certificate, at time.Time, err error) {
	p7, err := parseTimestamp(der)
	if err != nil {
		return nil, at, err
	}
	if by = p7.GetOnlySigner(); by == nil {
		return nil, at, errors.New("it does not bring the certificate along that it was signed with")
	}
	at, err = checkTimestamp(der, signature, []root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: by, Leaf: by}})
	return by, at, err
}

// checkTimestamps looks over the timestamps of a Sigstore signature. To sigstore-go, one that it can make nothing of counts as none, as
// one of an authority that it does not know does. But nobody signs with a timestamp that is broken, of something else, or there twice.
func checkTimestamps(b *oms.Bundle) error {
	for i, der := range b.Timestamps {
		_, _, err := openTimestamp(der, b.Signature)
		if err == nil && slices.ContainsFunc(b.Timestamps[:i], func(other []byte) bool { return bytes.Equal(other, der) }) {
			err = errors.New("it is there twice")
		}
		if err != nil {
			return refuse(ErrLog, "timestamp %d of the signature is not right: %w", i+1, err)
		}
	}
	return nil
}

// checkTimestamp checks a timestamp of a signature by each of the authorities.
func checkTimestamp(der, signature []byte, authorities []root.TimestampingAuthority) (time.Time, error) {
	p7, ts, err := openTimestamp(der, signature)
	if err != nil {
		return time.Time{}, err
	}
	for _, a := range authorities {
		var t *root.Timestamp
		if t, err = a.Verify(der, signature); err == nil {
			return t.Time, nil
		}
	}
	return time.Time{}, explainTimestamp(p7, ts.Time, err)
}

// openTimestamp reads a timestamp, and checks it by itself: its form, that it is of the signature, and its own one by the certificate
// that it brings along, if it does.
func openTimestamp(der, signature []byte) (*pkcs7.PKCS7, *timestamp.Timestamp, error) {
	p7, err := parseTimestamp(der)
	if err != nil {
		return nil, nil, err
	}
	ts, err := timestamp.ParseResponse(der)
	if err != nil {
		return nil, nil, fmt.Errorf("it can not be verified: %s", plain.Line(err.Error()))
	}
	return p7, ts, checkImprint(ts, signature)
}

// checkImprint checks that a timestamp is of a signature. That a weak hash is not taken, sigstore-go sees to.
func checkImprint(ts *timestamp.Timestamp, signature []byte) error {
	if !ts.HashAlgorithm.Available() {
		return fmt.Errorf("it was made with %s, which is not known", ts.HashAlgorithm)
	}
	h := ts.HashAlgorithm.New()
	h.Write(signature)
	if !bytes.Equal(h.Sum(nil), ts.HashedMessage) {
		return errors.New("it is of another signature")
	}
	return nil
}

// explainTimestamp says why the last of the authorities did not vouch for a timestamp.
func explainTimestamp(p7 *pkcs7.PKCS7, at time.Time, err error) error {
	signer := p7.GetOnlySigner()
	name := "somebody whose certificate it does not bring along"
	if signer != nil {
		name = Subject(signer)
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("it is by %s, who is none of the timestamp authorities to believe", name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("it is of %s, when the certificate of its authority %s was not valid", at.UTC().Format(timeLayout), Subject(invalid.Cert))
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage, signer != nil && !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageTimeStamping):
		return fmt.Errorf("it is by %s, whose certificate is not for timestamping", name)
	}
	return fmt.Errorf("it is by %s: %s", name, plain.Line(err.Error()))
}

// response is a TimeStampResp (RFC 3161, section 2.4.2).
type response struct {
	Status asn1.RawValue
	Token  asn1.RawValue `asn1:"optional"`
}

// parseTimestamp looks a timestamp over before it is given to libraries that check signatures by the keys in it, at any cost.
func parseTimestamp(der []byte) (*pkcs7.PKCS7, error) {
	var r response
	rest, err := asn1.Unmarshal(der, &r)
	if err == nil && len(rest) > 0 {
		err = errors.New("there is something behind it")
	}
	if err == nil && len(r.Token.FullBytes) == 0 {
		err = errors.New("it is an answer without a timestamp")
	}
	var p7 *pkcs7.PKCS7
	if err == nil {
		p7, err = pkcs7.Parse(r.Token.FullBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("it is not well formed: %s", plain.Line(err.Error()))
	}
	for _, c := range p7.Certificates {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("it has an RSA key of %d bits, at most %d are allowed", key.N.BitLen(), maxRSABits)
		}
	}
	return p7, nil
}
