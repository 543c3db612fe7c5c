// Package monitortest plays a transparency log for tests of watching one: by Rekor's first API or by tiles, honest or not. Only
// tests import it.
package monitortest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// Log is a log and the certificate authority of its instance.
type Log struct {
	// V1 has it served by Rekor's first API in place of tiles.
	V1 bool
	// Origin is what checkpoints call the log, if it is not empty, in place of what they should.
	Origin string
	// Server is where it is served.
	Server *httptest.Server

	authority *ca.VirtualSigstore

	mu sync.Mutex
	// keys are those that the log has signed with, the newest last, and listed how many of the newest its trusted root lists.
	keys   []key
	listed int
	// trees are those that the log is made of; a log of tiles has one.
	trees []*Tree
	// hook, where it is not nil, may answer a request in the log's place.
	hook     func(w http.ResponseWriter, r *http.Request) (answered bool)
	requests int
}

// Tree is one of a log's trees.
type Tree struct {
	Name   string
	key    key
	bodies [][]byte
	hashes []tlog.Hash
	// shown is how much of the tree the log admits to; all of it if negative.
	shown int64
}

// key is one that a log signs with.
type key struct {
	*ecdsa.PrivateKey
	id [32]byte // the hash of its public half
}

func newKey(t testing.TB) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key{private, sha256.Sum256(spki)}
}

// New starts a log without entries.
func New(t testing.TB) *Log {
	t.Helper()
	l := &Log{}
	var err error
	if l.authority, err = ca.NewVirtualSigstore(); err != nil {
		t.Fatal(err)
	}
	l.NewKey(t)
	l.trees = []*Tree{{Name: "1001", key: l.keys[0], shown: -1}}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Server.Close)
	return l
}

// NewKey has the log sign the trees that begin from now on with a new key. Its time with the one before has ended a minute ago.
func (l *Log) NewKey(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys, l.listed = append(l.keys, newKey(t)), l.listed+1
}

// List has the trusted root list only the newest keys, which may be none, from now on.
func (l *Log) List(newest int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed = newest
}

// TrustedRoot is the trusted root of the log's instance.
func (l *Log) TrustedRoot(t testing.TB) *root.TrustedRoot {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	logs := map[string]*root.TransparencyLog{}
	for i, k := range l.keys {
		if i < len(l.keys)-l.listed {
			continue
		}
		log := &root.TransparencyLog{BaseURL: l.Server.URL, ID: k.id[:], HashFunc: crypto.SHA256, PublicKey: k.Public(),
			SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Now().Add(time.Duration(i)*time.Minute - time.Hour)}
		if i < len(l.keys)-1 {
			log.ValidityPeriodEnd = time.Now().Add(-time.Minute)
		}
		logs[hex.EncodeToString(k.id[:])] = log
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, l.authority.FulcioCertificateAuthorities(), nil, l.authority.TimestampingAuthorities(), logs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Certificate certifies an identity, as the instance's authority does, in DER.
func (l *Log) Certificate(t testing.TB, identity, issuer string) []byte {
	t.Helper()
	cert, _, err := l.authority.GenerateLeafCert(identity, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Raw
}

// Add appends entries and returns the log index of the first.
func (l *Log) Add(bodies ...[]byte) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var offset int64
	for _, t := range l.trees[:len(l.trees)-1] {
		offset += int64(len(t.bodies))
	}
	t := l.trees[len(l.trees)-1]
	first := offset + int64(len(t.bodies))
	t.add(bodies...)
	return first
}

func (t *Tree) add(bodies ...[]byte) {
	for _, b := range bodies {
		hashes, err := tlog.StoredHashes(int64(len(t.bodies)), b, t)
		if err != nil {
			panic(err)
		}
		t.bodies, t.hashes = append(t.bodies, b), append(t.hashes, hashes...)
	}
}

// ReadHashes gives stored hashes to package tlog.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("no hash %d", x)
		}
		out[i] = t.hashes[x]
	}
	return out, nil
}

// Shard ends the tree and begins another one, which is signed with the newest key.
func (l *Log) Shard(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trees = append(l.trees, &Tree{Name: name, key: l.keys[len(l.keys)-1], shown: -1})
}

