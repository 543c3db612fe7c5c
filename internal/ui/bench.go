package ui

import (
	"strconv"

	"github.com/git-model-sign/git-model-sign/internal/digest"
)

// Bench is how fast this machine hashes, and by which backend.
type Bench struct {
	Cores  int
	Choice digest.Choice
	Speeds digest.Speeds
}

// Bench prints a table of speeds, and which backend is used and why.
func (t *Terminal) Bench(b *Bench) {
	t.Result("%s, %s; from memory, on one core:", b.Choice.CPU, Plural(b.Cores, "core"))
	const row = "%1s %-18s %5s %7s %7s %7s"
	t.Result("")
	t.Result(row, "", "", "", "GB/s", "best", "times")
	plain := 0.0
	for _, s := range b.Speeds.Others {
		if plain == 0 {
			plain = s.Median
		}
		t.Result(row, "", s.Name, "", gigabytes(s.Median), gigabytes(s.Best), ratio(s.Median, plain))
	}
	t.Result("")
	t.Result(row, "", "backend of sha256", "lanes", "GB/s", "best", "times")
	for _, s := range b.Speeds.Backends {
		mark := ""
		if s.Name == b.Choice.Used {
			mark = "*"
		}
		t.Result(row, mark, s.Name, strconv.Itoa(s.Lanes), gigabytes(s.Median), gigabytes(s.Best), ratio(s.Median, plain))
	}
	t.Result("")
	t.Result("used: %s, %s", b.Choice.Used, b.Choice.Reason)
}

// gigabytes writes bytes a second in units of 10⁹.
func gigabytes(rate float64) string { return strconv.FormatFloat(rate/1e9, 'f', 2, 64) }

func ratio(rate, plain float64) string { return strconv.FormatFloat(rate/plain, 'f', 2, 64) }

// BenchJSON is the object that bench --json prints.
type BenchJSON struct {
	SchemaVersion int         `json:"schemaVersion"`
	CPU           string      `json:"cpu"`
	Cores         int         `json:"cores"`
	Used          string      `json:"used"`
	Reason        string      `json:"reason"`
	Backends      []SpeedJSON `json:"backends"`
	Others        []SpeedJSON `json:"others"`
}

// SpeedJSON is how fast something hashes on one core.
type SpeedJSON struct {
	Name                 string `json:"name"`
	Lanes                int    `json:"lanes"`
	BytesPerSecond       int64  `json:"bytesPerSecond"`
	BytesPerSecondAtBest int64  `json:"bytesPerSecondAtBest"`
}

// JSON is the measurement as one object.
func (b *Bench) JSON() BenchJSON {
	return BenchJSON{SchemaVersion: SchemaVersion, CPU: b.Choice.CPU, Cores: b.Cores, Used: b.Choice.Used, Reason: b.Choice.Reason,
		Backends: speedsJSON(b.Speeds.Backends), Others: speedsJSON(b.Speeds.Others)}
}

func speedsJSON(speeds []digest.Speed) []SpeedJSON {
	out := make([]SpeedJSON, len(speeds))
	for i, s := range speeds {
		out[i] = SpeedJSON{Name: s.Name, Lanes: s.Lanes, BytesPerSecond: int64(s.Median), BytesPerSecondAtBest: int64(s.Best)}
	}
	return out
}
