package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/e2e/venv"
)

// peers is a session with both signers, and a model in the folder "model".
type peers struct {
	*session
	reference string // folder of the reference signer's programs
}

func newPeers(t *testing.T) *peers {
	p := &peers{newSession(t), needs.Python(t, venv.ReferenceSigner())}
	p.keyPair("key", "P-256")
	p.write(
		"model/config.json", `{"a": 1}`,
		"model/weights.bin", string(weights(100_000, "weights")),
		"model/empty", "",
		"model/references/deploy/library.md", "sorts before or after",
		"model/references/deploy.md", "sorts after or before",
		"model/cache/junk.tmp", "not for signing",
		"model/.gitignore", "*.tmp\n",
	)
	return p
}

// A job is what testdata/reference.py does; its comment tells the members.
type job map[string]any

// api has the reference signer do a job by its Python API, and wants it to succeed.
func (p *peers) api(j job) {
	p.t.Helper()
	if r := p.tryAPI(j); r.status != 0 {
		p.t.Fatalf("the reference signer fails at %v: %s", j, r.said())
	}
}

func (p *peers) tryAPI(j job) result {
	p.t.Helper()
	b, err := json.Marshal(j)
	if err != nil {
		p.t.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "reference.py"))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.run(p.python(), script, string(b))
}

// python is the Python that imports the reference signer, theirProgram its command-line program.
func (p *peers) python() string       { return filepath.Join(p.reference, "python") }
func (p *peers) theirProgram() string { return filepath.Join(p.reference, "model_signing") }

// ours runs git-model-sign, theirs the reference signer's program; both must succeed.
func (p *peers) ours(args ...string) { p.t.Helper(); p.exits(0, "git-model-sign", args...) }

func (p *peers) theirs(args ...string) { p.t.Helper(); p.exits(0, p.theirProgram(), args...) }

// neither wants both signers to refuse the signature sig of the model.
func (p *peers) neither(model, sig string) {
	p.t.Helper()
	p.exits(1, "git-model-sign", "verify", "--public-key", p.path("key.pub"), "--signature", p.path(sig), p.path(model))
	p.exits(1, p.theirProgram(), "verify", "key", "--public_key", p.path("key.pub"), "--signature", p.path(sig), p.path(model))
}

// TestInteropKeys signs with each kind of key and has the other signer verify.
func TestInteropKeys(t *testing.T) {
	t.Parallel()
	for _, curve := range []string{"P-256", "P-384", "P-521"} {
		t.Run(curve, func(t *testing.T) {
			t.Parallel()
			p := newPeers(t)
			p.keyPair("key", curve)
			private, public, model, sig := p.path("key.pem"), p.path("key.pub"), p.path("model"), p.path("model.sig")

			p.ours("sign", "--private-key", private, "--signature", sig, model)
			p.theirs("verify", "key", "--public_key", public, "--signature", sig, model)
			p.theirs("sign", "key", "--private_key", private, "--signature", sig, model)
			p.ours("verify", "--public-key", public, "--signature", sig, model)

			if err := flipByte(p.path("model/weights.bin")); err != nil {
				t.Fatal(err)
			}
			p.neither("model", "model.sig")
		})
	}
}

// TestInteropEncryptedKey has the reference signer open an encrypted key that git-model-sign made, and git-model-sign one that
// another program encrypted. The reference signer's command line can open none (it takes its password for text where bytes
// are wanted), its Python API can.
func TestInteropEncryptedKey(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	p.Env = append(p.Env, "MODELSIGN_PASSPHRASE=correct horse")
	p.ours("keygen", p.path("made.key"))
	sig, model := p.path("model.sig"), p.path("model")
	p.api(job{"do": "sign", "key": p.path("made.key"), "password": "correct horse", "model": model, "signature": sig})
	p.ours("verify", "--public-key", p.path("made.pub"), "--signature", sig, model)

	p.exits(0, p.python(), "-c", `
import sys
from cryptography.hazmat.primitives import serialization as s
key = s.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
open(sys.argv[2], "wb").write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"correct horse")))
`, p.path("key.pem"), p.path("encrypted.pem"))
	p.ours("sign", "--private-key", p.path("encrypted.pem"), "--signature", sig, model)
	p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, model)
}

func TestInteropCertificate(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	if err := writePKI(p.path("ca")); err != nil {
		t.Fatal(err)
	}
	model, sig, root := p.path("model"), p.path("model.sig"), p.path("ca/root.pem")
	p.ours("sign", "--private-key", p.path("ca/leaf-key.pem"), "--signing-certificate", p.path("ca/leaf.pem"),
		"--certificate-chain", p.path("ca/intermediate.pem"), "--signature", sig, model)
	p.theirs("verify", "certificate", "--certificate_chain", root, "--signature", sig, model)
	p.exits(1, p.theirProgram(), "verify", "certificate", "--certificate_chain", p.path("ca/other-root.pem"), "--signature", sig, model)

	p.theirs("sign", "certificate", "--private_key", p.path("ca/leaf-key.pem"), "--signing_certificate", p.path("ca/leaf.pem"),
		"--certificate_chain", p.path("ca/intermediate.pem"), "--signature", sig, model)
	p.ours("verify", "--certificate-chain", root, "--signature", sig, model)
	p.exits(1, "git-model-sign", "verify", "--certificate-chain", p.path("ca/other-root.pem"), "--signature", sig, model)
}

