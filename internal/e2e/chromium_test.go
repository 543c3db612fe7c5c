package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/git-model-sign/git-model-sign/internal/e2e/chromium"
)

const (
	// chromiumCommand has this binary be somebody who signs in with a Chromium: see signInByChromium.
	chromiumCommand = "chromium"
	// chromiumPatience is how long a Chromium may take for that, on a busy machine too.
	chromiumPatience = time.Minute
)

// A visit is what came of signing in.
type visit struct {
	Page     chromium.Page
	Requests []chromium.Request
}

// signInByChromium opens an address, as whatever opens browsers has it do. It fills in a person's address there, presses the button
// "sign-in" or "cancel", and writes a report, a visit, of the page that this leads to.
func signInByChromium(person, button, report, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), chromiumPatience)
	defer cancel()
	b, err := chromium.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	press := fmt.Sprintf("button[value=%q]", button)
	steps := []func() error{
		func() error { return b.Open(ctx, address) },
		func() error { return b.Await(ctx, "document.querySelector('"+press+"') != null") },
		func() error { return b.Type(ctx, "input[type=email]", person) },
		func() error { return b.Click(ctx, press) },
		func() error {
			return b.Await(ctx, "location.port != "+portOf(address)+" && document.readyState == 'complete'")
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	var v visit
	if v.Page, err = b.Page(ctx); err != nil {
		return err
	}
	v.Requests = b.Requests()
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(report+".new", text, 0o666); err != nil {
		return err
	}
	return os.Rename(report+".new", report)
}

func portOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}

// landed prints title and text of the page that a sign-in by Chromium led to, once that has happened. It fails if the page tells
// anything of the sign-in, or has anybody else be told.
func landed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: landed REPORT")
	}
	for end := time.Now().Add(chromiumPatience); !exists(ts.MkAbs(args[0])) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	var v visit
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	ts.Check(v.leaks())
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n", v.Page.Title, v.Page.Text)
}

// leaks says where something of a sign-in got to that is for the program only.
func (v visit) leaks() error {
	u, err := url.Parse(v.Page.URL)
	if err != nil {
		return err
	}
	query := u.Query()
	if query.Get("state") == "" || query.Get("code") == "" && query.Get("error") == "" {
		return fmt.Errorf("the page %s is not where a sign-in ends", v.Page.URL)
	}
	for _, name := range []string{"code", "state", "error"} {
		if told := query.Get(name); told != "" && strings.Contains(v.Page.HTML, told) {
			return fmt.Errorf("the page repeats the %s: %s", name, v.Page.HTML)
		}
	}
	for _, r := range v.Requests {
		if code := query.Get("code"); code != "" && r.URL != v.Page.URL && strings.Contains(r.URL, code) || strings.Contains(r.Referer, u.Host) {
			return fmt.Errorf("what the page was asked for is in another request: %+v", r)
		}
	}
	for _, r := range v.Requests {
		if at, err := url.Parse(r.URL); err != nil || at.Hostname() != "localhost" && at.Hostname() != "127.0.0.1" || strings.Contains(r.URL+r.Referer, "eyJ") {
			return fmt.Errorf("somebody else was asked, or with a token: %+v", r)
		}
	}
	return nil
}

// haveChromium says whether there is one, and the desktop's way to open it.
func haveChromium() (bool, error) {
	_, err := chromium.Find()
	if err == nil {
		_, err = exec.LookPath("xdg-open")
	}
	if err != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("required where CI=true: %w", err)
	}
	return err == nil, nil
}
