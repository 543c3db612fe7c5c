// Package cli holds what the command lines of both programs share: how options
// are spelled, which git config key stands behind each, and how a passphrase is
// asked for.
//
// An option that was not given takes its value from modelsign.<name>, matched
// by the URL that the repository was cloned from. The words that are printed
// are package ui's.
package cli

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
)

// Exit ends a program with a code when everything has been said already.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// NewFlagSet is a set of options that takes underscores for hyphens, as the
// reference signer spells some of its own.
func NewFlagSet(name string) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	return flags
}

// Version is the version of the module that the program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
