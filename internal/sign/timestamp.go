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

// stamp is a timestamp, the certificate that it was signed with, and the time that it tells.
type stamp struct {
	der []byte
	by  *x509.Certificate
	at  time.Time
}

// stamps gets a timestamp of a signature from each of the key's authorities. If a leaf is given, it has to be valid at
// those times.
func (k *Key) stamps(ctx context.Context, signature []byte, leaf *x509.Certificate) ([]stamp, error) {
	var out []stamp
	for _, u := range k.TimestampURLs {
		clock, transport := overTheWire(ctx, "")
		s, err := askTimestamp(ctx, transport, u, signature)
		if err == nil && leaf != nil {
			if invalid := verify.CheckValidity(leaf, s.at); invalid != nil {
				err = fmt.Errorf("it says that it is %s: %w", s.at.UTC().Format(time.RFC3339), invalid)
			}
		}
		if err != nil {
			return nil, endpoint[any]{name: timestampName, url: u, clock: clock}.failed(err, "")
		}
		out = append(out, s)
	}
	return out, nil
}

// encoded are timestamps as they are put into a bundle.
func encoded(stamps []stamp) (out [][]byte) {
	for _, s := range stamps {
		out = append(out, s.der)
	}
	return out
}

// askTimestamp asks an authority for a timestamp (RFC 3161, section 3.4) with all that is needed to verify it by the
// authority's root alone, and checks that it is one of the signature. Whom to believe about the time is for verifiers to say.
func askTimestamp(ctx context.Context, transport http.RoundTripper, url string, signature []byte) (s stamp, err error) {
	digest := sha256.Sum256(signature)
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return s, err
	}
	query, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return s, err
	}
	s.der, err = post(ctx, transport, url, query)
	if err != nil {
		return s, err
	}
	answer, err := timestamp.ParseResponse(s.der)
	if err == nil && (answer.Nonce == nil || answer.Nonce.Cmp(nonce) != 0) {
		err = errors.New("it answers another request: the nonce is not the one that was sent")
	}
	if err == nil {
		s.by, s.at, err = verify.CheckTimestamp(s.der, signature)
	}
	if err != nil {
		return s, fmt.Errorf("it answered with a timestamp that nobody would believe: %w", err)
	}
	return s, nil
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
