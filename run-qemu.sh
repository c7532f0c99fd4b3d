#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots the guest in QEMU; all is in tickbench/, this assumes only Debian's Python. See --help.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec "${PYTHON:-/usr/bin/python3}" -m tickbench run --build "${BUILD:-$here/build}" "$@"
