//go:build unix

package bounded

import "syscall"

// nonBlock keeps an open from waiting for the other end of a named pipe.
const nonBlock = syscall.O_NONBLOCK
