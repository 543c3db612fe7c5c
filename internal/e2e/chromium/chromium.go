// Package chromium has a headless Chromium do what a person does with a browser: open an address, type, press a button, read. It
// is spoken to over a pipe, by the Chrome DevTools Protocol (https://chromedevtools.github.io/devtools-protocol/). Only tests may
// import it.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Find returns the path of a Chromium.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium is here; on Debian: apt-get install chromium")
}

// flags are those with which it runs as root, without a display, and reaches out to nobody by itself.
var flags = []string{
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server", "--remote-debugging-pipe", "about:blank",
}

// A Browser is a running Chromium with one page.
type Browser struct {
	cmd     *exec.Cmd
	pipe    *pipe
	profile string
	session string // of the page, which commands are for

	mu       sync.Mutex
	requests []Request
}

// A Request is what the page had the browser ask for.
type Request struct {
	Method, URL, Referer string
}

// Start starts a Chromium that knows nothing of its user.
func Start(ctx context.Context) (*Browser, error) {
	program, err := Find()
	if err != nil {
		return nil, err
	}
	b := new(Browser)
	if b.profile, err = os.MkdirTemp("", "chromium-"); err != nil {
		return nil, err
	}
	b.cmd = exec.CommandContext(ctx, program, append([]string{"--user-data-dir=" + b.profile}, flags...)...)
	b.cmd.WaitDelay = time.Second
	if b.pipe, err = startWithPipe(b.cmd, b.noticed); err == nil {
		err = b.attach(ctx)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	return b, nil
}

// attach finds the page, and has the browser tell what it asks for.
func (b *Browser) attach(ctx context.Context) error {
	var all struct {
		TargetInfos []struct{ TargetID, Type string } `json:"targetInfos"`
	}
	if err := b.do(ctx, "Target.getTargets", nil, &all); err != nil {
		return err
	}
	for _, target := range all.TargetInfos {
		if target.Type != "page" {
			continue
		}
		var attached struct {
			SessionID string `json:"sessionId"`
		}
		if err := b.do(ctx, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
			return err
		}
		b.session = attached.SessionID
		return b.do(ctx, "Network.enable", nil, nil)
	}
	return errors.New("it has no page")
}

// Close ends the browser.
func (b *Browser) Close() {
	if b.pipe != nil {
		b.pipe.close()
		_ = b.cmd.Process.Kill() // it may be gone
		_ = b.cmd.Wait()
	}
	os.RemoveAll(b.profile)
}

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, url string) error {
	var to struct {
		ErrorText string `json:"errorText"`
	}
	if err := b.do(ctx, "Page.navigate", map[string]any{"url": url}, &to); err != nil {
		return err
	}
	if to.ErrorText != "" {
		return fmt.Errorf("opening %s: %s", url, to.ErrorText)
	}
	return nil
}

// Await waits until an expression of JavaScript holds on the page, which may still be on its way.
func (b *Browser) Await(ctx context.Context, expression string) error {
	for {
		var holds bool
		err := b.evaluate(ctx, expression, &holds)
		if err == nil && holds {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", expression, errors.Join(context.Cause(ctx), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Type puts the cursor into the first element that a CSS selector names, and types.
func (b *Browser) Type(ctx context.Context, selector, text string) error {
	if err := b.evaluate(ctx, "document.querySelector("+quote(selector)+").focus()", nil); err != nil {
		return err
	}
	return b.do(ctx, "Input.insertText", map[string]any{"text": text}, nil)
}

// Click presses the mouse on the first element that a CSS selector names.
func (b *Browser) Click(ctx context.Context, selector string) error {
	var at struct{ X, Y float64 }
	middle := "(r => ({X: r.x + r.width / 2, Y: r.y + r.height / 2}))(document.querySelector(" + quote(selector) + ").getBoundingClientRect())"
	if err := b.evaluate(ctx, middle, &at); err != nil {
		return err
	}
	for _, event := range []string{"mousePressed", "mouseReleased"} {
		params := map[string]any{"type": event, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}
		if err := b.do(ctx, "Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// A Page is what somebody sees.
type Page struct {
	URL, Title, Text, HTML string
}

// Page reads the page.
func (b *Browser) Page(ctx context.Context) (p Page, err error) {
	const read = "({URL: location.href, Title: document.title, Text: document.body.innerText, HTML: document.documentElement.outerHTML})"
	return p, b.evaluate(ctx, read, &p)
}

// Requests are what the browser has asked for so far, in turn.
func (b *Browser) Requests() []Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Request(nil), b.requests...)
}

// noticed takes what the browser tells unasked.
func (b *Browser) noticed(method string, params []byte) {
	if method != "Network.requestWillBeSent" {
		return
	}
	var told struct {
		Request struct {
			Method, URL string
			Headers     map[string]string
		}
	}
	if json.Unmarshal(params, &told, json.MatchCaseInsensitiveNames(true)) != nil {
		return
	}
	r := Request{Method: told.Request.Method, URL: told.Request.URL}
	for name, value := range told.Request.Headers {
		if strings.EqualFold(name, "Referer") {
			r.Referer = value
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r)
}

// evaluate has the page compute an expression.
func (b *Browser) evaluate(ctx context.Context, expression string, value any) error {
	var answer struct {
		Result           struct{ Value jsonValue }
		ExceptionDetails *struct{ Text string }
	}
	err := b.do(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if err == nil && answer.ExceptionDetails != nil {
		err = fmt.Errorf("%s: %s", expression, answer.ExceptionDetails.Text)
	}
	if err != nil || value == nil {
		return err
	}
	return json.Unmarshal(answer.Result.Value, value)
}

func (b *Browser) do(ctx context.Context, method string, params map[string]any, answer any) error {
	if err := b.pipe.call(ctx, b.session, method, params, answer); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// quote is a text as JavaScript has it.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // which names nothing
	}
	return string(b)
}
