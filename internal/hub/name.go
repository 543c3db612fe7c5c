package hub

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// RepoType is the kind of a repository on the Hub.
type RepoType string

// The kinds of repositories.
const (
	Model   RepoType = "model"
	Dataset RepoType = "dataset"
	Space   RepoType = "space"
)

// plural is how addresses spell a kind.
func (t RepoType) plural() string { return string(t) + "s" }

// ParseRepoType knows a kind by its name; "" is a model.
func ParseRepoType(s string) (RepoType, bool) {
	switch t := RepoType(s); t {
	case "":
		return Model, true
	case Model, Dataset, Space:
		return t, true
	}
	return "", false
}

// Repo is a repository of the Hub. ID is org/name, or name alone for the oldest ones.
type Repo struct {
	Type RepoType
	ID   string
}

// URL is the address of the repository on the Hub, by which policy and pins know
// it, whichever mirror it is read from.
func (r Repo) URL() string { return DefaultEndpoint + "/" + r.prefix() + r.ID }

func (r Repo) String() string { return r.prefix() + r.ID }

// prefix is what stands before the id in the address of a page or a file.
func (r Repo) prefix() string {
	if r.Type == Model {
		return ""
	}
	return r.Type.plural() + "/"
}

// check says whether requests can be made of the repository.
func (r Repo) check() error {
	if r.Type != Model && r.Type != Dataset && r.Type != Space {
		return fmt.Errorf("%s is no type of repository, expected model, dataset or space", plain.Quote(string(r.Type)))
	}
	if !IsRepoID(r.ID) {
		return fmt.Errorf("%s is no repository id, expected org/name", plain.Quote(r.ID))
	}
	return nil
}

// Name is what a user calls a repository, or a revision of it.
type Name struct {
	Repo
	// Revision is the branch, tag or commit, "" where none was named.
	Revision string
	// Path is the file or folder that an address leads to, "" for the repository's
	// own. Nobody has checked it: it tells what was meant, and is no path to open.
	Path string
}

var (
	// repoID is a name, or an organisation and a name, of the characters that
	// the Hub allows. Neither can leave the cache's folder.
	repoID = regexp.MustCompile(`^(` + idPart + `/)?` + idPart + `$`)
	commit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// specialRef is a revision whose slashes addresses leave as they are.
	specialRef = regexp.MustCompile(`^refs/(convert/[A-Za-z0-9_.-]+|pr/[0-9]+)(/|$)`)
)

const idPart = `[A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?`

// IsRepoID says whether s can be the id of a repository.
func IsRepoID(s string) bool {
	return repoID.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".git")
}

// IsCommit says whether s is the full name of a commit.
func IsCommit(s string) bool { return commit.MatchString(s) }

// IsPullRequest says whether a revision is that of a pull request. Anybody can open one
// on the Hub, with any files, so that what it holds is not the repository's.
func IsPullRequest(revision string) bool {
	return strings.HasPrefix(strings.TrimPrefix(revision, "refs/"), "pr/")
}

// minCommit is how much of a commit's name git takes for the commit at least.
const minCommit = 4

// NamesCommit says whether a revision at a commit is its name, whole or the beginning of it, rather than
// that of a branch or a tag. The Hub gives out commits by name that are in pull requests alone.
func NamesCommit(revision, commit string) bool {
	return len(revision) >= minCommit && strings.HasPrefix(commit, strings.ToLower(revision))
}

// maxRevision is the longest name of a branch or tag that is taken, in bytes.
const maxRevision = 250

