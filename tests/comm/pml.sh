#!/usr/bin/env bash
# pml.sh TEST_PML: with each way to send that this MPI has, it is the one that comm_pml_read names.
set -uo pipefail
test_pml=$1
here=$(dirname "$(readlink -f "$0")")
bad=0

expect() { # WANTED [NAME=VALUE...]
    local wanted=$1 out
    shift
    if out=$(env "$@" "$here/../mpirun" 2 "$test_pml" "$wanted" 2>&1); then
        echo "ok    $wanted with ${*:-nothing set}"
    else
        echo "FAIL  $wanted with ${*:-nothing set}: $out"
        bad=1
    fi
}

if ! components=$(ompi_info --parsable 2>/dev/null); then
    expect unknown # another MPI
    exit $bad
fi
expect tcp OMPI_MCA_pml=ob1
if grep -q '^mca:pml:ucx:' <<<"$components"; then
    # On a machine without RDMA pml/ucx opens, stands back for ob1, and leaves its variables.
    expect ucx OMPI_MCA_pml=ucx OMPI_MCA_opal_common_ucx_tls=any \
        OMPI_MCA_opal_common_ucx_devices=any
    [ -d /sys/class/infiniband ] || expect tcp OMPI_MCA_pml=^cm
fi
exit $bad
