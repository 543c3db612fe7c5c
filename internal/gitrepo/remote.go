package gitrepo

import (
	"context"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Remote is where a repository came from.
type Remote struct {
	Name string // "" if the configuration names a URL and no remote
	// Match is the URL that configuration is matched with, without secrets:
	// ssh://git@host/path for git@host:path, file:///path for a path. It is ""
	// if the address has no such form.
	Match string
	// Display is the address as configured, without secrets.
	Display string
}

// Remote returns the upstream remote of the current branch, else origin, else
// the only remote there is, else a zero Remote. The address is the one in the
// configuration, which git cloned from; url.<base>.insteadOf is not applied.
func (r *Repository) Remote(ctx context.Context) (Remote, error) {
	urls, upstreams, err := r.remotes(ctx)
	if err != nil {
		return Remote{}, err
	}
	branch, err := r.branch(ctx)
	if err != nil {
		return Remote{}, err
	}
	if name := upstreams[branch]; name != "" && name != "." {
		address, known := urls[name]
		if known {
			return newRemote(name, address, r.base()), nil
		}
		// branch.<name>.remote may be an address itself.
		return newRemote("", name, r.base()), nil
	}
	if address, ok := urls["origin"]; ok {
		return newRemote("origin", address, r.base()), nil
	}
	if len(urls) == 1 {
		for name, address := range urls {
			return newRemote(name, address, r.base()), nil
		}
	}
	return Remote{}, nil
}

// PushRemote returns where a push goes, of which git tells a hook the name of the
// remote, or the address if none is named, and the address with
// url.<base>.insteadOf applied. As in Remote the address is the one in the
// configuration, unless several are and it cannot be told which it is.
func (r *Repository) PushRemote(ctx context.Context, name, address string) (Remote, error) {
	if name == address || name == "" || strings.Contains(name, "=") {
		return newRemote("", address, r.base()), nil
	}
	for _, key := range []string{".pushurl", ".url"} {
		urls, err := configGetAll(ctx, r.git, "remote."+name+key)
		if err != nil {
			return Remote{}, err
		}
		if len(urls) == 1 {
			return newRemote(name, urls[0], r.base()), nil
		}
		if len(urls) > 1 {
			break
		}
	}
	return newRemote(name, address, r.base()), nil
}

// RemoteURL returns the Match of Remote.
func (r *Repository) RemoteURL(ctx context.Context) (string, error) {
	remote, err := r.Remote(ctx)
	return remote.Match, err
}

// base is the folder that a relative address is relative to.
func (r *Repository) base() string {
	if r.Top != "" {
		return r.Top
	}
	return r.GitDir
}

// remotes returns the first address of each remote and the remote of each branch.
func (r *Repository) remotes(ctx context.Context) (urls, upstreams map[string]string, err error) {
	vars, err := configVariables(ctx, r.git, `^(remote\..*\.url|branch\..*\.remote)$`)
	if err == nil {
		err = r.notOfWorktree(vars)
	}
	urls, upstreams = map[string]string{}, map[string]string{}
	for _, v := range vars {
		if strings.HasPrefix(v.key, "branch.") {
			upstreams[v.place] = v.value
		} else if _, seen := urls[v.place]; !seen {
			urls[v.place] = v.value
		}
	}
	return urls, upstreams, err
}

// branch returns the name of the current branch, "" for a detached HEAD.
func (r *Repository) branch(ctx context.Context) (string, error) {
	out, err := r.git.output(ctx, nil, "symbolic-ref", "-q", "HEAD")
	if exitedWith(err, 1) {
		return "", nil
	}
	return strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), "refs/heads/"), err
}

var (
	// scpLike is an address [user@]host:path, the host perhaps in brackets. It
	// has no slash before the colon.
	scpLike = regexp.MustCompile(`^(?:([^@/:]+)@)?(\[[^\]/]+\]|[^/:@\[\]]+):(.*)$`)
	// scheme opens a URL.
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	// helper opens an address for a remote helper, <transport>::<address>.
	helper = regexp.MustCompile(`^[A-Za-z0-9]+::`)
	// drive opens a path on Windows.
	drive = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
)

// newRemote reads an address in one of git's forms.
func newRemote(name, address, base string) Remote {
	r := Remote{Name: name, Display: redactText(address)}
	switch {
	case helper.MatchString(address):
	case scheme.MatchString(address):
		r.Match, r.Display = withoutSecrets(address)
	case drive.MatchString(address):
		r.Match = fileURL(address)
	case scpLike.MatchString(address):
		m := scpLike.FindStringSubmatch(address)
		u := url.URL{Scheme: "ssh", Host: m[2], Path: path.Join("/", m[3])}
		if m[1] != "" {
			u.User = url.User(m[1])
		}
		r.Match = u.String()
	default:
		if !filepath.IsAbs(address) {
			address = filepath.Join(base, address)
		}
		r.Match = fileURL(address)
	}
	return r
}

// withoutSecrets drops what may be a secret from a URL: the password, and
// except for ssh the user too, as hosting services take tokens there, as well as
// query and fragment. A URL that cannot be read is matched with nothing.
func withoutSecrets(address string) (match, display string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Scheme != "file" {
		// A password may hold anything, a slash too.
		before, rest, _ := strings.Cut(address, "://")
		return "", before + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
	}
	user := u.User.Username()
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	switch strings.ToLower(u.Scheme) {
	case "ssh", "git+ssh", "ssh+git":
		if user != "" {
			u.User = url.User(user)
		}
	}
	return u.String(), u.String()
}

func fileURL(p string) string {
	p = filepath.ToSlash(p)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return (&url.URL{Scheme: "file", Path: p}).String()
}
