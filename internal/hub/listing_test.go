package hub_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/hub"
)

const (
	blob      = "89abcdef89abcdef89abcdef89abcdef89abcdef"
	treePath  = "/api/models/org/name/tree/" + commit
	firstPage = treePath + "?recursive=true&expand=false"
)

var (
	sha      = strings.Repeat("5a", 32)
	revision = hub.Revision{Repo: model("org/name"), Name: "main", Commit: commit}
)

// element is a file of a page, with more of its JSON.
func element(path, more string) string {
	return fmt.Sprintf(`{"type":"file","path":%q,"size":10,"oid":%q%s}`, path, blob, more)
}

func lfs(sha string, size, pointer int64) string {
	return fmt.Sprintf(`,"lfs":{"oid":%q,"size":%d,"pointerSize":%d},"xetHash":"x"`, sha, size, pointer)
}

func page(elements ...string) string { return "[" + strings.Join(elements, ",") + "]" }

func next(uri string) []string { return []string{"Link", "<" + uri + `>; rel="next"`} }

func file(path string) hub.Entry { return hub.Entry{Path: path, Size: 10, BlobID: blob} }

func TestList(t *testing.T) {
	hosts := map[string]http.Handler{theHub: at(map[string]http.Handler{
		firstPage:              reply(200, page(element("z", ""), `{"type":"directory","path":"a","oid":"`+blob+`","size":0}`), next(theHub+treePath+"?cursor=2")...),
		treePath + "?cursor=2": reply(200, page(element("a/b", lfs(sha, 10, 130))), next("?cursor=3")...),
		treePath + "?cursor=3": reply(200, page(element("a.b", ""), element("a/größe 1", `,"lfs":null`)), "Link", `<?cursor=1>; rel="prev"`),
	})}
	online(t, hosts, func(t *testing.T, n *network) {
		got, err := n.client(hub.Environment{Token: token(t)}).List(t.Context(), revision)
		want := []hub.Entry{file("a.b"), {Path: "a/b", Size: 10, BlobID: blob, SHA256: sha, PointerSize: 130}, file("a/größe 1"), file("z")}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		if len(n.requests()) != 3 {
			t.Errorf("%v", n.uris())
		}
	})
}

func TestListWhereItMoved(t *testing.T) {
	moved := strings.Replace(firstPage, "org/name", "new/name", 1)
	for name, r := range map[string]hub.Revision{
		"known":     {Repo: model("org/name"), Commit: commit, MovedTo: "new/name"},
		"not known": revision,
	} {
		t.Run(name, func(t *testing.T) {
			hosts := map[string]http.Handler{theHub: at(map[string]http.Handler{
				firstPage: reply(307, "", "Location", moved),
				moved:     reply(200, page(element("f", ""))),
			})}
			online(t, hosts, func(t *testing.T, n *network) {
				if got, err := n.client(hub.Environment{}).List(t.Context(), r); err != nil || len(got) != 1 {
					t.Errorf("%+v, %v", got, err)
				}
				if uris := n.uris(); uris[len(uris)-1] != theHub+moved {
					t.Errorf("%v", uris)
				}
			})
		})
	}
}

