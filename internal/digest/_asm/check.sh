#!/bin/sh
# Fails unless the assembly that is checked in is, byte for byte, what the
# generators write.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
sh "$here/generate.sh" "$tmp"
for f in sha256_amd64.s stubs_amd64.go sha256_arm64.s stubs_arm64.go; do
	cmp "$tmp/$f" "$here/../$f"
done
echo "the assembly is what its generators write"
