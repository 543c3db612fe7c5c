package gitrepo

import "regexp"

// userinfo is what stands between :// and @ in a URL.
var userinfo = regexp.MustCompile(`(://)[^/\s]*@`)

// redactText takes the user and password out of URLs.
func redactText(s string) string { return userinfo.ReplaceAllString(s, "${1}") }

func redact(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = redactText(a)
	}
	return out
}
