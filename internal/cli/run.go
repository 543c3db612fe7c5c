package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Main runs a program on the process's streams and arguments and returns its
// exit code. Its context ends when the user interrupts it, or the terminal goes.
func Main(run func(ctx context.Context, args []string, t *ui.Terminal) int) int {
	collectLater()
	ctx, stop := signal.NotifyContext(context.Background(), ending()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once, as it may wait for what knows no context: a pipe's other end
	return run(ctx, os.Args[1:], ui.NewTerminal(os.Stdout, os.Stderr))
}

// Command is one command line: its options, and what it does with the
// arguments that are left.
type Command struct {
	// Usage is the line behind "usage: ", and Summary what the command does.
	Usage, Summary string
	Flags          *pflag.FlagSet
	Run            func(ctx context.Context, args []string) error
}

// Execute parses args, runs the command, says what went wrong and returns the
// exit code.
func (c Command) Execute(ctx context.Context, args []string, t *ui.Terminal) int {
	err := c.Flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		t.Result("%s", c.help())
		return ui.ExitOK
	}
	if err != nil {
		err = ui.Usage("-h lists the options", "%w", optionError(err))
	} else if err = emptyValue(c.Flags); err == nil {
		err = c.Run(ctx, c.Flags.Args())
	}
	var said Exit
	if broken := t.Broken(); broken != nil && (err == nil || errors.As(err, &said)) {
		err = broken
	}
	if ctx.Err() != nil {
		hint := ""
		if errors.Is(err, sign.ErrMaybeLogged) {
			hint = ui.MaybeLogged
		}
		err = ui.Trouble(hint, "interrupted; nothing was left half-written")
	}
	switch {
	case err == nil:
		return ui.ExitOK
	case errors.As(err, &said):
		return int(said)
	}
	t.Fail(err)
	return ui.Code(err)
}

// help is what -h prints.
func (c Command) help() string {
	text := "usage: " + c.Usage + "\n\n" + c.Summary + "."
	if c.Flags.HasAvailableFlags() {
		text += "\n\n" + c.Flags.FlagUsages()
	}
	return text
}

// emptyValue refuses options and arguments that are there and empty, as a variable
// that is not set leaves them: what was meant to be named must not become what is
// taken where nothing is named, such as another way to sign.
func emptyValue(flags *pflag.FlagSet) error {
	const hint = "is a variable not set?"
	var err error
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		if err == nil && slices.Contains(values, "") {
			err = ui.Usage(hint, "--%s: the value is empty", f.Name)
		}
	})
	if err == nil && slices.Contains(flags.Args(), "") {
		err = ui.Usage(hint, "an argument is empty")
	}
	return err
}

// optionError says of an option that takes a number what it takes.
func optionError(err error) error {
	var invalid *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &invalid) || !errors.As(err, &number) {
		return err
	}
	return fmt.Errorf("--%s %s: %w", invalid.GetFlag().Name, ui.Quote(invalid.GetValue()), errNumber)
}

// errNumber says that a value is no number, or one beyond all bounds.
var errNumber = errors.New("expected a number")

// NoArgument refuses arguments, with a hint that may be "".
func NoArgument(args []string, hint string) error {
	if len(args) > 0 {
		return ui.Usage(hint, "expected no argument, found %s", ui.QuoteAll(args))
	}
	return nil
}
