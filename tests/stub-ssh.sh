#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for ssh in the tests of `matrix`: a host is a folder below STUB_HOSTS, which is its home folder. Hosts
# named down* refuse every connection, and those named broken* take files and run nothing. Logs each call.
while [ $# -gt 0 ]; do
	case $1 in
	-o | -l | -p | -F | -i | -S) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
host=$1
shift
[ "$1" = -- ] && shift
echo "$host $*" >>"$STUB_HOSTS/log"
case $host in
down*) echo "ssh: connect to host $host: refused" >&2; exit 255 ;;
esac
mkdir -p "$STUB_HOSTS/$host"
cd "$STUB_HOSTS/$host" || exit 255
HOME=$PWD
export HOME
case $host,$* in
broken*,rsync* | broken*,*mkdir*) ;;
broken*) exit 126 ;;
esac
exec sh -c "$*"
