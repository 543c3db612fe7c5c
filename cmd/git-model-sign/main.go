// Command git-model-sign signs the model in a git repository and checks it:
// git finds it on PATH and runs it as "git model-sign".
//
// It turns flags and git config into the options of the rooms below, and their
// answers into words and exit codes; it holds no other logic. The contract of
// its command line is in docs/man/git-model-sign.1.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

func main() { os.Exit(cli.Main(run)) }

// command is one of the program's subcommands.
type command struct {
	name, arguments, summary string
	// setup declares the command's flags and returns what runs it with the
	// arguments that are left.
	setup func(flags *pflag.FlagSet, t *ui.Terminal) func(ctx context.Context, args []string) error
	// sub are the commands of a command that is only their common name.
	sub []command
}

// commands are the subcommands in the order in which help lists them. The first
// is the one that runs without its name.
func commands() []command {
	return []command{
		{"sign", "[<path>]", "sign the model and commit the signature", setupSign, nil},
		{"verify", "[<path>]", "check the model against its signature", setupVerify, nil},
		{"status", "[<path>]", "say how signatures stand to what is staged", setupStatus, nil},
		{"log", "[<path>] [<revision range>]", "list the commits that changed a signature", setupLog, nil},
		{"show", "[<path>]", "print what a signature claims, without believing it", setupShow, nil},
		{"digest", "[<path>]", "print the model's root digest", setupDigest, nil},
		{"keygen", "[<file>]", "make a key pair: the private key in <file>, the public one beside it", setupKeygen, nil},
		{"install", "", "have git verify models as they are cloned, checked out and pushed", setupInstall, nil},
		{"uninstall", "", "take the hooks and man pages away again", setupUninstall, nil},
		{"doctor", "", "prove the installation with a scratch clone", setupDoctor, nil},
		{"trust", "<command>", "whose signatures are believed, and who is known", nil, trustCommands()},
		{"quarantine", "<command>", "the files that hooks have put out of the way", nil, quarantineCommands()},
		{"monitor", "", "report signatures in the transparency log that this repository does not know", setupMonitor, nil},
		{"bench", "", "measure how fast this machine hashes", setupBench, nil},
		{"hook", "<event> [<args>]", "what the hooks call", setupHook, nil},
	}
}

// reserved are words that are commands elsewhere or will be: no model is signed
// because a folder happens to have such a name.
var reserved = []string{"help"}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, t *ui.Terminal) int {
	cmd := commands()[0]
	if len(args) > 0 {
		if args[0] == "--version" {
			t.Result("git-model-sign version %s", cli.Version())
			return ui.ExitOK
		}
		if args[0] == "-h" || args[0] == "--help" {
			t.Result("%s", usage())
			return ui.ExitOK
		}
		known := commands()
		if i := slices.IndexFunc(known, func(c command) bool { return c.name == args[0] }); i >= 0 {
			cmd, args = known[i], args[1:]
		} else if slices.Contains(reserved, args[0]) {
			t.Fail(ui.Usage("for a folder of that name write ./"+args[0], "this version has no command %q", args[0]))
			return ui.ExitUsage
		}
	}
	if cmd.sub != nil {
		if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
			t.Result("%s", cmd.usage())
			return ui.ExitOK
		}
		i := slices.IndexFunc(cmd.sub, func(c command) bool { return len(args) > 0 && c.name == cmd.name+" "+args[0] })
		if i < 0 {
			found := "nothing"
			if len(args) > 0 {
				found = ui.Quote(args[0])
			}
			t.Fail(ui.Usage("git model-sign "+cmd.name+" -h lists them", "expected a command of %s, found %s", cmd.name, found))
			return ui.ExitUsage
		}
		cmd, args = cmd.sub[i], args[1:]
	}
	flags := cli.NewFlagSet(cmd.name)
	return cli.Command{
		Usage:   strings.TrimSpace("git model-sign " + cmd.name + " [<options>] " + cmd.arguments),
		Summary: cmd.summary,
		Flags:   flags,
		Run:     cmd.setup(flags, t),
	}.Execute(ctx, args, t)
}

// usage is the summary that -h prints.
func usage() string {
	s := "usage: git model-sign [sign] [<options>] [<path>]\n   or: git model-sign <command> [<options>]\n\n" +
		"Sign the model in a git repository, and check it wherever it lands.\n\ncommands:\n"
	for _, c := range commands() {
		s += fmt.Sprintf("  %-10s %s\n", c.name, c.summary)
	}
	return s + "\ngit model-sign <command> -h lists a command's options; git model-sign --help opens the manual."
}

// usage is the summary of a command that others are grouped under.
func (c command) usage() string {
	s := "usage: git model-sign " + c.name + " <command> [<options>]\n\n" + c.summary + ".\n\ncommands:\n"
	width := 0
	for _, sub := range c.sub {
		width = max(width, len(sub.name))
	}
	for _, sub := range c.sub {
		s += fmt.Sprintf("  %-*s  %s\n", width, sub.name, sub.summary)
	}
	return s + "\ngit model-sign " + c.name + " <command> -h lists a command's options."
}

// onePath takes at most one argument, the model's path.
func onePath(args []string) (string, error) {
	switch len(args) {
	case 0:
		return ".", nil
	case 1:
		return args[0], nil
	}
	return "", ui.Usage("options come before or after one path; quote a path with spaces", "expected one path, found %d: %s", len(args), ui.QuoteAll(args))
}
