package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
)

// DefaultEndpoint is the Hub itself, and the one whose repositories policies are written for.
const DefaultEndpoint = "https://huggingface.co"

// Environment is what Hugging Face's clients take from the environment. The zero
// value is the Hub without a token. It may be printed: a Token shows nothing.
type Environment struct {
	// Endpoint is the address of the Hub or of a mirror of it, without a slash at
	// its end; "" is DefaultEndpoint.
	Endpoint string
	// Home is the folder of the client's settings, and Cache that of what it
	// downloaded; both absolute.
	Home, Cache string
	Token       Token
	// Offline forbids the network.
	Offline bool
	// NoSymlinks has the cache hold files where it would hold links.
	NoSymlinks bool

	tokenErr error // why there is no Token
}

// FromEnvironment reads the variables of Hugging Face's clients as they do. An
// empty variable counts as none. A token that cannot be read is an error of the
// calls of a [Client], which alone need it. No error quotes a secret.
func FromEnvironment(getenv func(string) string) (Environment, error) {
	e := Environment{
		Endpoint:   strings.TrimRight(getenv("HF_ENDPOINT"), "/"),
		Offline:    isTrue(first(getenv, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
		NoSymlinks: isTrue(getenv("HF_HUB_DISABLE_SYMLINKS")),
	}
	if e.Endpoint == "" {
		e.Endpoint = DefaultEndpoint
	}
	if _, err := parseEndpoint(e.Endpoint); err != nil {
		return Environment{}, fmt.Errorf("HF_ENDPOINT: %w", err)
	}
	var err error
	if e.Home, err = home(getenv); err != nil {
		return Environment{}, fmt.Errorf("finding the Hugging Face folder: %w", err)
	}
	e.Cache = filepath.Join(e.Home, "hub")
	if dir := first(getenv, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"); dir != "" {
		if e.Cache, err = folder(dir, getenv); err != nil {
			return Environment{}, fmt.Errorf("finding the Hugging Face cache: %w", err)
		}
	}
	if e.Offline || isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return e, nil
	}
	e.Token, e.tokenErr = findToken(getenv, e.Home)
	return e, nil
}

// home is HF_HOME, or the folder that stands for it.
func home(getenv func(string) string) (string, error) {
	if dir := getenv("HF_HOME"); dir != "" {
		return folder(dir, getenv)
	}
	if dir := getenv("XDG_CACHE_HOME"); dir != "" {
		return folder(filepath.Join(dir, "huggingface"), getenv)
	}
	dir, err := os.UserHomeDir()
	return filepath.Join(dir, ".cache", "huggingface"), err
}

// maxToken is the largest token file that is read, in bytes.
const maxToken = 64 << 10

// findToken reads the token from the environment, or else from the token file.
func findToken(getenv func(string) string, home string) (Token, error) {
	if s := cleanToken(first(getenv, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")); s != "" {
		return NewToken(s)
	}
	path := filepath.Join(home, "token")
	if name := getenv("HF_TOKEN_PATH"); name != "" {
		var err error
		if path, err = folder(name, getenv); err != nil {
			return Token{}, fmt.Errorf("finding the token file: %w", err)
		}
	}
	b, err := bounded.ReadRegular(path, maxToken)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Token{}, nil
	case err != nil:
		return Token{}, fmt.Errorf("reading the Hugging Face token: %w", err)
	}
	t, err := NewToken(cleanToken(string(b)))
	if err != nil {
		return Token{}, fmt.Errorf("%q: %w", path, err)
	}
	return t, nil
}

// cleanToken takes away the line ends and spaces that come with copying.
func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

// isTrue reads a switch: anything but these words is off.
func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if s := getenv(name); s != "" {
			return s
		}
	}
	return ""
}

var variable = regexp.MustCompile(`\$(\w+|\{[^}]*\})`)

// folder is an absolute path with ~ and variables written out; as Python does, a
// variable that is not set stays as it is.
func folder(path string, getenv func(string) string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		dir, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		path = dir + path[1:]
	}
	path = variable.ReplaceAllStringFunc(path, func(name string) string {
		if value := getenv(strings.Trim(name, "${}")); value != "" {
			return value
		}
		return name
	})
	return filepath.Abs(path)
}

// parseEndpoint checks the address of a Hub. A user or password in it is refused
// rather than sent, and not quoted.
func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, errors.New("no address of a Hub, expected one as " + DefaultEndpoint)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("the address of a Hub holds no user, password, query or fragment, found one for %q", u.Host)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// isLoopback says whether an address leads to this machine whatever a name server says.
func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
