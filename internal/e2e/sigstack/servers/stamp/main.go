// Stamp makes the timestamp that the timestamp authority will make some time from now, with its key: the authority's clock cannot
// be put forward, and to wait until a certificate has ended takes ten minutes. It reads a signature and writes a response (RFC 3161).
//
//	stamp -key KEY -certificate CHAIN -in 11m <signature >response
package main

import (
	"crypto"
	"crypto/ecdsa"
	_ "crypto/sha256" // the hash of the signature
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"time"

	"github.com/digitorus/timestamp"
)

func main() {
	key := flag.String("key", "", "the authority's private key: PKCS #8")
	certificate := flag.String("certificate", "", "its certificate, the first of the file")
	in := flag.Duration("in", 0, "how long from now")
	flag.Parse()
	if err := run(*key, *certificate, time.Now().Add(*in).UTC()); err != nil {
		log.Fatal(err)
	}
}

func run(keyFile, certificateFile string, at time.Time) error {
	signature, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	keyDER, err := readPEM(keyFile)
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return err
	}
	der, err := readPEM(certificateFile)
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	h := crypto.SHA256.New()
	h.Write(signature)
	t := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: h.Sum(nil), Time: at, Accuracy: time.Second,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true,
	}
	response, err := t.CreateResponseWithOpts(certificate, key.(*ecdsa.PrivateKey), crypto.SHA256)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(response)
	return err
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New(file + " is not PEM")
	}
	return block.Bytes, nil
}
