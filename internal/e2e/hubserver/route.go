package hubserver

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A question is what a request asks for.
type question struct {
	about    string // info, tree, paths-info, resolve, resolve-cache, whoami, git, or "" for what nobody answers
	name     string // of the repository
	revision string
	path     string // in the repository
	rest     string // of a request of git: what follows the repository's address
	public   bool   // asked of somebody who checks no token
}

// subject is what faults call the question: a file's path, else @info, @tree, ...
func (q question) subject() string {
	if q.about == "resolve" || q.about == "resolve-cache" {
		return q.path
	}
	return "@" + q.about
}

// parse finds out what an address asks for. It goes by the parts as they were escaped: %2F in a revision separates nothing.
func parse(u *url.URL) question {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		unescaped, err := url.PathUnescape(p)
		if err != nil {
			return question{}
		}
		parts[i] = unescaped
	}
	if parts[0] == "api" {
		return parseAPI(parts[1:])
	}
	kind := "models"
	if parts[0] == "datasets" || parts[0] == "spaces" {
		kind, parts = parts[0], parts[1:]
	}
	if len(parts) < 3 {
		return question{}
	}
	name := nameOf(kind, parts[0]+"/"+strings.TrimSuffix(parts[1], ".git"))
	parts = parts[2:]
	switch {
	case parts[0] == "resolve" && len(parts) >= 3:
		return question{about: "resolve", name: name, revision: parts[1], path: strings.Join(parts[2:], "/")}
	case parts[0] == "info" || parts[0] == "git-upload-pack" || parts[0] == "git-receive-pack":
		return question{about: "git", name: name, rest: strings.Join(parts, "/")}
	}
	return question{}
}

// parseAPI reads what follows /api/.
func parseAPI(parts []string) question {
	if slices.Equal(parts, []string{"whoami-v2"}) {
		return question{about: "whoami"}
	}
	about := "info"
	if len(parts) > 0 && parts[0] == "resolve-cache" {
		about, parts = parts[0], parts[1:]
	}
	if len(parts) < 3 || !slices.Contains([]string{"models", "datasets", "spaces"}, parts[0]) {
		return question{}
	}
	q := question{about: about, name: nameOf(parts[0], parts[1]+"/"+parts[2]), revision: "main"}
	parts = parts[3:]
	switch {
	case about == "resolve-cache" && len(parts) >= 2:
		q.revision, q.path = parts[0], strings.Join(parts[1:], "/")
	case about == "info" && len(parts) == 0:
	case about == "info" && len(parts) == 2 && parts[0] == "revision":
		q.revision = parts[1]
	case about == "info" && len(parts) == 2 && parts[0] == "paths-info":
		q.about, q.revision = parts[0], parts[1]
	case about == "info" && len(parts) >= 2 && parts[0] == "tree":
		q.about, q.revision, q.path = parts[0], parts[1], strings.Join(parts[2:], "/")
	default:
		return question{}
	}
	return q
}

func (s *Server) serveHub(w http.ResponseWriter, r *http.Request) {
	q := parse(r.URL)
	if q.about == "" {
		writeError(w, http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
		return
	}
	// Where bytes are sent from an address of the Hub's own, the fault was met on the way there.
	if q.about != "resolve-cache" && s.refuse(w, r, q.subject()) {
		return
	}
	s.answer(w, r, q)
}

// serveCDN sends objects to whoever has a signed address for them. It is also where the fault Redirect leads by default: a host
// that answers as the hub does, and is not it.
func (s *Server) serveCDN(w http.ResponseWriter, r *http.Request) {
	if signature := r.URL.Query().Get("Signature"); signature != "" {
		s.serveGrant(w, r, signature)
		return
	}
	q := parse(r.URL)
	q.public = true
	if q.about == "" || q.about == "git" {
		http.NotFound(w, r)
		return
	}
	s.answer(w, r, q)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, q question) {
	known, valid := s.authorization(r)
	if !valid && !q.public {
		writeError(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return
	}
	if q.about == "whoami" {
		s.serveUser(w, known)
		return
	}
	repo := s.enter(w, r, q, known)
	if repo == nil {
		return
	}
	if q.about == "git" {
		s.serveGit(w, r, q)
		return
	}
	commit, err := repo.resolve(r.Context(), q.revision)
	if err != nil {
		writeError(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+q.revision)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	entries, err := repo.list(r.Context(), commit)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "", err.Error())
		return
	}
	switch q.about {
	case "info":
		s.serveInfo(w, r, repo, commit, s.lie(entries))
	case "tree":
		s.serveTree(w, r, q, s.lie(entries))
	case "paths-info":
		s.servePathsInfo(w, r, s.lie(entries))
	default:
		s.serveFile(w, r, q, repo, commit, entries)
	}
}

// authorization reports whether a request carries the token, and whether what it carries, if anything, is right. Git presents
// the token as a password.
func (s *Server) authorization(r *http.Request) (known, valid bool) {
	presented, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, password, ok := r.BasicAuth(); ok {
		presented = password
	} else if !bearer {
		return false, presented == ""
	}
	known = s.options.Token != "" && subtle.ConstantTimeCompare([]byte(presented), []byte(s.options.Token)) == 1
	return known, known
}

// enter finds the repository that is asked about, or tells the client why it cannot have it, and returns nil.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, q question, known bool) *repository {
	s.mu.Lock()
	repo, moved := s.repos[q.name], s.renamed[q.name]
	access := Public
	if repo != nil && !q.public {
		access = repo.access
	}
	s.mu.Unlock()
	content := q.about == "resolve" || q.about == "resolve-cache" || q.about == "git"
	switch {
	case repo == nil && moved != "":
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), moveable(q.name), moveable(moved), 1))
		writeError(w, http.StatusTemporaryRedirect, "", "Temporary Redirect")
		return nil
	case (access == Private || access >= Gated && content) && !known && q.about == "git":
		w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
		writeError(w, http.StatusUnauthorized, "", "Invalid username or password.")
		return nil
	case (repo == nil || access == Private) && !known:
		writeError(w, http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
		return nil
	case repo == nil:
		writeError(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
		return nil
	case access >= Gated && content && !known:
		writeError(w, http.StatusUnauthorized, "GatedRepo", "Access to "+q.name+" is restricted. You must have access to it and be authenticated to access it. Please log in.")
		return nil
	case access == Denied && content:
		writeError(w, http.StatusForbidden, "GatedRepo", "Access to "+q.name+" is restricted and you are not in the authorized list.")
		return nil
	}
	return repo
}

// moveable is the part of a name that is the same in every address: org/model without the type of the repository.
func moveable(name string) string {
	parts, err := parseName(name)
	if err != nil {
		return name
	}
	return parts[1]
}

func (s *Server) serveUser(w http.ResponseWriter, known bool) {
	if !known {
		writeError(w, http.StatusUnauthorized, "", "Invalid username or password.")
		return
	}
	writeJSON(w, map[string]any{
		"type": "user", "id": "0", "name": s.options.User, "fullname": s.options.User, "orgs": []any{},
		"auth": map[string]any{"type": "access_token", "accessToken": map[string]any{"displayName": "session", "role": "read"}},
	})
}

// serveGit hands a request of git or git-lfs to the server behind.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request, q question) {
	r.URL.Path = "/" + q.name + ".git/" + q.rest
	if strings.HasPrefix(q.rest, "info/lfs/") {
		// One store holds the objects of all repositories, and the server behind knows names of one part only.
		r.URL.Path = "/hub.git/" + q.rest
	}
	r.URL.RawPath = ""
	s.git.ServeHTTP(w, r)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(v)
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Error-Message", message)
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": message})
}
