package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

// Known are entries that need no report, because a signature that refers to them is at hand.
type Known map[knownEntry]bool

// knownEntry is an entry by its log, its place there, and its leaf hash: a bundle that merely names an index is no reason to
// keep silent about what stands there.
type knownEntry struct {
	logID string
	index int64
	leaf  tlog.Hash
}

// maxBundleEntries is how many entries of one bundle are looked at. A bundle has one, or one for each log.
const maxBundleEntries = 32

// AddBundle adds the entries that a bundle refers to, whether or not its signature is to be believed. It holds in memory no more of a
// bundle than those: anybody may have written it, and it may be large.
func (k Known) AddBundle(raw []byte) error {
	var b struct {
		Material struct {
			Entries entriesJSON `json:"tlogEntries"`
		} `json:"verificationMaterial"`
	}
	if err := lenient(raw, &b); err != nil {
		return fmt.Errorf("reading a bundle: %s", plain.Line(err.Error()))
	}
	for _, e := range b.Material.Entries {
		index, err := strconv.ParseInt(string(cmp.Or(e.Index, "0")), 10, 64) // protobuf leaves out what is zero
		if err == nil {
			k[knownEntry{string(e.Log.ID), index, tlog.RecordHash(e.Body)}] = true
		}
	}
	return nil
}

// entriesJSON are the entries that a bundle refers to.
type entriesJSON []struct {
	Index word `json:"logIndex"`
	Log   struct {
		ID loose `json:"keyId"`
	} `json:"logId"`
	Body loose `json:"canonicalizedBody"`
}

// UnmarshalJSONFrom ends where there are too many.
func (l *entriesJSON) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if len(*l) == maxBundleEntries {
			return fmt.Errorf("it has more than %d log entries", maxBundleEntries)
		}
		*l = append(*l, entriesJSON{{}}...)
		if err := json.UnmarshalDecode(d, &(*l)[len(*l)-1], spelling()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// has says whether an entry of a log is among those that are known.
func (k Known) has(l Log, index int64, body []byte) bool {
	leaf := tlog.RecordHash(body)
	return slices.ContainsFunc(l.Keys, func(key Key) bool { return k[knownEntry{string(key.ID), index, leaf}] })
}
