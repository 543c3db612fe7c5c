package oms

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// SingleFile is the path of a model that is a single file, where nothing else is
// listed. Section 6.1.2 asks for the file's base name, which is read as well; the
// reference signer, up to 1.1.1, writes and accepts only this.
const SingleFile = "."

// CheckPath reports why a path may not stand in a manifest (section 6.1.2).
// Paths are relative to the model, with "/" between their parts and no part that
// is empty, "." or "..", and are valid UTF-8 without NUL.
//
// They are compared byte by byte and may hold anything else that Unix lets a
// file be called, a backslash or a line feed among it. Whoever opens the file on
// a system that reads more into a name has to refuse it there, and whoever
// prints it has to quote it.
func CheckPath(name string) error {
	if problem := pathProblem(name); problem != "" {
		return formatErrorf("%s: path %s", quote(name), problem)
	}
	return nil
}

// pathProblem says what is wrong with a path, as the end of a sentence that
// begins with "path", or is empty.
func pathProblem(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxPathLength:
		return "is longer than " + strconv.Itoa(MaxPathLength) + " bytes"
	case name[0] == '/':
		return "is absolute"
	case name[len(name)-1] == '/':
		return "ends in a slash"
	case strings.IndexByte(name, 0) >= 0:
		return "has a NUL byte"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	}
	for rest, more := name, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch part {
		case "":
			return "has an empty part"
		case ".":
			return `has a "." part`
		case "..":
			return `has a ".." part`
		}
	}
	return ""
}

// splitShard takes a shard's name apart. A path may hold colons itself, so the
// offsets are the last two parts (section 6.3.2).
func splitShard(name string) (path string, start, end int64, ok bool) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 {
		return "", 0, 0, false
	}
	j := strings.LastIndexByte(name[:i], ':')
	if j < 0 {
		return "", 0, 0, false
	}
	start, ok1 := parseOffset(name[j+1 : i])
	end, ok2 := parseOffset(name[i+1:])
	return name[:j], start, end, ok1 && ok2
}

// parseOffset reads a decimal integer that has one spelling only, so that two
// names never mean the same shard.
func parseOffset(s string) (int64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// appendShardName appends a shard's name: path, start and end.
func appendShardName(b []byte, r Resource) []byte {
	b = append(b, r.Path...)
	b = append(b, ':')
	b = strconv.AppendInt(b, r.Start, 10)
	b = append(b, ':')
	return strconv.AppendInt(b, r.End, 10)
}

// DefaultIgnored returns the paths at the top of a model that are never part of
// it (section 6.2).
func DefaultIgnored() []string {
	return []string{".git", ".gitignore", ".gitattributes", ".github"}
}

// Ignored is a set of ignored paths (section 6.2.1). Nothing in an entry is a
// wildcard, and an entry that is no canonical path matches nothing: neither ""
// nor "." ignores a whole model.
type Ignored map[string]bool

// NewIgnored is the set of all that is in the lists.
func NewIgnored(lists ...[]string) Ignored {
	set := Ignored{}
	for _, list := range lists {
		for _, entry := range list {
			set[entry] = entry != SingleFile
		}
	}
	return set
}

// Has reports whether the path of a resource is one of the ignored paths or lies
// under one. What it takes does not grow with their number, which a signer chooses.
func (set Ignored) Has(path string) bool {
	for end := 1; end < len(path); end++ {
		if path[end] == '/' && set[path[:end]] {
			return true
		}
	}
	return path != "" && set[path]
}

// checkIgnorePath reports why an entry of ignore_paths may not be written
// (section 6.2.1).
func checkIgnorePath(entry string) error {
	problem := pathProblem(entry)
	if problem == "" && strings.ContainsAny(entry, "*?[") {
		problem = "has a glob character, which the format does not allow there"
	}
	if problem != "" {
		return formatErrorf("ignored path %s: path %s", quote(entry), problem)
	}
	return nil
}
