package gitrepo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo/gittest"
)

// packedRepository has one pack with blobs as a whole and a delta, and lists its
// blobs by path.
func packedRepository(t *testing.T) (s *gittest.Sandbox, r *Repository, oids map[string]string) {
	t.Helper()
	long := strings.Repeat("of this there are two, which differ in a word\n", 200)
	s = gittest.New(t)
	dir := s.Init("r", map[string]string{"empty": "", "small": "small\n", "long": long, "longer": long + "or two\n", "zeros": strings.Repeat("\x00", 1<<20)})
	s.Git(dir, "repack", "-adqf")
	r = openAt(t, dir)
	entries, err := r.CommitEntries(t.Context(), "HEAD", "")
	if err != nil {
		t.Fatal(err)
	}
	oids = map[string]string{}
	for _, e := range entries {
		oids[e.Path] = e.OID
	}
	return s, r, oids
}

// packedPaths are those of the blobs that are read out of the pack, with the size
// that was found, and their contents read on their own.
func packedPaths(t *testing.T, r *Repository, oids map[string]string) string {
	t.Helper()
	s := r.OpenStore()
	defer s.Close()
	paths := slices.Sorted(maps.Keys(oids))
	ids := make([]string, len(paths))
	for i, path := range paths {
		ids[i] = oids[path]
	}
	var found []string
	for i, b := range s.local(t.Context(), ids, 100) {
		if b.packed.pack == nil || !b.known {
			continue
		}
		found = append(found, fmt.Sprintf("%s:%d", paths[i], b.size))
		content, release, err := s.OpenPacked(Blob{OID: ids[i], Size: b.size, packed: b.packed})
		if err != nil {
			t.Errorf("%s: %v", paths[i], err)
			continue
		}
		want := gitBlob(t, r, ids[i])
		if !bytes.Equal(content, want) || (b.content != nil) != (b.size <= 100) || b.content != nil && !bytes.Equal(b.content, want) {
			t.Errorf("%s: read %q and %q, want %q", paths[i], content, b.content, want)
		}
		release()
		if _, _, err := s.OpenPacked(Blob{OID: ids[i], Size: b.size + 1, packed: b.packed}); err == nil {
			t.Errorf("%s is read in another size", paths[i])
		}
	}
	return strings.Join(found, " ")
}

func gitBlob(t *testing.T, r *Repository, oid string) (content []byte) {
	t.Helper()
	err := gitReader{r}.blobs(t.Context(), []string{oid}, 1<<30, func(_ string, b []byte, _ int64) error {
		content = b
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestStoreOfPacks reads packs of several forms, and leaves deltas alone.
func TestStoreOfPacks(t *testing.T) {
	s, r, oids := packedRepository(t)
	const all = "empty:0 longer:9207 small:6 zeros:1048576"
	if got := packedPaths(t, r, oids); got != all {
		t.Errorf("packed are %s\nwant %s", got, all)
	}
	dir := filepath.Join(r.CommonDir, "objects", "pack")
	index := func(args ...string) {
		t.Helper()
		packs, err := filepath.Glob(filepath.Join(dir, "*.pack"))
		if err != nil || len(packs) != 1 {
			t.Fatal(packs, err)
		}
		if err := os.Remove(strings.TrimSuffix(packs[0], ".pack") + ".idx"); err != nil {
			t.Fatal(err)
		}
		s.Git(r.Top, append(append([]string{"index-pack"}, args...), packs[0])...)
	}
	index("--index-version=2,0x10") // offsets in 64 bits
	if got := packedPaths(t, r, oids); got != all {
		t.Errorf("with large offsets, packed are %s\nwant %s", got, all)
	}
	index("--index-version=1")
	if got := packedPaths(t, r, oids); got != "" {
		t.Errorf("with an index of version 1, packed are %s", got)
	}
	index()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "x.idx"), 0o777), os.WriteFile(filepath.Join(dir, "y.idx"), []byte(indexMagic), 0o666)); err != nil {
		t.Fatal(err)
	}
	if got := packedPaths(t, r, oids); got != all {
		t.Errorf("beside indexes that are none, packed are %s\nwant %s", got, all)
	}
}

