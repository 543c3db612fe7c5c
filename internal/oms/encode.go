package oms

import (
	"encoding/base64"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// EncodeBundle writes a bundle whose material is a key or a certificate chain,
// as JSON on one line and with members in a fixed order. Payload, Signature and
// either KeyHint or Certificates have to be set, and Timestamps may be; MediaType
// and PayloadType may be empty, and have one value only. Sigstore bundles come
// from a Sigstore client.
func EncodeBundle(in Bundle) ([]byte, error) {
	if err := checkEncodable(&in); err != nil {
		return nil, err
	}
	size := 1024 + len(in.KeyHint) + base64Len(in.Payload) + base64Len(in.Signature)
	for _, der := range slices.Concat(in.Certificates, in.Timestamps) {
		size += base64Len(der) + 32
	}
	b := make([]byte, 0, size)
	b = append(b, `{"mediaType":"`+BundleMediaType+`","verificationMaterial":{`...)
	b, err := appendMaterial(b, &in)
	if err != nil {
		return nil, err
	}
	// Some readers require tlogEntries, even where it is empty.
	b = append(b, `,"tlogEntries":[]`...)
	if len(in.Timestamps) > 0 {
		b = append(b, `,"timestampVerificationData":{"rfc3161Timestamps":[`...)
		b = append(appendBlobs(b, "signedTimestamp", in.Timestamps), "]}"...)
	}
	b = append(b, `},"dsseEnvelope":{"payload":"`...)
	b = base64.StdEncoding.AppendEncode(b, in.Payload)
	b = append(b, `","payloadType":"`+PayloadType+`","signatures":[{"sig":"`...)
	b = base64.StdEncoding.AppendEncode(b, in.Signature)
	return append(b, `","keyid":""}]}}`...), nil
}

func base64Len(b []byte) int { return base64.StdEncoding.EncodedLen(len(b)) }

// checkEncodable holds a bundle to what ParseBundle reads. The bounds on its parts
// keep the whole below MaxBundleSize.
func checkEncodable(in *Bundle) error {
	switch {
	case in.Material != MaterialKey && in.Material != MaterialCertificate:
		return formatErrorf("a bundle with %s material is not written here", in.Material)
	case in.MediaType != "" && in.MediaType != BundleMediaType:
		return formatErrorf("bundle: mediaType is %s, expected %q", quote(in.MediaType), BundleMediaType)
	case in.PayloadType != "" && in.PayloadType != PayloadType:
		return formatErrorf("bundle: payloadType is %s, expected %q", quote(in.PayloadType), PayloadType)
	case in.Material == MaterialKey && (in.KeyHint == "" || len(in.KeyHint) > maxWord):
		return formatErrorf("bundle: the key's hint has %d bytes, expected 1 to %d", len(in.KeyHint), maxWord)
	case in.Material == MaterialCertificate && (len(in.Certificates) == 0 || len(in.Certificates) > maxCertificates):
		return formatErrorf("bundle: %d certificates, expected 1 to %d", len(in.Certificates), maxCertificates)
	case len(in.Timestamps) > maxLogEntries:
		return formatErrorf("bundle: %d timestamps, expected at most %d", len(in.Timestamps), maxLogEntries)
	case len(in.Payload) == 0 || len(in.Payload) > MaxPayloadSize:
		return formatErrorf("bundle: the payload has %d bytes, expected 1 to %d", len(in.Payload), MaxPayloadSize)
	case len(in.Signature) == 0 || len(in.Signature) > maxBlob:
		return formatErrorf("bundle: the signature has %d bytes, expected 1 to %d", len(in.Signature), maxBlob)
	}
	for i, der := range in.Certificates {
		if len(der) == 0 || len(der) > maxBlob {
			return formatErrorf("bundle: certificate %d has %d bytes, expected 1 to %d", i+1, len(der), maxBlob)
		}
	}
	for i, der := range in.Timestamps {
		if len(der) == 0 || len(der) > MaxTimestamp {
			return formatErrorf("bundle: timestamp %d has %d bytes, expected 1 to %d", i+1, len(der), MaxTimestamp)
		}
	}
	return nil
}

// appendMaterial appends the member of verificationMaterial that goes with the
// method (section 4.1).
func appendMaterial(b []byte, in *Bundle) ([]byte, error) {
	if in.Material == MaterialKey {
		b, err := jsontext.AppendQuote(append(b, `"publicKey":{"hint":`...), in.KeyHint)
		if err != nil {
			return nil, formatErrorf("bundle: the key's hint %s is not valid UTF-8", quote(in.KeyHint))
		}
		return append(b, '}'), nil
	}
	b = append(b, `"x509CertificateChain":{"certificates":[`...)
	return append(appendBlobs(b, "rawBytes", in.Certificates), "]}"...), nil
}

// appendBlobs appends objects with one member each.
func appendBlobs(b []byte, member string, blobs [][]byte) []byte {
	for i, blob := range blobs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"`+member+`":"`...)
		b = base64.StdEncoding.AppendEncode(b, blob)
		b = append(b, `"}`...)
	}
	return b
}
