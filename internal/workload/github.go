package workload

import (
	"context"
	"fmt"
	"net/http"
)

// gitHub hands out tokens by a request whose address and secret it puts into the environment of jobs that may ask:
// https://docs.github.com/en/actions/reference/security/oidc
func gitHub(e Environment) (*Platform, error) {
	if e.get("GITHUB_ACTIONS") != "true" {
		return nil, nil
	}
	p := &Platform{Name: "GitHub Actions"}
	address, secret := e.get("ACTIONS_ID_TOKEN_REQUEST_URL"), e.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || secret == "" {
		return nil, &Error{Platform: p.Name, Err: fmt.Errorf("%w: this job may not ask for one", ErrNoToken),
			Hint: "give the job permissions: {id-token: write}; workflows for pull requests from forks cannot have it"}
	}
	p.token = func(ctx context.Context, audience string) (string, error) {
		u, err := confidential(address)
		if err != nil {
			return "", err
		}
		query := u.Query()
		query.Set("audience", audience)
		u.RawQuery = query.Encode()
		return e.askToken(ctx, request{secret: secret, make: func(ctx context.Context) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
			if err == nil {
				r.Header.Set("Authorization", "bearer "+secret)
			}
			return r, err
		}}, "value")
	}
	return p, nil
}
