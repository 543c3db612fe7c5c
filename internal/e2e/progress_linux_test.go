package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shown is what a program left on a terminal, and how long it took.
type shown struct {
	text   string
	status int
	took   time.Duration
	ended  time.Duration // since ^C was pressed
}

// onTerminal runs a program on a terminal of so many columns, and presses ^C once
// it shows what matches press, unless that is "".
func (s *session) onTerminal(columns uint16, press, name string, args ...string) shown {
	s.t.Helper()
	terminal, program, err := openTerminal()
	if err != nil {
		s.t.Fatal(err)
	}
	defer terminal.Close()
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), ttyPatience)
	defer cancel()
	cmd := s.Command(ctx, s.Dir, name, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	start := time.Now()
	err = cmd.Start()
	program.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	awaited := regexp.MustCompile(press)
	var pressed time.Time
	var text bytes.Buffer
	chunk := make([]byte, 4096)
	for err == nil {
		var n int
		n, err = terminal.Read(chunk)
		text.Write(chunk[:n])
		if press != "" && pressed.IsZero() && awaited.Match(text.Bytes()) {
			pressed = time.Now()
			terminal.WriteString("\x03")
		}
	}
	err = cmd.Wait()
	end := time.Now()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	r := shown{text: text.String(), status: cmd.ProcessState.ExitCode(), took: end.Sub(start)}
	if !pressed.IsZero() {
		r.ended = end.Sub(pressed)
	}
	return r
}

// Progress is drawn on a terminal, in git's manner, at most ten times a second,
// and nowhere else.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.keyPair("key", "P-256")
	s.write("large/weights.bin", "", "large/tokenizer.bin", strings.Repeat("x", 20<<10), "model/weights.bin", "", "huge/weights.bin", "")
	for file, size := range map[string]int64{"large/weights.bin": 3 << 30, "model/weights.bin": 512 << 20, "huge/weights.bin": 1 << 40} { // all holes
		if err := os.Truncate(s.path(file), size); err != nil {
			t.Fatal(err)
		}
	}
	const (
		done = `, [0-9.]+ [KMG]iB/s, done\.`
		all  = ` 100% \(512\.00 MiB/512\.00 MiB\), 1/1 file` + done
		some = ` +[0-9]+% \([0-9.]+ [a-zA-Z]+/3\.00 GiB\), [01]/2 files`
	)
	for _, test := range []struct {
		name    string
		columns uint16
		args    []string
		want    []string
		wantNot string
	}{
		// One core at its plainest takes long enough to foretell the end.
		{"digest", 0, []string{"digest", "--threads=1", "--hash-backend=generic", "large"}, []string{
			`\rHashing model:` + some, some + `, [0-9.]+ [KMG]iB/s\x1b`, some + `, [0-9.]+ [KMG]iB/s, [0-9]+:[0-9]{2} left\x1b`, `\rHashing model: 100% \(3\.00 GiB/3\.00 GiB\), 2/2 files` + done, `sha256:[0-9a-f]{64}`}, ""},
		{"sign", 80, []string{"sign", "--private-key=key.pem", "model"}, []string{`\rHashing model:` + all, `signed`}, ""},
		{"verify", 80, []string{"verify", "--public-key=key.pub", "model"}, []string{`\rChecking model:` + all, `verified`}, ""},
		{"narrow", 40, []string{"digest", "model"}, []string{`\rHashing model: +[0-9]+% \([^)]*\)\x1b`}, "files"},
		{"no progress", 80, []string{"digest", "--no-progress", "model"}, []string{`^sha256:`}, "Hashing"},
		{"quiet", 80, []string{"verify", "--quiet", "--public-key=key.pub", "model"}, nil, "Checking"},
	} {
		r := s.onTerminal(test.columns, "", "git-model-sign", test.args...)
		if r.status != 0 {
			t.Fatalf("%s: exit status %d\n%s", test.name, r.status, r.text)
		}
		for _, want := range test.want {
			if !regexp.MustCompile(want).MatchString(r.text) {
				t.Errorf("%s: no %s in %q", test.name, want, r.text)
			}
		}
		if test.wantNot != "" && strings.Contains(r.text, test.wantNot) {
			t.Errorf("%s: %s in %q", test.name, test.wantNot, r.text)
		}
		if updates := strings.Count(r.text, "\r") - strings.Count(r.text, "\r\n"); updates > int(r.took/(100*time.Millisecond))+1 {
			t.Errorf("%s: %d updates in %v", test.name, updates, r.took)
		}
	}
	if r := s.exits(0, "git-model-sign", "digest", "model"); r.stderr != "" {
		t.Errorf("drawn where there is no terminal: %q", r.stderr)
	}
	// ^C leaves the line as it is, says what happened, and ends at once.
	r := s.onTerminal(80, `/1024\.00 GiB`, "git-model-sign", "digest", "huge")
	if r.status != 4 || !strings.Contains(r.text, "\nerror: interrupted") || !strings.Contains(r.text, "/1024.00 GiB") || strings.Contains(r.text, "done") {
		t.Errorf("^C: exit status %d, %q", r.status, r.text)
	}
	t.Logf("ended %v after ^C", r.ended)
	if r.ended > 5*time.Second { // 100 ms, if nobody else keeps the machine busy
		t.Errorf("ended only %v after ^C", r.ended)
	}
}
