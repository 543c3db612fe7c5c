#!/bin/sh
# Runs the tests of packages with a newer git than this machine has: in a folder with Debian unstable, which
# has git 2.55 or newer and git-lfs.
#
#	internal/e2e/newgit.sh FOLDER PACKAGE [ARGUMENT...]
#
# FOLDER is made with debootstrap if it is not there, which takes a minute and 400 MB. PACKAGE is one
# package of this module, ./internal/hook for example; the arguments are its test binary's, -test.v for
# example. The test runs as root in a chroot, with a home folder of its own and in a copy of the
# package's folder with its testdata. Where MODELSIGN_PROGRAMS names a folder of programs that were built
# beforehand, the test gets them too, as there is no Go inside. Linux and root only.
set -eu

if [ $# -lt 2 ]; then
	echo >&2 "usage: $0 FOLDER PACKAGE [ARGUMENT...]"
	exit 2
fi
root=$1
package=$2
shift 2

if [ ! -x "$root/usr/bin/git" ]; then
	debootstrap --variant=minbase --include=git,git-lfs,ca-certificates,man-db sid "$root"
fi
chroot "$root" git version
chroot "$root" git lfs version

# Everything of one run lies in a folder of its own, so that several may run at a time.
work=$(mktemp -d "$root/tmp/newgit.XXXXXX")
trap 'rm -rf "$work"' EXIT
inside=${work#"$root"}
mkdir "$work/home" "$work/tmp" "$work/package"

# Built as for this machine, so that what is built already serves: Debian unstable has the newer C library.
go test -c -vet=off -o "$work/package.test" "$package"
source=$(go list -f '{{.Dir}}' "$package")
if [ -d "$source/testdata" ]; then
	cp -R "$source/testdata" "$work/package/"
fi
if [ -n "${MODELSIGN_PROGRAMS-}" ]; then
	cp -R "$MODELSIGN_PROGRAMS" "$work/programs"
fi

# The mounts are gone with the namespace. The folder is mounted on itself because a test that unshares mounts in
# turn wants / to be a mount point.
# shellcheck disable=SC2016
exec_in_root='
	mount --bind "$1" "$1"
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	root=$1 folder=$2
	shift 2
	exec chroot "$root" /usr/bin/env -i HOME="$folder/home" TMPDIR="$folder/tmp" PATH=/usr/local/bin:/usr/bin:/bin \
		LANG=C.UTF-8 CI="${CI-}" MODELSIGN_PROGRAMS="${MODELSIGN_PROGRAMS:+$folder/programs}" sh -c "cd $folder/package && exec ../package.test \"\$@\"" newgit "$@"
'
unshare --mount sh -e -c "$exec_in_root" newgit "$root" "$inside" -test.timeout 20m "$@"