// Rewrite puts another entry in the place of one in the last tree, as if it had always been there.
func (l *Log) Rewrite(index int, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.trees[len(l.trees)-1]
	bodies := append([][]byte(nil), last.bodies...)
	bodies[index] = body
	changed := &Tree{Name: last.Name, key: last.key, shown: last.shown}
	changed.add(bodies...)
	l.trees[len(l.trees)-1] = changed
}

// Lie gives another content for an entry of the last tree, and leaves its hash.
func (l *Log) Lie(index int, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trees[len(l.trees)-1].bodies[index] = body
}

// Show has the log admit to the first n entries of its last tree only; all again if negative.
func (l *Log) Show(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trees[len(l.trees)-1].shown = n
}

// Resize has the log admit to the first n entries only of one of its trees, all if negative, and returns what it did before.
func (l *Log) Resize(tree int, n int64) (before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.trees[tree].shown = l.trees[tree].shown, n
	return before
}

// Hook has requests go to fn first.
func (l *Log) Hook(fn func(w http.ResponseWriter, r *http.Request) (answered bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hook = fn
}

// Requests is how many there were.
func (l *Log) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.requests++
	hook := l.hook
	l.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var b []byte
	if path := r.URL.Path; l.V1 {
		b = l.rekor1(r)
	} else if after, ok := strings.CutPrefix(path, "/api/v2/"); ok {
		b = l.tile(after)
	}
	if b == nil {
		http.NotFound(w, r)
		return
	}
	w.Write(b)
}

func (t *Tree) size() int64 {
	if t.shown >= 0 {
		return t.shown
	}
	return int64(len(t.bodies))
}

func (t *Tree) root() tlog.Hash {
	h, err := tlog.TreeHash(t.size(), t)
	if err != nil {
		panic(err)
	}
	return h
}

// checkpoint signs the state of a tree.
func (l *Log) checkpoint(t *Tree) string {
	origin := "127.0.0.1"
	if l.V1 {
		origin = "rekor.example.com - " + t.Name
	}
	if l.Origin != "" {
		origin = l.Origin
	}
	root := t.root()
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, t.size(), base64.StdEncoding.EncodeToString(root[:]))
	sum := sha256.Sum256([]byte(text))
	sig, err := ecdsa.SignASN1(rand.Reader, t.key.PrivateKey, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "\n— 127.0.0.1 " + base64.StdEncoding.EncodeToString(append(t.key.id[:4:4], sig...)) + "\n"
}

// tile answers as C2SP's tlog-tiles has it.
func (l *Log) tile(path string) []byte {
	t := l.trees[0]
	if path == "checkpoint" {
		return []byte(l.checkpoint(t))
	}
	path = strings.Replace(path, "tile/entries/", "tile/data/", 1)
	tile, err := tlog.ParseTilePath(strings.Replace(path, "tile/", "tile/8/", 1))
	if err != nil {
		return nil
	}
	if tile.L >= 0 {
		b, err := tlog.ReadTileData(tile, t)
		if err != nil {
			return nil
		}
		return b
	}
	var b []byte
	for i := tile.N * 256; i < tile.N*256+int64(tile.W); i++ {
		if i >= int64(len(t.bodies)) {
			return nil
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(t.bodies[i])))
		b = append(b, t.bodies[i]...)
	}
	return b
}

// rekor1 answers as Rekor's first API has it.
func (l *Log) rekor1(r *http.Request) []byte {
	switch r.URL.Path {
	case "/api/v1/log":
		return l.info()
	case "/api/v1/log/proof":
		return l.proof(r)
	case "/api/v1/log/entries/retrieve":
		return l.entries(r)
	}
	return nil
}

func (l *Log) info() []byte {
	shard := func(t *Tree) map[string]any {
		return map[string]any{"rootHash": t.root().String(), "signedTreeHead": l.checkpoint(t), "treeID": t.Name, "treeSize": t.size()}
	}
	last := len(l.trees) - 1
	info := shard(l.trees[last])
	var inactive []any
	for _, t := range l.trees[:last] {
		inactive = append(inactive, shard(t))
	}
	info["inactiveShards"] = inactive
	return mustJSON(info)
}

func (l *Log) proof(r *http.Request) []byte {
	first, _ := strconv.ParseInt(r.FormValue("firstSize"), 10, 64)
	last, _ := strconv.ParseInt(r.FormValue("lastSize"), 10, 64)
	for _, t := range l.trees {
		if t.Name == r.FormValue("treeID") {
			p, err := tlog.ProveTree(last, first, t)
			if err != nil {
				return nil
			}
			return mustJSON(map[string]any{"hashes": hexes(p), "rootHash": ""})
		}
	}
	return nil
}

