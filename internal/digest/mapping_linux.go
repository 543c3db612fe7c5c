package digest

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A mapping is a range of a file in memory: what is in the page cache is hashed
// where it lies. Copying it out first, as a read does, takes a sixth of the time
// that one stream needs for hashing.
//
// Only windows of it are in memory at a time: the reader lets the kernel bring
// one in, and whoever has hashed it gives it back. A file that is cut off
// meanwhile loses its pages, and touching them faults; see worker.compress.
type mapping struct {
	data []byte
	base int64 // offset in the file where data begins
	// users are the reader and the windows that are out. The last one unmaps.
	users atomic.Int32
}

// mapRange maps a range of a file, or returns nil where that cannot be done: a
// File that is none of the system's, a file system without, no address space.
func mapRange(f File, from, to int64) *mapping {
	d, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return nil
	}
	base := from - from%int64(os.Getpagesize())
	length := int(to - base)
	if int64(length) != to-base { // a large file where addresses have 32 bits
		return nil
	}
	data, err := unix.Mmap(int(d.Fd()), base, length, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	// The kernel reads ahead further and drops nothing that is still to come.
	unix.Madvise(data, unix.MADV_SEQUENTIAL)
	m := &mapping{data: data, base: base}
	m.users.Store(1)
	return m
}

// window brings a part of the file into memory. It returns nil if that fails: on
// a kernel before 5.14, where the file has become shorter, or by an error of
// the disk, which a read will tell by name.
func (m *mapping) window(from, to int64) []byte {
	w := m.data[from-m.base : to-m.base]
	for {
		switch err := unix.Madvise(m.pages(w), unix.MADV_POPULATE_READ); err {
		case nil:
			m.users.Add(1)
			return w
		case unix.EINTR, unix.EAGAIN:
		default:
			return nil
		}
	}
}

// release lets the pages of a window go. A page that it has in common with
// another one comes back when it is touched.
func (m *mapping) release(window []byte) {
	unix.Madvise(m.pages(window), unix.MADV_DONTNEED)
	m.done()
}

// done unmaps the file unless somebody has a window of it.
func (m *mapping) done() {
	if m.users.Add(-1) == 0 {
		unix.Munmap(m.data)
	}
}

// pages is the window from the beginning of its first page.
func (m *mapping) pages(window []byte) []byte {
	start := cap(m.data) - cap(window)
	return m.data[start-start%os.Getpagesize() : start+len(window)]
}