// A mirror may hand on the Hub's own links.
func TestListFromAMirror(t *testing.T) {
	hosts := map[string]http.Handler{"http://127.0.0.1:8080": at(map[string]http.Handler{
		"/hf" + firstPage:              reply(200, page(element("a", "")), next(theHub+treePath+"?cursor=2")...),
		"/hf" + treePath + "?cursor=2": reply(200, page(element("b", ""))),
	})}
	online(t, hosts, func(t *testing.T, n *network) {
		got, err := n.client(hub.Environment{Endpoint: mirror}).List(t.Context(), revision)
		if err != nil || len(got) != 2 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestListRefusesElements(t *testing.T) {
	for _, test := range []struct{ name, page, text string }{
		{"parent", page(element("../f", "")), `".."`},
		{"parent within", page(element("a/../../f", "")), `".."`},
		{"absolute", page(element("/etc/passwd", "")), "empty part"},
		{"empty part", page(element("a//b", "")), "empty part"},
		{"slash at the end", page(element("a/", "")), "empty part"},
		{"dot", page(element("./a", "")), `"."`},
		{"backslash", page(element(`..\f`, "")), "backslash"},
		{"line feed", page(element("a\nb", "")), "control character"},
		{"escape", page(`{"type":"file","path":"a\u001b[2J","size":1,"oid":"` + blob + `"}`), "control character"},
		{"C1 control", page(element("a\u009bb", "")), "control character"},
		{"hooks", page(element(".git/hooks/post-checkout", "")), ".git folder"},
		{"hooks in capitals", page(element("a/.GIT/hooks/post-checkout", "")), ".git folder"},
		{"hooks by a short name", page(element("a/GIT~1/hooks/post-checkout", "")), ".git folder"},
		{"no path", page(element("", "")), "between 1 and"},
		{"long path", page(element(strings.Repeat("a/", 2048)+"a", "")), "between 1 and"},
		{"bad folder", page(`{"type":"directory","path":"../a"}`), `".."`},
		{"twice", page(element("a", ""), element("a", "")), "listed twice"},
		{"file and folder", page(element("a", ""), `{"type":"directory","path":"a"}`), "listed twice"},
		{"file as a folder", page(element("a/b/c", ""), element("a/b", "")), `"a/b" as a file and as a folder`},
		{"other type", page(`{"type":"unknown","path":"sub","oid":"` + blob + `"}`), `but "unknown"`},
		{"no type", page(`{"path":"a","size":1,"oid":"` + blob + `"}`), `but ""`},
		{"no size", page(`{"type":"file","path":"a","oid":"` + blob + `"}`), "no size"},
		{"negative size", page(`{"type":"file","path":"a","size":-1,"oid":"` + blob + `"}`), "no size"},
		{"size too large", page(`{"type":"file","path":"a","size":9223372036854775808,"oid":"` + blob + `"}`), "no valid JSON"},
		{"broken size", page(`{"type":"file","path":"a","size":1.5,"oid":"` + blob + `"}`), "no valid JSON"},
		{"no blob", page(`{"type":"file","path":"a","size":1}`), "expected 40 hex digits"},
		{"blob in capitals", page(`{"type":"file","path":"a","size":1,"oid":"` + strings.ToUpper(blob) + `"}`), "expected 40 hex digits"},
		{"sha256 that is none", page(element("a", lfs("5a", 10, 130))), "expected 64 hex digits"},
		{"sha256 with a prefix", page(element("a", lfs("sha256:"+sha, 10, 130))), "expected 64 hex digits"},
		{"another LFS size", page(element("a", lfs(sha, 11, 130))), "another size"},
		{"no LFS size", page(element("a", `,"lfs":{"oid":"`+sha+`"}`)), "another size"},
		{"large pointer", page(element("a", lfs(sha, 10, 1025))), "at most 1024"},
		{"negative pointer", page(element("a", lfs(sha, 10, -1))), "at most 1024"},
		{"member twice", page(`{"type":"file","path":"a","path":"b","size":1,"oid":"` + blob + `"}`), "no valid JSON"},
		{"no UTF-8", page("{\"type\":\"file\",\"path\":\"a\xff\",\"size\":1,\"oid\":\"" + blob + "\"}"), "no valid JSON"},
		{"no list", `{"error":"hunter"}`, "no valid JSON"},
		{"nothing", "", "no valid JSON"},
		{"null", "null", "no valid JSON"},
		{"the first of many", "[" + strings.Repeat("{},", 100) + "}", "between 1 and 4096 bytes"}, // no more is read
		{"cut off", `[` + element("a", "") + `,`, "no valid JSON"},
		{"more behind it", page() + page(), "no valid JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: reply(200, test.page)}, func(t *testing.T, n *network) {
				got, err := n.client(hub.Environment{}).List(t.Context(), revision)
				checkError(t, err, nil, test.text)
				if got != nil {
					t.Errorf("it lists %+v", got)
				}
			})
		})
	}
}

