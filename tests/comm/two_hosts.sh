#!/usr/bin/env bash
# two_hosts.sh TEST_LAUNCH: two hosts by name alone (own UTS namespaces): the network is probed and
# named once, a NIC that is not there ends the job with 2 and names the host.
#
#     two_hosts.sh agent HOST COMMAND...    what mpirun takes for ssh
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")

if [ "$1" = agent ]; then
    host=$2
    shift 2
    # shellcheck disable=SC2016  # the inner shell expands them
    exec unshare --uts bash -c 'hostname "$1" && eval "$2"' "$0" "$host" "$*"
fi

test_launch=$1
bad=0
if ! unshare --uts true 2>/dev/null || ! command -v ompi_info >/dev/null; then
    echo "no right to name hosts here, or another MPI than Open MPI: nothing to test"
    exit 0
fi

run() { # NAME=VALUE...
    local pass=()
    for variable in "$@"; do pass+=(-x "$variable"); done
    "$here/../mpirun" 4 -H one:2,two:2 --mca plm_rsh_agent "$(readlink -f "$0") agent" \
        --mca oob_tcp_if_include lo --mca btl_tcp_if_include lo \
        "${pass[@]}" "$test_launch" 2>&1
}

expect() { # NAME WANTED-CODE WANTED-TEXT LINES-WITH-IT CODE OUTPUT
    if [ "$5" -eq "$2" ] && [ "$(grep -cF -- "$3" <<<"$6")" -ge "$4" ]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: exit $5, wanted $2 and $4 times '$3', got: $6"
        bad=1
    fi
}

out=$(run)
expect "four ranks on two hosts" 0 "of 4" 4 $? "$out"
expect "the network is named" 0 "recua: network " 1 0 "$out"
[ "$(grep -c "recua: " <<<"$out")" -eq 1 ] || { echo "FAIL  more than once: $out"; bad=1; }
out=$(run RECUA_NIC=none)
expect "nothing is set where the user says none" 0 "nothing is set" 1 $? "$out"
out=$(run RECUA_LOG=debug)
expect "every rank tells its settings at level debug" 0 "recua: debug: network: " 4 $? "$out"
out=$(run RECUA_NIC=mlx5_77)
expect "a NIC that is not there" 2 "RECUA_NIC names 'mlx5_77', but" 1 $? "$out"
grep -qE "but (one|two) has no such" <<<"$out" || { echo "FAIL  the host is not named"; bad=1; }
exit $bad