// TestStoreOfWrongPacks reads packs that are whole, and whose index says what is not so.
func TestStoreOfWrongPacks(t *testing.T) {
	s, r, oids := packedRepository(t)
	store := r.OpenStore()
	commit := strings.TrimSpace(s.Git(r.Top, "rev-parse", "HEAD"))
	if b := store.local(t.Context(), []string{commit, oids["small"]}, 100); b[0].known || !b[1].known {
		t.Errorf("a commit and a blob are read as %+v", b)
	}
	p := store.packs[0]
	small, empty := objectAt(t, p, oids["small"]), objectAt(t, p, oids["empty"])
	store.Close()

	name := p.index.Name()
	whole := []byte(readFile(t, name))
	swapped := bytes.Clone(whole)
	for table, width := range map[int64]int64{p.checksums(): 4, p.offsets(): 4} {
		a, b := swapped[table+width*small:][:width], swapped[table+width*empty:][:width]
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	}
	otherPack := bytes.Clone(whole)
	otherPack[len(whole)-indexTail] ^= 1
	for what, b := range map[string][]byte{"one object for another": swapped, "another pack": otherPack} {
		if err := errors.Join(os.Chmod(name, 0o666), os.WriteFile(name, b, 0o666)); err != nil {
			t.Fatal(err)
		}
		store := r.OpenStore()
		if b := store.local(t.Context(), []string{oids["small"], oids["empty"]}, 100); b[0].known || b[1].known {
			t.Errorf("%s: read %+v", what, b)
		}
		store.Close()
	}
}

// objectAt is the place of an object in the order of the index.
func objectAt(t *testing.T, p *pack, oid string) int64 {
	t.Helper()
	id, _ := rawID(oid)
	b, err := p.bucket(id[0])
	if err != nil {
		t.Fatal(err)
	}
	at := int64(bytes.Index(b.ids, id[:])) / idSize
	if id[0] > 0 {
		at += int64(p.fanout[id[0]-1])
	}
	return at
}

// TestStoreOfDamagedPacks changes a pack byte by byte: what is read is right or
// is not read.
func TestStoreOfDamagedPacks(t *testing.T) {
	noise := make([]byte, 300) // is not deflated, so that nothing but a checksum tells
	rand.NewChaCha8([32]byte{}).Read(noise)
	s := gittest.New(t)
	dir := s.Init("r", map[string]string{"a": "some text\n", "b": string(noise), "c": "another text\n"})
	s.Git(dir, "repack", "-adqf")
	r := openAt(t, dir)
	entries, err := r.CommitEntries(t.Context(), "HEAD", "")
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]string{}
	var ids []string
	for _, e := range entries {
		right[e.OID] = string(gitBlob(t, r, e.OID))
		ids = append(ids, e.OID)
	}
	files, err := filepath.Glob(filepath.Join(r.CommonDir, "objects", "pack", "*"))
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, name := range files {
		if ext := filepath.Ext(name); ext != ".pack" && ext != ".idx" {
			continue
		}
		whole := readFile(t, name)
		if err := os.Chmod(name, 0o666); err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			for _, damaged := range []string{whole[:i] + string(whole[i]^0x41) + whole[i+1:], whole[:i]} {
				if len(damaged) < len(whole) && i%16 != 0 {
					continue
				}
				if err := os.WriteFile(name, []byte(damaged), 0o666); err != nil {
					t.Fatal(err)
				}
				store := r.OpenStore()
				for j, b := range store.local(t.Context(), ids, 200) {
					if !b.known {
						lost++
						continue
					}
					if b.content != nil && string(b.content) != right[ids[j]] {
						t.Errorf("%s, byte %d: read %q, want %q", filepath.Ext(name), i, b.content, right[ids[j]])
					}
					content, release, err := store.OpenPacked(Blob{OID: ids[j], Size: b.size, packed: b.packed})
					if err == nil {
						if string(content) != right[ids[j]] {
							t.Errorf("%s, byte %d: opened %q, want %q", filepath.Ext(name), i, content, right[ids[j]])
						}
						release()
					}
				}
				store.Close()
			}
		}
		if err := os.WriteFile(name, []byte(whole), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if lost == 0 {
		t.Error("no damage was seen")
	}
}

