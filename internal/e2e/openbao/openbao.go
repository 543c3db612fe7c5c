// Package openbao runs a key service for tests: OpenBao's development server, whose transit engine speaks as HashiCorp
// Vault's does, of which it is the free fork.
package openbao

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Token is the token that may do everything.
const Token = "root"

// patience is how long the server may take to start.
const patience = time.Minute

// Server is a running server.
type Server struct {
	URL     string
	program string
	dir     string
	process *exec.Cmd
	out     bytes.Buffer
}

// Start starts a server on a free port of the loopback interface, and enables its transit engine. The folder bin has the
// program, dir is what the server has for its home.
func Start(ctx context.Context, bin, dir string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + address, program: filepath.Join(bin, "bao"), dir: dir}
	s.process = exec.Command(s.program, "server", "-dev", "-dev-root-token-id="+Token, "-dev-listen-address="+address)
	s.process.Env, s.process.Stdout, s.process.Stderr = s.env(), &s.out, &s.out
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if err = s.Run(ctx, "secrets", "enable", "transit"); err == nil {
			return s, nil
		}
		if time.Now().After(end) {
			s.Close()
			return nil, fmt.Errorf("OpenBao does not start: %w: %s", err, s.out.Bytes())
		}
	}
}

// Run runs the program bao against the server.
func (s *Server) Run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env = s.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bao: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (s *Server) env() []string {
	return append(os.Environ(), "HOME="+s.dir, "BAO_ADDR="+s.URL, "BAO_TOKEN="+Token)
}

// Close ends the server.
func (s *Server) Close() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	s.process.Wait()
	return nil
}