// IsRevision says whether s can be a branch, a tag or a commit: git's rules for
// names of refs. Such a name stays below a folder that it is joined to.
func IsRevision(s string) bool {
	if s == "" || len(s) > maxRevision || strings.ContainsAny(s, " ~^:?*[\\\x7f") || strings.Contains(s, "..") || strings.Contains(s, "@{") {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == '\ufffd' {
			return false
		}
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// ParseName reads the name of a repository as users write it: org/model, an
// address of its pages on the Hub or on the given endpoint, or a URI as
// hf://datasets/org/name@revision. Of an address, the query is left out.
func ParseName(s, endpoint string) (Name, error) {
	var n Name
	var err error
	if body, ok := strings.CutPrefix(s, "hf://"); ok {
		n, err = parseURI(body)
	} else if path, ok, e := webPath(s, endpoint); e != nil {
		return Name{}, e // which may not quote s
	} else if ok {
		n, err = parsePage(path)
	} else {
		n, err = parseID(s)
	}
	if err != nil {
		return Name{}, fmt.Errorf("%s: %w", plain.Quote(s), err)
	}
	return n, nil
}

func parseID(s string) (Name, error) {
	if kind, id, ok := strings.Cut(s, "/"); ok && isType(kind) && strings.Count(id, "/") == 1 && IsRepoID(id) {
		return parseURI(s) // as verdicts and the Hub's own pages call it
	}
	if !IsRepoID(s) {
		return Name{}, errors.New("no repository id, expected org/name")
	}
	if org, _, ok := strings.Cut(s, "/"); ok && (isType(org) || org == "api") {
		return Name{}, fmt.Errorf("no repository id, expected org/name; %s/ begins one only in hf://%[1]s/org/name", org)
	}
	return Name{Repo: Repo{Type: Model, ID: s}}, nil
}

// isType says whether an address's first part is a kind and not an organisation.
func isType(s string) bool { return s == "models" || s == "datasets" || s == "spaces" }

// hosts are those whose pages are known without being the endpoint.
var hosts = []string{"huggingface.co", "hf.co"}

// webPath is the path of a page's address below the Hub's own, in escaped form;
// ok is false for what is no address.
func webPath(s, endpoint string) (path string, ok bool, err error) {
	if !strings.Contains(s, "://") {
		host, _, _ := strings.Cut(strings.ToLower(s), "/")
		for _, h := range hosts {
			if host == h {
				return webPath("https://"+s, endpoint)
			}
		}
		return "", false, nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", false, errors.New("an address that cannot be parsed, expected one as " + DefaultEndpoint + "/org/name")
	case u.User != nil:
		return "", false, fmt.Errorf("an address on %s with a user or a password in it, expected none", plain.Quote(u.Host))
	case u.Scheme != "https" && u.Scheme != "http":
		return "", false, fmt.Errorf("an address of scheme %s, expected https or hf", plain.Quote(u.Scheme))
	}
	path = u.EscapedPath()
	if e, err := parseEndpoint(endpoint); err == nil && origin(e) == origin(u) {
		if below, ok := strings.CutPrefix(path, e.EscapedPath()); ok && (below == "" || below[0] == '/') {
			return below, true, nil
		}
	}
	for _, h := range hosts {
		if origin(u) == origin(&url.URL{Scheme: u.Scheme, Host: h}) {
			return path, true, nil
		}
	}
	return "", false, fmt.Errorf("an address on %s, expected one on %s or on HF_ENDPOINT", plain.Quote(u.Host), DefaultEndpoint)
}

// parsePage reads the path of a page: [type/]org/name[/tree/revision[/path]].
func parsePage(escaped string) (Name, error) {
	parts := strings.FieldsFunc(escaped, func(r rune) bool { return r == '/' })
	kind := ""
	if len(parts) > 0 && isType(parts[0]) {
		kind, parts = parts[0]+"/", parts[1:]
	}
	if len(parts) < 2 {
		return Name{}, errors.New("not the address of a repository, expected one that ends in org/name")
	}
	id, rest := parts[0]+"/"+parts[1], parts[2:]
	if len(rest) == 0 {
		return parseURI(kind + id)
	}
	switch rest[0] {
	case "tree", "blob", "blame", "raw", "resolve":
	default:
		return Name{}, fmt.Errorf("a page below %s, expected the repository's own or one below tree/", plain.Quote(rest[0]))
	}
	if len(rest) == 1 {
		return parseURI(kind + id)
	}
	n, err := parseURI(kind + id + "@" + strings.Join(rest[1:], "/"))
	if err != nil {
		return Name{}, err
	}
	if n.Path, err = url.PathUnescape(n.Path); err != nil {
		return Name{}, errors.New("an address that cannot be unescaped")
	}
	return n, nil
}

// parseURI reads what follows hf://, as [type/]org/name[@revision][/path]. A
// slash in a revision is written %2F, but for those of refs/pr/1 and refs/convert/x.
func parseURI(body string) (Name, error) {
	n := Name{Repo: Repo{Type: Model}}
	body = strings.Trim(body, "/")
	if kind, rest, ok := strings.Cut(body, "/"); ok {
		switch {
		case isType(kind):
			n.Type, body = RepoType(strings.TrimSuffix(kind, "s")), rest
		case kind == "model" || kind == "dataset" || kind == "space":
			return Name{}, fmt.Errorf("%s/ is no kind of repository, expected %[1]ss/", kind)
		case kind == "buckets" || kind == "kernels" || kind == "api":
			return Name{}, fmt.Errorf("%s/ begins no model, dataset or space", kind)
		}
	}
	parts := strings.SplitN(body, "/", 3)
	if len(parts) < 2 {
		return Name{}, errors.New("no repository id, expected org/name")
	}
	if strings.Contains("/"+strings.Join(parts[2:], ""), "//") {
		return Name{}, errors.New("a path with an empty part")
	}
	name, revision, marked := strings.Cut(parts[1], "@")
	if n.ID = parts[0] + "/" + name; !IsRepoID(n.ID) {
		return Name{}, fmt.Errorf("%s is no repository id, expected org/name", plain.Quote(n.ID))
	}
	if !marked {
		if len(parts) == 3 {
			n.Path = parts[2]
		}
		return n, nil
	}
	if len(parts) == 3 {
		revision += "/" + parts[2]
	}
	if special := specialRef.FindString(revision); special != "" {
		n.Revision, n.Path = strings.TrimSuffix(special, "/"), revision[len(special):]
	} else {
		n.Revision, n.Path, _ = strings.Cut(revision, "/")
	}
	var err error
	if n.Revision, err = url.PathUnescape(n.Revision); err != nil || !IsRevision(n.Revision) {
		return Name{}, fmt.Errorf("%s is no name of a branch, a tag or a commit", plain.Quote(n.Revision))
	}
	return n, nil
}

// origin is the scheme, host and port of an address.
func origin(u *url.URL) string {
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "" && u.Scheme == "http":
		port = "80"
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
