package verify

import "fmt"

// refusal is a sentence of its own that is one of the reasons.
type refusal struct {
	reason error
	err    error
}

// refuse makes an error that wraps reason, and whatever format wraps, and says only what format says. Foreign text among
// args must have been through package plain.
func refuse(reason error, format string, args ...any) error {
	return &refusal{reason, fmt.Errorf(format, args...)}
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() []error { return []error{r.reason, r.err} }
