package hub

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func tlsServer(t *testing.T, protocol *string) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*protocol = r.Proto
		_, _ = io.WriteString(w, `{"sha":"`+strings.Repeat("5a", 20)+`"}`)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestTransportSpeaksHTTP2(t *testing.T) {
	protocol := ""
	s := tlsServer(t, &protocol)
	transport := newTransport().(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	defer transport.CloseIdleConnections()
	c := NewClient(Environment{Endpoint: s.URL}, ClientOptions{Transport: transport})
	if _, err := c.Resolve(t.Context(), Repo{Model, "org/name"}, ""); err != nil || protocol != "HTTP/2.0" {
		t.Errorf("protocol %q, %v", protocol, err)
	}
}

// A certificate that nobody vouches for stays so: that is not tried again.
func TestTransportChecksCertificates(t *testing.T) {
	protocol := ""
	s := tlsServer(t, &protocol)
	c := NewClient(Environment{Endpoint: s.URL}, ClientOptions{Waiting: func(_ time.Duration, err error) { t.Errorf("waiting because of %v", err) }})
	if _, err := c.Resolve(t.Context(), Repo{Model, "org/name"}, ""); err == nil || !strings.Contains(err.Error(), "certificate") || protocol != "" {
		t.Errorf("protocol %q, %v", protocol, err)
	}
}
