package oms

import "strconv"

// PAE returns the bytes that are signed: the pre-authentication encoding of
// DSSE v1 (section 6.7).
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+len(payloadType)+64)
	b = appendPAEHeader(b, "DSSEv1", payloadType, payload)
	return append(b, payload...)
}

// appendPAEHeader appends everything that comes before the payload.
func appendPAEHeader(b []byte, version, payloadType string, payload []byte) []byte {
	b = append(b, version...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	return append(b, ' ')
}
