package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Where everything is. The namespace is ours alone, so all ports are free.
const (
	host           = "127.0.0.1" // and the name of the logs, by which checkpoints call them
	issuerURL      = "http://127.0.0.1:8888"
	proxyURL       = "http://127.0.0.1:8887"
	controlURL     = "http://127.0.0.1:8889"
	fulcioURL      = "http://127.0.0.1:5555"
	plainFulcioURL = "http://127.0.0.1:5565"
	timestampURL   = "http://127.0.0.1:3004/api/v1/timestamp"
	ctURL          = "http://127.0.0.1:6962/test"
	rekorURL       = "http://127.0.0.1:3000"
	otherRekorURL  = "http://127.0.0.1:3010"
	rekor1URL      = "http://127.0.0.1:3100"
	trillian       = "127.0.0.1:8090"
)

// patience is how long a server may take until it answers: it may share the machine with much else.
const patience = time.Minute

// stack is a running instance.
type stack struct {
	dir, programs string
	http          []*http.Server

	mu      sync.Mutex
	servers map[string]*server
	order   []string
}

// server is one program of the instance.
type server struct {
	program string
	args    []string
	env     []string // besides ours
	ready   string   // a URL that answers 200 once it serves; without one a line of its output says so
	front   *front   // nil where clients talk to the program itself
	cmd     *exec.Cmd
	exited  chan struct{}
}

