package hub_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

// The environment's proxies are read once a process, so that this test starts another.
func TestProxy(t *testing.T) {
	if endpoint := os.Getenv("TEST_PROXY_ENDPOINT"); endpoint != "" {
		_, err := hub.NewClient(hub.Environment{Endpoint: endpoint}, hub.ClientOptions{}).Resolve(t.Context(), model("org/name"), "")
		t.Fatal(err)
	}
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		w.WriteHeader(http.StatusTeapot)
	}))
	defer proxy.Close()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	c.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy=", "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=", "TEST_PROXY_ENDPOINT=http://hub.example.com")
	out, err := c.CombinedOutput()
	if err == nil || asked != "http://hub.example.com/api/models/org/name/revision/main" || !strings.Contains(string(out), "HTTP status 418") {
		t.Errorf("the proxy was asked for %q; %v\n%s", asked, err, out)
	}
}
