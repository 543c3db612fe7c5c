package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// metadataHost is where machines of Google Cloud find out about themselves; GCE_METADATA_HOST replaces it, as for Google's own
	// clients.
	metadataHost = "metadata.google.internal"
	metadataRoot = "/computeMetadata/v1/instance/service-accounts/default/"
	// productName is the file by which Google's clients know their machines.
	productName = "/sys/class/dmi/id/product_name"
	// googleIAM is the API by which one service account makes tokens for another.
	googleIAM = "https://iamcredentials.googleapis.com"
	// impersonated is the variable that names that other account, as it is with other Sigstore clients.
	impersonated = "GOOGLE_SERVICE_ACCOUNT_NAME"
)

// google hands out tokens of a machine's service account by its metadata server, and of other accounts which that one may
// impersonate by its IAM API: https://cloud.google.com/compute/docs/instances/verifying-instance-identity,
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func google(e Environment) (*Platform, error) {
	if !e.onGoogle() {
		return nil, nil
	}
	p := &Platform{Name: "Google Cloud"}
	p.token = func(ctx context.Context, audience string) (string, error) {
		if account := e.get(impersonated); account != "" {
			return e.impersonate(ctx, account, audience)
		}
		r := e.metadata("identity", url.Values{"audience": {audience}, "format": {"full"}})
		r.check = func(body []byte) bool { return bytes.Count(body, []byte(".")) == 2 && !bytes.ContainsAny(body, "< {") }
		token, err := e.ask(ctx, r)
		return strings.TrimSpace(string(token)), noAccount(err)
	}
	return p, nil
}

// onGoogle looks where the documentation says that Google Cloud shows itself: the variable for another metadata server, those
// of Cloud Run, and the machine's name.
func (e Environment) onGoogle() bool {
	for _, name := range []string{"GCE_METADATA_HOST", "K_SERVICE", "CLOUD_RUN_JOB", impersonated} {
		if e.get(name) != "" {
			return true
		}
	}
	file := e.Machine
	if file == "" {
		file = productName
	}
	b, err := os.ReadFile(file)
	product := strings.TrimSpace(string(b))
	return err == nil && (product == "Google" || product == "Google Compute Engine")
}

// metadata asks the metadata server about the machine's service account.
func (e Environment) metadata(path string, query url.Values) request {
	host := e.get("GCE_METADATA_HOST")
	if host == "" {
		host = metadataHost
	}
	u := url.URL{Scheme: "http", Host: host, Path: metadataRoot + path, RawQuery: query.Encode()}
	return request{direct: true, make: func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err == nil {
			r.Header.Set("Metadata-Flavor", "Google")
		}
		return r, err
	}}
}

// noAccount says what a metadata server means that knows of no service account.
func noAccount(err error) error {
	if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusNotFound {
		return &Error{Err: fmt.Errorf("%w: %w", ErrNoToken, err), Hint: "give the machine a service account"}
	}
	return err
}

// impersonate has IAM make a token for another account, by an access token of this machine's.
func (e Environment) impersonate(ctx context.Context, account, audience string) (string, error) {
	access, err := e.askToken(ctx, e.metadata("token", url.Values{"scopes": {"https://www.googleapis.com/auth/cloud-platform"}}), "access_token")
	if err != nil {
		return "", noAccount(err)
	}
	root := e.IAM
	if root == "" {
		root = googleIAM
	}
	u, err := confidential(root)
	if err != nil {
		return "", err
	}
	u = u.JoinPath("v1/projects/-/serviceAccounts", url.PathEscape(account)+":generateIdToken")
	body, err := json.Marshal(map[string]any{"audience": audience, "includeEmail": true})
	if err != nil {
		return "", err
	}
	token, err := e.askToken(ctx, request{secret: access, make: func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+access)
			r.Header.Set("Content-Type", "application/json")
		}
		return r, err
	}}, "token")
	if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusForbidden {
		return "", &Error{Err: err, Hint: "the machine's service account needs the role roles/iam.serviceAccountOpenIdTokenCreator for " + plain.Name(account)}
	}
	return token, err
}
