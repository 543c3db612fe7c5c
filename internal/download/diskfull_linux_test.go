package download_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/git-model-sign/git-model-sign/internal/download"
)

// A full disk ends the run with an error that says so, and what came is kept: with
// more room, the next run goes on from there.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("cannot make a small file system: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	content := text(3 << 20)
	o := &origin{files: map[string][]byte{"a": content}}
	results, err := download.Run(t.Context(), o, []download.File{signed("a", content)}, download.Folder{Dir: dir}, quick())
	if !errors.Is(err, download.ErrDiskFull) || !errors.Is(results[0].Err, download.ErrDiskFull) {
		t.Fatalf("error %v, want ErrDiskFull", err)
	}
	absent(t, dir+"/a")
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, o, download.Folder{Dir: dir}, signed("a", content))[0]
	if r.Err != nil || r.Resumed < 512<<10 || r.Resumed+r.Received != int64(len(content)) {
		t.Errorf("then %+v, want it resumed", r)
	}
	holds(t, dir+"/a", content)
}
