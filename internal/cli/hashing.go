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
	if o.flags == nil {
		o.Register(NewFlagSet(""))
	}
	if o.flags.Lookup(threadsFlag) != nil {
		if err := config.Fill(o.flags, threadsFlag); err != nil {
			return digest.Hasher{}, err
		}
	}
	if o.threads < 0 || o.threads > maxThreads {
		return digest.Hasher{}, ui.Usage("", "--threads %d: expected a number of cores up to %d, or 0 for all", o.threads, maxThreads)
	}
	if _, err := o.resolve(config); err != nil {
		return digest.Hasher{}, err
	}
	return digest.Hasher{Backend: o.backend, Threads: o.threads}, nil
}

// Choose is [digest.Choose] for the backend that the command line asks for, or
// else the environment or config.
func (o *Hashing) Choose(config *Config, again bool) (digest.Choice, error) {
	if o.flags == nil {
		o.RegisterBackend(NewFlagSet(""))
	}
	by, err := o.resolve(config)
	if err != nil {
		return digest.Choice{}, err
	}
	choice, err := digest.Choose(o.backend, again)
	if err == nil && o.backend != "" && o.backend != digest.Auto {
		choice.Reason = "asked for by " + by
	}
	return choice, err
}

// resolve takes the backend from config where neither the command line nor the
// environment names one, sees that it is there, and says who asked for it.
func (o *Hashing) resolve(config *Config) (by string, err error) {
	switch {
	case o.flags.Changed(backendFlag):
		by = "--" + backendFlag
	case os.Getenv(digest.EnvBackend) != "":
		by = digest.EnvBackend
	default:
		by = "git config modelsign." + camelCase(backendFlag)
		if err := config.Fill(o.flags, backendFlag); err != nil {
			return "", err
		}
	}
	if err := digest.CheckBackend(o.backend); err != nil {
		return "", ui.Usage("git model-sign bench shows how fast each is", "%s: %w", by, err)
	}
	return by, nil
}
