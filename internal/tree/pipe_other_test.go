//go:build !unix

package tree

import "testing"

func makePipe(t *testing.T, _ string) { t.Skip("there are no named pipes in folders here") }

func makeSocket(t *testing.T, _ string) { t.Skip("there are no sockets in folders here") }
