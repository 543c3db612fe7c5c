package digest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/blake3"
)

// BLAKE3 by pieces and BLAKE2b by items give what the libraries give, at every
// size where the tree takes another shape.
func TestOtherAlgorithms(t *testing.T) {
	sizes := []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 3 * 1024, 16 << 10, 16<<10 + 1, 17 << 10, 33<<10 + 5}
	for _, pieces := range []int{1, 2, 3, 4, 5, 7, 8, 9} {
		for _, d := range []int{-1025, -1, 0, 1, 1024, 20 << 10} {
			sizes = append(sizes, pieces*pieceSize+d)
		}
	}
	r := rand.NewChaCha8([32]byte{3})
	var items []Item
	var contents [][]byte
	for _, n := range sizes {
		b := make([]byte, n)
		r.Read(b)
		contents = append(contents, b)
		items = append(items, memoryItem(fmt.Sprint(n), b))
	}
	for _, threads := range []int{1, 8} {
		b3, err := Hasher{Algorithm: BLAKE3, Threads: threads}.Sum(context.Background(), items)
		if err != nil {
			t.Fatal(err)
		}
		b2, err := Hasher{Algorithm: BLAKE2b, Threads: threads}.Sum(context.Background(), items)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range contents {
			if want := blake3.Sum256(b); string(b3[i].Digest) != string(want[:]) || b3[i].Bytes != int64(len(b)) || b3[i].Err != nil {
				t.Errorf("blake3 of %d bytes, %d threads: %x %v, want %x", len(b), threads, b3[i].Digest, b3[i].Err, want)
			}
			if want := blake2b.Sum512(b); string(b2[i].Digest) != string(want[:]) || b2[i].Bytes != int64(len(b)) || b2[i].Err != nil {
				t.Errorf("blake2b of %d bytes, %d threads: %x %v, want %x", len(b), threads, b2[i].Digest, b2[i].Err, want)
			}
		}
	}
}
