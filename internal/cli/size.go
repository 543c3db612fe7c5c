package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// defaultShardSize is the shard size, in bytes, that OMS 6.3.2 recommends.
const defaultShardSize = "1000000000"

// units are the suffixes that a size may have. Longer ones come first, because
// "b" ends many of them.
var units = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, // as git config writes them
	{"b", 1},
}

// maxSize is the largest size of shards that a signature can name, in bytes.
const maxSize = 1 << 53

// ParseSize reads a positive number of bytes: 1000000000, 256MB, 1GiB, or with
// git's k, m and g. A signature has to be able to name it.
func ParseSize(s string) (int64, error) {
	number, unit := strings.ToLower(strings.TrimSpace(s)), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit || n*unit > maxSize {
		return 0, fmt.Errorf("expected a size in bytes such as 1000000000 or 256MB, found %q", s)
	}
	return n * unit, nil
}
