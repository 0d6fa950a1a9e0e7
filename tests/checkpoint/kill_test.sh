#!/usr/bin/env bash
# tests/checkpoint/kill_test.sh TEST_KILL FAULTFS.SO: kill -9 one of two ranks at twelve moments of
# its part in two saves, spread over all its file operations, first rank 0, then rank 1. After each
# death every checkpoint verifies, and the job can go on.
set -euo pipefail
program=$1 shim=$2
mpirun=${RECUA_SOURCE:?}/tests/mpirun
dir=$(mktemp -d "${TMPDIR:-/tmp}/recua-test-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export OMPI_MCA_odls_base_sigkill_timeout=0 # the other rank need not be asked politely
moments=12

fresh() { # steps 1 and 2 stand
    rm -rf "$dir/run"
    cp -r "$dir/template" "$dir/run"
}

under_fault() { # RANK AT: saves 3 and 4
    FAULT_DIR=$dir/run FAULT_RANK=$1 FAULT_AT=$2 FAULT_KIND=kill FAULT_COUNT=$dir/count \
        LD_PRELOAD=$shim "$mpirun" 2 "$program" save "$dir/run" 3 4
}

"$mpirun" 2 "$program" save "$dir/template" 1 2
for rank in 0 1; do
    fresh
    under_fault $rank 0
    count=$(cat "$dir/count")
    [ "$count" -ge "$moments" ]
    for ((i = 0; i < moments; i++)); do
        at=$((1 + i * (count - 1) / (moments - 1)))
        fresh
        if under_fault $rank $at > "$dir/log" 2>&1; then
            echo "rank $rank was to die at operation $at of $count, and did not"
            exit 1
        fi
        "$program" check "$dir/run" 2 || { echo "after rank $rank died at $at of $count"; exit 1; }
        if ((i % 4 == 0)); then # and on it goes, with another number of ranks
            "$mpirun" 1 "$program" save "$dir/run" 4 4
            "$program" check "$dir/run" 4
        fi
    done
    echo "rank $rank: killed at $moments of $count operations"
done
