package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"payloadHash":{"algorithm":"sha256","value":"00"},"signatures":[{"verifier":"LS0t"}]}}`))
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"AA=="}}}}`))
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"hash":{"algorithm":"sha256","value":"00"},"envelope":{"signatures":[{"publicKey":"AA=="}]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseEntry(body)
		if err == nil && (len(c.signers) == 0 || len(c.signers) > len(body)) {
			t.Errorf("%d signers", len(c.signers))
		}
		if len(c.digest) > 2*maxWord+1 {
			t.Errorf("digest of %d bytes", len(c.digest))
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error %q", err)
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
		if _, err := openCheckpoint([]byte(text), []Key{{ID: []byte("abcd")}}); err == nil {
			t.Errorf("%q is taken for signed", text)
		}
	})
}

// FuzzAnswers reads bytes as each of the answers that a log gives.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"a":{"body":"e30=","logIndex":1,"verification":{"inclusionProof":{"hashes":[],"logIndex":1,"rootHash":"00","treeSize":2}}}}]`))
	f.Add([]byte(`{"signedTreeHead":"a","treeID":"1","treeSize":3,"inactiveShards":[{"signedTreeHead":"b","treeID":"2","treeSize":4}]}`))
	f.Add([]byte(`{"hashes":["` + strings.Repeat("0", 64) + `"]}`))
	f.Add([]byte("\x00\x02{}\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if entries, err := parseEntries(b); err == nil && len(entries) > len(b) {
			t.Errorf("%d entries of %d bytes", len(entries), len(b))
		}
		if shards, err := parseInfo(b); err == nil && (len(shards) == 0 || len(shards) > maxShards+1) {
			t.Errorf("%d trees", len(shards))
		}
		if proof, err := parseProof(b); err == nil && len(proof) > maxProofHashes {
			t.Errorf("%d hashes", len(proof))
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

// FuzzKnown reads a bundle as it may lie in a repository.
func FuzzKnown(f *testing.F) {
	f.Add([]byte(`{"verificationMaterial":{"tlogEntries":[{"logIndex":"7","logId":{"keyId":"AA=="},"canonicalizedBody":"e30="}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k := Known{}
		if err := k.AddBundle(raw); err != nil && (len(k) > 0 || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("%d entries and error %q", len(k), err)
		}
	})
}

// answers is a log that answers with the same bytes to whatever it is asked.
type answers []byte

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}

// FuzzServed has a log answer anything to whoever reads entries of a tree of three: none is ever believed that is not there.
func FuzzServed(f *testing.F) {
	bodies := [][]byte{[]byte(`{"kind":"a"}`), []byte(`{"kind":"b"}`), []byte(`{"kind":"c"}`)}
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var bundle []byte
	for i, b := range bodies {
		more, err := tlog.StoredHashes(int64(i), b, read)
		if err != nil {
			f.Fatal(err)
		}
		hashes = append(hashes, more...)
		bundle = append(append(bundle, 0, byte(len(b))), b...)
	}
	root, err := tlog.TreeHash(3, read)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle)
	f.Add([]byte(`[{"a":{"body":"e30=","logIndex":0,"verification":{"inclusionProof":{"hashes":[],"logIndex":0,"rootHash":"` + root.String() + `","treeSize":3}}}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		client := &Client{Transport: answers(b), Pause: time.Nanosecond}
		read := tree{checkpoint: checkpoint{origin: "a", size: 3, root: root}, id: "1"}
		for _, s := range []source{&tiles{client: client, base: "http://log.example.com/"}, &rekor1{client: client, base: "http://log.example.com/"}} {
			if got, err := s.entries(ctx, read, 0, 1); err == nil && (len(got) != 1 || !bytes.Equal(got[0], bodies[0])) {
				t.Errorf("%T: %q is believed", s, got)
			}
			earlier := checkpoint{origin: "a", size: 2, root: tlog.Hash{1}}
			if err := s.extends(ctx, earlier, read); err == nil {
				t.Errorf("%T: a proof of nothing is believed", s)
			}
		}
	})
}

func FuzzTilePath(f *testing.F) {
	f.Add(0, int64(0), 1)
	f.Add(2, int64(1234067), 255)
	f.Add(-1, int64(1<<40), 256)
	f.Fuzz(func(t *testing.T, level int, n int64, width int) {
		if level < -1 || level > 5 || n < 0 || n > maxTree || width < 1 || width > tileWidth {
			return
		}
		p := tilePath(tlog.Tile{H: tileHeight, L: level, N: n, W: width})
		if path.Clean(p) != p || !strings.HasPrefix(p, "tile/") || (level < 0) != strings.HasPrefix(p, "tile/entries/") {
			t.Errorf("level %d, tile %d of width %d: %q", level, n, width, p)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"log":"https://log.example.com","begun":"2026-01-02T03:04:05Z","next":3,"trees":[{"offset":0,"checkpoint":"x"}],"reported":[1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		kept, err := parseState(b)
		if err != nil {
			return
		}
		if kept.Next < 0 || len(kept.Trees) == 0 {
			t.Errorf("%+v", kept)
		}
		again, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseState(again); err != nil {
			t.Errorf("%s is not read back: %v", again, err)
		}
	})
}
