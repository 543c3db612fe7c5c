package oms

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Material is the kind of verification material in a bundle, and so the method
// that it claims to have been signed with (section 4.1).
type Material int

// The three signing methods.
const (
	MaterialKey         Material = iota + 1 // publicKey
	MaterialCertificate                     // x509CertificateChain
	MaterialSigstore                        // certificate, with log entries
)

// String returns the name of the method: "key", "certificate" or "sigstore".
func (m Material) String() string {
	switch m {
	case MaterialKey:
		return "key"
	case MaterialCertificate:
		return "certificate"
	case MaterialSigstore:
		return "sigstore"
	}
	return "unknown"
}

// Bundle is a Sigstore bundle that holds a DSSE envelope (section 4). Nothing in
// it has been checked but its form.
type Bundle struct {
	MediaType string

	// Material says which of the fields after it are set.
	Material Material

	// KeyHint names a public key, by the hexadecimal SHA-256 of its PEM form
	// where a known signer wrote it. It may be empty.
	KeyHint string

	// KeyBytes is the public key that signers before version 1.1 wrote instead
	// of a hint, in PEM form. It may be compared with a key that is trusted and
	// is never to be trusted itself.
	KeyBytes []byte

	// Certificates are DER, not parsed; the leaf is first. There is one for
	// MaterialSigstore, and at least one for MaterialCertificate.
	Certificates [][]byte

	// Payload is the statement, for ParseStatement once its signature has been
	// checked over PAE.
	Payload     []byte
	PayloadType string
	Signature   []byte

	// Timestamps are RFC 3161 timestamps of Signature: TimeStampResp in DER, not
	// parsed.
	Timestamps [][]byte

	// TlogEntries counts the transparency log entries.
	TlogEntries int

	// Raw is the bundle itself as it was given to ParseBundle, not a copy.
	Raw []byte
}

// ParseBundle reads a bundle that holds exactly one signature over an in-toto
// statement, and verification material of exactly one kind. All its errors wrap
// ErrFormat.
func ParseBundle(b []byte) (*Bundle, error) {
	if len(b) > MaxBundleSize {
		return nil, formatErrorf("the bundle has %d bytes, at most %d are allowed", len(b), MaxBundleSize)
	}
	r, err := newReader(b)
	if err != nil {
		return nil, err
	}
	out := &Bundle{Raw: b}
	var material, envelope bool
	err = r.object(func(name []byte) error {
		switch string(name) {
		case "mediaType":
			return r.string(&out.MediaType, maxWord)
		case "verificationMaterial":
			material = true
			return readMaterial(r, out)
		case "dsseEnvelope":
			envelope = true
			return readEnvelope(r, out)
		case "messageSignature":
			if !r.null() {
				return formatErrorf("bundle: messageSignature signs a file, expected a dsseEnvelope")
			}
			return nil
		}
		return r.skip()
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case err != nil:
	case out.MediaType != BundleMediaType && out.MediaType != bundleMediaTypeParameter:
		err = formatErrorf("bundle: mediaType is %s, expected %q", quote(out.MediaType), BundleMediaType)
	case !material:
		err = formatErrorf("bundle: no verificationMaterial")
	case !envelope:
		err = formatErrorf("bundle: no dsseEnvelope")
	}
	if err != nil {
		if inConflict(b) {
			return nil, formatErrorf("holds a merge conflict")
		}
		return nil, err
	}
	return out, nil
}

// inConflict says whether git has left the marks of a merge in a text.
func inConflict(b []byte) bool {
	mark := []byte("<<<<<<< ")
	return bytes.HasPrefix(b, mark) || bytes.Contains(b, append([]byte("\n"), mark...))
}

// readMaterial reads verificationMaterial. As in protobuf's JSON, null is the
// same as absent.
func readMaterial(r *reader, out *Bundle) error {
	var found []string
	kind := func(name string, m Material, read func(*reader, *Bundle) error) error {
		if r.null() {
			return nil
		}
		found = append(found, name)
		out.Material = m
		return read(r, out)
	}
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "publicKey":
			return kind("publicKey", MaterialKey, readPublicKey)
		case "x509CertificateChain":
			return kind("x509CertificateChain", MaterialCertificate, readChain)
		case "certificate":
			return kind("certificate", MaterialSigstore, readCertificate)
		case "tlogEntries":
			out.TlogEntries, err = countObjects(r)
			return err
		case "timestampVerificationData":
			return readTimestamps(r, out)
		}
		return r.skip()
	})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return formatErrorf("verificationMaterial: no publicKey, x509CertificateChain or certificate")
	case len(found) > 1:
		return formatErrorf("verificationMaterial: %s, expected one of them", strings.Join(found, " and "))
	case out.Material == MaterialSigstore && out.TlogEntries == 0:
		return formatErrorf("verificationMaterial: a certificate without tlogEntries")
	}
	return nil
}

