#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks for the Debian packages that tickbench needs, and installs missing ones: as root, or with sudo if
# sudo asks for no password. Otherwise it prints the command and exits with 2. This is the only list of
# packages. Assumes Debian 12 or later, or a system with its package names.
set -u

run='gcc libc6-dev make binutils nasm gnu-efi mtools dosfstools acpica-tools
	qemu-system-x86 qemu-system-data ovmf psf-unifont
	python3 python3-numpy python3-matplotlib python3-rich'
fuzz='clang libclang-rt-dev'
matrix='parallel rsync'
test="python3-pytest python3-pytest-xdist python3-hypothesis git chromium $fuzz $matrix"
lift='flex bison bc libelf-dev xz-utils git ca-certificates'
clang='clang'
lint='clang-format cppcheck shellcheck flake8 mypy'
dev="gdb debootstrap $fuzz $lint"

usage() {
	cat <<-END
	usage: ./setup.sh [--print] [run] [test] [lift] [matrix] [clang] [fuzz] [lint] [dev]
	Installs missing Debian packages for the named purposes (default: run).
	  run   build and run the guest and the host process
	  test  run the tests
	  lift  build a kernel's own core from its source tree
	  matrix  measure a matrix, on GNU parallel
	  clang compare clang's build of a kernel's core with gcc's (equal --cc-b clang)
	  fuzz  fuzz the parsers
	  lint  check the sources' form
	  dev   work on tickbench itself
	  --print  only print the names of the packages
	END
}

say() {
	echo "tickbench: $*" >&2
}

wanted=''
print=''
[ $# -gt 0 ] || set -- run
for word in "$@"; do
	case $word in
	run) wanted="$wanted $run" ;;
	test) wanted="$wanted $run $test" ;;
	matrix) wanted="$wanted $run $matrix" ;;
	lift) wanted="$wanted $run $lift" ;;
	clang) wanted="$wanted $run $lift $clang" ;;
	fuzz) wanted="$wanted $run $fuzz" ;;
	lint) wanted="$wanted $lint" ;;
	dev) wanted="$wanted $dev" ;;
	--print) print=yes ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
[ -n "$wanted" ] || wanted=$run
# shellcheck disable=SC2086 # a list of words
wanted=$(printf '%s\n' $wanted | sort -u)
if [ -n "$print" ]; then
	echo "$wanted"
	exit 0
fi

if ! command -v dpkg-query >/dev/null; then
	# shellcheck disable=SC2086 # a list of words
	say "this is not a Debian system: I cannot check for" $wanted
	exit 0
fi

# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
	sed -n 's/^installed //p' | sort -u)
missing=$(printf '%s\n' "$wanted" | grep -vxF "$installed" | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as_root='sudo -n env'
else
	say "these packages are missing; install them with"
	echo "    sudo $install" >&2
	exit 2
fi

say "installing what is missing: $missing"
export DEBIAN_FRONTEND=noninteractive
# The lists may be absent (a fresh system) or stale: fetch them when the first try fails.
# shellcheck disable=SC2086
if $as_root $install >/dev/null 2>&1; then
	exit 0
fi
# shellcheck disable=SC2086
if ! $as_root apt-get update >&2 || ! $as_root $install >&2; then
	say "apt-get could not install them; its own words are above. By hand: sudo $install"
	exit 2
fi
