package digest

import (
	"bytes"
	"io/fs"
	"time"
)

// memoryFile is a file that is no file.
type memoryFile struct {
	*bytes.Reader
	modified time.Time
}

func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Stat() (fs.FileInfo, error) { return memoryInfo{f.Size(), f.modified}, nil }

type memoryInfo struct {
	size     int64
	modified time.Time
}

func (i memoryInfo) Name() string       { return "" }
func (i memoryInfo) Size() int64        { return i.size }
func (i memoryInfo) Mode() fs.FileMode  { return 0o444 }
func (i memoryInfo) ModTime() time.Time { return i.modified }
func (i memoryInfo) IsDir() bool        { return false }
func (i memoryInfo) Sys() any           { return nil }

func memoryItem(name string, b []byte) Item {
	return Item{Name: name, Length: -1, Size: int64(len(b)), Open: func() (File, error) {
		return &memoryFile{Reader: bytes.NewReader(b)}, nil
	}}
}
