package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/e2e/home"
)

// typingPause is how long after a prompt a line is typed that may be seen; a secret is typed once the program has turned echoing off.
const typingPause = 200 * time.Millisecond

// ttyPatience is how long a program on a terminal may take.
const ttyPatience = time.Minute

// tty runs a program on a terminal of its own and types a line of a file whenever it asks for one, that is, prints ": " and waits.
// The line "{code}" is typed as the code that a browser elsewhere shows at the address on the terminal. What the terminal shows becomes stdout.
func tty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tty INPUT PROGRAM ARG...")
	}
	terminal, program, err := openTerminal()
	ts.Check(err)
	defer terminal.Close()
	ctx, cancel := context.WithTimeout(context.Background(), ttyPatience)
	defer cancel()
	cmd := ts.Value(homeKey{}).(*home.Home).Command(ctx, ts.MkAbs("."), args[1], args[2:]...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	// The terminal is shown until the last program has let go of it, and git is not the last.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Start()
	program.Close()
	ts.Check(err)
	shown := converse(terminal, strings.SplitAfter(ts.ReadFile(args[0]), "\n"))
	fmt.Fprint(ts.Stdout(), shown)
	checkStatus(ts, args[1], 0, cmd.Wait())
}

// converse types lines at prompts until the program has closed the terminal, and returns what was shown.
func converse(terminal *os.File, lines []string) string {
	var shown bytes.Buffer
	chunk := make([]byte, 4096)
	for {
		n, err := terminal.Read(chunk)
		shown.Write(chunk[:n])
		if err != nil {
			return shown.String() // Linux says EIO when the last program is gone
		}
		if len(lines) > 0 && bytes.HasSuffix(shown.Bytes(), []byte(": ")) {
			awaitTyping(terminal, shown.Bytes())
			line := lines[0]
			if line == "{code}\n" {
				line = codeShown(shown.String()) + "\n"
			}
			terminal.WriteString(line)
			lines = lines[1:]
		}
	}
}

// secretPrompt is the end of what asks for a secret.
var secretPrompt = regexp.MustCompile(`((?i:passphrase)[^\n]*|PIN for [^\n]*|Once more): $`)

// awaitTyping waits until somebody would type an answer.
func awaitTyping(terminal *os.File, shown []byte) {
	if !secretPrompt.Match(shown) {
		time.Sleep(typingPause)
		return
	}
	for end := time.Now().Add(ttyPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if t, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS); err != nil || t.Lflag&unix.ECHO == 0 {
			return
		}
	}
}

// codeShown goes to the last address on a terminal, and reads the code on the page there, or what went wrong.
func codeShown(shown string) string {
	fields := strings.Fields(shown[max(0, strings.LastIndex(shown, "http://")):])
	if len(fields) == 0 {
		return "no address"
	}
	a, err := http.Get(fields[0])
	if err != nil {
		return err.Error()
	}
	defer a.Body.Close()
	page, err := io.ReadAll(a.Body)
	if err != nil {
		return err.Error()
	}
	_, code, _ := strings.Cut(string(page), "<code>")
	code, _, _ = strings.Cut(code, "</code>")
	return code
}

// openTerminal makes a pseudo-terminal: our end of it and the program's.
func openTerminal() (ours, program *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		var number int
		if number, err = unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN); err == nil {
			program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
		}
	}
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, program, nil
}
