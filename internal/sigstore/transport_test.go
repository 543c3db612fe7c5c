package sigstore

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// An answer of any service is read up to a bound.
func TestTransportBound(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		size, _ := strconv.Atoi(q.URL.Path[1:])
		w.Write(bytes.Repeat([]byte("x"), size))
	}))
	defer s.Close()
	client := &http.Client{Transport: Transport(t.Context(), "")}
	a, err := client.Get(s.URL + "/" + strconv.Itoa(maxAnswer))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, a.Body); n != maxAnswer || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := client.Get(s.URL + "/" + strconv.Itoa(maxAnswer+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("one more: %v", err)
	}
}
