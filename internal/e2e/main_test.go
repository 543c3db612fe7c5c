package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/e2e/programs"
)

// built is the folder of the programs under test, set once by TestMain. Sessions run them from a folder of their own: see newHome.
var built string

// browseCommand has this binary be a browser, which goes to the address that it is given and where that leads.
const browseCommand = "browse"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == browseCommand {
		if err := browse(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 6 && os.Args[1] == chromiumCommand {
		if err := signInByChromium(os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

// browse goes where a browser would. To one, localhost is this machine whatever a name server says (RFC 6761), or where there is
// none and no file of hosts, as in a small Debian system.
func browse(address string) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, at string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(at); err == nil && host == "localhost" {
			at = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, at)
	}
	a, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, a.Status)
	}
	return nil
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "git-model-sign-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := programs.NoteSources(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if built, err = programs.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
