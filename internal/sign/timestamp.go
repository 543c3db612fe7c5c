package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/git-model-sign/git-model-sign/internal/plain"
	"github.com/git-model-sign/git-model-sign/internal/verify"
)

// timestampName is what errors call a timestamp authority.
const timestampName = "timestamp authority"

// CheckTimestampURL reports why a URL can not be that of a timestamp authority.
func CheckTimestampURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it can not be read")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("expected https://HOST/PATH or http://HOST/PATH, found %s", plain.Quote(u.Redacted()))
	}
	return nil
}

// stamps gets a timestamp of a signature from each of the key's authorities. If a leaf is given, it has to be valid at
// those times.
func (k *Key) stamps(ctx context.Context, signature []byte, leaf *x509.Certificate) ([][]byte, error) {
	var out [][]byte
	for _, u := range k.TimestampURLs {
		clock, transport := overTheWire(ctx, "")
		der, at, err := askTimestamp(ctx, transport, u, signature)
		if err == nil && leaf != nil {
			if invalid := verify.CheckValidity(leaf, at); invalid != nil {
				err = fmt.Errorf("it says that it is %s: %w", at.UTC().Format(time.RFC3339), invalid)
			}
		}
		if err != nil {
			return nil, endpoint[any]{name: timestampName, url: u, clock: clock}.failed(err, "")
		}
		out = append(out, der)
	}
	return out, nil
}

// askTimestamp asks an authority for a timestamp (RFC 3161, section 3.4) with all that is needed to verify it by the
// authority's root alone, and checks that it is one of the signature. Whom to believe about the time is for verifiers to say.
func askTimestamp(ctx context.Context, transport http.RoundTripper, url string, signature []byte) (der []byte, at time.Time, err error) {
	digest := sha256.Sum256(signature)
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, at, err
	}
	query, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return nil, at, err
	}
	der, err = post(ctx, transport, url, query)
	if err != nil {
		return nil, at, err
	}
	answer, err := timestamp.ParseResponse(der)
	if err == nil && (answer.Nonce == nil || answer.Nonce.Cmp(nonce) != 0) {
		err = errors.New("it answers another request: the nonce is not the one that was sent")
	}
	if err == nil {
		at, err = verify.CheckTimestamp(der, signature)
	}
	if err != nil {
		return nil, at, fmt.Errorf("it answered with a timestamp that nobody would believe: %w", err)
	}
	return der, at, nil
}

func post(ctx context.Context, transport http.RoundTripper, to string, query []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/timestamp-query")
	client := &http.Client{Transport: stampSized{transport}, Timeout: serviceTimeout}
	a, err := client.Do(request)
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // it repeats the URL
	}
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	return io.ReadAll(a.Body) // bounded by the transport
}
