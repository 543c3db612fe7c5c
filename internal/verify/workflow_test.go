package verify_test

import (
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/verify"
	"github.com/git-model-sign/git-model-sign/internal/verify/verifytest"
)

const (
	job     = "https://github.com/org/model/.github/workflows/sign.yml@refs/heads/main"
	actions = "https://token.actions.githubusercontent.com"
)

// The claims of a job as Fulcio numbers them: GitHub's own form, and the one for any platform.
var (
	ownForm     = map[int]string{2: "push", 3: "0123abcd", 4: "Sign", 5: "org/model", 6: "refs/heads/main"}
	generalForm = map[int]string{12: "https://github.com/org/model", 13: "0123abcd", 14: "refs/heads/main", 20: "push"}
)

func merged(maps ...map[int]string) map[int]string {
	out := make(map[int]string)
	for _, m := range maps {
		for k, v := range m {
			if out[k] = v; v == "" {
				delete(out, k)
			}
		}
	}
	return out
}

func TestWorkflow(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	both := merged(ownForm, generalForm)
	all := verify.Workflow{Repository: "org/model", Ref: "refs/heads/main", Trigger: "push", SHA: "0123abcd"}
	for name, c := range map[string]struct {
		claims map[int]string
		want   verify.Workflow
		text   string // of the refusal, "" if it is accepted
	}{
		"nothing asked":            {nil, verify.Workflow{}, ""},
		"both forms":               {both, all, ""},
		"GitHub's form":            {ownForm, all, ""},
		"the general form":         {generalForm, all, ""},
		"by URL":                   {both, verify.Workflow{Repository: "https://github.com/org/model"}, ""},
		"by URL, GitHub's form":    {ownForm, verify.Workflow{Repository: "https://github.com/org/model"}, ""},
		"by URL, general form":     {generalForm, verify.Workflow{Repository: "https://github.com/org/model"}, ""},
		"name":                     {ownForm, verify.Workflow{Name: "Sign"}, ""},
		"name, general form":       {generalForm, verify.Workflow{Name: "Sign"}, "names no workflow name, expected Sign"},
		"server of one's own":      {merged(both, map[int]string{12: "https://git.example.com/org/model"}), verify.Workflow{Repository: "org/model"}, ""},
		"its URL":                  {merged(both, map[int]string{12: "https://git.example.com/org/model"}), verify.Workflow{Repository: "https://git.example.com/org/model"}, ""},
		"its URL is not GitHub":    {merged(both, map[int]string{12: "https://git.example.com/org/model"}), verify.Workflow{Repository: "https://github.com/org/model"}, "its workflow repository is https://git.example.com/org/model, expected https://github.com/org/model"},
		"another platform":         {merged(generalForm, map[int]string{12: "https://gitlab.com/org/model"}), verify.Workflow{Repository: "org/model"}, "is https://gitlab.com/org/model, expected org/model"},
		"another platform's URL":   {merged(generalForm, map[int]string{12: "https://gitlab.com/org/model"}), verify.Workflow{Repository: "https://gitlab.com/org/model"}, ""},
		"no claims":                {nil, all, "names no workflow repository, expected org/model; its certificate names no workflow ref"},
		"no trigger":               {merged(ownForm, map[int]string{2: ""}), all, "names no workflow trigger, expected push"},
		"another repository":       {merged(ownForm, map[int]string{5: "org/fork"}), all, "its workflow repository is org/fork, expected org/model"},
		"a longer one":             {merged(ownForm, map[int]string{5: "org/model2"}), all, "its workflow repository is org/model2"},
		"a path of one":            {merged(generalForm, map[int]string{12: "https://github.com/other/org/model"}), all, "its workflow repository is other/org/model"},
		"another case":             {merged(ownForm, map[int]string{5: "Org/Model"}), all, "its workflow repository is Org/Model"},
		"another ref":              {merged(both, map[int]string{6: "refs/pull/1/merge", 14: "refs/pull/1/merge"}), all, "its workflow ref is refs/pull/1/merge, expected refs/heads/main"},
		"another trigger":          {merged(both, map[int]string{2: "pull_request_target", 20: "pull_request_target"}), all, "its workflow trigger is pull_request_target, expected push"},
		"another commit":           {merged(both, map[int]string{3: "ffff", 13: "ffff"}), all, "its workflow sha is ffff, expected 0123abcd"},
		"forms that differ":        {merged(both, map[int]string{14: "refs/heads/evil"}), all, "its workflow ref is refs/heads/evil"},
		"repositories that differ": {merged(both, map[int]string{12: "https://github.com/evil/model"}), all, "its workflow repository is evil/model"},
		"differ, by URL":           {merged(both, map[int]string{5: "evil/model"}), verify.Workflow{Repository: "https://github.com/org/model"}, "its workflow repository is https://github.com/evil/model"},
		"escaped":                  {merged(ownForm, map[int]string{6: "refs/heads/\x1b[2Jmain\n"}), all, `\x1b[2J`},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := instance.JobSigner(t, job, actions, c.claims).Bundle(t, payload(t))
			v, err := verify.NewSigstore(verify.SigstoreOptions{TrustedRoot: root,
				Identities: []verify.Identity{{ID: alice, Issuer: issuer}, {ID: job, Issuer: actions, Workflow: c.want}}})
			if err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				mustRefuse(t, bundle, verify.ErrIdentity, c.text, v)
				mustRefuse(t, bundle, verify.ErrIdentity, "signed by "+job+" ("+actions+"), as was asked for, but", v)
				return
			}
			_, signer, err := verify.Manifest(t.Context(), bundle, v)
			if err != nil {
				t.Fatal(err)
			}
			if c.claims[6] != "" && signer.Workflow.Ref != c.claims[6] {
				t.Errorf("workflow %s", signer.Workflow)
			}
		})
	}
}

