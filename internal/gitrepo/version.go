package gitrepo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Version returns the version of the git on PATH, major and minor.
func Version(ctx context.Context) (major, minor int, err error) {
	out, err := git{}.output(ctx, nil, "version")
	if err != nil {
		return 0, 0, err
	}
	return parseVersion(string(out))
}

// parseVersion reads "git version 2.39.5", with anything after it.
func parseVersion(s string) (major, minor int, err error) {
	number, ok := strings.CutPrefix(strings.TrimSpace(s), "git version ")
	parts := strings.SplitN(number, ".", 3)
	if ok && len(parts) >= 2 {
		major, err = strconv.Atoi(parts[0])
		if err == nil {
			minor, err = strconv.Atoi(parts[1])
		}
		if err == nil {
			return major, minor, nil
		}
	}
	return 0, 0, fmt.Errorf("git version: %q is not understood", strings.TrimSpace(s))
}

// tooOld makes the error for a git that lacks what MinVersion has.
func tooOld(ctx context.Context) error {
	major, minor, err := Version(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: found %d.%d, need %d.%d or newer", ErrGitTooOld, major, minor, MinVersion[0], MinVersion[1])
}
