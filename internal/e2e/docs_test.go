package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/e2e/hubserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/lfsserver"
	"github.com/git-model-sign/git-model-sign/internal/e2e/needs"
	"github.com/git-model-sign/git-model-sign/internal/monitor/monitortest"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

// TestDocs runs every command that README.md and docs/*.md show. The convention, which their authors follow:
//
// In a fenced block marked console, a line "$ COMMAND" is run, and the lines under it are what it prints. A command ending in a
// backslash goes on in the next line. All blocks of a document are one shell session, so cd and variables last. The session
// begins in a private HOME with git-lfs set up and with the trees of modelTrees in it, and:
//
//   - a command must exit with 0, unless "$ echo $?" follows and shows another status;
//   - lines shown must be printed in that order, on either stream; lines that are not shown may come between them;
//   - "…" in a line stands for any text;
//   - https://example.com/org/NAME is an empty repository that can be pushed to, and $MODULE is the folder of go.mod;
//   - SoftHSM keeps its tokens in the session, and a key service with the key "release" answers clients of HashiCorp Vault, where the
//     document has softhsm2-util or hashivault:// in it;
//   - where the document has --timestamp-server-url, http://timestamp.example.com/tsr is a timestamp authority with the certificate
//     ~/timestamp-authority.pem, and ~/signing.pem is a certificate for ~/signing-key.pem, by the authority of ~/root.pem;
//   - in a document that runs git model-sign monitor, a Sigstore instance of the session's own is configured. Its log holds ten
//     entries; that with index 7 is a signature of alice@example.com's, by https://accounts.example.com;
//   - in a document that runs hf, which is installed then, https://huggingface.co is a Hub of the session's own: org/NAME can be
//     pushed to by its address, and org/unsigned is a model there.
//
// An HTML comment that begins with "run" holds commands that a reader need not see. Commands that this test is itself part of
// stand in an unmarked block, begin with "go ", and must be lines of .ci/run. What cannot run here stands in a block under the comment
// "<!-- run by FILE -->", which names the test or session that does it: see wantRunBy. Measurements, which take too long, are
// indented by four spaces: see wantMeasurement. There is no other place for a command: no block is marked sh or bash, and no
// other holds a line that begins as a command does.
func TestDocs(t *testing.T) {
	lfs := needs.GitLFS(t)
	documents, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(documents, filepath.Join("..", "..", "README.md")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := parseDocument(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			runDocument(t, filepath.Base(file), string(text), steps, lfs)
		})
	}
}

// A step is one command of a document.
type step struct {
	line    int // where it stands
	command string
	shown   []string // the output that the document shows
	kind    kind
	by      string // the file of the test that runs it, for elsewhere
}

// A kind of step says what is done about it.
type kind int

const (
	here        kind = iota // it is run here
	inCI                    // it is a line of .ci/run
	elsewhere               // another test runs it; the command is the whole block
	measurement             // a test runs something smaller by the same code
)

// fences are the kinds of blocks that may stand in a document.
var fences = []string{"console", "", "text", "json", "ini", "yaml", "mermaid"}

var (
	// commands begins a line that is one, in YAML too.
	commands = regexp.MustCompile(`^\s*(- )?(run: )?(\$ )?(\w+=\S* )*(go|git|git-\S+|hf|hf-\S+|cosign|openssl|pip|apt|curl|docker|sh|bash|cd|export|\$)\s`)
	unread   = regexp.MustCompile("^([ \t>*-]*(```|~~~)|\t\\S)") // blocks of other forms; a tab makes one as well
	runBy    = regexp.MustCompile(`^<!-- run by (\S+) -->$`)
)

// parseDocument finds the commands of a Markdown document.
func parseDocument(text string) ([]step, error) {
	var steps []step
	var by string    // where the commands of the next block are run
	var block string // the kind of block that this line is in: "none" outside any
	const none, hidden = "none", "<!-- run"
	block = none
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case block == none && !isFence && unread.MatchString(line):
			return nil, fmt.Errorf("line %d: begin a block with ``` at the start of a line", i+1)
		case block == none && isFence:
			if !slices.Contains(fences, fence) {
				return nil, fmt.Errorf("line %d: a block marked %q is not run by any test: mark it console, or text", i+1, fence)
			}
			block = fence
			if by != "" {
				block = "elsewhere"
				steps = append(steps, step{line: i + 1, kind: elsewhere, by: by})
			}
		case block == none && by != "":
			return nil, fmt.Errorf("line %d: no block follows on what says who runs it", i+1)
		case block == none && strings.TrimSpace(line) == hidden:
			block = hidden
		case block == none:
			if m := runBy.FindStringSubmatch(line); m != nil {
				by = m[1]
			}
			if command, ok := strings.CutPrefix(line, "    "); ok && strings.TrimSpace(command) != "" {
				steps = append(steps, step{line: i + 1, command: command, kind: measurement})
			}
		case isFence || block == hidden && strings.TrimSpace(line) == "-->":
			block, by = none, ""
		case block == hidden:
			steps = append(steps, step{line: i + 1, command: line})
		case block == "console":
			steps = addConsoleLine(steps, i+1, line)
		case block == "elsewhere":
			steps[len(steps)-1].command += line + "\n"
		case block == "" && strings.HasPrefix(line, "go "):
			steps = append(steps, step{line: i + 1, command: line, kind: inCI})
		case commands.MatchString(line):
			return nil, fmt.Errorf("line %d: a command in a block that is not marked console, and nothing says who runs it: %s", i+1, line)
		}
	}
	if block != none {
		return nil, fmt.Errorf("the last block has no end")
	}
	return steps, nil
}

