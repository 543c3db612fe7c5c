package chromium

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonValue is a value that is read later.
type jsonValue = jsontext.Value

// pipe is the two pipes by which a Chromium with --remote-debugging-pipe is spoken to: messages are JSON, and end with a zero byte.
type pipe struct {
	to   *os.File
	from *os.File

	mu    sync.Mutex
	last  int                  // the number of the last command
	waits map[int]chan message // by the number of the command: who waits for its answer; nil once the browser is gone
}

// message is what the browser says: the answer to a command, or something that happened.
type message struct {
	ID     int                       `json:"id"`
	Method string                    `json:"method"`
	Params jsonValue                 `json:"params"`
	Result jsonValue                 `json:"result"`
	Error  *struct{ Message string } `json:"error"`
}

var errGone = errors.New("the browser has ended")

// startWithPipe starts a command whose files 3 and 4 are pipes to us. noticed hears of what happens; it must not call.
func startWithPipe(cmd *exec.Cmd, noticed func(method string, params []byte)) (*pipe, error) {
	theirsIn, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirsIn.Close()
	from, theirsOut, err := os.Pipe()
	if err != nil {
		to.Close()
		return nil, err
	}
	defer theirsOut.Close()
	p := &pipe{to: to, from: from, waits: make(map[int]chan message)}
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut}
	if err := cmd.Start(); err != nil {
		p.close()
		return nil, err
	}
	go p.read(noticed)
	return p, nil
}

func (p *pipe) close() {
	p.to.Close()
	p.from.Close()
}

// read hands messages out until the browser is gone.
func (p *pipe) read(noticed func(string, []byte)) {
	for in := bufio.NewReader(p.from); ; {
		line, err := in.ReadBytes(0)
		var m message
		if err == nil {
			err = json.Unmarshal(line[:len(line)-1], &m, json.MatchCaseInsensitiveNames(true))
		}
		if err != nil {
			break
		}
		if m.Method != "" {
			noticed(m.Method, m.Params)
			continue
		}
		p.mu.Lock()
		if wait := p.waits[m.ID]; wait != nil {
			wait <- m // which has room for the one answer
		}
		delete(p.waits, m.ID)
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, wait := range p.waits {
		close(wait)
	}
	p.waits = nil
}

// call sends a command, to a page's session unless that is "", and waits for the answer.
func (p *pipe) call(ctx context.Context, session, method string, params map[string]any, answer any) error {
	wait := make(chan message, 1)
	p.mu.Lock()
	p.last++
	id := p.last
	gone := p.waits == nil
	if !gone {
		p.waits[id] = wait
	}
	p.mu.Unlock()
	if gone {
		return errGone
	}
	command := map[string]any{"id": id, "method": method}
	if params != nil {
		command["params"] = params
	}
	if session != "" {
		command["sessionId"] = session
	}
	b, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := p.to.Write(append(b, 0)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case m, ok := <-wait:
		switch {
		case !ok:
			return errGone
		case m.Error != nil:
			return fmt.Errorf("the browser says %s", m.Error.Message)
		case answer == nil:
			return nil
		}
		return json.Unmarshal(m.Result, answer, json.MatchCaseInsensitiveNames(true))
	}
}
