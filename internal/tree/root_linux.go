package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"golang.org/x/sys/unix"
)

// identity tells two files apart.
type identity struct {
	dev, ino uint64
	info     fs.FileInfo // instead, where package os looked at the file
}

func (a identity) same(b identity) bool {
	if a.info != nil && b.info != nil {
		return os.SameFile(a.info, b.info)
	}
	return a.info == nil && b.info == nil && a.dev == b.dev && a.ino == b.ino
}

// openRoot opens a root with openat2, which takes one system call a file where
// os.Root takes several for each folder on the way. A kernel before 5.6, or a
// sandbox that forbids the call, gets the portable one.
func openRoot(dir string) (root, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	r := &linuxRoot{dir: f, fd: int(f.Fd())}
	fd, err := r.openat(".", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		f.Close()
		if errors.Is(err, unix.ENOTDIR) {
			return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
		}
		return openPortable(dir)
	}
	unix.Close(fd)
	return r, nil
}

// linuxRoot is a root for which the kernel sees to it that no name leaves it or
// goes through a link.
type linuxRoot struct {
	dir *os.File
	fd  int
}

func (r *linuxRoot) close() error { return r.dir.Close() }

// openat opens a name below the root.
func (r *linuxRoot) openat(name string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(r.fd, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			runtime.KeepAlive(r)
			return fd, err
		}
	}
}

// openFolder opens a folder, and says what else stands there or on the way.
func (r *linuxRoot) openFolder(dir string, flags uint64) (int, error) {
	name := dir
	if name == "" {
		name = "."
	}
	fd, err := r.openat(name, flags|unix.O_DIRECTORY)
	switch err {
	case nil:
		return fd, nil
	case unix.ELOOP:
		return -1, fmt.Errorf("%w: the folder %q, or one above it", ErrSymlink, dir)
	case unix.ENOTDIR:
		return -1, r.notFolder(dir)
	}
	return -1, &fs.PathError{Op: "open", Path: dir, Err: err}
}

// notFolder tells a link in place of a folder from a file: O_DIRECTORY has the
// same error for both.
func (r *linuxRoot) notFolder(dir string) error {
	for name := dir; name != ""; name = parent(name) {
		fd, err := r.openat(name, unix.O_PATH)
		if err != nil {
			continue
		}
		var st syscall.Stat_t
		err = syscall.Fstat(fd, &st)
		unix.Close(fd)
		if err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
			return fmt.Errorf("%w: the folder %q", ErrSymlink, name)
		}
		if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			return fmt.Errorf("%w: %q is no folder", ErrIrregular, name)
		}
	}
	return fmt.Errorf("%w: %q is no folder", ErrIrregular, dir)
}

func (r *linuxRoot) list(dir string) ([]entry, error) {
	fd, err := r.openFolder(dir, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names) // whoever sorts what we return has less to do
	return statAll(fd, names)
}

// statShare is the number of names in a folder that are worth a goroutine.
const statShare = 512

// statAll looks at names in an open folder, on all cores where they are many, and
// leaves out those that are gone.
func statAll(fd int, names []string) ([]entry, error) {
	entries := make([]entry, len(names))
	shares := max(1, min(runtime.GOMAXPROCS(0), len(names)/statShare))
	errs := make([]error, shares)
	var wg sync.WaitGroup
	for i := range shares {
		from, to := len(names)*i/shares, len(names)*(i+1)/shares
		wg.Go(func() {
			for j := from; j < to && errs[i] == nil; j++ {
				e, err := statAt(fd, names[j])
				if errors.Is(err, fs.ErrNotExist) {
					continue // and has no name
				}
				entries[j], errs[i] = e, err
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(entries, func(e entry) bool { return e.name == "" }), nil
}

func (r *linuxRoot) stat(dir string, names []string, fn func(i int, e entry, err error)) error {
	fd, err := r.openFolder(dir, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i, name := range names {
		e, err := statAt(fd, name)
		fn(i, e, err)
	}
	return nil
}

// statAt looks at a name in an open folder.
func statAt(fd int, name string) (entry, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return entry{}, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		return entry{name: name, mode: modeOf(st.Mode), size: st.Size, id: identity{dev: uint64(st.Dev), ino: st.Ino}}, nil
	}
}

// modeOf turns the type of a file into Go's.
func modeOf(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return m
	case syscall.S_IFDIR:
		return m | fs.ModeDir
	case syscall.S_IFLNK:
		return m | fs.ModeSymlink
	case syscall.S_IFIFO:
		return m | fs.ModeNamedPipe
	case syscall.S_IFSOCK:
		return m | fs.ModeSocket
	case syscall.S_IFCHR:
		return m | fs.ModeDevice | fs.ModeCharDevice
	case syscall.S_IFBLK:
		return m | fs.ModeDevice
	}
	return m | fs.ModeIrregular
}

func (r *linuxRoot) open(name string, listed entry) (digest.File, error) {
	fd, err := r.openat(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	switch err {
	case nil:
	case unix.ELOOP:
		return nil, fmt.Errorf("%w: it or a folder on the way is now a symbolic link", ErrReplaced)
	default:
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := &linuxFile{fd: fd, name: name}
	info := &f.first
	info.name = name
	err = f.stat(info)
	if err == nil {
		f.opened.Store(info)
		err = replaced(entry{mode: info.Mode(), size: info.Size(), id: identity{dev: uint64(info.st.Dev), ino: info.st.Ino}}, listed)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// linuxFile is an open regular file. It is no [os.File], as making one takes two
// more system calls and a finalizer, which counts with many small files. It must
// not be closed while it is read.
type linuxFile struct {
	fd   int
	name string
	// opened is what was seen when the file was opened. The first Stat gives it
	// out, as whoever opens a file begins with that.
	opened atomic.Pointer[linuxInfo]
	first  linuxInfo
}

func (f *linuxFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(f.fd, p[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, &fs.PathError{Op: "read", Path: f.name, Err: err}
		case m == 0:
			return n, io.EOF
		default:
			n += m
		}
	}
	return n, nil
}

func (f *linuxFile) Close() error {
	if f.fd < 0 {
		return fs.ErrClosed
	}
	fd := f.fd
	f.fd = -1
	return unix.Close(fd)
}

// Fd returns the file descriptor, valid until Close.
func (f *linuxFile) Fd() uintptr { return uintptr(f.fd) }

// Stat returns what fstat says, at the first call what it said when the file was
// opened.
func (f *linuxFile) Stat() (fs.FileInfo, error) {
	if info := f.opened.Swap(nil); info != nil {
		return info, nil
	}
	info := &linuxInfo{name: f.name}
	if err := f.stat(info); err != nil {
		return nil, err
	}
	return info, nil
}

func (f *linuxFile) stat(info *linuxInfo) error {
	for {
		err := syscall.Fstat(f.fd, &info.st)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &fs.PathError{Op: "stat", Path: f.name, Err: err}
		}
	}
}

// linuxInfo is what fstat says. Sys is a *syscall.Stat_t, as with package os.
type linuxInfo struct {
	name string
	st   syscall.Stat_t
}

func (i *linuxInfo) Name() string       { return path.Base(i.name) }
func (i *linuxInfo) Size() int64        { return i.st.Size }
func (i *linuxInfo) Mode() fs.FileMode  { return modeOf(i.st.Mode) }
func (i *linuxInfo) ModTime() time.Time { return time.Unix(i.st.Mtim.Unix()) }
func (i *linuxInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *linuxInfo) Sys() any           { return &i.st }
