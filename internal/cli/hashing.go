package cli

import (
	"os"

	"github.com/spf13/pflag"

	"github.com/git-model-sign/git-model-sign/internal/digest"
	"github.com/git-model-sign/git-model-sign/internal/ui"
)

// Hashing holds the options of how files are hashed. They change how long that
// takes, and never a digest. The zero value is for a command without them.
type Hashing struct {
	backend string
	threads int
	flags   *pflag.FlagSet
}

const (
	backendFlag = "hash-backend"
	threadsFlag = "threads"
)

// Register declares the options.
func (o *Hashing) Register(flags *pflag.FlagSet) {
	o.RegisterBackend(flags)
	flags.IntVar(&o.threads, threadsFlag, 0, "hash on `N` cores; 0 is all of them")
}

// RegisterBackend declares the option that names the backend alone.
func (o *Hashing) RegisterBackend(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.backend, backendFlag, "", "compute SHA-256 with the backend `NAME`; git model-sign bench lists them")
}

// maxThreads bounds --threads: each costs buffers, and no machine has more cores.
const maxThreads = 1024

// Hasher is the hasher that the command line asks for, or else the environment
// or config.
func (o *Hashing) Hasher(config *Config) (digest.Hasher, error) {
	by, err := o.resolve(config)
	if err != nil {
		return digest.Hasher{}, err
	}
	if err := o.check(by); err != nil {
		return digest.Hasher{}, err
	}
	return digest.Hasher{Backend: o.backend, Threads: o.threads}, nil
}

// HookHasher is the hasher for a hook or a command without these options: the one
// that the environment or config asks for. That its backend is not there is found
// by hashing: in a repository without a signature it does not matter, and a home
// may be shared by machines that differ.
func HookHasher(config *Config) (digest.Hasher, error) {
	var o Hashing
	if _, err := o.resolve(config); err != nil {
		return digest.Hasher{}, err
	}
	return digest.Hasher{Backend: o.backend, Threads: o.threads}, nil
}

// Choose is [digest.Choose] for the backend that the command line asks for, or
// else the environment or config.
func (o *Hashing) Choose(config *Config, again bool) (digest.Choice, error) {
	by, err := o.resolve(config)
	if err != nil {
		return digest.Choice{}, err
	}
	if err := o.check(by); err != nil {
		return digest.Choice{}, err
	}
	choice, err := digest.Choose(o.backend, again)
	if err == nil && o.backend != "" && o.backend != digest.Auto {
		choice.Reason = "asked for by " + by
	}
	return choice, err
}

// resolve takes from config what neither the command line nor the environment
// says, and tells who asked for the backend.
func (o *Hashing) resolve(config *Config) (by string, err error) {
	if o.flags == nil {
		o.Register(NewFlagSet(""))
	}
	if o.flags.Lookup(threadsFlag) != nil {
		if err := config.Fill(o.flags, threadsFlag); err != nil {
			return "", err
		}
	}
	if o.threads < 0 || o.threads > maxThreads {
		name := "--" + threadsFlag
		if !o.flags.Changed(threadsFlag) {
			name = "modelsign." + threadsFlag
		}
		return "", ui.Usage("", "%s %d: expected a number of cores up to %d, or 0 for all", name, o.threads, maxThreads)
	}
	switch {
	case o.flags.Changed(backendFlag):
		return "--" + backendFlag, nil
	case os.Getenv(digest.EnvBackend) != "":
		return digest.EnvBackend, nil
	}
	return "git config modelsign." + camelCase(backendFlag), config.Fill(o.flags, backendFlag)
}

// check sees that this machine has the backend that somebody asked for.
func (o *Hashing) check(by string) error {
	if err := digest.CheckBackend(o.backend); err != nil {
		return ui.Usage("git model-sign bench --hash-backend=auto shows how fast each is", "%s: %w", by, err)
	}
	return nil
}