// readPublicKey reads a PublicKeyIdentifier, or what stood in its place before
// version 1.1 (section 11.1).
func readPublicKey(r *reader, out *Bundle) error {
	var identified bool
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "hint":
			if r.null() {
				return nil
			}
			identified = true
			return r.string(&out.KeyHint, maxWord)
		case "rawBytes":
			if r.null() {
				return nil
			}
			identified = true
			out.KeyBytes, err = readBase64(r, maxBlob)
			return err
		}
		return r.skip()
	})
	if err == nil && !identified {
		err = formatErrorf("publicKey: no hint and no rawBytes")
	}
	return err
}

// readChain reads an X509CertificateChain.
func readChain(r *reader, out *Bundle) error {
	err := r.object(func(name []byte) error {
		if string(name) != "certificates" {
			return r.skip()
		}
		return r.array(maxCertificates, func(int) error { return readCertificate(r, out) })
	})
	if err == nil && len(out.Certificates) == 0 {
		err = formatErrorf("x509CertificateChain: no certificates")
	}
	return err
}

// readCertificate reads an X509Certificate and adds it to the bundle's.
func readCertificate(r *reader, out *Bundle) error {
	var der []byte
	err := r.object(func(name []byte) (err error) {
		if string(name) != "rawBytes" {
			return r.skip()
		}
		der, err = readBase64(r, maxBlob)
		return err
	})
	if err == nil && len(der) == 0 {
		err = formatErrorf("certificate %d: no rawBytes", len(out.Certificates)+1)
	}
	out.Certificates = append(out.Certificates, der)
	return err
}

// readTimestamps reads a TimestampVerificationData.
func readTimestamps(r *reader, out *Bundle) error {
	if r.null() {
		return nil
	}
	return r.object(func(name []byte) error {
		if string(name) != "rfc3161Timestamps" {
			return r.skip()
		}
		if r.null() {
			return nil
		}
		return r.array(maxLogEntries, func(int) error { return readTimestamp(r, out) })
	})
}

// readTimestamp reads an RFC3161SignedTimestamp and adds it to the bundle's.
func readTimestamp(r *reader, out *Bundle) error {
	var der []byte
	err := r.object(func(name []byte) (err error) {
		if string(name) != "signedTimestamp" {
			return r.skip()
		}
		der, err = readBase64(r, MaxTimestamp)
		return err
	})
	if err == nil && len(der) == 0 {
		err = formatErrorf("timestamp %d: no signedTimestamp", len(out.Timestamps)+1)
	}
	out.Timestamps = append(out.Timestamps, der)
	return err
}

// countObjects reads an array of objects that are for others to read.
func countObjects(r *reader) (n int, err error) {
	if r.null() {
		return 0, nil
	}
	err = r.array(maxLogEntries, func(int) error {
		n++
		return r.object(func([]byte) error { return r.skip() })
	})
	return n, err
}

// readEnvelope reads a DSSE envelope (section 4.1). A bundle's has one signature,
// as sigstore_bundle.proto says.
func readEnvelope(r *reader, out *Bundle) error {
	signatures := 0
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "payload":
			out.Payload, err = readBase64(r, MaxPayloadSize)
			return err
		case "payloadType":
			return r.string(&out.PayloadType, maxWord)
		case "signatures":
			return r.array(maxLogEntries, func(int) error {
				signatures++
				return readSignature(r, out)
			})
		}
		return r.skip()
	})
	switch {
	case err != nil:
		return err
	case signatures != 1:
		return formatErrorf("dsseEnvelope: %d signatures, expected one", signatures)
	case len(out.Signature) == 0:
		return formatErrorf("dsseEnvelope: the signature has no sig")
	case out.PayloadType != PayloadType:
		return formatErrorf("dsseEnvelope: payloadType is %s, expected %q", quote(out.PayloadType), PayloadType)
	case len(out.Payload) == 0:
		return formatErrorf("dsseEnvelope: no payload")
	}
	return nil
}

// readSignature reads one of the envelope's signatures. Its keyid says nothing
// and may be a string, null or absent.
func readSignature(r *reader, out *Bundle) error {
	return r.object(func(name []byte) (err error) {
		switch string(name) {
		case "sig":
			out.Signature, err = readBase64(r, maxBlob)
			return err
		case "keyid":
			if r.null() {
				return nil
			}
			_, err = r.bytes(maxWord)
			return err
		}
		return r.skip()
	})
}

// readBase64 reads a string in standard base64 with padding (RFC 4648, section
// 4), in its only spelling: no line feeds, no loose bits.
func readBase64(r *reader, limit int) ([]byte, error) {
	text, err := r.bytes(base64.StdEncoding.EncodedLen(limit))
	if err != nil {
		return nil, err
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return nil, formatErrorf("%s: not standard base64", quote(r.at+string(r.dec.StackPointer())))
	}
	return out[:n], nil
}
