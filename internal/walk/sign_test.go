package walk_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
	"github.com/git-model-sign/git-model-sign/internal/sign"
	"github.com/git-model-sign/git-model-sign/internal/ui"
	"github.com/git-model-sign/git-model-sign/internal/walk"
)

// slowSigner takes so long that something else comes to the signature's place.
type slowSigner struct {
	sign.Signer
	meanwhile func()
}

func (s slowSigner) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	s.meanwhile()
	return s.Signer.Sign(ctx, payload)
}

// TestSignMeanwhile has a file come to the signature's place while the model is signed:
// it is somebody's, and stays.
func TestSignMeanwhile(t *testing.T) {
	for name, signed := range map[string]bool{"a first signature": false, "another signature": true} {
		m := newSigned(t, map[string]string{"weights": "1"})
		if signed {
			m.sign(t, ".")
			m.Write(m.dir, "weights", "2")
			m.Git(m.dir, "commit", "-qam", "Change")
		}
		p, err := walk.Locate(t.Context(), m.dir, "", false)
		if err != nil {
			t.Fatal(err)
		}
		file, notes := filepath.Join(m.dir, "model.sig"), []byte("somebody's notes")
		if signed { // and a signature too
			if notes, err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
			notes = append(notes, '\n')
		}
		signer := slowSigner{m.key, func() {
			if err := os.WriteFile(file, notes, 0o600); err != nil {
				t.Fatal(err)
			}
		}}
		_, err = walk.Sign(t.Context(), p, walk.SignOptions{Signer: signer, Terminal: m.terminal,
			Serialization: oms.Serialization{Method: oms.Files, HashType: oms.SHA256}})
		if ui.Code(err) == ui.ExitOK || !strings.Contains(err.Error(), "not written over") {
			t.Errorf("%s: %v", name, err)
		}
		if raw, err := os.ReadFile(file); err != nil || !bytes.Equal(raw, notes) {
			t.Errorf("%s: %q is there, %v", name, raw, err)
		}
	}
}
