package oms_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

// An edit replaces one piece of a text.
type edit struct{ old, new string }

// apply fails the test unless every edit finds its piece exactly once, so that no
// case of a table is about something that is not there.
func apply(t *testing.T, text string, edits ...edit) []byte {
	t.Helper()
	for _, e := range edits {
		if n := strings.Count(text, e.old); n != 1 {
			t.Fatalf("%q is there %d times in\n%s", e.old, n, text)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return []byte(text)
}

// listed returns a statement that lists resources just as they are given, with
// the root digest that goes with them.
func listed(serialization, algorithm string, rs ...string) []byte {
	var resources []string
	root := sha256.New()
	for _, name := range rs {
		digest := sha256.Sum256([]byte(name))
		root.Write(digest[:])
		resources = append(resources, fmt.Sprintf(`{"algorithm":%q,"name":%q,"digest":"%x"}`, algorithm, name, digest))
	}
	return fmt.Appendf(nil, `{"predicate":{"serialization":{%s},"resources":[%s]},"predicateType":%q,"subject":[{"digest":{"sha256":"%x"},"name":"m"}],"_type":%q}`,
		serialization, strings.Join(resources, ","), oms.PredicateType, root.Sum(nil), oms.StatementType)
}

const (
	asFiles  = `"method":"files","hash_type":"sha256","allow_symlinks":false`
	asShards = `"method":"shards","hash_type":"sha256","allow_symlinks":false,"shard_size":5`
)

// The reference signer lists by path components and the specification by code
// points; a statement of either, or of neither, is read as it stands.
func TestParseStatementKeepsOrder(t *testing.T) {
	for _, order := range [][]string{
		{"refs/deploy.md", "refs/deploy/lib.md", "z"},
		{"refs/deploy/lib.md", "refs/deploy.md", "z"},
		{"z", "refs/deploy.md", "refs/deploy/lib.md"},
	} {
		m, err := oms.ParseStatement(listed(asFiles, "sha256", order...))
		if err != nil {
			t.Errorf("%q: %v", order, err)
			continue
		}
		if got := names(m); !slices.Equal(got, order) {
			t.Errorf("got %q, expected %q", got, order)
		}
	}
}

func TestParseStatementShards(t *testing.T) {
	order := []string{"w:5:10", "a:b:0:3", "w:0:5", "w:10:12"}
	// What the specification says, and what signers write.
	for _, algorithm := range []string{"sha256", "sha256-sharded-5"} {
		m, err := oms.ParseStatement(listed(asShards, algorithm, order...))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		if got := names(m); !slices.Equal(got, order) {
			t.Errorf("got %q, expected %q", got, order)
		}
		if r := m.Resources[1]; r.Path != "a:b" || r.Start != 0 || r.End != 3 {
			t.Errorf("got %+v", r)
		}
	}

	for _, tt := range []struct{ name, problem string }{
		{"w", `expected the name of a shard`},
		{"w:0", `expected the name of a shard`},
		{"w:0:", `expected the name of a shard`},
		{"w::5", `expected the name of a shard`},
		{"w:0:05", `expected the name of a shard`},
		{"w:00:5", `expected the name of a shard`},
		{"w:+0:5", `expected the name of a shard`},
		{"w:-1:5", `expected the name of a shard`},
		{"w:0:5 ", `expected the name of a shard`},
		{"w:0:0x5", `expected the name of a shard`},
		{"w:0:1_0", `expected the name of a shard`},
		{"w:0:٥", `expected the name of a shard`},
		{"w:0:9223372036854775808", `expected the name of a shard`},
		{"w:0:9223372036854775807", `the shard is longer than shard_size`},
		{"w:0:6", `the shard is longer than shard_size`},
		{"w:0:0", `the shard is empty`},
		{"w:5:0", `the shard is empty`},
		{"w:5:10", `expected the shard that starts at 0`},
		{":0:5", `path is empty`},
		{"../w:0:5", `path has a ".." part`},
	} {
		wantProblem(t, listed(asShards, "sha256", tt.name), tt.problem)
	}
	wantProblem(t, listed(asShards, "sha256-sharded-6", "w:0:5"), `algorithm is "sha256-sharded-6", but hash_type is "sha256"`)
	wantProblem(t, listed(asFiles, "sha256-sharded-5", "w"), `algorithm is "sha256-sharded-5", but hash_type is "sha256"`)
}

func wantProblem(t *testing.T, payload []byte, problem string) {
	t.Helper()
	m, err := oms.ParseStatement(payload)
	if m != nil || !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), problem) {
		t.Errorf("%v, expected %s", err, problem)
	}
}

