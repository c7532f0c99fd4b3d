#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Proves that a fresh Debian needs nothing but git, make and root: debootstraps each release that is
# named (default: bookworm trixie), clones this repository's HEAD into it, and runs `make run` and
# `make test` there. On request only: it takes root, the network, 3 GiB and minutes. Assumes that apt
# on this machine knows a Debian mirror; that one is used. Leaves no mount and, if all passes, no
# folder behind; the logs stay in build/fresh-RELEASE/.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD:-$here/build}
goals=${GOALS:-run test}
scratch=''
failed=''

say() {
	echo "fresh-install: $*" >&2
}

cannot() {
	say "$*"
	exit 2
}

# Whatever is mounted below the folder, innermost first; then the folder, unless a mount stayed.
clean() {
	[ -n "$scratch" ] || return 0
	awk -v root="$scratch/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r |
		while read -r mounted; do umount -l "$mounted" || true; done
	if grep -q " $scratch/" /proc/mounts; then
		say "something stays mounted below $scratch"
	elif [ -z "${KEEP:-}" ]; then
		rm -rf --one-file-system "$scratch"
	fi
	scratch=
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

[ "$(id -u)" = 0 ] || cannot "only root can debootstrap and chroot: run it with sudo"
command -v debootstrap >/dev/null || cannot "there is no debootstrap: ./setup.sh dev"
# shellcheck disable=SC2016 # apt-get's own variables
mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
	awk '$1 == "Debian" && $2 == "main" && $3 !~ /security/ { print $3; exit }')
[ -n "$mirror" ] || cannot "apt on this machine names no Debian mirror"

in_chroot() {
	chroot "$scratch/root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

try() {
	release=$1
	logs=$build/fresh-$release
	mkdir -p "$logs"
	scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/tickbench-fresh-$release.XXXXXX")
	say "$release: debootstrap"
	debootstrap --variant=minbase --include=git,make,sudo,ca-certificates "$release" "$scratch/root" "$mirror" \
		>"$logs/debootstrap.log" 2>&1 || cannot "debootstrap failed: see $logs/debootstrap.log"
	mount -t proc proc "$scratch/root/proc"
	mount -t tmpfs tmpfs "$scratch/root/dev/shm"
	[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$scratch/root/etc/resolv.conf"
	git clone -q --no-hardlinks "$here" "$scratch/root/root/tickbench"

	for goal in $goals; do
		say "$release: make $goal"
		begun=$(date +%s)
		if in_chroot make -C /root/tickbench "$goal" >"$logs/$goal.log" 2>&1; then
			say "$release: make $goal passed in $(($(date +%s) - begun)) s"
		else
			tail -n 30 "$logs/$goal.log" >&2
			say "$release: make $goal failed: see $logs/$goal.log"
			failed="$failed $release:$goal"
		fi
	done
	clean
}

[ $# -gt 0 ] || set -- bookworm trixie
for release in "$@"; do
	try "$release"
done
if [ -n "$failed" ]; then
	say "failed:$failed"
	exit 1
fi
say "all passed: $*"
