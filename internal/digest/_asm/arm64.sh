#!/bin/sh
# Runs tests of package digest as an arm64 program, by qemu's user mode emulation
# (Debian: qemu-user-static or qemu-user), in short mode, as that is slow.
# Arguments go to the tests: -test.run . runs all.
set -eu
cd "$(dirname "$0")/.."
for qemu in qemu-aarch64-static qemu-aarch64; do
	command -v "$qemu" >/dev/null && break
done
command -v "$qemu" >/dev/null || {
	echo "arm64.sh: qemu-aarch64 is not installed (apt-get install qemu-user-static)" >&2
	exit 1
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go test -c -o "$tmp/digest.test" .
# Those that run what an arm64 CPU runs otherwise, and take their time in seconds. A
# file that is cut off while it is mapped is not among them: an emulated fault does
# not tell its address.
tests='^Test(Kernels|KnownAnswers|Choice|EveryShapeOfTree|EveryBackend|SumAgrees|SumOfRanges|Cancel|Stress)'
"$qemu" -cpu max "$tmp/digest.test" -test.short -test.run "$tests" "$@"
