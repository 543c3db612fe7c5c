package monitor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/git-model-sign/git-model-sign/internal/plain"
)

const (
	// tileHeight and tileWidth are those of C2SP's tlog-tiles: 256 hashes a tile, 256 entries a bundle.
	tileHeight = 8
	tileWidth  = 1 << tileHeight

	maxTileBytes = tileWidth * tlog.HashSize
	// maxBundleBytes is the largest entry bundle: the length of an entry has two bytes.
	maxBundleBytes = tileWidth * (2 + 1<<16)
)

// tiles reads a log that is served as C2SP's tlog-tiles, which Rekor v2 is.
type tiles struct {
	log    Log
	client *Client
	base   string // where checkpoint and tile lie, with a slash at its end
}

func (s *tiles) step() int64 { return tileWidth }

// trees returns the one tree that such a log has.
func (s *tiles) trees(ctx context.Context) ([]tree, error) {
	signed, err := s.client.get(ctx, s.base+"checkpoint", maxCheckpoint)
	if err != nil {
		return nil, err
	}
	c, err := openCheckpoint(signed, s.log.current())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	u, err := url.Parse(s.log.URL)
	if err != nil {
		return nil, err
	}
	if c.origin != u.Hostname() && c.origin != u.Host {
		return nil, fmt.Errorf("%w: its checkpoint is that of %s, expected %s", ErrUnavailable, plain.Name(c.origin), u.Hostname())
	}
	return []tree{{checkpoint: c}}, nil
}

// extends checks that a tree begins with an earlier one: the hashes of the earlier one are computed from tiles of the later.
func (s *tiles) extends(ctx context.Context, earlier checkpoint, later tree) error {
	hash, err := tlog.TreeHash(earlier.size, s.hashes(ctx, later.checkpoint))
	if err != nil {
		return s.notInTree(err)
	}
	if hash != earlier.root {
		return fmt.Errorf("%w: its first %d entries have the root hash %s, which was %s", errDiffers, earlier.size, hash, earlier.root)
	}
	return nil
}

// entries returns the entries [from, to) of a tree, which are of one bundle, after their hashes were found in the tree.
func (s *tiles) entries(ctx context.Context, t tree, from, to int64) ([][]byte, error) {
	first := from - from%tileWidth
	tile := tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: int(min(t.size-first, tileWidth))}
	b, err := s.fetch(ctx, tile, maxBundleBytes)
	if err != nil {
		return nil, err
	}
	all, err := parseBundle(b)
	if err != nil {
		return nil, fmt.Errorf("%w: entries from %d on: %w", errDiffers, first, err)
	}
	if int64(len(all)) < to-first {
		return nil, fmt.Errorf("%w: entries from %d on: expected %d, found %d", errDiffers, first, to-first, len(all))
	}
	wanted := all[from-first : to-first]
	indexes := make([]int64, len(wanted))
	for i := range wanted {
		indexes[i] = tlog.StoredHashIndex(0, from+int64(i))
	}
	hashes, err := s.hashes(ctx, t.checkpoint).ReadHashes(indexes)
	if err != nil {
		return nil, s.notInTree(err)
	}
	for i, entry := range wanted {
		if hash := tlog.RecordHash(entry); hash != hashes[i] {
			return nil, fmt.Errorf("%w: entry %d has the leaf hash %s, and the tree has %s there", errDiffers, from+int64(i), hash, hashes[i])
		}
	}
	return wanted, nil
}

// notInTree tells tiles that do not fit the tree from those that could not be had.
func (s *tiles) notInTree(err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: its tiles do not have the root hash of its checkpoint: %s", errDiffers, plain.Line(err.Error()))
}

// hashes reads hashes of a tree out of its tiles, and gives none that the root hash does not vouch for.
func (s *tiles) hashes(ctx context.Context, c checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.size, Hash: c.root}, &tileReader{ctx, s})
}

// tileReader fetches tiles for package tlog, which checks them.
type tileReader struct {
	ctx context.Context
	s   *tiles
}

func (r *tileReader) Height() int                     { return tileHeight }
func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *tileReader) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(wanted))
	for i, tile := range wanted {
		b, err := r.s.fetch(r.ctx, tile, maxTileBytes)
		if err != nil {
			return nil, err
		}
		if width := tile.W * tlog.HashSize; len(b) >= width {
			out[i] = b[:width] // of a full tile in the place of a partial one
			continue
		}
		return nil, fmt.Errorf("tile %s has %d bytes, expected %d", tilePath(tile), len(b), tile.W*tlog.HashSize)
	}
	return out, nil
}

// fetch gets a tile. A log may forget a partial one once there is the full one, which begins with the same bytes.
func (s *tiles) fetch(ctx context.Context, tile tlog.Tile, limit int64) ([]byte, error) {
	b, err := s.client.get(ctx, s.base+tilePath(tile), limit)
	if errors.Is(err, errNotThere) && tile.W < tileWidth {
		tile.W = tileWidth
		if full, fullErr := s.client.get(ctx, s.base+tilePath(tile), limit); fullErr == nil {
			return full, nil
		}
	}
	return b, err
}

// tilePath is where a tile lies. It is what package tlog makes of it, but for names that C2SP's specification has changed.
func tilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if after, isData := strings.CutPrefix(rest, "data/"); isData {
		rest = "entries/" + after
	}
	return "tile/" + rest
}

// parseBundle splits an entry bundle into its entries, each behind its length in two bytes.
func parseBundle(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, errors.New("bundle ends within the length of an entry")
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > len(b) {
			return nil, fmt.Errorf("bundle ends within an entry of %d bytes", size)
		}
		if len(out) == tileWidth {
			return nil, fmt.Errorf("bundle has more than %d entries", tileWidth)
		}
		out = append(out, b[:size:size])
		b = b[size:]
	}
	return out, nil
}
