package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"os"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// trust is what a client is told of an instance.
type trust struct {
	fulcio string
	log    logService
	ct     bool // whether certificates have to be in the CT log
}

// logService is a Rekor.
type logService struct {
	url     string
	version uint32
	key     crypto.PublicKey
}

// writeTrust writes the client trust configurations of the instance, and for each its two parts:
//
//	trust.json    trusted_root.json, signing_config.json
//	other.json    of an instance with the same authorities, but another log
//	nosct.json    of one with the same keys, whose Fulcio uses no CT log
//	v1.json       of one with Rekor v1, in the long form
func (k *keys) writeTrust(long bool) error {
	log := logService{rekorURL, 2, k.log}
	all := map[string]trust{
		"":       {fulcioURL, log, true},
		"other.": {fulcioURL, logService{otherRekorURL, 2, k.otherLog}, true},
		"nosct.": {plainFulcioURL, log, false},
	}
	if long {
		all["v1."] = trust{fulcioURL, logService{rekor1URL, 1, k.log1}, true}
	}
	for name, t := range all {
		if err := k.writeOne(name, t); err != nil {
			return err
		}
	}
	return nil
}

func (k *keys) writeOne(name string, t trust) error {
	trustedRoot, err := k.trustedRoot(t)
	if err != nil {
		return err
	}
	signingConfig, err := k.signingConfig(t)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"mediaType":   "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
		"trustedRoot": json.RawMessage(trustedRoot), "signingConfig": json.RawMessage(signingConfig),
	})
	if err != nil {
		return err
	}
	whole := name + "json"
	if name == "" {
		whole = "trust.json"
	}
	for file, b := range map[string][]byte{name + "trusted_root.json": trustedRoot, name + "signing_config.json": signingConfig, whole: config} {
		if err := os.WriteFile(k.path(file), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (k *keys) trustedRoot(t trust) ([]byte, error) {
	logs, err := k.transparencyLog(t.log.url, t.log.key)
	if err != nil {
		return nil, err
	}
	ctLogs := make(map[string]*root.TransparencyLog)
	if t.ct {
		if ctLogs, err = k.transparencyLog(ctURL, k.certificates); err != nil {
			return nil, err
		}
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: k.authority, ValidityPeriodStart: k.validFrom, URI: t.fulcio}}, ctLogs,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Leaf: k.timestamps[0], Root: k.timestamps[1], ValidityPeriodStart: k.validFrom, URI: timestampURL,
		}}, logs)
	if err != nil {
		return nil, err
	}
	return r.MarshalJSON()
}

// transparencyLog describes one log, by its id: the hash of its key, with its name where checkpoints are signed notes with an
// Ed25519 key (C2SP signed-note).
func (k *keys) transparencyLog(url string, key crypto.PublicKey) (map[string]*root.TransparencyLog, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(der)
	if raw, ok := rawEd25519(key); ok {
		id = sha256.Sum256(append([]byte(host+"\n\x01"), raw...))
	}
	return map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
		BaseURL: url, ID: id[:], ValidityPeriodStart: k.validFrom, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: key,
	}}, nil
}

func (k *keys) signingConfig(t trust) ([]byte, error) {
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: k.validFrom, Operator: "example.com"}}
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	c, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(t.fulcio, 1), service(issuerURL, 1),
		service(t.log.url, t.log.version), one, service(timestampURL, 1), one)
	if err != nil {
		return nil, err
	}
	return c.MarshalJSON()
}
