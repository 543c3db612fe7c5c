package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/gitrepo"
	"github.com/git-model-sign/git-model-sign/internal/memory"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Cache holds the option of whether digests are remembered.
type Cache struct {
	off   bool
	flags *pflag.FlagSet
}

const noCacheFlag = "no-cache"

// Register declares the option. Without it config alone decides.
func (c *Cache) Register(flags *pflag.FlagSet) {
	c.flags = flags
	flags.BoolVar(&c.off, noCacheFlag, false, "read every file, also those that were read before and are unchanged")
}

// Open is what is remembered of a worktree; a Memory that never learns anything
// where that is not wanted, or there is no worktree.
func (c *Cache) Open(config *Config, repo *gitrepo.Repository) (*memory.Memory, error) {
	if c.flags == nil || !c.flags.Changed(noCacheFlag) {
		on, err := config.Bool("cache", true)
		if err != nil {
			return nil, err
		}
		c.off = !on
	}
	if c.off || repo == nil || repo.Top == "" {
		return new(memory.Memory), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return new(memory.Memory), nil // there is no place that is only the user's
	}
	return memory.Open(repo.GitDir, repo.Top, filepath.Join(dir, "git-model-sign", "memory")), nil
}

// Save has a memory write down what it has learned. That it cannot is said and
// changes no verdict; in a repository that one may only read there is nothing to say.
func (c *Cache) Save(m *memory.Memory, t *ui.Terminal) {
	err := m.Save()
	if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		t.Note("%v", err)
	}
}
