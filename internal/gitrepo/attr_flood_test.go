package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestCheckAttributesFlood has a git that would say more of attributes than it pays to
// read: it is not listened to for longer than it takes to notice, and asked again by name.
func TestCheckAttributesFlood(t *testing.T) {
	const written = 100 << 20
	var read atomic.Int64
	stream := func(_ context.Context, _ io.Reader, reader func(*bufio.Reader) error, args ...string) error {
		if args[len(args)-1] != "-a" {
			return reader(bufio.NewReader(strings.NewReader("w.bin\x00filter\x00lfs\x00w.bin\x00text\x00unspecified\x00")))
		}
		one := "w.bin\x00%08d\x00set\x00"
		r, w := io.Pipe()
		go func() {
			for i := 0; read.Load() < written; i++ {
				n, err := fmt.Fprintf(w, one, i)
				if err != nil {
					return
				}
				read.Add(int64(n))
			}
			_ = w.Close()
		}()
		return errors.Join(reader(bufio.NewReaderSize(r, 64<<10)), r.Close())
	}
	table, err := attributeTable(t.Context(), stream, nil, []string{"w.bin"}, []string{"text", "filter"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "lfs"}; !slices.Equal(table[0], want) {
		t.Errorf("attributes %q, want %q", table[0], want)
	}
	if n := read.Load(); n > 1<<20 {
		t.Errorf("%d bytes were read", n)
	}
}
