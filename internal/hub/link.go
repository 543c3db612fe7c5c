package hub

import (
	"errors"
	"strings"
)

var (
	errLink     = errors.New("the Link header cannot be parsed")
	errTwoLinks = errors.New("the Link header names several next pages")
)

// nextLink is the target of the link to the next page in the values of Link
// headers (RFC 8288, section 3), "" where there is none. One that cannot be
// parsed is an error: files may be behind it.
func nextLink(headers []string) (string, error) {
	next := ""
	for _, s := range headers {
		for s = trimLink(s); s != ""; s = trimLink(s) {
			target, rel, rest, err := cutLink(s)
			if err != nil {
				return "", err
			}
			s = rest
			if !isNext(rel) {
				continue
			}
			if next != "" && next != target {
				return "", errTwoLinks
			}
			next = target
		}
	}
	return next, nil
}

// trimLink removes what stands between two links.
func trimLink(s string) string { return strings.TrimLeft(s, " \t,") }

// isNext says whether a list of relations has "next" in it.
func isNext(rel string) bool {
	for r := range strings.FieldsSeq(rel) {
		if strings.EqualFold(r, "next") {
			return true
		}
	}
	return false
}

// cutLink takes the first link off a header: its target and its relations, of
// which the first rel counts.
func cutLink(s string) (target, rel, rest string, err error) {
	s, opened := strings.CutPrefix(s, "<")
	target, s, closed := strings.Cut(s, ">")
	if !opened || !closed || target == "" {
		return "", "", "", errLink
	}
	found := false
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == ',' {
			return target, rel, s, nil
		}
		if s[0] != ';' {
			return "", "", "", errLink
		}
		var name, value string
		if name, value, s, err = cutParameter(s[1:]); err != nil {
			return "", "", "", err
		}
		if strings.EqualFold(name, "rel") && !found {
			rel, found = value, true
		}
	}
}

// cutParameter takes a name and its value, which may be quoted, off a header.
func cutParameter(s string) (name, value, rest string, err error) {
	s = strings.TrimLeft(s, " \t")
	end := strings.IndexAny(s, "=;, \t")
	if end < 0 {
		return s, "", "", nil
	}
	name, s = s[:end], strings.TrimLeft(s[end:], " \t")
	if s == "" || s[0] != '=' {
		return name, "", s, nil
	}
	s = strings.TrimLeft(s[1:], " \t")
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s+";", ";, \t")
		return name, s[:end], s[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return name, b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", "", errLink // the quotes do not end
}
