package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// git-lfs puts four hooks into every repository that it works in: pre-push, post-checkout,
// post-commit and post-merge. It insists on their exact text: where it finds another hook it stops, leaves those
// undone that come after it, and its own install and update commands fail.
//
// It looks at the first 1,024 bytes, however, without the white space around them. So where git-lfs is
// on the machine our scripts for its events begin with its text, then comes white space, then our lines. Its
// hook runs, ours runs, and it takes the script for its own: it leaves it alone while its text stays the
// same, and writes over it when a new version has a new one. That is repaired, see [Repair].
//
// Before a push git-lfs would read the list of refs that we need as well. Its call is the last line of its text, so
// there the white space goes on in the same line and ends in a redirection, [noRefs]: that call reads
// nothing and does nothing. Our lines read the list, and call git-lfs again with it, see [callLFS].
const lfsReads = 1024

// noRefs ends the line in which git-lfs's text calls it, where our lines read what git gives.
const noRefs = "</dev/null\n"

// callLFS is the line of ours that calls git-lfs instead.
func callLFS(event Event) string { return fmt.Sprintf("git lfs %s \"$@\"\n", event) }

// padding is white space, in lines that an editor can show.
func padding(n int) string {
	const width = 80
	line := strings.Repeat(" ", width-1) + "\n"
	return strings.Repeat(" ", n%width) + strings.Repeat(line, n/width)
}

// padFor is how much white space must follow text so that git-lfs sees none of what comes behind.
func padFor(text []byte) int {
	const width = 80
	need := max(lfsReads-len(text), 0) + width
	return need / width * width
}

// isLFS says whether a script is git-lfs's own for an event, of whatever version: the first line,
// one that ends the script if there is no git-lfs, and the call.
func isLFS(event Event, content []byte) bool {
	l := strings.Split(strings.TrimSpace(string(content)), "\n")
	return len(l) == 3 && l[0] == "#!/bin/sh" &&
		strings.HasPrefix(l[1], "command -v git-lfs >/dev/null 2>&1 || { ") && strings.HasSuffix(l[1], "; exit 2; }") &&
		l[2] == fmt.Sprintf(`git lfs %s "$@"`, event)
}

// lfsTexts asks the git-lfs of this machine for the text of its hooks. The result is empty where there
// is no git-lfs.
func lfsTexts(ctx context.Context) (map[Event][]byte, error) {
	dir, err := os.MkdirTemp("", "git-model-sign-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	g := git{dir: dir, env: anywhere()}
	if _, err := g.output(ctx, "init", "-q", "--template="); err != nil {
		return nil, err
	}
	// It prints the hooks and writes nothing; the repository is there because it will not do so without one.
	out, err := g.output(ctx, "-c", "core.hooksPath="+filepath.Join(dir, "hooks"), "lfs", "update", "--manual")
	var failed *gitError
	if errors.As(err, &failed) && strings.Contains(failed.stderr, "is not a git command") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking git-lfs for its hooks: %w", err)
	}
	return parseLFS(out), nil
}

// parseLFS reads the hooks that git-lfs prints, each with a tab before its lines and among sentences in
// the user's language.
func parseLFS(printed string) map[Event][]byte {
	texts := make(map[Event][]byte)
	var text bytes.Buffer
	for line := range strings.Lines(printed + "\n\n") {
		line, indented := strings.CutPrefix(strings.ReplaceAll(line, "\r", ""), "\t")
		if indented {
			text.WriteString(line)
			continue
		}
		for _, event := range []Event{PostCheckout, PostMerge, PrePush} {
			if isLFS(event, text.Bytes()) {
				texts[event] = bytes.Clone(text.Bytes())
			}
		}
		text.Reset()
	}
	return texts
}

// lfsWorks says whether git-lfs has done anything in the repository of a folder: it keeps a folder of its own there.
func lfsWorks(ctx context.Context, dir string) bool {
	common, err := git{dir: dir}.output(ctx, "rev-parse", "--git-common-dir")
	if err != nil {
		return false
	}
	if common = filepath.FromSlash(common); !filepath.IsAbs(common) {
		common = filepath.Join(dir, common)
	}
	return folderExists(filepath.Join(common, "lfs"))
}

// lfsAtHome says whether git-lfs has put its other hooks into a folder, so that it counts on all four.
func lfsAtHome(folder string) bool {
	for _, event := range []Event{PrePush, "post-commit"} {
		if content, err := readSmall(filepath.Join(folder, string(event))); err == nil && isLFS(event, content) {
			return true
		}
	}
	return false
}
