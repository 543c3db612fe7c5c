package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Client asks the Hub, or a mirror of it. It may be used by several goroutines.
type Client struct {
	env       Environment
	base      *url.URL // the endpoint; nil where err says why
	err       error
	userAgent string
	transport http.RoundTripper
	waiting   func(time.Duration, error)
}

// ClientOptions has a useful zero value.
type ClientOptions struct {
	// UserAgent is what the client calls itself.
	UserAgent string
	// Transport makes single requests; nil is one with the proxies of the
	// environment and Go's defaults for TLS. It must not follow redirects.
	Transport http.RoundTripper
	// Waiting, where it is set, is told before the client waits to try again for
	// how long and because of what. Several goroutines may call it at once.
	Waiting func(d time.Duration, because error)
}

// NewClient makes a client. What is wrong with the endpoint is said by its calls.
func NewClient(e Environment, o ClientOptions) *Client {
	if e.Endpoint == "" {
		e.Endpoint = DefaultEndpoint
	}
	c := &Client{env: e, userAgent: o.UserAgent, transport: o.Transport, waiting: o.Waiting}
	if c.base, c.err = parseEndpoint(e.Endpoint); c.err == nil {
		c.err = e.tokenErr
	}
	if c.transport == nil {
		c.transport = newTransport()
	}
	return c
}

// sendsToken says whether requests to the endpoint bear the token: not over http,
// where everybody on the way can read it, but to this machine.
func (c *Client) sendsToken() bool {
	return c.env.Token.IsSet() && (c.base.Scheme == "https" || isLoopback(c.base))
}

// Revision is a commit of a repository, found under a name.
type Revision struct {
	// Repo is the repository as it was asked for.
	Repo Repo
	// Name is the branch, tag or commit as it was asked for.
	Name string
	// Commit is the commit in 40 hex digits.
	Commit string
	// MovedTo is the id under which the Hub keeps the repository now, "" where that
	// is the one asked for.
	MovedTo string
}

// repo is the repository to ask for files.
func (r Revision) repo() Repo {
	if r.MovedTo != "" {
		return Repo{r.Repo.Type, r.MovedTo}
	}
	return r.Repo
}

func (r Revision) check() error {
	if err := r.repo().check(); err != nil {
		return err
	}
	if !IsCommit(r.Commit) {
		return fmt.Errorf("%s is no commit, expected 40 hex digits", plain.Quote(r.Commit))
	}
	return nil
}

// maxAnswer is the largest answer to a question about a repository, in bytes.
// The Hub names all files of it there.
const maxAnswer = 64 << 20

// Resolve finds the commit that a branch, a tag or a commit is; "" is main. A
// commit is asked for as well: the Hub may not have it.
func (c *Client) Resolve(ctx context.Context, repo Repo, revision string) (Revision, error) {
	if revision == "" {
		revision = "main"
	}
	doing := fmt.Sprintf("finding revision %s of %s", plain.Name(revision), repo)
	if err := repo.check(); err != nil {
		return Revision{}, err
	}
	if !IsRevision(revision) {
		return Revision{}, fmt.Errorf("%s: no name of a branch, a tag or a commit", doing)
	}
	r := Revision{Repo: repo, Name: revision}
	a, err := c.ask(ctx, apiPath(repo)+"/revision/"+url.PathEscape(revision), newPatience(c))
	if err == nil {
		err = r.read(a, c.base)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("%s: %w", doing, err)
	}
	return r, nil
}

// read takes the commit, and the name that the repository has now, from an answer.
func (r *Revision) read(a *answer, base *url.URL) error {
	var body struct {
		ID  string `json:"id"`
		SHA string `json:"sha"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return a.wrong("no valid JSON: %w", jsonError(err))
	}
	switch {
	case !IsCommit(body.SHA):
		return a.wrong("the commit is %s, expected 40 hex digits", plain.Quote(body.SHA))
	case IsCommit(r.Name) && body.SHA != r.Name:
		return a.wrong("the commit is %s, expected %s", body.SHA, r.Name)
	}
	id := movedTo(a.url, base, r.Repo.Type, "/revision/"+url.PathEscape(r.Name))
	if id == "" {
		return fmt.Errorf("%w: from %s to %s, which is not where a renamed repository would be", ErrRedirect, r.Repo, address(a.url))
	}
	if id == r.Repo.ID && IsRepoID(body.ID) {
		id = body.ID // a mirror may have followed the redirect itself
	}
	if id != r.Repo.ID {
		r.MovedTo = id
	}
	r.Commit = body.SHA
	return nil
}

// movedTo is the id in the address where the API answered after its redirects;
// "" where it is not the same question about a repository of that kind.
func movedTo(u, base *url.URL, t RepoType, question string) string {
	path, ok := strings.CutPrefix(u.EscapedPath(), base.EscapedPath()+apiPath(Repo{t, ""}))
	id, isSame := strings.CutSuffix(path, question)
	if !ok || !isSame || !IsRepoID(id) {
		return ""
	}
	return id
}

// apiPath is where the API speaks of a repository, below the endpoint.
func apiPath(r Repo) string {
	return "/api/" + r.Type.plural() + "/" + r.ID
}
