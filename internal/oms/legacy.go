package oms

import "bytes"

// LegacyPAE returns the bytes that signers of key and certificate signatures
// before version 1.0 signed instead of [PAE]. Their encoding was put together as
// a Python str, so the payload is in it as Python prints a bytes object, and the
// version is spelled with a capital V. The length is still the payload's own.
//
// A verifier tries it after PAE has failed, and only for those two methods. The
// encoding is injective, as PAE is, so accepting it lets nobody exchange one
// payload for another.
func LegacyPAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+len(payload)/8+len(payloadType)+64)
	b = appendPAEHeader(b, "DSSEV1", payloadType, payload)
	return appendPythonBytes(b, payload)
}

// appendPythonBytes appends what Python's repr gives for a bytes object. It is
// put in single quotes, unless that would need escapes and double quotes would
// not; all but printable ASCII is escaped.
func appendPythonBytes(b, payload []byte) []byte {
	quote := byte('\'')
	if bytes.IndexByte(payload, '\'') >= 0 && bytes.IndexByte(payload, '"') < 0 {
		quote = '"'
	}
	const hexDigits = "0123456789abcdef"
	b = append(b, 'b', quote)
	for _, c := range payload {
		switch {
		case c == '\\' || c == quote:
			b = append(b, '\\', c)
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, quote)
}
