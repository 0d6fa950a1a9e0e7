#!/usr/bin/env bash
# tests/checkpoint/h5_test.sh TEST_KILL PYTHON: h5dump and h5py read a checkpoint of two ranks. The
# first of PYTHON and the system's python3 that has h5py is used; none having it is a failure.
set -euo pipefail
program=$1
dir=$(mktemp -d "${TMPDIR:-/tmp}/recua-test-XXXXXX")
trap 'rm -rf "$dir"' EXIT
"${RECUA_SOURCE:?}/tests/mpirun" 2 "$program" save "$dir" 1 2
step=$dir/step-00000002

# (not piped into grep -q: h5dump would see the pipe close)
h5dump -H "$step/state.h5" > "$dir/dump"
grep -q 'DATASPACE  SIMPLE { ( 701, 523 ) / ( 701, 523 ) }' "$dir/dump"
[ "$(grep -c 'DATASET ' "$dir/dump")" -eq 18 ]
h5dump -d /model/norm.weight "$step/state.h5" > "$dir/dump"
grep -q '(0): ' "$dir/dump"

for python in "$2" /usr/bin/python3 python3; do
    if "$python" -c 'import h5py' 2> /dev/null; then
        "$python" "$RECUA_SOURCE/tests/checkpoint/check_h5py.py" "$step" 2
        exit
    fi
done
echo "no python3 with h5py; install python3-h5py" >&2
exit 1