// addConsoleLine takes a line of a console block: a command, the rest of one, or output of the last.
func addConsoleLine(steps []step, number int, line string) []step {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		return append(steps, step{line: number, command: command})
	}
	if len(steps) == 0 {
		return append(steps, step{line: number, command: "false # output without a command: " + line})
	}
	last := &steps[len(steps)-1]
	if unfinished, ok := strings.CutSuffix(last.command, `\`); ok && len(last.shown) == 0 {
		last.command = unfinished + strings.TrimSpace(strings.TrimPrefix(line, "> "))
		return steps
	}
	last.shown = append(last.shown, line)
	return steps
}

// boundary marks in the output of a document's session where a command ended, and with which exit status.
const boundary = "\x00status "

// runDocument runs the steps in one shell and holds what it prints against what the document shows.
func runDocument(t *testing.T, name, text string, steps []step, lfs string) {
	script := "set -u\nstatus=0\nresume() { return \"$status\"; }\n"
	var ran []step
	for _, s := range steps {
		switch s.kind {
		case inCI:
			wantInCI(t, s)
			continue
		case elsewhere:
			wantRunBy(t, name, s)
			continue
		case measurement:
			wantMeasurement(t, s)
			continue
		}
		ran = append(ran, s)
		script += fmt.Sprintf("resume\neval %s\nstatus=$?\nprintf '\\000status %%d\\n' \"$status\"\n", shellQuote(s.command))
	}
	if len(ran) == 0 {
		return
	}
	s := docSession(t, text, lfs)
	s.write("session.sh", script)
	var out bytes.Buffer
	cmd := s.Command(t.Context(), s.Path(), "sh", s.path("session.sh"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	parts := strings.Split(out.String(), boundary)
	for i, step := range ran {
		if i+1 >= len(parts) {
			t.Fatalf("line %d: the session ended before or in: %s\n%s", step.line, step.command, out.String())
		}
		printed := parts[i]
		if i > 0 {
			_, printed, _ = strings.Cut(printed, "\n") // behind the status of the command before
		}
		status, _, _ := strings.Cut(parts[i+1], "\n")
		told := i+1 < len(ran) && ran[i+1].command == "echo $?"
		if status != "0" && !told {
			t.Fatalf("line %d: exit status %s: %s\n%s", step.line, status, step.command, printed)
		}
		if missing := firstMissing(step.shown, printed); missing != "" {
			t.Errorf("line %d: %s\nshown in the document: %s\nprinted:\n%s", step.line, step.command, missing, printed)
		}
	}
}

// docSession prepares what a document's session finds.
func docSession(t *testing.T, text, lfs string) *session {
	s := newSession(t, lfs)
	s.exits(0, "git", "lfs", "install")
	server, err := lfsserver.Start(s.path("host"), lfsserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	names := regexp.MustCompile(`https://example\.com/org/([a-z0-9-]+)`).FindAllStringSubmatch(text, -1)
	slices.SortFunc(names, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	for _, name := range slices.CompactFunc(names, func(a, b []string) bool { return a[1] == b[1] }) {
		url, err := server.CreateRepository(t.Context(), name[1])
		if err != nil {
			t.Fatal(err)
		}
		s.exits(0, "git", "config", "--system", "url."+url+".insteadOf", name[0])
	}
	if strings.Contains(text, "$ hf ") {
		docHub(s, text)
	}
	module, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "MODULE="+module, "GOPROXY=off")
	if strings.Contains(text, "softhsm2-util") {
		s.Env = append(s.Env, tokenEnv(t)...)
	}
	if strings.Contains(text, "\nopenssl ") {
		if _, err := exec.LookPath("openssl"); err != nil {
			needs.Missing(t, "openssl: %v", err)
		}
	}
	if strings.Contains(text, "hashivault://") {
		s.Env = append(s.Env, serviceEnv(keyService(t))...)
	}
	if strings.Contains(text, "--timestamp-server-url") {
		docTimestamps(s)
	}
	if strings.Contains(text, "$ git model-sign monitor") {
		docLog(s)
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		s.Env = append(s.Env, name+"="+strings.TrimSpace(string(out)))
	}
	modelTrees(s)
	return s
}

