package durable_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/git-model-sign/git-model-sign/internal/durable"
)

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file.lock")
	unlock, err := durable.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := durable.Lock(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a lock that is taken: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := durable.Lock(t.Context(), name)
	if err != nil {
		t.Fatalf("a lock that was given back: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Lock(t.Context(), filepath.Join(t.TempDir(), "gone", "file.lock")); err == nil {
		t.Error("locked in a folder that is not there")
	}
}
