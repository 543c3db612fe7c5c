package cli_test

import (
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/cli"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "1000000000": 1e9, "256MB": 256e6, "256 mb": 256e6, "1GiB": 1 << 30, "4k": 4096, "2G": 2 << 30, "7B": 7,
		"0": 0, "-1": 0, "": 0, "MB": 0, "1.5GB": 0, "99999999999GB": 0, "none": 0, "1TBx": 0, "0x10": 0,
	} {
		got, err := cli.ParseSize(in)
		if (err != nil) != (want == 0) || err == nil && got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
}
