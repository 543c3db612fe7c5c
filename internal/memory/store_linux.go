package memory

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/bounded"
	"github.com/git-model-sign/git-model-sign/internal/durable"
)

// store is the file of a repository's memory, and what this system says of
// other files.
type store struct {
	gitDir string
	secret []byte // of this user, machine, mount and path
	device uint64 // that the worktree lies on
	// opened is the time by the clock that files get their times from, in
	// nanoseconds since 1970, before anything was looked at.
	opened int64
}

// bootID is the kernel's name for the time since this machine was started.
const bootID = "/proc/sys/kernel/random/boot_id"

func openStore(gitDir, top, secretDir string) (*store, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
		return nil, fmt.Errorf("reading the clock: %w", err)
	}
	if err := keepsTimes(top); err != nil {
		return nil, err
	}
	device, mount, err := mountOf(top)
	if err != nil {
		return nil, err
	}
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return nil, err
	}
	user, err := userSecret(secretDir)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, user)
	fmt.Fprintf(mac, "%s%q %d %d %q %q", magic, bytes.TrimSpace(boot), mount, os.Geteuid(), gitDir, top)
	return &store{gitDir: gitDir, secret: mac.Sum(nil), device: device, opened: now.Nano()}, nil
}

// keepsTimes returns an error unless a folder lies on a file system that sets a
// file's times at every change, those through a mapping included. Those in
// memory do not, overlayfs hides who has a mapping, and of a network's nobody
// knows.
func keepsTimes(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, // ext2 and ext3 as well
		unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC:
		return nil
	}
	return &fs.PathError{Op: "statfs", Path: dir, Err: errors.ErrUnsupported}
}

// mountOf returns the device that a folder lies on, and the name of its mount,
// which stays for as long as the machine runs: a disk that was away for a while
// has another one. Before Linux 6.8 there is no such name, and it is 0.
func mountOf(dir string) (device, mount uint64, err error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID_UNIQUE, &st); err != nil {
		return 0, 0, &fs.PathError{Op: "statx", Path: dir, Err: err}
	}
	if st.Mask&unix.STATX_MNT_ID_UNIQUE != 0 {
		mount = st.Mnt_id
	}
	return unix.Mkdev(st.Dev_major, st.Dev_minor), mount, nil
}

// folder opens the folder of the file, which must be the user's own and not one
// that others can write to, nor a link.
func (s *store) folder() (*os.File, error) {
	git, err := unix.Open(s.gitDir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: s.gitDir, Err: err}
	}
	defer unix.Close(git)
	return openOwn(git, folderName, unix.O_DIRECTORY)
}

// openOwn opens a name in a folder for reading if it is no link, is the user's
// and only the user can write to it.
func openOwn(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = own(&st, flags&unix.O_DIRECTORY != 0)
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// errNotOwn says that a file or folder may be somebody else's work.
var errNotOwn = errors.New("is not the user's own")

func own(st *unix.Stat_t, folder bool) error {
	kind := uint32(unix.S_IFREG)
	if folder {
		kind = unix.S_IFDIR
	}
	if st.Mode&unix.S_IFMT != kind || st.Uid != uint32(os.Geteuid()) || st.Mode&0o022 != 0 {
		return errNotOwn
	}
	return nil
}

// read returns what the file holds; nothing where it is not there or not to be
// believed.
func (s *store) read() []entry {
	dir, err := s.folder()
	if err != nil {
		return nil
	}
	defer dir.Close()
	f, err := openOwn(int(dir.Fd()), fileName, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := bounded.Read(f, maxSize)
	if err != nil {
		return nil
	}
	entries, err := decode(b, s.secret)
	if err != nil {
		return nil
	}
	return entries
}

// patience is how long to wait for another process that writes.
const patience = 2 * time.Second

// update writes what change makes of the file's entries, while no other process
// does so. It is written whole or not at all.
func (s *store) update(change func(old []entry) []entry) error {
	if err := os.Mkdir(filepath.Dir(Path(s.gitDir)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("remembering digests: %w", err)
	}
	dir, err := s.folder()
	if err != nil {
		return fmt.Errorf("remembering digests: %w", err)
	}
	defer dir.Close() // ends the lock
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := lock(ctx, int(dir.Fd())); err != nil {
		return fmt.Errorf("remembering digests: waiting for another process: %w", err)
	}
	if err := durable.WriteFile(Path(s.gitDir), encode(change(s.read()), s.secret), 0o600); err != nil {
		return fmt.Errorf("remembering digests: %w", err)
	}
	return nil
}

// lock waits until no other process has locked an open folder.
func lock(ctx context.Context, fd int) error {
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// trusts says whether the digest that an open file is about to have can be
// remembered: from now on every change will leave another time.
func (s *store) trusts(f systemFile, st stamp) bool {
	return st.dev == s.device && settled(st.ctime, s.opened) && unwritten(f.Fd())
}

// settled says whether a file whose status last changed at ctime would have
// another time if it changed at now or later. The kernel's clock for file times
// goes in steps of up to 10 ms. Where a file system has no room for parts of a
// second, times are cut to seconds, or two.
func settled(ctime, now int64) bool {
	step := int64(20 * time.Millisecond)
	if ctime%int64(time.Millisecond) == 0 {
		step = int64(3 * time.Second)
	}
	return ctime < now-step
}

// unwritten says whether no process has an open file open for writing as well,
// or mapped into memory so that it can write: only then does the kernel grant a
// lease for reading, which is given back at once.
func unwritten(fd uintptr) bool {
	if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// stampOf is what tells a regular file of the user and its state.
func stampOf(info fs.FileInfo) (stamp, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Uid != uint32(os.Geteuid()) {
		return stamp{}, false
	}
	return stamp{dev: uint64(st.Dev), ino: st.Ino, state: state{size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()}}, true
}