// start makes keys and trust, and starts all servers. What they print is in the folder's files NAME.log.
func start(ctx context.Context, dir, programs string, long bool) (*stack, error) {
	s := &stack{dir: dir, programs: programs, servers: make(map[string]*server)}
	k, err := makeKeys(dir)
	if err != nil {
		return nil, err
	}
	if err := k.writeTrust(long); err != nil {
		return nil, err
	}
	if err := s.serveIssuers(k); err != nil {
		return nil, err
	}
	ctLog, err := s.launch(ctx, "trillian", &server{program: "trillian", args: []string{"-address", trillian}})
	if err == nil {
		err = s.configure(k, ctLog)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	for _, name := range []string{"ct", "tsa", "rekor", "other", "fulcio", "plain", "rekor1"} {
		next := s.server(name)
		if name == "rekor1" && !long {
			continue
		}
		if _, err := s.launch(ctx, name, next); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, s.serveControl(ctx)
}

// server says how a server is started.
func (s *stack) server(name string) *server {
	in := func(file string) string { return filepath.Join(s.dir, file) }
	fulcio := func(port string, ct ...string) *server {
		return &server{program: "fulcio", ready: "http://" + host + ":" + port + "5/healthz", args: append([]string{"serve",
			"--host", host, "--port", port + "5", "--grpc-host", host, "--grpc-port", port + "4", "--metrics-port", port + "6",
			"--legacy-unix-domain-socket", "@fulcio-" + port, "--config-path", in("fulcio.yaml"),
			"--ca", "fileca", "--fileca-cert", in("fulcio.pem"), "--fileca-key", in("fulcio.key"), "--fileca-key-passwd", "unused", "--fileca-watch=false",
		}, ct...), env: []string{"HTTPS_PROXY=" + proxyURL, "SSL_CERT_FILE=" + in(webAuthority)}}
	}
	rekor := func(port, key, storage string) *server {
		return &server{program: "posix", ready: "http://" + host + ":" + port + "3/healthz", args: []string{"serve",
			"--http-address", host, "--http-port", port + "3", "--grpc-address", host, "--grpc-port", port + "1", "--http-metrics-port", port + "2",
			"--hostname", host, "--storage-dir", in(storage), "--signer-filepath", in(key), "--checkpoint-interval", "200ms", "--batch-max-age", "50ms",
		}, front: &front{address: host + ":" + port + "0", server: host + ":" + port + "3", storage: in(storage)}}
	}
	switch name {
	case "ct":
		return &server{program: "ct_server", ready: "http://" + host + ":6962/healthz", args: []string{
			"--log_config", in("ct.config"), "--log_rpc_server", trillian, "--http_endpoint", host + ":6962", "--logtostderr"}}
	case "tsa":
		return &server{program: "timestamp-server", ready: "http://" + host + ":3004/ping", args: []string{"serve",
			"--host", host, "--port", "3004", "--timestamp-signer", "file", "--file-signer-key-path", in("tsa.key"),
			"--certificate-chain-path", in("tsa.pem"), "--disable-ntp-monitoring"}}
	case "rekor":
		return rekor("300", "rekor.key", "rekor")
	case "other":
		return rekor("301", "other.key", "other")
	case "fulcio":
		return fulcio("555", "--ct-log-url", ctURL, "--ct-log-public-key-path", in("ct.pub"))
	case "plain":
		return fulcio("556", "--ct-log-url=")
	}
	return &server{program: "rekor-server", ready: rekor1URL + "/ping", args: []string{"serve",
		"--rekor_server.address", host, "--port", "3100", "--rekor_server.hostname", host, "--rekor_server.signer", in("rekor1.key"),
		"--trillian_log_server.address", host, "--trillian_log_server.port", "8090", "--enable_retrieve_api=false",
		"--max_request_body_size", "4194304"}}
}

// configure writes the configuration files: of the CT log, whose number at Trillian is given, and of Fulcio.
func (s *stack) configure(k *keys, ctLog string) error {
	var der strings.Builder
	for _, b := range k.certificatesDER {
		fmt.Fprintf(&der, `\x%02x`, b)
	}
	ct := fmt.Sprintf(`config {
	log_id: %s
	prefix: "test"
	roots_pem_file: %q
	private_key: { [type.googleapis.com/keyspb.PrivateKey] { der: "%s" } }
	ext_key_usages: "CodeSigning"
}
`, ctLog, k.path("fulcio.pem"), der.String())
	fulcio, err := s.believed()
	return errors.Join(err, os.WriteFile(k.path("ct.config"), []byte(ct), 0o600), os.WriteFile(k.path("fulcio.yaml"), fulcio, 0o600))
}

// serveControl lets tests end a server as a failing machine does, and start it again.
func (s *stack) serveControl(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /kill/{name}", func(w http.ResponseWriter, r *http.Request) {
		if !s.kill(r.PathValue("name")) {
			http.NotFound(w, r)
		}
	})
	mux.HandleFunc("POST /start/{name}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.launch(ctx, r.PathValue("name"), s.server(r.PathValue("name"))); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return s.serve(controlURL, mux)
}

func (s *stack) serve(url string, handler http.Handler) error {
	l, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	s.http = append(s.http, server)
	go func() { _ = server.Serve(l) }() // until it is closed
	return nil
}

// launch starts a server and waits until it serves. It returns the number that Trillian's log has.
func (s *stack) launch(ctx context.Context, name string, v *server) (number string, err error) {
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	v.cmd = exec.Command(filepath.Join(s.programs, v.program), v.args...)
	v.cmd.Stdout, v.cmd.Stderr = log, log
	v.cmd.Dir = s.dir
	v.cmd.Env = append(os.Environ(), v.env...)
	endWithUs(v.cmd)
	if err := v.cmd.Start(); err != nil {
		return "", fmt.Errorf("starting %s: %w", name, err)
	}
	v.exited = make(chan struct{})
	go func() { _ = v.cmd.Wait(); close(v.exited) }()
	s.mu.Lock()
	s.servers[name] = v
	s.order = append(s.order, name)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		if number, ok := v.serves(ctx, log.Name()); ok {
			return number, v.front.open()
		}
		select {
		case <-v.exited:
			cancel()
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	said, _ := os.ReadFile(log.Name())
	return "", fmt.Errorf("%s does not serve; it said:\n%s", name, said[max(0, len(said)-2000):])
}

// serves says whether the server has begun to serve.
func (v *server) serves(ctx context.Context, log string) (number string, ok bool) {
	if v.ready == "" {
		f, err := os.Open(log)
		if err != nil {
			return "", false
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if number, found := strings.CutPrefix(lines.Text(), "serving log "); found {
				return number, true
			}
		}
		return "", false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.ready, nil)
	if err != nil {
		return "", false
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", false
	}
	a.Body.Close()
	return "", a.StatusCode == http.StatusOK
}

// kill ends a server at once, and says whether there was one.
func (s *stack) kill(name string) bool {
	s.mu.Lock()
	v := s.servers[name]
	delete(s.servers, name)
	s.mu.Unlock()
	if v == nil {
		return false
	}
	v.front.close()
	_ = v.cmd.Process.Kill() // it may have ended by itself
	<-v.exited
	return true
}

// stop ends everything.
func (s *stack) stop() {
	for _, name := range s.order {
		s.kill(name)
	}
	for _, server := range s.http {
		server.Close()
	}
}
