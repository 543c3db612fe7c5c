package hubserver

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// An apiEntry is a file or a folder as the API describes it.
type apiEntry struct {
	Type string  `json:"type"` // file or directory
	OID  string  `json:"oid"`
	Size int64   `json:"size"`
	Path string  `json:"path"`
	LFS  *apiLFS `json:"lfs,omitempty"`
}

type apiLFS struct {
	OID         string `json:"oid"` // the content's SHA-256
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

func describe(e entry) apiEntry {
	a := apiEntry{Type: "file", OID: e.id, Size: e.size, Path: e.path}
	if e.folder {
		a.Type = "directory"
	}
	if e.oid != "" {
		a.LFS = &apiLFS{OID: e.oid, Size: e.size, PointerSize: e.pointerSize}
	}
	return a
}

// serveTree answers with one page of the entries under a folder. The cursor of the next is the number of its first entry.
func (s *Server) serveTree(w http.ResponseWriter, r *http.Request, q question, entries []entry) {
	query := r.URL.Query()
	recursive := strings.EqualFold(query.Get("recursive"), "true") || query.Get("recursive") == "1"
	page := []apiEntry{}
	for _, e := range entries {
		under := q.path == "" || strings.HasPrefix(e.path, q.path+"/")
		if under && (recursive || path.Dir(e.path) == path.Clean(q.path)) {
			page = append(page, describe(e))
		}
	}
	if q.path != "" && len(page) == 0 {
		writeError(w, http.StatusNotFound, "EntryNotFound", q.path+" does not exist")
		return
	}
	start := 0
	if cursor := query.Get("cursor"); cursor != "" {
		var err error
		if start, err = strconv.Atoi(cursor); err != nil || start < 0 || start > len(page) {
			writeError(w, http.StatusBadRequest, "", "Invalid cursor")
			return
		}
	}
	if end := start + s.options.PageSize; end < len(page) {
		next := end
		if _, ok := s.take(Repeat, q.subject()); ok {
			next = start
		}
		query.Set("cursor", strconv.Itoa(next))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, s.base, r.URL.EscapedPath(), query.Encode()))
		page = page[:end]
	}
	writeJSON(w, page[start:])
}

// servePathsInfo describes the files and folders that a form names; of those that are not there it says nothing.
func (s *Server) servePathsInfo(w http.ResponseWriter, r *http.Request, entries []entry) {
	if err := r.ParseForm(); err != nil {
		writeError(w, http.StatusBadRequest, "", err.Error())
		return
	}
	found := []apiEntry{}
	for _, p := range r.PostForm["paths"] {
		if e, ok := find(entries, strings.Trim(p, "/")); ok {
			found = append(found, describe(e))
		}
	}
	writeJSON(w, found)
}

// serveInfo describes a repository at a commit.
func (s *Server) serveInfo(w http.ResponseWriter, r *http.Request, repo *repository, commit string, entries []entry) {
	s.mu.Lock()
	access := repo.access
	s.mu.Unlock()
	id := moveable(repo.name)
	withBlobs := strings.EqualFold(r.URL.Query().Get("blobs"), "true")
	siblings := []map[string]any{}
	for _, e := range entries {
		if e.folder {
			continue
		}
		sibling := map[string]any{"rfilename": e.path}
		if withBlobs {
			sibling["size"], sibling["blobId"] = e.size, e.id
			if e.oid != "" {
				sibling["lfs"] = map[string]any{"sha256": e.oid, "size": e.size, "pointerSize": e.pointerSize}
			}
		}
		siblings = append(siblings, sibling)
	}
	author, _, _ := strings.Cut(id, "/")
	info := map[string]any{
		"_id": "0", "id": id, "modelId": id, "author": author, "sha": commit, "siblings": siblings,
		"private": access == Private, "disabled": false, "gated": false, "tags": []string{}, "downloads": 0, "likes": 0,
	}
	if access >= Gated {
		info["gated"] = "manual"
	}
	writeJSON(w, info)
}
