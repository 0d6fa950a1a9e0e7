#!/usr/bin/env bash
# launch.sh TEST_LAUNCH: alone it is one rank, as root and offline, and prints nothing; a launcher
# that MPI does not see is refused with both remedies.
set -uo pipefail
test_launch=$1
here=$(dirname "$(readlink -f "$0")")
bad=0

expect() { # NAME WANTED-CODE WANTED-TEXT CODE OUTPUT
    if [ "$4" -eq "$2" ] && grep -qF -- "$3" <<<"$5"; then
        echo "ok    $1"
    else
        echo "FAIL  $1: exit $4, wanted $2 and '$3', got: $5"
        bad=1
    fi
}

while read -r name; do unset "$name"; done < <(env | grep -oE '^(OMPI|PMI|PMIX|SLURM)_[A-Za-z_0-9]*')
out=$("$test_launch" 2>&1)
expect "alone it is one rank" 0 "rank 0 of 1" $? "$out"
[ "$(wc -l <<<"$out")" -eq 1 ] || { echo "FAIL  it prints: $out"; bad=1; }
if unshare -n true 2>/dev/null; then
    out=$(unshare -n "$test_launch" 2>&1)
    expect "offline" 0 "rank 0 of 1" $? "$out"
    [ "$(wc -l <<<"$out")" -eq 1 ] || { echo "FAIL  offline it prints: $out"; bad=1; }
else
    echo "      offline: no right to make a network namespace here"
fi
for name in SLURM_NTASKS OMPI_COMM_WORLD_SIZE PMI_SIZE; do
    out=$(env $name=4 "$test_launch" 2>&1)
    expect "$name is 4, MPI sees one rank" 2 "srun --mpi=pmix" $? "$out"
    grep -q mpirun <<<"$out" || { echo "FAIL  $name: mpirun is not named"; bad=1; }
    out=$(env $name=1 "$test_launch" 2>&1)
    expect "$name is 1" 0 "rank 0 of 1" $? "$out"
done
out=$(SLURM_NTASKS=2 "$here/../mpirun" 2 "$test_launch" 2>&1)
expect "two ranks under mpirun inside a job" 0 "rank 1 of 2" $? "$out"
out=$(SLURM_NTASKS=4 "$here/../mpirun" 1 "$test_launch" 2>&1)
expect "one rank under mpirun inside a job of four tasks" 0 "rank 0 of 1" $? "$out"
out=$(OMPI_MCA_btl_vader_single_copy_mechanism=cma "$test_launch" 2>&1)
expect "what the user set stays" 0 "single copy cma" $? "$out"
# A step of two nodes, as srun says it before MPI starts.
step=(env SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_TASKS_PER_NODE='1(x2)'
      SLURM_STEP_NUM_NODES=2)
out=$("$here/../mpirun" 2 "$test_launch" 2>&1)
if grep -q network <<<"$out"; then echo "FAIL  on one node it speaks of the network: $out"; bad=1; fi
out=$("${step[@]}" "$test_launch" 2>&1)
expect "two nodes: the network in one line" 0 "recua: network " $? "$out"
[ "$(wc -l <<<"$out")" -eq 2 ] || { echo "FAIL  it prints more: $out"; bad=1; }
out=$("${step[@]}" RECUA_LOG=warn "$test_launch" 2>&1)
[ "$(wc -l <<<"$out")" -eq 1 ] || { echo "FAIL  it prints that at level warn: $out"; bad=1; }
out=$("${step[@]}" RECUA_NIC=mlx5_77 "$test_launch" 2>&1)
expect "a network device that is not there" 2 "RECUA_NIC names 'mlx5_77'" $? "$out"
grep -q "it has:.* lo" <<<"$out" || { echo "FAIL  those there are not named: $out"; bad=1; }
out=$(RECUA_NIC=mlx5_77 "$test_launch" 2>&1)
expect "which one node does not need" 0 "rank 0 of 1" $? "$out"
out=$("$here/../mpirun" 2 "$test_launch" abort 2>&1)
expect "abort ends all ranks with its code" 70 "abort" $? "$out"
exit $bad