// Claims belong to the identity that they were asked of: another's do not stand in for them.
func TestWorkflowOfOneOfSeveral(t *testing.T) {
	instance := verifytest.NewInstance(t)
	v, err := verify.NewSigstore(verify.SigstoreOptions{TrustedRoot: instance.TrustedRoot(t, false), Identities: []verify.Identity{
		{ID: job, Issuer: actions, Workflow: verify.Workflow{Trigger: "release"}},
		{Regexp: ".*/sign.yml@refs/heads/main", Issuer: actions, Workflow: verify.Workflow{Trigger: "schedule"}},
		{ID: alice, Issuer: issuer},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for trigger, text := range map[string]string{"release": "", "schedule": "", "push": "its workflow trigger is push, expected release; its workflow trigger is push, expected schedule"} {
		bundle := instance.JobSigner(t, job, actions, map[int]string{2: trigger}).Bundle(t, payload(t))
		if text != "" {
			mustRefuse(t, bundle, verify.ErrIdentity, text, v)
		} else if _, _, err := verify.Manifest(t.Context(), bundle, v); err != nil {
			t.Errorf("%s: %v", trigger, err)
		}
	}
	other := instance.JobSigner(t, "https://github.com/org/model/.github/workflows/other.yml@refs/heads/main", actions, map[int]string{2: "release"}).Bundle(t, payload(t))
	mustRefuse(t, other, verify.ErrIdentity, "expected "+job+" ("+actions+"), workflow trigger release or /", v)
}

func TestExpressions(t *testing.T) {
	instance := verifytest.NewInstance(t)
	root := instance.TrustedRoot(t, false)
	bundle := instance.Bundle(t, alice, issuer, payload(t))
	for name, c := range map[string]struct {
		id, issuer string
		accepted   bool
		config     string // what is wrong with the expressions
	}{
		"both":                     {`[a-z]+@example\.com`, `https://issuer\..*`, true, ""},
		"a part of the identity":   {`example\.com`, `https://issuer\..*`, false, ""},
		"a part of the provider":   {`.*`, `https://issuer`, false, ""},
		"an end of the provider":   {`.*`, `issuer\.test`, false, ""},
		"alternatives, one a part": {`alice|bob@example\.com`, `.*`, false, ""},
		"alternatives":             {`bob@example\.com|alice@example\.com`, `.*`, true, ""},
		"own anchors":              {`^alice@example\.com$`, `^https://issuer\.test$`, true, ""},
		"another line":             {`(?m)^alice@example\.com$`, `(?s).*`, true, ""},
		"undone anchors":           {`a)|(.*`, `.*`, false, "expression"},
		"undone in the provider":   {`.*`, `x\z)|(?:`, false, "provider expression"},
		"quoting the anchor":       {`\Qalice@example.com`, `.*`, false, "expression"},
		"too long":                 {strings.Repeat("a", verify.MaxExpressionSize+1), `.*`, false, "at most 1024"},
		"too long a provider":      {`.*`, strings.Repeat("a", verify.MaxExpressionSize+1), false, "at most 1024"},
		"as long as may be":        {strings.Repeat("a", verify.MaxExpressionSize-2) + `|.*`, `.*`, true, ""},
		"neither":                  {"", "", false, "takes both"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "as long as may be" {
				c.id = c.id[len(c.id)-verify.MaxExpressionSize:]
			}
			v, err := verify.NewSigstore(verify.SigstoreOptions{TrustedRoot: root, Identities: []verify.Identity{{Regexp: c.id, IssuerRegexp: c.issuer}}})
			if c.config != "" {
				if err == nil || !strings.Contains(err.Error(), c.config) {
					t.Fatalf("%v, want an error with %q", err, c.config)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := verify.Manifest(t.Context(), bundle, v); (err == nil) != c.accepted {
				t.Errorf("%v, want accepted: %v", err, c.accepted)
			}
		})
	}
}