// TestInteropSerializations signs the ways that the format knows, and has the other signer verify.
func TestInteropSerializations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		ours   []string // options of git-model-sign sign
		theirs job
		// The reference signer cannot verify some signatures, its own among them.
		unverifiable string
	}{
		{name: "files sha256"},
		{name: "files blake3", ours: []string{"--hash", "blake3"}, theirs: job{"hash": "blake3"}},
		{name: "files blake2b", ours: []string{"--hash", "blake2b"}, theirs: job{"hash": "blake2"},
			unverifiable: "it writes the hash blake2b and knows only blake2 when it verifies"},
		{name: "shards sha256", ours: []string{"--shards=30000"}, theirs: job{"method": "shards", "shard_size": 30000}},
		{name: "one shard a file", ours: []string{"--shards"}, theirs: job{"method": "shards", "shard_size": 1_000_000_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeers(t)
			model, sig := p.path("model"), p.path("model.sig")
			p.ours(append(append([]string{"sign", "--private-key", p.path("key.pem"), "--signature", sig}, tt.ours...), model)...)
			p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
			if tt.unverifiable == "" {
				p.api(job{"do": "verify", "key": p.path("key.pub"), "model": model, "signature": sig})
			}

			j := job{"do": "sign", "key": p.path("key.pem"), "model": model, "signature": sig}
			for name, value := range tt.theirs {
				j[name] = value
			}
			p.api(j)
			p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
			if err := flipByte(p.path("model/weights.bin")); err != nil {
				t.Fatal(err)
			}
			p.exits(1, "git-model-sign", "verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
		})
	}
}

func TestInteropIgnoredPaths(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	model, sig := p.path("model"), p.path("model.sig")
	ignored := p.path("model/cache")
	check := func(t *testing.T) {
		t.Helper()
		p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
		p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, model)
	}
	p.ours("sign", "--private-key", p.path("key.pem"), "--signature", sig, "--ignore-paths", ignored, model)
	p.write("model/cache/more.tmp", "more junk")
	check(t)
	p.api(job{"do": "sign", "key": p.path("key.pem"), "model": model, "signature": sig, "ignore": []string{"cache"}})
	p.write("model/cache/still more.tmp", "more junk")
	check(t)

	// What the verifier ignores by itself, it ignores in either's signatures.
	p.write("model/local/notes", "mine")
	p.neither("model", "model.sig")
	p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, "--ignore-paths", p.path("model/local"), model)
}

func TestInteropUnsignedFiles(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	model, sig := p.path("model"), p.path("model.sig")
	p.ours("sign", "--private-key", p.path("key.pem"), "--signature", sig, model)
	p.write("model/later.txt", "unsigned")
	p.neither("model", "model.sig")
	p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, "--ignore_unsigned_files", model)
	p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, "--ignore_unsigned_files", model)
}

func TestInteropSingleFile(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	model, sig := p.path("model/weights.bin"), p.path("weights.sig")
	p.ours("sign", "--private-key", p.path("key.pem"), "--signature", sig, model)
	p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, model)
	p.theirs("sign", "key", "--private_key", p.path("key.pem"), "--signature", sig, model)
	p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
	if err := flipByte(model); err != nil {
		t.Fatal(err)
	}
	p.neither("model/weights.bin", "weights.sig")
}

func TestInteropDigest(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	r := p.exits(0, "git-model-sign", "digest", p.path("model"))
	// The reference's own order differs from the format's where a name sorts between a folder and what is in it: signatures
	// carry the order, a bare digest does not. One file has one order.
	if !strings.HasPrefix(r.stdout, "sha256:") {
		t.Errorf("digest prints %q", r.stdout)
	}
	one := p.exits(0, "git-model-sign", "digest", p.path("model/weights.bin"))
	theirs := p.exits(0, p.python(), "-c", "import model_signing, sys; "+
		"print('sha256:' + model_signing._signing.signing.Payload(model_signing.hashing.hash(sys.argv[1])).statement.pb.subject[0].digest['sha256'])",
		p.path("model/weights.bin"))
	if one.stdout != theirs.stdout {
		t.Errorf("digest of one file: ours %s, theirs %s", one.stdout, theirs.stdout)
	}
}

// TestInteropOddNames has 1,000 odd names signed by each and verified by the other. The reference signer cannot read back a
// shard's name with a colon in it, so the names go with files.
func TestInteropOddNames(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	writeOddNames(t, p.session, "odd", 1000)
	model, sig := p.path("odd"), p.path("odd.sig")
	p.ours("sign", "--private-key", p.path("key.pem"), "--signature", sig, model)
	p.theirs("verify", "key", "--public_key", p.path("key.pub"), "--signature", sig, model)
	p.theirs("sign", "key", "--private_key", p.path("key.pem"), "--signature", sig, model)
	p.ours("verify", "--public-key", p.path("key.pub"), "--signature", sig, model)
}
