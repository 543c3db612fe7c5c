package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/git-model-sign/git-model-sign/internal/e2e/issuer"
	"github.com/git-model-sign/git-model-sign/internal/e2e/platform"
)

const (
	// sigstoreURL is where people sign in at the public instance.
	sigstoreURL = "https://oauth2.sigstore.dev/auth"
	// octoURL is the issuer of an organisation of its own at GitHub.
	octoURL = issuer.GitHubURL + "/octo-org"
	// webAuthority is the file of the authority that certifies the servers behind the proxy.
	webAuthority = "web.pem"
	// account is the service account of machines of Google Cloud.
	account = "signer@project.iam.gserviceaccount.com"
)

// providers are the OpenID Connect providers: that of the instance, where people sign in at a page, and those that the public
// Fulcio believes, under their own names. A token of one is what GET PATH/mint of the instance's provider answers, and
// sigstoreURL and octoURL have a path themselves: /sigstore/auth/mint, /octo/octo-org/mint.
var providers = []struct {
	path, url string
	claims    map[string]any
}{
	{"", issuerURL, issuer.Person("alice@example.com")},
	{"/github", issuer.GitHubURL, issuer.GitHub("org/model", "refs/heads/main")},
	{"/octo", octoURL, issuer.GitHub("octo-org/model", "refs/heads/main")},
	{"/gitlab", issuer.GitLabURL, issuer.GitLab("org/model", "main")},
	{"/buildkite", issuer.BuildkiteURL, issuer.Buildkite("org", "model")},
	{"/google", issuer.GoogleURL, issuer.Google(account)},
	{"/sigstore", sigstoreURL, issuer.Person("alice@example.com")},
}

// serveIssuers serves the providers, and Google's IAM API.
func (s *stack) serveIssuers(k *keys) error {
	here, named := http.NewServeMux(), http.NewServeMux()
	for _, p := range providers {
		i, err := issuer.New(p.url, p.claims)
		if err != nil {
			return err
		}
		if p.url == sigstoreURL {
			i.Providers = []string{"https://github.com/login/oauth", "https://accounts.google.com", "https://login.microsoftonline.com"}
		}
		here.Handle(p.path+"/", http.StripPrefix(p.path, i.Handler()))
		u, err := url.Parse(p.url)
		if err != nil {
			return err
		}
		if u.Scheme == "https" {
			named.Handle(u.Host+strings.TrimSuffix(u.Path, "/")+"/", i.Handler())
		} else {
			i.Page = true
		}
		if p.url == issuer.GoogleURL {
			named.Handle(platform.IAMHost+"/", platform.IAM(i.Mint))
		}
	}
	if err := s.serve(issuerURL, here); err != nil {
		return err
	}
	return s.serveNamed(k, named)
}

// serveNamed serves hosts of the internet, by https, to who uses the proxy.
func (s *stack) serveNamed(k *keys, handler http.Handler) error {
	names := hosts()
	certificate, err := k.makeWeb(names)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", host+":0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	s.http = append(s.http, server)
	go func() { _ = server.Serve(l) }() // until it is closed
	return s.serve(proxyURL, proxy(l.Addr().String(), names))
}

// hosts are the names of the servers behind the proxy.
func hosts() []string {
	names := []string{platform.IAMHost}
	for _, p := range providers {
		if u, err := url.Parse(p.url); err == nil && u.Scheme == "https" {
			names = append(names, u.Hostname())
		}
	}
	return names
}

// proxy is an HTTP proxy that leads connections to hosts of these names to one server, and knows no others.
func proxy(to string, names []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if name, port, err := net.SplitHostPort(r.Host); r.Method != http.MethodConnect || err != nil || port != "443" || !slices.Contains(names, name) {
			http.Error(w, "this leads to "+strings.Join(names, ", ")+" by https", http.StatusBadGateway)
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer server.Close()
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer client.Close()
		fmt.Fprint(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(server, buffered) // ends as the connection does
			server.Close()
		}()
		_, _ = io.Copy(client, server)
	}
}

// makeWeb certifies a key for the names of servers, by an authority of its own.
func (k *keys) makeWeb(names []string) (tls.Certificate, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	root := k.template("Test web authority", x509.KeyUsageCertSign)
	rootCertificate, err := issue(root, root, rootKey.Public(), rootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := k.write(webAuthority, "CERTIFICATE", rootCertificate.Raw); err != nil {
		return tls.Certificate{}, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := k.template(names[0], x509.KeyUsageDigitalSignature)
	leaf.IsCA, leaf.BasicConstraintsValid, leaf.DNSNames = false, false, names
	certificate, err := issue(leaf, rootCertificate, private.Public(), rootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: private}, nil
}

// believed is Fulcio's configuration: that of the public instance, and the instance's own provider. Of the others, all but ours
// are out of reach.
func (s *stack) believed() ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(s.programs, publicIssuers))
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := yaml.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", publicIssuers, err)
	}
	known, ok := all["oidc-issuers"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s has no oidc-issuers", publicIssuers)
	}
	known[issuerURL] = map[string]string{"issuer-url": issuerURL, "client-id": "sigstore", "type": "email"}
	return yaml.Marshal(all)
}
