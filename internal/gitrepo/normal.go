package gitrepo

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// errURL says that an address has no form in which it could be told from others.
var errURL = errors.New("not a URL that can be compared with others")

// NormalURL writes a [Remote.Match] in the one form that all its spellings have
// in common, by the rules of git's own urlmatch: scheme and host in lower case,
// no port that goes without saying and no dot at the host's end, each character of the path escaped only where
// it has to be, no "." and "..". Slashes at the end, and where several stand
// together all but one, are dropped besides, as servers do. A secret is refused
// rather than kept.
func NormalURL(match string) (string, error) {
	u, err := url.Parse(match)
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Hostname() == "" && (u.Scheme != "file" || u.Host != "") {
		return "", errURL
	}
	if _, secret := u.User.Password(); secret || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", fmt.Errorf("%w: it has a password, a query or a fragment", errURL)
	}
	if strings.Trim(u.Hostname(), ".") == "" && u.Host != "" {
		return "", fmt.Errorf("%w: its host has no name", errURL)
	}
	if _, notIP := netip.ParseAddr(u.Hostname()); strings.Trim(u.Host, hostCharacters) != "" || strings.Contains(u.Hostname(), ":") && notIP != nil {
		return "", fmt.Errorf("%w: its host has characters that no host has", errURL)
	}
	path, err := normalPath(u.EscapedPath())
	if err != nil {
		return "", err
	}
	normal := strings.ToLower(u.Scheme) + "://"
	if name := u.User.Username(); name != "" {
		normal += url.User(name).String() + "@"
	}
	return normal + normalHost(strings.ToLower(u.Scheme), u) + path, nil
}

// hostCharacters are those that git takes a host to have, with its port.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[:]"

// normalHost is the host in lower case, with its port unless that is the scheme's own. A dot at its
// end, by which a name is looked up as it is, changes nothing about which host that is.
func normalHost(scheme string, u *url.URL) string {
	host := strings.TrimRight(strings.ToLower(u.Hostname()), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := strings.TrimLeft(u.Port(), "0")
	if port == "" || port == map[string]string{"http": "80", "https": "443", "ssh": "22"}[scheme] {
		return host
	}
	return host + ":" + port
}

// normalPath resolves the dots of an escaped path and brings its escapes into
// one form. The result begins with a slash and, but for "/", ends with none.
func normalPath(escaped string) (string, error) {
	var out []string
	for segment := range strings.SplitSeq(strings.Trim(escaped, "/"), "/") {
		segment = normalEscapes(segment)
		switch segment {
		case "", ".":
		case "..":
			if len(out) == 0 {
				return "", fmt.Errorf("%w: its path leads above its root", errURL)
			}
			out = out[:len(out)-1]
		default:
			out = append(out, segment)
		}
	}
	return "/" + strings.Trim(strings.Join(out, "/"), "/"), nil
}

// normalEscapes writes the escapes of characters that need none as the
// characters, and the others with capital digits. The text is what
// [url.URL.EscapedPath] returns, in which every escape is whole.
func normalEscapes(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			decoded, err := url.PathUnescape(s[i : i+3])
			if err == nil && len(decoded) == 1 {
				c = decoded[0]
				i += 2
				if !unreserved(c) {
					b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
					continue
				}
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unreserved says whether a character means the same escaped or not (RFC 3986, 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// theHub is the scheme and host by which the Hugging Face Hub is known, whatever the
// address that it is reached at.
const theHub = "https://huggingface.co"

// onTheHub says whether a URL in the form of [NormalURL] is one of the Hugging Face
// Hub's: it answers at two hosts, by HTTP and by SSH, all for the same repositories.
func onTheHub(normal string) bool {
	_, rest, _ := strings.Cut(normal, "://")
	host, _, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	return host == "huggingface.co" || host == "hf.co"
}

// hubURL is the one form of all that the Hub takes for the same as a URL in the form
// of [NormalURL], which is ASCII: there paths that differ by case only are one. The
// host stays where it is no name but has a star.
func hubURL(normal string) string {
	_, rest, _ := strings.Cut(normal, "://")
	host, path, _ := strings.Cut(rest, "/")
	at := theHub
	if !onTheHub(normal) {
		at = "https://" + host[strings.LastIndexByte(host, '@')+1:]
	}
	return at + "/" + strings.ToLower(path)
}

// ParseRemote reads an address as people give it to git clone: a URL, an address
// in scp's form or a path.
func ParseRemote(address string) (Remote, error) {
	base, err := os.Getwd()
	if err != nil {
		return Remote{}, err
	}
	return newRemote("", address, base), nil
}
