package verify

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Workflow is what a certificate says of the job that signed, where its identity provider was that of a platform such as GitHub
// Actions. As what is asked for, "" asks for nothing.
//
// Fulcio writes these claims in two forms: the extensions 1.3.6.1.4.1.57264.1.2 to 6 are GitHub's own, and 12, 13, 14 and 20 those
// of any platform (its oid-info.md). A certificate may have either form; where it has both, both have to be as asked for.
type Workflow struct {
	// Repository is the one that the job ran for: org/name on github.com, or its URL wherever it is.
	Repository string
	// Ref is the branch or tag that it ran on, such as refs/heads/main.
	Ref string
	// Trigger is the event that started it, such as push.
	Trigger string
	// Name is the workflow's own name. Only GitHub's form has it.
	Name string
	// SHA is the commit that it ran on.
	SHA string
}

// With is w, asking for what other asks for in the place of its own where that asks for anything.
func (w Workflow) With(other Workflow) Workflow {
	return Workflow{
		Repository: cmp.Or(other.Repository, w.Repository), Ref: cmp.Or(other.Ref, w.Ref), Trigger: cmp.Or(other.Trigger, w.Trigger),
		Name: cmp.Or(other.Name, w.Name), SHA: cmp.Or(other.SHA, w.SHA),
	}
}

// claim is one member of a Workflow, and what a certificate says of it.
type claim struct {
	word, want string
	// found are the forms in which the certificate has it, written as what was asked for is.
	found []string
}

func (w Workflow) claims(found certificate.Extensions) []claim {
	own := Workflow{found.GithubWorkflowRepository, found.GithubWorkflowRef, found.GithubWorkflowTrigger, found.GithubWorkflowName, found.GithubWorkflowSHA}
	return []claim{
		{"repository", w.Repository, repositories(w.Repository, own.Repository, found.SourceRepositoryURI)},
		{"ref", w.Ref, present(own.Ref, found.SourceRepositoryRef)},
		{"trigger", w.Trigger, present(own.Trigger, found.BuildTrigger)},
		{"name", w.Name, present(own.Name)},
		{"sha", w.SHA, present(own.SHA, found.SourceRepositoryDigest)},
	}
}

// repositories are the two forms of a repository, org/name and URL, each written as the one that was asked for.
func repositories(want, own, general string) []string {
	host := "https://github.com/"
	if u, err := url.Parse(general); err == nil && own != "" && general != "" {
		host = u.Scheme + "://" + u.Host + "/" // as the provider is GitHub's, it is one of its servers
	}
	if strings.Contains(want, "://") && own != "" {
		own = host + own
	} else if !strings.Contains(want, "://") {
		general = strings.TrimPrefix(general, host)
	}
	return present(own, general)
}

// present are those that are there.
func present(values ...string) []string {
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}

// String lists what is asked for, or was found, in one printable line.
func (w Workflow) String() string {
	var parts []string
	for _, c := range w.claims(certificate.Extensions{}) {
		if c.want != "" {
			parts = append(parts, c.word+" "+plain.Name(c.want))
		}
	}
	return strings.Join(parts, ", ")
}

// Holds says whether a certificate says all that w asks for.
func (w Workflow) Holds(found certificate.Extensions) bool { return len(w.differences(found)) == 0 }

// differences says what of a certificate is not as w asks for it.
func (w Workflow) differences(found certificate.Extensions) []string {
	var out []string
	for _, c := range w.claims(found) {
		i := slices.IndexFunc(c.found, func(f string) bool { return f != c.want })
		switch {
		case c.want == "":
		case len(c.found) == 0:
			out = append(out, fmt.Sprintf("its certificate names no workflow %s, expected %s", c.word, plain.Name(c.want)))
		case i >= 0:
			out = append(out, fmt.Sprintf("its workflow %s is %s, expected %s", c.word, plain.Name(c.found[i]), plain.Name(c.want)))
		}
	}
	return out
}

// workflowOf is what a certificate says, in GitHub's form where it has that.
func workflowOf(found certificate.Extensions) Workflow {
	var w Workflow
	claims := w.claims(found)
	for i, member := range []*string{&w.Repository, &w.Ref, &w.Trigger, &w.Name, &w.SHA} {
		if len(claims[i].found) > 0 {
			*member = claims[i].found[0]
		}
	}
	return w
}

// ClaimedWorkflow is what a certificate says of the job that signed, whoever has issued it.
func ClaimedWorkflow(cert *x509.Certificate) Workflow {
	found, err := certificate.ParseExtensions(cert.Extensions)
	if err != nil {
		return Workflow{}
	}
	return workflowOf(found)
}
