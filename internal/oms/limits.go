package oms

// Bounds on what is read, and so on what is written. They leave room for the
// largest models that exist and keep a hostile signature from costing more than
// a few times its own size in memory.
const (
	// MaxBundleSize is the largest bundle, in bytes.
	MaxBundleSize = 256 << 20

	// MaxPayloadSize is the largest statement, in bytes: what fits into a
	// bundle as base64, with room for certificates and log entries.
	MaxPayloadSize = (MaxBundleSize - 4<<20) / 4 * 3

	// MaxResources is the largest number of files or shards in a manifest.
	MaxResources = 1_000_000

	// MaxDepth is how deep JSON objects and arrays may nest.
	MaxDepth = 64

	// MaxPathLength is the longest path, in bytes: Linux's PATH_MAX.
	MaxPathLength = 4096

	// maxMembers is the largest number of members in one JSON object. The
	// format's own objects have fewer than ten; the bound keeps the search for
	// duplicate names from growing with the input.
	maxMembers = 4096

	// maxMemberName is the longest name of a member of a JSON object, in bytes
	// and as it is spelled.
	maxMemberName = 1024

	// maxNameLength is the longest resource name, in bytes: a path and a
	// shard's two offsets of up to 19 digits, each after a colon.
	maxNameLength = MaxPathLength + 40

	// maxIgnorePaths is the largest number of entries in ignore_paths.
	maxIgnorePaths = 100_000

	// maxShardSize is the largest integer that every JSON reader keeps exact,
	// those that read numbers as float64 among them (RFC 7493, section 2.2).
	maxShardSize = 1 << 53

	// maxCertificates and maxLogEntries (also for timestamps) are what other
	// Sigstore clients take at most.
	maxCertificates = 32
	maxLogEntries   = 32

	// maxBlob is the largest certificate, signature, or older public key, in
	// bytes. Post-quantum ones are the largest, at tens of kilobytes.
	maxBlob = 64 << 10

	// MaxTimestamp is the largest timestamp, in bytes. With a chain of certificates
	// in it, one has up to ten kilobytes.
	MaxTimestamp = 24 << 10

	// maxWord is the longest string that is an identifier of some sort, in
	// bytes: media types, algorithms, key hints.
	maxWord = 4096
)
