package gitrepo

import (
	"context"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
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

// Origins returns the addresses by which something may be configured for the
// repository, the weightiest first. They are those of the upstream remote of the
// current branch, else of origin, or what clone.defaultRemoteName calls so, else of
// the only remote there is: as git has them once url.<base>.insteadOf is applied, and
// as they are written. Where that tells of no remote, they are those of all, by name,
// and sure is false.
func (r *Repository) Origins(ctx context.Context) (origins []Remote, sure bool, err error) {
	remotes, err := r.configured(ctx)
	if err != nil {
		return nil, false, err
	}
	add := func(name, address string) {
		for _, a := range []string{remotes.expand(address), address} {
			if remote := newRemote(name, a, r.base()); !slices.Contains(origins, remote) {
				origins = append(origins, remote)
			}
		}
	}
	if name, address := remotes.upstream(); address != "" {
		add(name, address)
		return origins, true, nil
	}
	for _, name := range slices.Sorted(maps.Keys(remotes.urls)) {
		add(name, remotes.urls[name])
	}
	return origins, false, nil
}

// configured reads the remotes.
func (r *Repository) configured(ctx context.Context) (*remotes, error) {
	vars, err := r.variables(ctx, `^(remote\..*\.url|branch\..*\.remote|url\..*\.insteadof|clone\.defaultremotename|checkout\.defaultremote)$`)
	if err == nil {
		err = r.notOfWorktree(ctx, vars)
	}
	if err != nil {
		return nil, err
	}
	c := &remotes{urls: map[string]string{}, usual: []string{"origin"}}
	if c.branch, err = r.branch(ctx); err != nil {
		return nil, err
	}
	for _, v := range vars {
		switch {
		case v.place == "" && (v.name == "defaultremotename" || v.name == "defaultremote"):
			c.usual = append(c.usual, v.value)
		case strings.HasPrefix(v.key, "branch."):
			if v.place == c.branch {
				c.follows = v.value
			}
		case strings.HasPrefix(v.key, "url."):
			c.insteadOf = append(c.insteadOf, [2]string{v.value, v.place})
		case c.urls[v.place] == "":
			c.urls[v.place] = v.value
		}
	}
	return c, nil
}

// remotes is what the configuration says of remotes.
type remotes struct {
	urls      map[string]string // the first address of each
	branch    string            // that is checked out
	follows   string            // the remote or address that the branch follows
	usual     []string          // names that stand for where a repository came from
	insteadOf [][2]string       // prefixes and what takes their place
}

// upstream is the remote that the repository came from, its address "" if that
// cannot be told.
func (c *remotes) upstream() (name, address string) {
	if c.branch != "" && c.follows != "" && c.follows != "." {
		if address, known := c.urls[c.follows]; known {
			return c.follows, address
		}
		return "", c.follows // branch.<name>.remote may be an address itself
	}
	for _, name := range c.usual {
		if address, known := c.urls[name]; known {
			return name, address
		}
	}
	if len(c.urls) == 1 {
		for name, address := range c.urls {
			return name, address
		}
	}
	return "", ""
}

// expand applies url.<base>.insteadOf to an address, of which the longest prefix
// counts, as git does.
func (c *remotes) expand(address string) string {
	longest, base := "", ""
	for _, rule := range c.insteadOf {
		if len(rule[0]) > len(longest) && strings.HasPrefix(address, rule[0]) {
			longest, base = rule[0], rule[1]
		}
	}
	return base + address[len(longest):]
}

// PushOrigins returns the addresses by which something may be configured for where
// a push goes, the weightiest first. Git tells a hook the name of the remote, or
// the address if none is named, and the address with url.<base>.insteadOf and
// pushInsteadOf applied; the second one is that in the configuration, unless several
// are and it cannot be told which it is.
func (r *Repository) PushOrigins(ctx context.Context, name, address string) ([]Remote, error) {
	if name == address || name == "" || strings.Contains(name, "=") {
		return []Remote{newRemote("", address, r.base())}, nil
	}
	origins := []Remote{newRemote(name, address, r.base())}
	for _, key := range []string{".pushurl", ".url"} {
		urls, err := configGetAll(ctx, r.git, "remote."+name+key)
		if err != nil {
			return nil, err
		}
		if len(urls) == 1 && urls[0] != address {
			origins = append(origins, newRemote(name, urls[0], r.base()))
		}
		if len(urls) > 0 {
			break
		}
	}
	return origins, nil
}

// base is the folder that a relative address is relative to.
func (r *Repository) base() string {
	if r.Top != "" {
		return r.Top
	}
	return r.GitDir
}

var (
	// scpLike is an address [user@]host:path, the host perhaps in brackets. It
	// has no slash before the colon.
	scpLike = regexp.MustCompile(`^(?:([^@/:]+)@)?(\[[^\]/]+\]|[^/:@\[\]]+):(.*)$`)
	// scpPort is [[user@]host:port]:path, the host of an IPv6 address in brackets too.
	scpPort = regexp.MustCompile(`^\[(?:([^@/:\]]+)@)?(\[[^\]/]+\]|[^/:@\[\]]+)(?::([0-9]+))?\]:(.*)$`)
	// curl opens an address for one of the helpers that take any URL behind it.
	curl = regexp.MustCompile(`^(?i:https?|ftps?)::`)
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
	if opening := curl.FindString(address); opening != "" && scheme.MatchString(address[len(opening):]) {
		address = address[len(opening):]
	}
	switch {
	case helper.MatchString(address):
	case scheme.MatchString(address):
		r.Match, r.Display = withoutSecrets(address)
	case drive.MatchString(address):
		r.Match = fileURL(address)
	case scpPort.MatchString(address):
		m := scpPort.FindStringSubmatch(address)
		r.Match = sshURL(m[1], m[2], m[3], m[4])
	case scpLike.MatchString(address):
		m := scpLike.FindStringSubmatch(address)
		r.Match = sshURL(m[1], m[2], "", m[3])
	default:
		if !filepath.IsAbs(address) {
			address = filepath.Join(base, address)
		}
		r.Match = fileURL(address)
	}
	return r
}

// sshURL is the URL of a path on a host, the user and port where they are not "".
func sshURL(user, host, port, p string) string {
	u := url.URL{Scheme: "ssh", Host: host, Path: path.Join("/", p)}
	if user != "" {
		u.User = url.User(user)
	}
	if port != "" {
		u.Host += ":" + port
	}
	return u.String()
}

// isSSH says whether a scheme is one that git has for ssh.
func isSSH(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "ssh", "git+ssh", "ssh+git":
		return true
	}
	return false
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
	if isSSH(u.Scheme) {
		u.Scheme = "ssh"
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