func (l *Log) entries(r *http.Request) []byte {
	var asked struct {
		LogIndexes []int64 `json:"logIndexes"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.LogIndexes) > 10 {
		return nil
	}
	out := []any{}
	for _, index := range asked.LogIndexes {
		rest := index
		for _, t := range l.trees {
			if rest < int64(len(t.bodies)) {
				out = append(out, map[string]any{fmt.Sprintf("uuid%d", index): t.entry(index, rest)})
				break
			}
			rest -= int64(len(t.bodies))
		}
	}
	return mustJSON(out)
}

// entry gives an entry with a proof for the tree as it is now, which may be larger than what was asked about.
func (t *Tree) entry(index, inTree int64) map[string]any {
	size := int64(len(t.bodies))
	p, err := tlog.ProveRecord(size, inTree, t)
	if err != nil {
		panic(err)
	}
	root, err := tlog.TreeHash(size, t)
	if err != nil {
		panic(err)
	}
	return map[string]any{"body": base64.StdEncoding.EncodeToString(t.bodies[inTree]), "logIndex": index, "verification": map[string]any{
		"inclusionProof": map[string]any{"hashes": hexes(p), "logIndex": inTree, "treeSize": size, "rootHash": hex.EncodeToString(root[:])}}}
}

func hexes[L ~[]tlog.Hash](list L) []string {
	out := []string{}
	for _, h := range list {
		out = append(out, hex.EncodeToString(h[:]))
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// digest is a payload's SHA-256.
func digest(payload string) []byte {
	sum := sha256.Sum256([]byte(payload))
	return sum[:]
}

// Body makes the body of an entry of a kind such as "dsse 0.0.2", by a certificate in DER, for a payload.
func Body(kind string, cert []byte, payload string) []byte {
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	v1 := map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(digest(payload))}
	v2 := map[string]any{"algorithm": "SHA2_256", "digest": digest(payload)}
	verifier := map[string]any{"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": map[string]any{"rawBytes": cert}}
	specs := map[string]map[string]any{
		"hashedrekord 0.0.1": {"data": map[string]any{"hash": v1}, "signature": map[string]any{"content": "c2ln", "publicKey": map[string]any{"content": asPEM}}},
		"hashedrekord 0.0.2": {"hashedRekordV002": map[string]any{"data": v2, "signature": map[string]any{"content": "c2ln", "verifier": verifier}}},
		"dsse 0.0.1":         {"envelopeHash": v1, "payloadHash": v1, "signatures": []any{map[string]any{"signature": "c2ln", "verifier": asPEM}}},
		"dsse 0.0.2":         {"dsseV002": map[string]any{"payloadHash": v2, "signatures": []any{map[string]any{"content": "c2ln", "verifier": verifier}}}},
		"intoto 0.0.1":       {"content": map[string]any{"hash": v1, "payloadHash": v1}, "publicKey": asPEM},
		"intoto 0.0.2": {"content": map[string]any{"hash": v1, "payloadHash": v1, "envelope": map[string]any{"payloadType": "application/vnd.in-toto+json",
			"signatures": []any{map[string]any{"publicKey": asPEM, "sig": "c2ln"}}}}},
	}
	name, version, _ := strings.Cut(kind, " ")
	return mustJSON(map[string]any{"apiVersion": version, "kind": name, "spec": specs[kind]})
}

// AddBundle logs the signature of a bundle, as that of an identity, and returns the bundle with this entry in the place of its own.
func (l *Log) AddBundle(t testing.TB, raw []byte, identity, issuer string) []byte {
	t.Helper()
	var b protobundle.Bundle
	if err := protojson.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	body := Body("dsse 0.0.2", l.Certificate(t, identity, issuer), string(b.GetDsseEnvelope().GetPayload()))
	id := l.trees[len(l.trees)-1].key.id
	b.GetVerificationMaterial().TlogEntries = []*protorekor.TransparencyLogEntry{{
		LogIndex: l.Add(body), LogId: &protocommon.LogId{KeyId: id[:]},
		KindVersion: &protorekor.KindVersion{Kind: "dsse", Version: "0.0.2"}, CanonicalizedBody: body,
	}}
	out, err := protojson.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