// docLog has the session believe in an instance with a log, and makes entries there.
func docLog(s *session) {
	log := monitortest.New(s.t)
	for i := range 10 {
		who := "somebody@example.com"
		if i == 7 {
			who = "alice@example.com"
		}
		log.Add(monitortest.Body("dsse 0.0.2", log.Certificate(s.t, who, "https://accounts.example.com"), strconv.Itoa(i)))
	}
	trusted, err := log.TrustedRoot(s.t).MarshalJSON()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("trusted_root.json", string(trusted))
	s.exits(0, "git", "config", "--system", "modelsign.trustedRoot", s.path("trusted_root.json"))
}

// docTimestamps gives the session a certificate with its key, its authority, and a timestamp authority under its own name.
func docTimestamps(s *session) {
	p := &pki{dir: s.path("home")}
	root := p.issue("root", nil, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour), asAuthority)
	p.issue("signing", root, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour), asSigner)
	if p.err != nil {
		s.t.Fatal(p.err)
	}
	tsa := verifytest.NewTimestampAuthority(s.t, "timestamp authority")
	s.write("home/timestamp-authority.pem", string(verifytest.PEM(tsa.Certificate)))
	s.Env = append(s.Env, "HTTP_PROXY="+tsa.Serve(s.t), "NO_PROXY=localhost,127.0.0.1")
}

// docHub gives a document's session the Hub's own client, and a Hub that both take for the real one.
func docHub(s *session, text string) {
	env, err := hubClientInto(s.t.Context(), s.path("usr/bin"))
	if err != nil {
		needs.Missing(s.t, "the Hub's own client: %v", err)
	}
	s.Env = append(s.Env, env...)
	server, err := hubserver.Start(s.path("hub"), hubserver.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { server.Close() })
	s.Env = append(s.Env, "HF_ENDPOINT="+server.Endpoint())
	s.exits(0, "git", "config", "--system", "url."+server.Endpoint()+"/.insteadOf", "https://huggingface.co/")
	s.write("unsigned/config.json", "{}")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "Add a model"}} {
		s.exits(0, "git", append([]string{"-C", s.path("unsigned")}, args...)...)
	}
	made := map[string]bool{}
	for _, name := range regexp.MustCompile(`https://huggingface\.co/(org/[a-z0-9-]+)`).FindAllStringSubmatch(text, -1) {
		if made[name[1]] {
			continue
		}
		made[name[1]] = true
		if err := server.Create(s.t.Context(), name[1]); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := server.Publish(s.t.Context(), "org/unsigned", s.path("unsigned")); err != nil {
		s.t.Fatal(err)
	}
}

// firstMissing is the first line shown that is not printed after those before it, or nothing.
func firstMissing(shown []string, printed string) string {
	lines := strings.Split(printed, "\n")
	for _, want := range shown {
		var parts []string
		for _, part := range strings.Split(strings.TrimSpace(want), "…") {
			parts = append(parts, regexp.QuoteMeta(part))
		}
		re := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		at := slices.IndexFunc(lines, func(line string) bool { return re.MatchString(strings.TrimSpace(line)) })
		if at < 0 {
			return want
		}
		lines = lines[at+1:]
	}
	return ""
}

func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// modelTrees lays models of the shapes that people have into ~/models, and a PyTorch Hub checkout where that library puts it.
func modelTrees(s *session) {
	tensor := func(name string) string { return string(weights(50_000, name)) }
	s.write(
		"home/models/saved_model/saved_model.pb", tensor("graph"),
		"home/models/saved_model/fingerprint.pb", "fingerprint",
		"home/models/saved_model/variables/variables.index", "index",
		"home/models/saved_model/variables/variables.data-00000-of-00001", tensor("variables"),
		"home/models/saved_model/assets/vocab.txt", "[PAD]\n[UNK]\n",

		"home/models/bert/README.md", "---\nlicense: apache-2.0\n---\n# BERT\n",
		"home/models/bert/config.json", `{"architectures": ["BertModel"]}`,
		"home/models/bert/model.safetensors", tensor("bert"),
		"home/models/bert/onnx/model.onnx", tensor("bert.onnx"),
		"home/models/bert/tokenizer.json", "{}",
		"home/models/bert/tokenizer_config.json", "{}",
		"home/models/bert/special_tokens_map.json", "{}",
		"home/models/bert/vocab.txt", "[PAD]\n[UNK]\n",
		"home/models/bert/.gitattributes", "*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.onnx filter=lfs diff=lfs merge=lfs -text\n",

		"home/.cache/torch/hub/pytorch_vision_main/hubconf.py", "dependencies = ['torch']\n",
		"home/.cache/torch/hub/pytorch_vision_main/torchvision/models/resnet.py", "class ResNet: ...\n",
		"home/.cache/torch/hub/checkpoints/resnet18-f37072fd.pth", tensor("resnet18"),

		"home/models/resnet50.onnx", tensor("resnet50"),
	)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "Add the model"}} {
		s.exits(0, "git", append([]string{"-C", s.path("home/models/bert")}, args...)...)
	}
}