func TestListRefusesPages(t *testing.T) {
	evil := "https://evil.example.com" + treePath
	for _, test := range []struct {
		name     string
		first    []string // header of the first page
		second   http.Handler
		is       error
		text     string
		requests int
	}{
		{"circle", next(firstPage), nil, nil, "was there before", 1},
		{"circle of two", next("?cursor=2"), reply(200, page(), next(firstPage)...), nil, "was there before", 2},
		{"page that repeats", next("?cursor=2"), reply(200, page(element("f", "")), next("?cursor=3")...), nil, "listed twice", 2},
		{"another host", next(evil + "?cursor=2&key=hunter2"), nil, nil, "would be at " + evil, 1},
		{"another port", next(theHub + ":444" + treePath), nil, nil, "huggingface.co:444", 1},
		{"http", next("http://huggingface.co" + treePath), nil, nil, "http://huggingface.co", 1},
		{"user", next("https://user:hunter2@huggingface.co" + treePath), nil, nil, "would be at", 1},
		{"other commit", next("/api/models/org/name/tree/" + blob), reply(200, page()), hub.ErrRedirect, "listing led to", 2},
		{"redirect to another host", next("?cursor=2"), reply(307, "", "Location", evil), hub.ErrRedirect, "only asked at", 2},
		{"link that is none", []string{"Link", "rel=next"}, nil, nil, "cannot be parsed", 1},
		{"link that is no address", next("%zz"), nil, nil, "cannot be parsed", 1},
		{"link without an end", next("?cursor=" + strings.Repeat("2", 8192)), nil, nil, "cannot be parsed", 1},
		{"two next links", append(next("?cursor=2"), next("?cursor=3")...), nil, nil, "several next pages", 1},
		{"gone in between", next("?cursor=2"), reply(404, "", "X-Error-Code", "RevisionNotFound"), hub.ErrRevisionNotFound, "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := inTurn(reply(200, page(element("f", "")), test.first...), test.second)
			online(t, map[string]http.Handler{theHub: server}, func(t *testing.T, n *network) {
				_, err := n.client(hub.Environment{Token: token(t)}).List(t.Context(), revision)
				checkError(t, err, test.is, test.text)
				if len(n.requests()) != test.requests {
					t.Errorf("%v", n.uris())
				}
				if hosts := n.tokensAt(); len(hosts) != 1 || hosts[0] != theHub {
					t.Errorf("the token is seen by %v", hosts)
				}
			})
		})
	}
}

// endless serves pages that always have a next one.
func endless(elements func(n int) string) http.Handler {
	n := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		reply(200, elements(n), next(fmt.Sprintf("?cursor=%d", n))...).ServeHTTP(w, r)
	})
}

func TestListIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it lists up to the bounds, which takes seconds")
	}
	spaces := strings.Repeat(" ", 60<<20)
	for _, test := range []struct {
		name, text string
		server     http.Handler
	}{
		{"pages", "one too many", endless(func(int) string { return "[]" })},
		{"files and folders", "more than 250000 files", endless(func(n int) string {
			elements := make([]string, 10_000)
			for i := range elements {
				elements[i] = fmt.Sprintf(`{"type":"directory","path":"%d/%d"}`, n, i)
			}
			return page(elements...)
		})},
		{"bytes", "larger than", endless(func(int) string { return "[" + spaces + "]" })},
	} {
		t.Run(test.name, func(t *testing.T) {
			online(t, map[string]http.Handler{theHub: test.server}, func(t *testing.T, n *network) {
				_, err := n.client(hub.Environment{}).List(t.Context(), revision)
				checkError(t, err, nil, test.text)
			})
		})
	}
}
