package digest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// source is the open file of an Item, held to what was known of it when it was
// opened.
type source struct {
	item     *Item
	file     File
	before   fs.FileInfo
	pos, end int64 // what is left to read
}

// openSource opens an item's file and sees that it has the expected size.
func openSource(it *Item) (*source, error) {
	s := new(source)
	if err := s.open(it); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *source) open(it *Item) error {
	f, err := it.Open()
	if err != nil {
		return err
	}
	before, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", it.Name, err)
	}
	if it.Size >= 0 && before.Size() != it.Size {
		f.Close()
		return fmt.Errorf("%s: %w: expected %d bytes, found %d", it.Name, ErrChanged, it.Size, before.Size())
	}
	end := before.Size()
	if it.Length >= 0 {
		end = it.Offset + it.Length
	}
	*s = source{item: it, file: f, before: before, pos: it.Offset, end: max(end, it.Offset)}
	return nil
}

func (s *source) left() int64 { return s.end - s.pos }

// readAt fills p from offset off of the file. A file that ends before has
// changed.
func (s *source) readAt(p []byte, off int64) error {
	n, err := s.file.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %w: it ended at byte %d of %d", s.item.Name, ErrChanged, off+int64(n), s.end)
	}
	return fmt.Errorf("%s: %w", s.item.Name, err)
}

// next reads as much as is left of the range and as p has room for.
func (s *source) next(p []byte) (int, error) {
	p = p[:min(int64(len(p)), s.left())]
	if err := s.readAt(p, s.pos); err != nil {
		return 0, err
	}
	s.pos += int64(len(p))
	return len(p), nil
}

// unchanged says whether the file is still what it was when it was opened.
func (s *source) unchanged() error {
	after, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", s.item.Name, err)
	}
	if after.Size() != s.before.Size() || !after.ModTime().Equal(s.before.ModTime()) {
		return fmt.Errorf("%s: %w", s.item.Name, ErrChanged)
	}
	if removed(s.before, after) {
		return fmt.Errorf("%s: %w: it was removed or replaced", s.item.Name, ErrChanged)
	}
	return nil
}

func (s *source) close() { s.file.Close() }

// readWhole reads an item that there is room for in p.
func (it *Item) readWhole(p []byte) (int, error) {
	var src source // on the stack: there may be many
	if err := src.open(it); err != nil {
		return 0, err
	}
	defer src.close()
	n, err := src.next(p)
	if err == nil {
		err = src.unchanged()
	}
	return n, err
}
