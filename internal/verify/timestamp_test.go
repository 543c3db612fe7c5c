package verify_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/oms/omstest"
	"github.com/git-model-sign/git-model-sign/internal/sigstore"
	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// stamped makes a bundle with timestamps of its signature.
func stamped(t testing.TB, bundle []byte, stamps ...func(signature []byte) []byte) []byte {
	t.Helper()
	b, err := oms.ParseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, stamp := range stamps {
		b.Timestamps = append(b.Timestamps, stamp(b.Signature))
	}
	out, err := oms.EncodeBundle(*b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// authorities believes the authorities whose certificates are given, a file each.
func authorities(t testing.TB, chains ...[]byte) *verify.TimestampAuthorities {
	t.Helper()
	a, err := verify.NewTimestampAuthorities(chains, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// days is a time so many days from now.
func days(n int) time.Time { return time.Now().AddDate(0, 0, n).Truncate(time.Second) }

// validity has a certificate be valid between two times.
func validity(from, to time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

func TestTimestampOutlivesCertificate(t *testing.T) {
	// All that certified the leaf has expired, too.
	root, key := verifytest.NewRoot(t, "root"), verifytest.NewKey(t, elliptic.P384())
	between := root.Intermediate(t, "intermediate", validity(days(-25), days(-5)))
	leaf := between.Issue(t, "signer", key, validity(days(-20), days(-10)))
	bundle := signedBy(t, key, leaf, between.Certificate)
	root.Certificate = reissue(t, root, validity(days(-30), days(-1)))

	a, b := verifytest.NewTimestampAuthority(t, "a"), verifytest.NewTimestampAuthority(t, "b")
	expired := verifytest.NewTimestampAuthority(t, "old")
	expired.Certificate = reissue(t, expired.Authority, validity(days(-30), days(-12)))
	ended := verifytest.NewTimestampAuthority(t, "ended", validity(days(-30), days(-12)))
	bare := verifytest.NewTimestampAuthority(t, "bare")
	bare.Bare = true
	sibling := *a
	sibling.Leaf = a.Issue(t, "sibling", verifytest.NewKey(t, elliptic.P256()), verifytest.TimestampUsage)
	odd := func(edit func(*x509.Certificate)) *verifytest.TimestampAuthority {
		return verifytest.NewTimestampAuthority(t, "odd", func(c *x509.Certificate) { c.ExtraExtensions = nil; edit(c) })
	}
	forNothing := odd(func(*x509.Certificate) {})
	forCode := odd(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })
	forBoth := odd(func(c *x509.Certificate) {
		verifytest.TimestampUsage(c)
		more := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}, {1, 3, 6, 1, 5, 5, 7, 3, 3}}
		c.ExtraExtensions[0].Value, _ = asn1.Marshal(more)
	})
	notCritical := odd(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} })
	isCA := odd(func(c *x509.Certificate) { verifytest.TimestampUsage(c); c.IsCA, c.BasicConstraintsValid = true, true })
	instance := verifytest.NewInstance(t)
	described, err := sigstore.Open(sigstore.Options{TrustedRoot: instance.TrustedRoot(t, false)})
	if err != nil {
		t.Fatal(err)
	}
	byInstance, err := verify.NewTimestampAuthorities(nil, described)
	if err != nil {
		t.Fatal(err)
	}
	at := func(a *verifytest.TimestampAuthority, n int) func([]byte) []byte {
		return func(signature []byte) []byte { return a.StampAt(t, signature, days(n)) }
	}
	rootOf := func(a *verifytest.TimestampAuthority) []byte { return verifytest.PEM(a.Certificate) }
	both := verifytest.PEM(a.Certificate, b.Certificate)
	for name, c := range map[string]struct {
		stamps  []func([]byte) []byte
		believe *verify.TimestampAuthorities
		want    int    // the day that is believed; 0 if none is
		text    string // in the error
	}{
		"in time": {[]func([]byte) []byte{at(a, -15)}, authorities(t, rootOf(a)), -15, ""},
		"in time, by the second": {[]func([]byte) []byte{func(s []byte) []byte { return a.StampAt(t, s, leaf.NotAfter) }},
			authorities(t, rootOf(a)), -10, ""},
		"one of two authorities":           {[]func([]byte) []byte{at(b, -15)}, authorities(t, rootOf(a), rootOf(b)), -15, ""},
		"two roots in a file":              {[]func([]byte) []byte{at(b, -15)}, authorities(t, both), -15, ""},
		"the earliest of two":              {[]func([]byte) []byte{at(a, -12), at(b, -15)}, authorities(t, rootOf(a), rootOf(b)), -15, ""},
		"a late one beside it":             {[]func([]byte) []byte{at(a, -1), at(b, -15)}, authorities(t, rootOf(a), rootOf(b)), -15, ""},
		"a stranger's beside it":           {[]func([]byte) []byte{at(b, -18), at(a, -15)}, authorities(t, rootOf(a)), -15, ""},
		"one of another signature beside":  {[]func([]byte) []byte{func([]byte) []byte { return a.StampAt(t, []byte("x"), days(-18)) }, at(a, -15)}, authorities(t, rootOf(a)), -15, ""},
		"authority that has expired since": {[]func([]byte) []byte{at(expired, -15)}, authorities(t, rootOf(expired)), -15, ""},
		"its certificate is with us":       {[]func([]byte) []byte{at(bare, -15)}, authorities(t, verifytest.PEM(bare.Leaf, bare.Certificate)), -15, ""},

		"no timestamp":          {nil, authorities(t, rootOf(a)), 0, "CN=signer expired on 20"},
		"nobody is believed":    {[]func([]byte) []byte{at(a, -15)}, nil, 0, "and nothing says whose timestamps to believe"},
		"a stranger's":          {[]func([]byte) []byte{at(b, -15)}, authorities(t, rootOf(a)), 0, "it is by CN=b, who is none of the timestamp authorities to believe"},
		"a stranger's, by name": {[]func([]byte) []byte{at(verifytest.NewTimestampAuthority(t, "a"), -15)}, authorities(t, rootOf(a)), 0, "it is by CN=a"},
		"a stranger's, with root": {[]func([]byte) []byte{func(s []byte) []byte {
			rooted := *b
			rooted.Change = func(ts *timestamp.Timestamp) { ts.Certificates = []*x509.Certificate{b.Certificate} }
			der := rooted.StampAt(t, s, days(-15))
			if !bytes.Contains(der, b.Certificate.Raw) {
				t.Error("it does not bring its root along")
			}
			return der
		}}, authorities(t, rootOf(a)), 0, "it is by CN=b, who is none of the timestamp authorities to believe"},
		"another of that root's": {[]func([]byte) []byte{at(a, -15)}, authorities(t, verifytest.PEM(sibling.Leaf, a.Certificate)), 0,
			"it is by CN=a"},
		"of another signature": {[]func([]byte) []byte{func([]byte) []byte { return a.StampAt(t, []byte("another"), days(-15)) }}, authorities(t, rootOf(a)), 0, "it is of another signature"},
		"too late":             {[]func([]byte) []byte{at(a, -7)}, authorities(t, rootOf(a)), 0, "CN=signer expired on 20"},
		"too early":            {[]func([]byte) []byte{at(a, -22)}, authorities(t, rootOf(a)), 0, "CN=signer is not valid before 20"},
		"too early, one of two": {[]func([]byte) []byte{at(a, -15), at(b, -22)}, authorities(t, rootOf(a), rootOf(b)), 0,
			"CN=signer is not valid before 20"},
		"authority had expired": {[]func([]byte) []byte{at(expired, -11)}, authorities(t, rootOf(expired)), 0, "when the certificate of its authority CN=old root was not valid"},
		"it had expired":        {[]func([]byte) []byte{at(ended, -11)}, authorities(t, rootOf(ended)), 0, "is outside of certificate validity"},
		"for nothing":           {[]func([]byte) []byte{at(forNothing, -15)}, authorities(t, rootOf(forNothing)), 0, "not for timestamping"},
		"for code":              {[]func([]byte) []byte{at(forCode, -15)}, authorities(t, rootOf(forCode)), 0, "not for timestamping"},
		"for both":              {[]func([]byte) []byte{at(forBoth, -15)}, authorities(t, rootOf(forBoth)), 0, "extended key usages"},
		"usage not critical":    {[]func([]byte) []byte{at(notCritical, -15)}, authorities(t, rootOf(notCritical)), 0, "critical"},
		"an authority's own":    {[]func([]byte) []byte{at(isCA, -15)}, authorities(t, rootOf(isCA)), 0, "end-entity"},
		"no certificate":        {[]func([]byte) []byte{at(bare, -15)}, authorities(t, rootOf(bare)), 0, "not bring along"},
		"an instance's stranger": {[]func([]byte) []byte{at(a, -15)}, byInstance, 0,
			"it is by CN=a: certificate embedded"},
		"junk":           {[]func([]byte) []byte{func([]byte) []byte { return []byte("junk") }}, authorities(t, rootOf(a)), 0, "not well formed"},
		"something else": {[]func([]byte) []byte{func(s []byte) []byte { return append(a.StampAt(t, s, days(-15)), 0) }}, authorities(t, rootOf(a)), 0, "something behind it"},
		"changed time": {[]func([]byte) []byte{func(s []byte) []byte {
			der := a.StampAt(t, s, days(-7))
			from, to := days(-7).UTC().Format("20060102"), days(-15).UTC().Format("20060102")
			return bytes.Replace(der, []byte(from), []byte(to), 1)
		}}, authorities(t, rootOf(a)), 0, "its timestamp is not believed"},
	} {
		t.Run(name, func(t *testing.T) {
			v := certificateVerifier(t, root.Certificate)
			v.Timestamps = c.believe
			raw := stamped(t, bundle, c.stamps...)
			if c.want == 0 {
				mustRefuse(t, raw, verify.ErrExpired, c.text, v)
				return
			}
			_, signer, err := verify.Manifest(t.Context(), raw, v)
			if err != nil {
				t.Fatal(err)
			}
			if got := signer.Time.Sub(days(c.want)).Abs(); got > 2*time.Hour { // but for daylight saving
				t.Errorf("time is %s, want %s", signer.Time, days(c.want))
			}
			if !strings.Contains(signer.String(), ", timestamped "+signer.Time.UTC().Format("2006-01-02 15:04")) {
				t.Errorf("signer is %q", signer)
			}
		})
	}
}

