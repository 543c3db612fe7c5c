package gitrepo

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

func TestConfig(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	outside := s.Path("outside")
	if err := os.Mkdir(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	s.Git(dir, "config", "--global", "modelsign.hash", "blake3")
	s.Git(dir, "config", "modelsign.hash", "sha256")
	s.Git(dir, "config", "--add", "modelsign.list", "1\n2")
	s.Git(dir, "config", "--add", "modelsign.list", "")
	s.Write(dir, "included", "[modelsign]\n\tfrom = included\n")
	s.Git(dir, "config", "--global", "includeIf.gitdir:"+dir+"/.path", filepath.Join(dir, "included"))
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "modelsign.env")
	t.Setenv("GIT_CONFIG_VALUE_0", "yes")
	t.Setenv("GIT_TRACE", "1") // says much on standard error
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	hasEnvironment := true
	if major, minor, err := Version(t.Context()); err != nil || major == 2 && minor < 31 {
		hasEnvironment = false
	}
	for _, c := range []struct {
		key     string
		want    string
		set     bool
		outside string
		setOut  bool
	}{
		{"modelsign.hash", "sha256", true, "blake3", true},
		{"modelsign.list", "", true, "", false},
		{"modelsign.none", "", false, "", false},
		{"modelsign.from", "included", true, "", false},
		{"modelsign.env", "yes", hasEnvironment, "yes", hasEnvironment},
	} {
		if !c.set {
			c.want = ""
		}
		got, set, err := r.ConfigGet(t.Context(), c.key)
		if err != nil || got != c.want && c.set || set != c.set {
			t.Errorf("%s = %q, %v, %v; want %q, %v", c.key, got, set, err, c.want, c.set)
		}
		section, _, err := configMatch(t, outside, "modelsign", "")
		values := section[strings.TrimPrefix(c.key, "modelsign.")]
		got, set = strings.Join(values, " and "), len(values) > 0
		if err != nil || got != c.outside && c.setOut || set != c.setOut {
			t.Errorf("outside: %s = %q, %v, %v; want %q, %v", c.key, got, set, err, c.outside, c.setOut)
		}
	}
	if got, err := configGetAll(t.Context(), r.git, "modelsign.list"); err != nil || !slices.Equal(got, []string{"1\n2", ""}) {
		t.Errorf("list = %q, %v", got, err)
	}
	if got, err := configGetAll(t.Context(), r.git, "modelsign.hash"); err != nil || !slices.Equal(got, []string{"blake3", "sha256"}) {
		t.Errorf("hash = %q, %v", got, err)
	}
	for _, key := range []string{"nodot", "", ".", "a.", ".a"} {
		if _, _, err := r.ConfigGet(t.Context(), key); err == nil {
			t.Errorf("%q is taken for a key that is not set", key)
		}
	}
	s.Write(dir, ".git/config", "[broken\n")
	if _, _, err := urlMatched(t, r, "modelsign", ""); err == nil {
		t.Error("broken configuration is taken for none")
	}
}

func TestConfigURLMatch(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Write(dir, "../home/.gitconfig", `
[ModelSign]
	identity = anybody
	hash = sha256
	publicKey = 0.pem
	flag
[modelsign "https://example.com/"]
	identity = one@example.com
	publicKey = 1.pem
	publicKey = 2.pem
[modelsign "https://example.com/team"]
	identity = two@example.com
[modelsign "https://*.example.org/"]
	identity = wild@example.org
[modelsign "https://example.com/a=b\"c"]
	identity = odd@example.com
[modelsign "ssh://git@example.com/"]
	identity = git@example.com
[modelsign "file:///srv/"]
	identity = file
[modelsignother]
	identity = no
[modelsign "not a url"]
	identity = nobody
`)
	s.Git(dir, "config", "--add", "modelsign.https://example.com/.publicKey", "3.pem")
	base := map[string][]string{"identity": {"anybody"}, "hash": {"sha256"}, "publickey": {"0.pem"}, "flag": {"true"}}
	with := func(change map[string][]string) map[string][]string {
		m := maps.Clone(base)
		maps.Copy(m, change)
		return m
	}
	keys := []string{"1.pem", "2.pem", "3.pem"}
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]map[string][]string{
		"":                              base,
		"https://other.com/":            base,
		"https://example.com/x":         with(map[string][]string{"identity": {"one@example.com"}, "publickey": keys}),
		"https://EXAMPLE.com:443/x":     with(map[string][]string{"identity": {"one@example.com"}, "publickey": keys}),
		"https://example.com/team/x":    with(map[string][]string{"identity": {"two@example.com"}, "publickey": keys}),
		"https://example.com/teamster":  with(map[string][]string{"identity": {"one@example.com"}, "publickey": keys}),
		"https://hub.example.org/x":     with(map[string][]string{"identity": {"wild@example.org"}}),
		"ssh://git@example.com/x":       with(map[string][]string{"identity": {"git@example.com"}}),
		"ssh://eve@example.com/x":       base,
		"file:///srv/models/x.git":      with(map[string][]string{"identity": {"file"}}),
		"https://me@example.com/team/x": with(map[string][]string{"identity": {"two@example.com"}, "publickey": keys}),
	} {
		got, _, err := urlMatched(t, r, "modelsign", url)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %v, %v\nwant %v", url, got, err, want)
		}
		if url == "" {
			continue
		}
		// git's own answer has the last of the values.
		for name, values := range got {
			own, err := s.TryGit(dir, "config", "--get-urlmatch", "modelsign."+name, url)
			if last := values[len(values)-1]; err != nil || strings.TrimSuffix(own, "\n") != last && last != "true" {
				t.Errorf("%s for %s: %q, git says %q, %v", name, url, values, own, err)
			}
		}
	}
	// Outside of the repository its own third key is not seen.
	got, _, err := configMatch(t, s.Dir, "modelsign", "https://example.com/x")
	if err != nil || !slices.Equal(got["publickey"], keys[:2]) {
		t.Errorf("outside: %v, %v", got, err)
	}
	if got, _, err := configMatch(t, s.Dir, "nosuch", "https://example.com/x"); err != nil || len(got) != 0 {
		t.Errorf("no such section: %v, %v", got, err)
	}
}

