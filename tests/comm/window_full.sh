#!/usr/bin/env bash
# window_full.sh TEST_WINDOW: a /dev/shm of 64 MB, as in containers. In a mount namespace of our
# own, as root or as a user who may make one; else files of at most 64 MB by ulimit -f.
set -uo pipefail
test_window=$1
here=$(dirname "$(readlink -f "$0")")
run="RECUA_WINDOW=/dev/shm $here/../mpirun 2 $test_window full"
small="mount -t tmpfs -o size=64m none /dev/shm && $run"

if unshare -m true 2>/dev/null; then
    how="a mount of 64 MB" out=$(unshare -m bash -c "$small" 2>&1)
elif unshare -Urm true 2>/dev/null; then
    how="a mount of 64 MB in a user namespace" out=$(unshare -Urm bash -c "$small" 2>&1)
else
    how="files of 64 MB (ulimit -f)" out=$(ulimit -S -f 65536 && bash -c "$run" 2>&1)
fi
code=$?
echo "by $how: exit $code"
echo "$out"
[ $code -eq 0 ] && grep -q "/dev/shm: .*free\|ulimit -f" <<<"$out" && grep -q RECUA_WINDOW <<<"$out"