// The reference signer calls a model that is a single file ".".
func TestParseStatementSingleFile(t *testing.T) {
	for _, payload := range [][]byte{
		listed(asFiles, "sha256", "."),
		listed(asShards, "sha256", ".:0:5", ".:5:6"),
	} {
		m, err := oms.ParseStatement(payload)
		if err != nil || m.Resources[0].Path != "." {
			t.Errorf("%+v, %v", m, err)
		}
	}
	wantProblem(t, listed(asFiles, "sha256", ".", "a"), `the path of a single-file model stands beside other files`)
	wantProblem(t, listed(asFiles, "sha256", "-", "."), `the path of a single-file model stands beside other files`)
	wantProblem(t, listed(asFiles, "sha256", ".", "."), `"." is listed twice`)
	wantProblem(t, listed(asFiles, "sha256", "./a"), `path has a "." part`)
}

func TestParseStatementSet(t *testing.T) {
	wantProblem(t, listed(asFiles, "sha256", "b", "a", "b"), `"b" is listed twice`)
	wantProblem(t, listed(asFiles, "sha256", "a/b", "a"), `"a/b" lies in "a"`)
	wantProblem(t, listed(asShards, "sha256", "a:0:1", "a/b:0:1"), `"a/b" lies in "a"`)
	wantProblem(t, listed(asShards, "sha256", "a:0:5", "a:0:5"), `"a:0:5" is listed twice`)
	wantProblem(t, listed(asShards, "sha256", "a:0:4", "a:4:5"), `only a file's last shard`)
	wantProblem(t, listed(asFiles, "sha256"), "no resources")
}

// Signers that go by way of a protobuf Struct write numbers as doubles.
func TestParseStatementShardSize(t *testing.T) {
	for spelling, want := range map[string]int64{
		"5":                    5,
		"5.0":                  5,
		"5e0":                  5,
		"0.5E+1":               5,
		"50e-1":                5,
		"1000000000.0":         1_000_000_000,
		"1e9":                  1_000_000_000,
		"1E09":                 1_000_000_000,
		"9007199254740992":     1 << 53,
		"0":                    0,
		"-5":                   0,
		"-0":                   0,
		"5.5":                  0,
		"1e-1":                 0,
		"9007199254740993":     0,
		"1e16":                 0,
		"1e99":                 0,
		"1e100":                0,
		"1e999999999999999999": 0,
		"5e-999999999":         0,
		"0.000000000000000000000000000000000000005e39": 0,
		`"5"`:  0,
		"null": 0,
		"[5]":  0,
	} {
		payload := apply(t, string(listed(asShards, "sha256", "w:0:5")), edit{`"shard_size":5`, `"shard_size":` + spelling})
		m, err := oms.ParseStatement(payload)
		switch {
		case want == 0 && !errors.Is(err, oms.ErrFormat):
			t.Errorf("%s: %v, expected an error", spelling, err)
		case want != 0 && (err != nil || m.Serialization.ShardSize != want):
			t.Errorf("%s: %+v, %v, expected %d", spelling, m, err, want)
		}
	}
}

// Ignored paths are kept as signers have written them, whatever they mean.
func TestParseStatementIgnorePaths(t *testing.T) {
	payload := listed(asFiles+`,"ignore_paths":["b",".git","..",".","/abs","../up","*"]`, "sha256", "a")
	m, err := oms.ParseStatement(payload)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"b", ".git", "..", ".", "/abs", "../up", "*"}; !slices.Equal(m.Serialization.IgnorePaths, want) {
		t.Errorf("got %q, expected %q", m.Serialization.IgnorePaths, want)
	}
	wantProblem(t, listed(asFiles+`,"ignore_paths":"b"`, "sha256", "a"), "expected an array, found a string")
	wantProblem(t, listed(asFiles+`,"ignore_paths":[1]`, "sha256", "a"), "expected a string, found a number")
	wantProblem(t, listed(asFiles+`,"ignore_paths":["`+strings.Repeat("p", 4097)+`"]`, "sha256", "a"), "string of 4097 bytes")
	wantProblem(t, listed(asFiles+`,"ignore_paths":[`+strings.Repeat(`"p",`, 100_000)+`"p"]`, "sha256", "a"), "more than 100000 elements")
}

