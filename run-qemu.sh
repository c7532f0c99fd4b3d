#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `tickbench run` under another name: boots the guest in QEMU. BUILD and PYTHON may name others.
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd) || exit 2
exec "${PYTHON:-/usr/bin/python3}" -IS "$here/tickbench" run --build "${BUILD:-$here/build}" "$@"