// A URL that names a signer of its own has nothing of the general signers, whatever their kind.
func TestConfigURLMatchTogether(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Write(dir, "../home/.gitconfig", `
[modelsign]
	publicKey = general.pem
	hash = sha256
	trustedRoot = general.json
[modelsign "https://example.com/"]
	identity = one@example.com
	hash = blake3
[modelsign "https://example.com/team"]
	identity = two@example.com
	identity = three@example.com
	certificateChain = ca.pem
[modelsign "https://example.com/team/none"]
	publicKey =
[modelsign "https://*.example.com/team"]
	publicKey = wild.pem
`)
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	signers := []string{"publickey", "identity", "certificatechain"}
	type values = map[string][]string
	for url, want := range map[string][]values{
		"":                               {{"publickey": {"general.pem"}}, {"trustedroot": {"general.json"}}, {}},
		"https://other.com/x":            {{"publickey": {"general.pem"}}, {"trustedroot": {"general.json"}}, {}},
		"https://example.com/x":          {{"identity": {"one@example.com"}}, {"trustedroot": {"general.json"}}, {}},
		"https://example.com/team/x":     {{"identity": {"two@example.com", "three@example.com"}, "certificatechain": {"ca.pem"}}, {"trustedroot": {"general.json"}}, {}},
		"https://example.com/team/none":  {{"publickey": {""}}, {"trustedroot": {"general.json"}}, {}},
		"https://hub.example.com/team/x": {{"publickey": {"wild.pem"}}, {"trustedroot": {"general.json"}}, {}},
	} {
		all, together, err := urlMatched(t, r, "modelsign", url, signers, []string{"trustedroot"}, []string{"nosuch"})
		if err != nil || !reflect.DeepEqual(together, want) {
			t.Errorf("%q:\n got %v, %v\nwant %v", url, together, err, want)
		}
		if _, leaked := all[groupName(0)]; leaked || len(all["publickey"]) == 0 {
			t.Errorf("%q: by name %v", url, all)
		}
	}
}

