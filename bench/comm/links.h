/* bench/comm/links.h - the tournament of all pairs */
#ifndef BENCH_COMM_LINKS_H
#define BENCH_COMM_LINKS_H

int bench_pair_rounds(int ranks);
/* -1: this rank rests in this round. */
int bench_pair_partner(int ranks, int rank, int round);

#endif
