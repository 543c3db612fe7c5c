package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// lockPatience is how long Lock waits for another process, whose work under a
// lock is a matter of milliseconds.
const lockPatience = 10 * time.Second

// ErrLocked says that another process has held a lock for too long.
var ErrLocked = errors.New("locked by another process")

// Lock takes the lock file called name and returns what gives it back. The file
// is made if need be, and stays: the lock is the operating system's, which takes it
// from a process that dies, so that none is ever stale. Lock waits for ten
// seconds at most.
func Lock(ctx context.Context, name string) (unlock func() error, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return LockFile(ctx, f)
}

// LockFile is Lock for whoever opens the lock file with more care than by its
// name. The file is LockFile's then, to close when the lock is given back or was
// not to be had.
func LockFile(ctx context.Context, f *os.File) (unlock func() error, err error) {
	name := f.Name()
	deadline := time.Now().Add(lockPatience)
	for {
		taken, err := tryLock(f)
		switch {
		case err != nil:
			err = &fs.PathError{Op: "lock", Path: name, Err: err}
		case taken:
			return f.Close, nil // which gives the lock back
		case time.Now().After(deadline):
			err = fmt.Errorf("%s: %w for %s", name, ErrLocked, lockPatience)
		default:
			err = pause(ctx, time.Duration(1+rand.IntN(20))*time.Millisecond)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
