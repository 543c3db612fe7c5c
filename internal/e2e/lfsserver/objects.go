package lfsserver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

const mediaType = "application/vnd.git-lfs+json"

// maxBatch bounds the body of one batch request; git-lfs asks for at most 100 objects at a time.
const maxBatch = 1 << 20

type object struct {
	OID           string            `json:"oid"`
	Size          int64             `json:"size"`
	Authenticated bool              `json:"authenticated,omitempty"`
	Actions       map[string]action `json:"actions,omitempty"`
	Error         *objectError      `json:"error,omitempty"`
}

type action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

type objectError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ObjectPath is where the bytes of an LFS object lie on disk once they have been pushed. A test that replaces them plays a
// host whose store has rotted, or was meddled with.
func (s *Server) ObjectPath(oid string) string {
	return filepath.Join(s.dir, "objects", oid)
}

func (s *Server) serveBatch(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Operation string   `json:"operation"`
		Objects   []object `json:"objects"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBatch)).Decode(&request); err != nil {
		writeError(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	answers := make([]object, 0, len(request.Objects))
	for _, o := range request.Objects {
		if !isOID(o.OID) {
			writeError(w, http.StatusUnprocessableEntity, "not an object's name: "+strconv.Quote(o.OID))
			return
		}
		s.count(func(st *Stats) { st.Batched[o.OID]++ })
		answers = append(answers, s.answer(request.Operation, object{OID: o.OID, Size: o.Size, Authenticated: true}))
	}
	s.count(func(st *Stats) { st.Batches++ })
	writeJSON(w, http.StatusOK, map[string]any{"transfer": "basic", "hash_algo": "sha256", "objects": answers})
}

// answer says what the client is to do for one object of a batch.
func (s *Server) answer(operation string, o object) object {
	info, err := os.Stat(s.ObjectPath(o.OID))
	held := err == nil && info.Size() == o.Size && s.fault(o.OID) != Missing
	href := func(path string) action {
		a := action{Href: s.base + path}
		if s.options.User != "" {
			a.Header = map[string]string{"Authorization": s.token}
		}
		return a
	}
	switch {
	case operation == "upload" && !held:
		o.Actions = map[string]action{"upload": href("/-/objects/" + o.OID), "verify": href("/-/verify")}
	case operation == "download" && held:
		o.Actions = map[string]action{"download": href("/-/objects/" + o.OID)}
	case operation == "download":
		o.Error = &objectError{Code: http.StatusNotFound, Message: "Object does not exist"}
	}
	return o
}

func (s *Server) serveObject(w http.ResponseWriter, r *http.Request) {
	oid := r.PathValue("oid")
	if !isOID(oid) {
		writeError(w, http.StatusNotFound, "not an object's name")
		return
	}
	f, err := os.Open(s.ObjectPath(oid))
	if err != nil {
		writeError(w, http.StatusNotFound, "Object does not exist")
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	s.count(func(st *Stats) { st.Downloads[oid]++ })
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	n, _ := s.send(w, f, info.Size(), s.fault(oid)) // a client that hangs up is no error of ours
	s.count(func(st *Stats) { st.BytesServed += n })
}

func (s *Server) storeObject(w http.ResponseWriter, r *http.Request) {
	oid := r.PathValue("oid")
	if !isOID(oid) {
		writeError(w, http.StatusNotFound, "not an object's name")
		return
	}
	s.count(func(st *Stats) { st.Uploads[oid]++ })
	found, err := store(s.ObjectPath(oid), oid, r.Body)
	switch {
	case err != nil:
		writeError(w, http.StatusInternalServerError, err.Error())
	case found != oid:
		writeError(w, http.StatusUnprocessableEntity, fmt.Sprintf("expected the bytes of sha256:%s, found those of sha256:%s", oid, found))
	}
}

// store lays bytes down under path if their SHA-256 is the one expected, and returns the one they have.
func store(path, expected string, body io.Reader) (found string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "incoming-")
	if err != nil {
		return "", err
	}
	defer func() {
		if removed := os.Remove(f.Name()); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), body)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if found = hex.EncodeToString(h.Sum(nil)); found != expected {
		return found, nil
	}
	return found, os.Rename(f.Name(), path)
}

func (s *Server) verifyObject(w http.ResponseWriter, r *http.Request) {
	var o object
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBatch)).Decode(&o); err != nil || !isOID(o.OID) {
		writeError(w, http.StatusUnprocessableEntity, "not an object")
		return
	}
	info, err := os.Stat(s.ObjectPath(o.OID))
	if err != nil || info.Size() != o.Size {
		writeError(w, http.StatusNotFound, "Object does not exist")
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}
