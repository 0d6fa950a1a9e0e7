/* bench/recua_bench.c - the program recua-bench: one command a figure */
#include <stddef.h>

#include "bench/bench.h"
#include "bench/commands.h"

static const struct bench_command commands[] = {
    {"gemm", bench_gemm, "the matmul peak of this machine in fp32 and bf16"},
    {"step", bench_step,
     "one training step: tokens/s, MFU, time by phase, memory against the plan"},
    {"comm", bench_comm, "collectives, links and pairs between ranks, beside MPI's own"},
    {"io", NULL, "checkpoint files"},
    {"power", NULL, "energy sensors"},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    const struct bench_program program = {
        .name = "recua-bench",
        .more = ". Start several ranks with mpirun or\n"
                "srun --mpi=pmix; without a launcher it is one rank.",
        .commands = commands,
    };

    return bench_program_run(&program, argc, argv);
}
