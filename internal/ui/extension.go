package ui

import (
	"errors"

	"github.com/git-model-sign/git-model-sign/internal/hub/extension"
)

// ExtensionInstalled tells what hf runs from now on.
func (t *Terminal) ExtensionInstalled(manifest, executable string) {
	t.Result("hf %s runs %s", extension.Name, Quote(executable))
	t.Note("wrote %s", Quote(manifest))
}

// ExtensionRemoved tells that hf runs nothing any more, or that there was nothing.
func (t *Terminal) ExtensionRemoved(dir string, removed bool) {
	if !removed {
		t.Note("hf %s is not installed: nothing at %s", extension.Name, Quote(dir))
		return
	}
	t.Result("removed hf %s from %s", extension.Name, Quote(dir))
}

// ExtensionError gives an error about the extension its exit code. The hint is for one
// that is not ours.
func ExtensionError(err error, foreign string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, extension.ErrForeign):
		return Usage(foreign, "%w", err)
	}
	return Trouble("", "%w", err)
}
