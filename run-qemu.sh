#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The same as `tickbench run`: boots the guest in QEMU. BUILD and PYTHON override build folder and interpreter.
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd) || exit 2
exec "${PYTHON:-/usr/bin/python3}" -IS "$here/tickbench" run --build "${BUILD:-$here/build}" "$@"