// What is included from a file of the worktree came with the repository, whoever has included it.
func TestWorktreeConfig(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n", ".gitconfig": "[modelsign]\n\tmode = off\n", "sub/more": "[modelsign]\n\tmode = off\n"})
	outside := s.Path("mine")
	s.Write(dir, "../mine", "[modelsign]\n\tmode = warn\n")
	if err := os.Symlink(filepath.Join(dir, "sub", "more"), s.Path("link")); err != nil {
		t.Skip(err)
	}
	linked := s.Path("linked")
	s.Git(dir, "worktree", "add", "-q", linked)
	for name, c := range map[string]struct {
		include string
		dir     string
		foreign bool
	}{
		"the user's":               {outside, dir, false},
		"in the git folder":        {filepath.Join(dir, ".git", "included"), dir, false},
		"relative":                 {"../.gitconfig", dir, true},
		"absolute":                 {filepath.Join(dir, "sub", "more"), dir, true},
		"behind a link":            {s.Path("link"), dir, true},
		"none":                     {"../nosuch", dir, false},
		"of a linked worktree":     {filepath.Join(linked, ".gitconfig"), linked, true},
		"the user's, in a linked":  {outside, linked, false},
		"of the main one's config": {filepath.Join(dir, ".git", "included"), linked, false},
	} {
		s.Write(dir, ".git/included", "[modelsign]\n\tmode = warn\n")
		s.Git(dir, "config", "--replace-all", "include.path", c.include)
		r, err := Open(t.Context(), c.dir)
		if err != nil {
			t.Fatal(err)
		}
		values, _, err := urlMatched(t, r, "modelsign", "https://example.com/x")
		if c.foreign != errors.Is(err, ErrWorktreeConfig) || !c.foreign && (err != nil || c.include != "../nosuch" && !slices.Equal(values["mode"], []string{"warn"})) {
			t.Errorf("%s: %v, %v", name, values, err)
		}
	}
	// Nor does it say where the repository came from.
	s.Write(dir, "sub/more", "[remote \"origin\"]\n\turl = https://example.com/trusted\n")
	s.Git(dir, "config", "--replace-all", "include.path", "../sub/more")
	if r, err := Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	} else if origins, _, err := r.Origins(t.Context()); !errors.Is(err, ErrWorktreeConfig) {
		t.Errorf("%v, %v", origins, err)
	}
	// A worktree in which the home folder lies is its owner's.
	s.Git(dir, "config", "--replace-all", "include.path", "../.gitconfig")
	t.Setenv("HOME", filepath.Join(dir, "sub"))
	t.Setenv("USERPROFILE", filepath.Join(dir, "sub"))
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := urlMatched(t, r, "modelsign", ""); err != nil {
		t.Error(err)
	}
}

func TestParseBool(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	for _, value := range []string{"true", "Yes", "ON", "1", "-1", "10", "false", "no", "oFF", "0", "00", "", "t", "maybe", "enforce", "1x"} {
		got, err := ParseBool(value)
		own, gitErr := s.TryGit(dir, "-c", "x.y="+value, "config", "--type=bool", "--get", "x.y")
		if (err == nil) != (gitErr == nil) || err == nil && strconv.FormatBool(got) != strings.TrimSpace(own) {
			t.Errorf("%q: %v, %v; git says %q, %v", value, got, err, own, gitErr)
		}
	}
}

