package monitor

import (
	"bytes"
	"testing"
)

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"payloadHash":{"algorithm":"sha256","value":"00"},"signatures":[{"verifier":"LS0t"}]}}`))
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"AA=="}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseEntry(body)
		if err == nil && len(c.signers) > maxSigners {
			t.Errorf("%d signers", len(c.signers))
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add("log.example.com\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCheckpoint(text)
		if err == nil && (c.size < 0 || c.size > maxTree || c.origin == "") {
			t.Errorf("%+v", c)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"a":{"body":"e30=","logIndex":1,"verification":{"inclusionProof":{"hashes":[],"logIndex":1,"rootHash":"00","treeSize":2}}}}]`))
	f.Add([]byte("\x00\x02{}\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if entries, err := parseEntries(b); err == nil && len(entries) > len(b) {
			t.Errorf("%d entries of %d bytes", len(entries), len(b))
		}
		all, err := parseBundle(b)
		if err != nil {
			return
		}
		if joined := bytes.Join(all, nil); len(joined)+2*len(all) != len(b) {
			t.Errorf("%d bytes came out of %d", len(joined), len(b))
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"log":"https://log.example.com","begun":"2026-01-02T03:04:05Z","next":3,"trees":[{"offset":0,"checkpoint":"x"}],"reported":[1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if kept, err := parseState(b); err == nil && (kept.Next < 0 || len(kept.Trees) == 0) {
			t.Errorf("%+v", kept)
		}
	})
}
