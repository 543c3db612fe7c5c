package hook

import (
	"path/filepath"
	"testing"
)

func TestScratch(t *testing.T) {
	h := newHome(t)
	before := h.snapshot(true, h.dir)
	src := h.model("src")
	r := h.install(h.options(Global, ""))
	t.Logf("%+v", r)
	out, code := h.tryGit(h.root, "clone", "-q", src, "c1")
	t.Logf("%s %d %+v", out, code, h.calls())
	out, code = h.tryGit(h.root, "-c", "modelsign.publicKey=x", "clone", "-q", src, "c2")
	t.Logf("%s %d %+v", out, code, h.calls())
	checks, err := Doctor(t.Context(), DoctorOptions{Dir: filepath.Join(h.root, "c1"), Executable: h.executable(), DataDir: h.options(Global, "").DataDir})
	for _, c := range checks {
		t.Logf("%+v", c)
	}
	t.Log(err)
	t.Log(h.run(h.root, "find", ".", "-name", "*.sample", "-prune", "-o", "-path", "*objects", "-prune", "-o", "-type", "f", "-print"))
	t.Logf("%+v", h.uninstall(h.options(Global, "")))
	h.same(before, h.snapshot(true, h.dir))
	t.Log(h.run(h.root, "ls"))
}