// reissue has a root sign itself again, changed.
func reissue(t *testing.T, root *verifytest.Authority, edit func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := *root.Certificate
	edit(&template)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, root.Key.Public(), root.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestTimestampOutlivesAuthority has the certificates of signer and timestamp authority expire soon after they were used.
func TestTimestampOutlivesAuthority(t *testing.T) {
	t.Parallel()
	root, key := verifytest.NewRoot(t, "root"), verifytest.NewKey(t, elliptic.P256())
	end := time.Now().Truncate(time.Second).Add(5 * time.Second)
	a := verifytest.NewTimestampAuthority(t, "a", validity(days(-1), end))
	raw := stamped(t, signedBy(t, key, root.Issue(t, "signer", key, validity(days(-1), end))), func(signature []byte) []byte { return a.Stamp(t, signature) })
	time.Sleep(time.Until(end.Add(time.Second)))
	v := certificateVerifier(t, root.Certificate)
	mustRefuse(t, raw, verify.ErrExpired, "CN=signer expired on 20", v)
	v.Timestamps = authorities(t, verifytest.PEM(a.Certificate))
	if _, _, err := verify.Manifest(t.Context(), raw, v); err != nil {
		t.Error(err)
	}
}

// TestTimestampByInstance believes the timestamp authority of a Sigstore instance that is described.
func TestTimestampByInstance(t *testing.T) {
	instance, root, key := verifytest.NewInstance(t), verifytest.NewRoot(t, "root"), verifytest.NewKey(t, elliptic.P256())
	described, err := sigstore.Open(sigstore.Options{TrustedRoot: instance.TrustedRoot(t, false)})
	if err != nil {
		t.Fatal(err)
	}
	v := certificateVerifier(t, root.Certificate)
	if v.Timestamps, err = verify.NewTimestampAuthorities(nil, described); err != nil {
		t.Fatal(err)
	}
	raw := stamped(t, signedBy(t, key, root.Issue(t, "signer", key)), func(signature []byte) []byte {
		der, err := instance.Signer(t, alice, issuer).GetTimestamp(t.Context(), signature)
		if err != nil {
			t.Fatal(err)
		}
		return der
	})
	if _, signer, err := verify.Manifest(t.Context(), raw, v); err != nil || time.Since(signer.Time).Abs() > time.Hour {
		t.Errorf("signer is %v, %v", signer, err)
	}
}

// TestTimestampOfValidCertificate has a certificate that is valid now. Timestamps that are not believed count as none, since
// anybody could have taken them out; one that is believed counts.
func TestTimestampOfValidCertificate(t *testing.T) {
	root, key := verifytest.NewRoot(t, "root"), verifytest.NewKey(t, elliptic.P256())
	bundle := signedBy(t, key, root.Issue(t, "signer", key, validity(days(-10), days(10))))
	root.Certificate = reissue(t, root, validity(days(-20), days(20)))
	a, b := verifytest.NewTimestampAuthority(t, "a"), verifytest.NewTimestampAuthority(t, "b")
	at := func(a *verifytest.TimestampAuthority, n int) func([]byte) []byte {
		return func(signature []byte) []byte { return a.StampAt(t, signature, days(n)) }
	}
	v := certificateVerifier(t, root.Certificate)
	v.Timestamps = authorities(t, verifytest.PEM(a.Certificate))
	for name, stamp := range map[string]func([]byte) []byte{
		"a stranger's": at(b, -5), "a stranger's, too early": at(b, -15), "junk": func([]byte) []byte { return []byte{0x30, 0} },
		"of another signature": func([]byte) []byte { return a.Stamp(t, []byte("another")) },
	} {
		if _, signer, err := verify.Manifest(t.Context(), stamped(t, bundle, stamp), v); err != nil || !signer.Time.IsZero() {
			t.Errorf("%s: %v, %v, want it to count as none", name, signer, err)
		}
	}
	if _, signer, err := verify.Manifest(t.Context(), stamped(t, bundle, at(a, -5)), v); err != nil || signer.Time.IsZero() {
		t.Errorf("one that is believed: %v, %v", signer, err)
	}
	mustRefuse(t, stamped(t, bundle, at(a, -15)), verify.ErrExpired, "and the signature was timestamped on 20", v)
}

// TestTimestampOfKey says when a signature was there, and decides nothing.
func TestTimestampOfKey(t *testing.T) {
	key := verifytest.NewKey(t, elliptic.P256())
	v, err := verify.NewKey(verify.EncodePublicKey(&key.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	bundle := omstest.KeyBundle(t, key, payload(t))
	a, b := verifytest.NewTimestampAuthority(t, "a"), verifytest.NewTimestampAuthority(t, "b")
	v.Timestamps = authorities(t, verifytest.PEM(a.Certificate))
	for _, c := range []struct {
		by   *verifytest.TimestampAuthority
		want string
	}{{a, ", timestamped " + days(-300).UTC().Format("2006-01-02")}, {b, ""}} {
		raw := stamped(t, bundle, func(signature []byte) []byte { return c.by.StampAt(t, signature, days(-300)) })
		_, signer, err := verify.Manifest(t.Context(), raw, v)
		if err != nil || !strings.Contains(signer.String(), c.want) || signer.Time.IsZero() != (c.want == "") {
			t.Errorf("signer is %v, %v, want %q", signer, err, c.want)
		}
	}
}

func TestNewTimestampAuthoritiesRefused(t *testing.T) {
	a := verifytest.NewTimestampAuthority(t, "a")
	for name, c := range map[string]struct {
		chain []byte
		text  string
	}{
		"nothing":   {nil, "found none"},
		"a key":     {block("PUBLIC KEY", nil), `found "PUBLIC KEY"`},
		"leaf only": {verifytest.PEM(a.Leaf), "CN=a was issued by CN=a root, which is needed too"},
	} {
		if v, err := verify.NewTimestampAuthorities([][]byte{c.chain}, nil); v != nil || !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, verify.ErrConfig, c.text)
		}
	}
}

// TestTimestampHugeKey has a timestamp bring a key along by which to check it would take seconds.
func TestTimestampHugeKey(t *testing.T) {
	a := verifytest.NewTimestampAuthority(t, "a")
	der := a.Stamp(t, []byte("signature"))
	huge := hugeRSA(t, a.Authority)
	signed, err := pkcs7.NewSignedData([]byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	signed.AddCertificate(huge)
	token, err := signed.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if len(token) > oms.MaxTimestamp {
		t.Fatalf("it has %d bytes", len(token))
	}
	status := der[4:9] // PKIStatusInfo, granted
	out, err := asn1.Marshal(struct{ Status, Token asn1.RawValue }{asn1.RawValue{FullBytes: status}, asn1.RawValue{FullBytes: token}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify.CheckTimestamp(out, []byte("signature")); err == nil || !strings.Contains(err.Error(), "RSA key of") {
		t.Errorf("error is %v, want one about the key", err)
	}
}

func FuzzCheckTimestamp(f *testing.F) {
	a := verifytest.NewTimestampAuthority(f, "a")
	f.Add(a.Stamp(f, []byte("signature")))
	a.Bare = true
	f.Add(a.Stamp(f, []byte("signature")))
	f.Add([]byte{0x30, 3, 2, 1, 2})
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, _, err := verify.CheckTimestamp(der, []byte("another")); err == nil {
			t.Error("a timestamp of another signature is taken")
		} else if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error is not one printable line: %q", err)
		}
	})
}