// TestStoreWhileRepacked opens a store, and packs what it holds anew: what is read is
// the same, from files that are there no more or by git.
func TestStoreWhileRepacked(t *testing.T) {
	s, r, oids := packedRepository(t)
	s.Write(r.Top, "loose", "loose\n")
	oids["loose"] = strings.TrimSpace(s.Git(r.Top, "hash-object", "-w", "loose"))
	s.Git(r.Top, "add", "loose")
	store := r.OpenStore()
	defer store.Close()
	s.Git(r.Top, "repack", "-adqf", "--depth=1")
	s.Git(r.Top, "gc", "-q", "--prune=now")
	ids := slices.Sorted(maps.Values(oids))
	next := 0
	err := store.Blobs(t.Context(), ids, 1<<30, func(b Blob) error {
		if want := gitBlob(t, r, ids[next]); b.OID != ids[next] || !bytes.Equal(b.Content, want) {
			t.Errorf("read %+v, want %q", b, want)
		}
		next++
		return nil
	})
	if err != nil || next != len(ids) {
		t.Errorf("%d of %d blobs are read: %v", next, len(ids), err)
	}
}

// TestStoreOfCrowdedIndexes wants no memory for more ids than there can be.
func TestStoreOfCrowdedIndexes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pack")
	const n = maxBucket + 1
	head := []byte(indexMagic)
	for range 256 {
		head = binary.BigEndian.AppendUint32(head, n) // all ids begin with zero
	}
	data := binary.BigEndian.AppendUint32([]byte(packMagic+"\x00\x00\x00\x02"), n)
	err := errors.Join(os.WriteFile(name+".idx", head, 0o666), os.Truncate(name+".idx", int64(indexHead)+n*(idSize+8)+indexTail),
		os.WriteFile(name+".pack", append(data, make([]byte, 100)...), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPack(name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if b, err := p.bucket(0); err == nil {
		t.Errorf("%d ids are read", len(b.ids)/idSize)
	}
	if b, err := p.bucket(1); err != nil || len(b.ids) != 0 {
		t.Errorf("none are read as %v, %v", b, err)
	}
}

// FuzzPack reads a pack and an index that may say anything: what is read has the id that
// was asked for.
func FuzzPack(f *testing.F) {
	s := gittest.New(f)
	dir := s.Init("r", map[string]string{"a": "some text\n", "b": strings.Repeat("b", 300), "c": "another text\n"})
	s.Git(dir, "repack", "-adqf")
	packs, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		f.Fatal(packs, err)
	}
	var seed [2][]byte
	for i, name := range []string{packs[0], strings.TrimSuffix(packs[0], ".pack") + ".idx"} {
		if seed[i], err = os.ReadFile(name); err != nil {
			f.Fatal(err)
		}
	}
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, strings.TrimSpace(s.Git(dir, "rev-parse", "HEAD:"+name)))
	}
	f.Add(seed[0], seed[1])
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data, index []byte) {
		name := filepath.Join(folder, fmt.Sprint(os.Getpid()))
		if err := errors.Join(os.WriteFile(name+".pack", data, 0o666), os.WriteFile(name+".idx", index, 0o666)); err != nil {
			t.Fatal(err)
		}
		p, err := openPack(name)
		if err != nil {
			return
		}
		defer p.close()
		store := &Store{repo: &Repository{ObjectFormat: SHA1}, packs: []*pack{p}}
		for _, id := range ids {
			b, err := store.packed(&packReader{}, id, 100, 200)
			if err != nil {
				continue
			}
			if b.size < 0 || b.content != nil && store.repo.objectID(b.content) != id || b.content == nil && b.size <= 200 {
				t.Errorf("%s is read as %+v", id, b)
			}
			if b.size <= 1<<20 {
				if _, release, err := store.OpenPacked(Blob{OID: id, Size: b.size, packed: b.packed}); err == nil {
					release()
				}
			}
		}
	})
}

func FuzzPackedHeader(f *testing.F) {
	f.Add([]byte{0x30})
	f.Add([]byte{0xb5, 0x80, 0x01})
	f.Add(bytes.Repeat([]byte{0xbf}, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, n, ok := parsePackedHeader(b)
		if ok && (size < 0 || n < 1 || n > len(b) || n > maxHeader) {
			t.Errorf("%x: size %d in %d bytes", b, size, n)
		}
	})
}