// One valid statement, and what becomes of it.
func TestParseStatementRefuses(t *testing.T) {
	valid := string(statement(t, manifest(t, wholeFiles, file("a"), file("b/c"))))
	a, b := fmt.Sprintf("%x", file("a").Digest), fmt.Sprintf("%x", file("b/c").Digest)
	name, root := `"name":"model"`, fmt.Sprintf("%x", manifest(t, wholeFiles, file("a"), file("b/c")).RootDigest())
	serialization := `{"method":"files","hash_type":"sha256","allow_symlinks":false}`
	tests := []struct {
		problem string
		edits   []edit
	}{
		// the statement
		{`_type is "https://in-toto.io/Statement/v0.1"`, []edit{{"Statement/v1", "Statement/v0.1"}}},
		{`_type is ""`, []edit{{`"_type"`, `"-type"`}}},
		{`predicateType is "https://model_signing/signature/v1.00"`, []edit{{"signature/v1.0", "signature/v1.00"}}},
		{`predicateType is ""`, []edit{{`"predicateType"`, `"predicatetype"`}}},
		{"0 subjects, expected one", []edit{{`"subject"`, `"subjects"`}}},
		{"0 subjects, expected one", []edit{{`[{"name":"model","digest":{"sha256":"` + root + `"}}]`, `[]`}}},
		{"2 subjects, expected one", []edit{{`{` + name, `{"name":"x","digest":{"sha256":"` + a + `"}},{` + name}}},
		{`"/subject": expected an array, found an object`, []edit{{`[{"name":"model","digest":{"sha256":"` + root + `"}}]`, `{}`}}},
		{"subject 1 has no name", []edit{{name, `"name":""`}}},
		{"subject 1 has no name", []edit{{name, `"nom":"model"`}}},
		{`"/subject/0/name": expected a string, found null`, []edit{{name, `"name":null`}}},
		{`subject 1 "model" has no SHA-256 digest`, []edit{{`{"sha256":"` + root, `{"sha512":"` + root}}},
		{`subject 1 "model" has no SHA-256 digest`, []edit{{root, root[2:]}}},
		{"the root digest is " + a, []edit{{root, a}}},
		{"is not lowercase hexadecimal", []edit{{root, strings.ToUpper(root)}}},
		{"no predicate", []edit{{`"predicate":`, `"predicates":`}}},
		{`"/predicate": expected an object, found null`, []edit{{valid[strings.Index(valid, `{"resources"`):], `null}`}}},

		// resources
		{"no resources", []edit{{`"resources"`, `"Resources"`}}},
		{`"/predicate/resources": expected an array, found a string`, []edit{{`"resources":[`, `"resources":"x","more":[`}}},
		{`"/predicate/resources/0": expected an object, found null`, []edit{{`"resources":[`, `"resources":[null,`}}},
		{"resource 1 has no name", []edit{{`"name":"a"`, `"nam":"a"`}}},
		{"resource 1 has no name", []edit{{`"name":"a"`, `"name":""`}}},
		{`resource 1 "a" has no digest`, []edit{{`"digest":"` + a, `"sha256":"` + a}}},
		{`resource 1 "a": the digest's length`, []edit{{a, ""}}},
		{`resource 1 "a": the digest's length`, []edit{{a, a[2:]}}},
		{`resource 1 "a": the digest's length`, []edit{{a, a + "00"}}},
		{"is not lowercase hexadecimal", []edit{{a, a[1:]}}},
		{"is not lowercase hexadecimal", []edit{{a, "x" + a[1:]}}},
		{`"/predicate/resources/0/digest": "` + strings.ToUpper(a) + `" is not lowercase hexadecimal`, []edit{{a, strings.ToUpper(a)}}},
		{`"/predicate/resources/0/digest": string of 130 bytes, at most 128`, []edit{{a, a + a + "00"}}},
		{`resource 1 "a" has no algorithm`, []edit{{a + `","algorithm":"sha256"`, a + `"`}}},
		{`resource 2: algorithm is "blake3", but that of the resources before is "sha256"`, []edit{{b + `","algorithm":"sha256"`, b + `","algorithm":"blake3"`}}},
		{`the resources' algorithm is "sha256", but hash_type is "blake3"`, []edit{{`"hash_type":"sha256"`, `"hash_type":"blake3"`}}},
		{`resource 2 "../c": path has a ".." part`, []edit{{`"b/c"`, `"../c"`}}},
		{`resource 2 "/c": path is absolute`, []edit{{`"b/c"`, `"/c"`}}},
		{`resource 2 "b\x00": path has a NUL byte`, []edit{{`"b/c"`, `"b\u0000"`}}},
		{`resource "a" is listed twice`, []edit{{`"b/c"`, `"\u0061"`}}},
		{`"/predicate/resources/1/name": string of 5000 bytes`, []edit{{`"b/c"`, `"` + strings.Repeat("n", 5000) + `"`}}},
		{"path is longer than 4096 bytes", []edit{{`"b/c"`, `"` + strings.Repeat("n", 4100) + `"`}}},

		// serialization
		{"no serialization", []edit{{`"serialization"`, `"serialisation"`}}},
		{`"/predicate/serialization": expected an object`, []edit{{serialization, `"files"`}}},
		{`unknown method "tree"`, []edit{{`"method":"files"`, `"method":"tree"`}}},
		{`unknown method ""`, []edit{{`"method":"files",`, ``}}},
		{`unknown hash_type "blake2"`, []edit{{`"hash_type":"sha256"`, `"hash_type":"blake2"`}}},
		{`unknown hash_type ""`, []edit{{`"hash_type":"sha256",`, ``}}},
		{"shard_size stands with the method files", []edit{{`"method":"files"`, `"method":"files","shard_size":5`}}},
		{`shard_size is "0", expected an integer`, []edit{{`"method":"files"`, `"method":"files","shard_size":0`}}},
		{"shard_size is 0", []edit{{`"method":"files"`, `"method":"shards"`}}},
		{"no allow_symlinks", []edit{{`,"allow_symlinks":false`, ``}}},
		{`expected a boolean, found a string`, []edit{{`"allow_symlinks":false`, `"allow_symlinks":"false"`}}},

		// JSON
		{`duplicate member "/predicateType"`, []edit{{`"_type"`, `"predicateType":"x","_type"`}}},
		{`duplicate member "/predicate/resources/0/name"`, []edit{{`"name":"a"`, `"name":"b","na\u006de":"a"`}}},
		{`duplicate member "/predicate/resources"`, []edit{{`"resources"`, `"resources":[],"resources"`}}},
		{`duplicate member "/predicate/x/y"`, []edit{{`"resources"`, `"x":{"y":1,"y":2},"resources"`}}},
		{`duplicate member "/x/1/y"`, []edit{{`"_type"`, `"x":[0,{"y":1,"y":2}],"_type"`}}},
		{"invalid UTF-8", []edit{{`"a"`, "\"\xff\""}}},
		{"invalid JSON", []edit{{`"a"`, `"\ud800"`}}},
		{"something follows the JSON value", []edit{{`false}}}`, `false}}}{}`}}},
		{"something follows the JSON value", []edit{{`false}}}`, `false}}}x`}}},
		{"it ends early", []edit{{`false}}}`, `false}}`}}},
		{"invalid JSON", []edit{{`false}}}`, `fals}}}`}}},
		{"invalid JSON", []edit{{`"_type"`, `// a comment` + "\n" + `"_type"`}}},
	}
	if _, err := oms.ParseStatement([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		wantProblem(t, apply(t, valid, tt.edits...), tt.problem)
	}
	wantProblem(t, nil, "the text is empty")
	wantProblem(t, []byte("[]"), "expected an object, found an array")
	wantProblem(t, []byte("\ufeff"+valid), "invalid JSON")
	wantProblem(t, make([]byte, oms.MaxPayloadSize+1), "at most 198180864 are allowed")
}

// What other versions may add is skipped, wherever it stands (section 5.2.1).
func TestParseStatementSkips(t *testing.T) {
	m := manifest(t, wholeFiles, file("a"))
	more := `"more":{"x":[1,2.5e3,null,true,{"y":"z\u00e9"}]},`
	payload := apply(t, string(statement(t, m)),
		edit{`"_type"`, more + `"_type"`},
		edit{`"name":"model"`, more + `"name":"model"`},
		edit{`{"sha256":`, `{"sha512":"x","sha256":`},
		edit{`"resources"`, more + `"resources"`},
		edit{`"name":"a"`, `"uri":"https://example.com/a","annotations":{},` + `"name":"a"`},
		edit{`"method"`, more + `"method"`},
	)
	got, err := oms.ParseStatement(payload)
	if err != nil {
		t.Fatal(err)
	}
	equalManifests(t, got, m)
}

// Limits on length are about what a string says, not how it is spelled.
func TestParseStatementEscapedName(t *testing.T) {
	path := strings.Repeat("a", oms.MaxPathLength)
	payload := apply(t, string(listed(asFiles, "sha256", path)), edit{`"name":"` + path, `"name":"` + strings.Repeat(`\u0061`, oms.MaxPathLength)})
	if m, err := oms.ParseStatement(payload); err != nil || m.Resources[0].Path != path {
		t.Errorf("a long name in escapes: %v", err)
	}
}

func legacyStatement(subjects ...string) []byte {
	var list []string
	for _, name := range subjects {
		list = append(list, fmt.Sprintf(`{"name":%q,"digest":{"sha256":"%x"},"annotations":{"actual_hash_algorithm":"file-sha256"}}`, name, sha256.Sum256([]byte(name))))
	}
	return fmt.Appendf(nil, `{"_type":%q,"subject":[%s],"predicateType":%q,"predicate":{"unused":"x"}}`,
		oms.StatementType, strings.Join(list, ","), oms.LegacyPredicateType)
}

func TestParseLegacyStatement(t *testing.T) {
	m, err := oms.ParseStatement(legacyStatement("b", "a/c:0:1"))
	if err != nil {
		t.Fatal(err)
	}
	equalManifests(t, m, &oms.Manifest{Serialization: wholeFiles, Legacy: true, Resources: []oms.Resource{file("b"), file("a/c:0:1")}})

	for _, predicate := range []string{`"predicate":null`, `"x":1`, `"predicate":{"resources":7}`} {
		if _, err := oms.ParseStatement(apply(t, string(legacyStatement("a")), edit{`"predicate":{"unused":"x"}`, predicate})); err != nil {
			t.Errorf("%s: %v", predicate, err)
		}
	}
	wantProblem(t, legacyStatement(), "no resources")
	wantProblem(t, legacyStatement("a", "a"), `"a" is listed twice`)
	wantProblem(t, legacyStatement("a", "a/b"), `"a/b" lies in "a"`)
	wantProblem(t, legacyStatement("../a"), `path has a ".." part`)
	wantProblem(t, apply(t, string(legacyStatement("a")), edit{`"sha256":`, `"sha512":`}), "no SHA-256 digest")
}

// Bounds hold before memory is spent: these texts are refused by their shape,
// or by the first element too many.
func TestParseStatementBounds(t *testing.T) {
	nested := func(depth int) []byte {
		return apply(t, string(listed(asFiles, "sha256", "a")), edit{`"_type"`, `"x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"_type"`})
	}
	if _, err := oms.ParseStatement(nested(oms.MaxDepth - 1)); err != nil {
		t.Errorf("nested as deep as is allowed: %v", err)
	}
	wantProblem(t, nested(oms.MaxDepth), "JSON nests deeper than 64 levels")
	wantProblem(t, []byte(strings.Repeat(`{"a":`, 10_000_000)), "JSON nests deeper than 64 levels")
	wantProblem(t, []byte(strings.Repeat(`[`, 100_000_000)), "JSON nests deeper than 64 levels")

	// Brackets and commas in strings count for nothing.
	quoted := `"x":"` + strings.Repeat(`[{,\"\\`, 10_000) + `",`
	if _, err := oms.ParseStatement(apply(t, string(listed(asFiles, "sha256", "a")), edit{`"_type"`, quoted + `"_type"`})); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}

	members := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":[1,2],`, i)
		}
		return apply(t, string(listed(asFiles, "sha256", "a")), edit{`"_type"`, b.String() + `"_type"`})
	}
	if _, err := oms.ParseStatement(members(4096 - 4)); err != nil {
		t.Errorf("as many members as are allowed: %v", err)
	}
	wantProblem(t, members(4096-3), "JSON object with more than 4096 members")

	wantProblem(t, apply(t, string(listed(asFiles, "sha256", "a")), edit{`"_type"`, `"x":{"` + strings.Repeat("k", 1025) + `" : 0},"_type"`}),
		"JSON object with a member name of 1025 bytes")
	if _, err := oms.ParseStatement(apply(t, string(listed(asFiles, "sha256", "a")), edit{`"_type"`, `"x":["` + strings.Repeat("k", 1025) + `"],"_type"`})); err != nil {
		t.Errorf("a long string that is no name: %v", err)
	}
}

func TestParseStatementCounts(t *testing.T) {
	large(t)
	many := `"resources":[` + strings.Repeat(`{"name":"a","algorithm":"sha256","digest":""},`, oms.MaxResources)
	wantProblem(t, apply(t, string(listed(asFiles, "sha256", "a")), edit{`"resources":[`, many}), `"/predicate/resources": more than 1000000 elements`)
	many = `"subject":[` + strings.Repeat(`{"name":"a","digest":{"sha256":"`+strings.Repeat("0", 64)+`"}},`, oms.MaxResources)
	wantProblem(t, apply(t, string(legacyStatement("a")), edit{`"subject":[`, many}), `"/subject": more than 1000000 elements`)
}
