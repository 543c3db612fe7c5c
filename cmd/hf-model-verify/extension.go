package main

import (
	"context"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/cli"
	"github.com/git-model-sign/git-model-sign/internal/hub/extension"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// The commands, as the first argument. A repository of such a name would be called
// behind an option, and a folder is as ./install-extension.
const (
	installCommand   = "install-extension"
	uninstallCommand = "uninstall-extension"
)

const removesForeign = "hf extensions remove " + extension.Name + " removes it"

// installExtension has `hf model-verify` run this program.
func installExtension(ctx context.Context, args []string, t *ui.Terminal) int {
	flags := cli.NewFlagSet(installCommand)
	force := flags.Bool("force", false, "write over an extension of this name that is not ours")
	quiet := flags.BoolP("quiet", "q", false, "print errors only")
	return cli.Command{
		Usage:   "hf-model-verify " + installCommand + " [<options>]",
		Summary: "Have hf, the command line of Hugging Face's client, run this program for `hf " + extension.Name + "`",
		Flags:   flags,
		Run: func(_ context.Context, args []string) error {
			dir, err := extensionDir(args)
			if err != nil {
				return err
			}
			executable, err := extension.Executable()
			if err != nil {
				return ui.Trouble("", "%w", err)
			}
			manifest, err := extension.Install(dir, executable, time.Now(), *force)
			if err != nil {
				return ui.ExtensionError(err, removesForeign+", and --force writes over it")
			}
			if !*quiet {
				t.ExtensionInstalled(manifest, executable)
			}
			return nil
		},
	}.Execute(ctx, args, t)
}

// uninstallExtension takes back what installExtension has done.
func uninstallExtension(ctx context.Context, args []string, t *ui.Terminal) int {
	flags := cli.NewFlagSet(uninstallCommand)
	quiet := flags.BoolP("quiet", "q", false, "print errors only")
	return cli.Command{
		Usage:   "hf-model-verify " + uninstallCommand + " [<options>]",
		Summary: "Take `hf " + extension.Name + "` away",
		Flags:   flags,
		Run: func(_ context.Context, args []string) error {
			dir, err := extensionDir(args)
			if err != nil {
				return err
			}
			removed, err := extension.Uninstall(dir)
			if err != nil {
				return ui.ExtensionError(err, removesForeign)
			}
			if !*quiet {
				t.ExtensionRemoved(dir, removed)
			}
			return nil
		},
	}.Execute(ctx, args, t)
}

// extensionDir is the folder of the extension; the commands take no argument.
func extensionDir(args []string) (string, error) {
	if err := cli.NoArgument(args, ""); err != nil {
		return "", err
	}
	dir, err := extension.Dir()
	return dir, ui.ExtensionError(err, "")
}