func TestExpandPath(t *testing.T) {
	gittest.New(t)
	home := os.Getenv("HOME")
	for in, want := range map[string]string{
		"~/k.pem": filepath.ToSlash(home) + "/k.pem", "/abs/k": "/abs/k", "rel/~k": "rel/~k", "": "",
		`~/a "b"\c#d;e  `: filepath.ToSlash(home) + `/a "b"\c#d;e  `, "~/line\nend": filepath.ToSlash(home) + "/line\nend",
	} {
		if got, err := ExpandPath(t.Context(), in); err != nil || got != want {
			t.Errorf("ExpandPath(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	if got, err := ExpandPath(t.Context(), "~no-such-user/x"); err == nil {
		t.Errorf("a user that does not exist has the home %q", got)
	}
}

func TestRemote(t *testing.T) {
	type config [][2]string
	for name, c := range map[string]struct {
		config config
		want   Remote
	}{
		"none":               {nil, Remote{}},
		"origin":             {config{{"remote.origin.url", "https://example.com/m.git"}, {"remote.b.url", "https://example.org/"}}, Remote{"origin", "https://example.com/m.git", "https://example.com/m.git"}},
		"the upstream":       {config{{"remote.origin.url", "https://example.com/m.git"}, {"remote.up.stream.url", "https://example.org/m"}, {"branch.main.remote", "up.stream"}}, Remote{"up.stream", "https://example.org/m", "https://example.org/m"}},
		"upstream is an URL": {config{{"remote.origin.url", "https://example.com/m.git"}, {"branch.main.remote", "https://u:p@example.org/m"}}, Remote{"", "https://example.org/m", "https://example.org/m"}},
		"upstream is local":  {config{{"remote.origin.url", "https://example.com/m.git"}, {"branch.main.remote", "."}}, Remote{"origin", "https://example.com/m.git", "https://example.com/m.git"}},
		"the only one":       {config{{"remote.hub.url", "https://example.com/m.git"}}, Remote{"hub", "https://example.com/m.git", "https://example.com/m.git"}},
		"two others":         {config{{"remote.a.url", "https://example.com/a"}, {"remote.b.url", "https://example.com/b"}}, Remote{}},
		"first of two URLs":  {config{{"remote.origin.url", "https://example.com/1"}, {"remote.origin.url", "https://example.com/2"}}, Remote{"origin", "https://example.com/1", "https://example.com/1"}},
		"insteadOf":          {config{{"remote.origin.url", "https://example.com/m"}, {"url.https://evil.example/.insteadOf", "https://example.com/"}}, Remote{"origin", "https://example.com/m", "https://example.com/m"}},
		"password":           {config{{"remote.origin.url", "https://me:secret@example.com:8443/m"}}, Remote{"origin", "https://example.com:8443/m", "https://example.com:8443/m"}},
		"token":              {config{{"remote.origin.url", "https://hf_secret@huggingface.co/org/m?token=secret"}}, Remote{"origin", "https://huggingface.co/org/m", "https://huggingface.co/org/m"}},
		"odd password":       {config{{"remote.origin.url", "https://me:sec%zz@ret@example.com/m"}}, Remote{"origin", "", "https://example.com/m"}},
		"slash in password":  {config{{"remote.origin.url", "https://me:sec/ret@example.com/m"}}, Remote{"origin", "", "https://example.com/m"}},
		"ssh":                {config{{"remote.origin.url", "ssh://git:secret@example.com:22/m"}}, Remote{"origin", "ssh://git@example.com:22/m", "ssh://git@example.com:22/m"}},
		"scp":                {config{{"remote.origin.url", "git@hf.co:org/m.git"}}, Remote{"origin", "ssh://git@hf.co/org/m.git", "git@hf.co:org/m.git"}},
		"scp without user":   {config{{"remote.origin.url", "host:/abs/m"}}, Remote{"origin", "ssh://host/abs/m", "host:/abs/m"}},
		"scp with IPv6":      {config{{"remote.origin.url", "git@[::1]:m"}}, Remote{"origin", "ssh://git@[::1]/m", "git@[::1]:m"}},
		"path":               {config{{"remote.origin.url", "/srv/a b/m.git"}}, Remote{"origin", "file:///srv/a%20b/m.git", "/srv/a b/m.git"}},
		"path with a colon":  {config{{"remote.origin.url", "/srv/a:b"}}, Remote{"origin", "file:///srv/a:b", "/srv/a:b"}},
		"file":               {config{{"remote.origin.url", "file:///srv/m.git"}}, Remote{"origin", "file:///srv/m.git", "file:///srv/m.git"}},
		"drive":              {config{{"remote.origin.url", "C:/m.git"}}, Remote{"origin", "file:///C:/m.git", "C:/m.git"}},
		"helper":             {config{{"remote.origin.url", "ext::sh -c x"}}, Remote{"origin", "", "ext::sh -c x"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := gittest.New(t)
			dir := s.Empty("r")
			for _, kv := range c.config {
				s.Git(dir, "config", "--add", kv[0], kv[1])
			}
			r, err := Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := written(t, r); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if c.want.Match == "" {
				return
			}
			// git must take the address for a URL.
			s.Git(dir, "config", "modelsign."+c.want.Match+".identity", "x")
			if got, _, err := urlMatched(t, openAt(t, dir), "modelsign", c.want.Match); err != nil || !slices.Equal(got["identity"], []string{"x"}) {
				t.Errorf("git matches %q with %v, %v", c.want.Match, got, err)
			}
		})
	}
}

func TestRemoteOfDetachedHead(t *testing.T) {
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "1\n"})
	s.Git(dir, "config", "remote.origin.url", "../relative.git")
	s.Git(dir, "config", "remote.other.url", "https://example.com/")
	s.Git(dir, "config", "branch.main.remote", "other")
	s.Git(dir, "checkout", "-q", "--detach")
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := fileURL(s.Path("relative.git"))
	if got := written(t, r); got.Match != want {
		t.Errorf("%q, want %q", got.Match, want)
	}
}

// written is the remote that the repository surely came from, by the address that the configuration has, or none.
func written(t *testing.T, r *Repository) Remote {
	t.Helper()
	origins, sure, err := r.Origins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !sure {
		return Remote{}
	}
	return origins[len(origins)-1]
}

// urlMatched reads a section of a repository's configuration and matches it.
func urlMatched(t *testing.T, r *Repository, section, url string, groups ...[]string) (map[string][]string, []map[string][]string, error) {
	t.Helper()
	s, err := r.ConfigSection(t.Context(), section)
	if err != nil {
		return nil, nil, err
	}
	return s.Match(t.Context(), url, groups...)
}

// configMatch is urlMatched for a folder.
func configMatch(t *testing.T, dir, section, url string) (map[string][]string, []map[string][]string, error) {
	t.Helper()
	s, err := ConfigSection(t.Context(), dir, section)
	if err != nil {
		return nil, nil, err
	}
	return s.Match(t.Context(), url)
}
