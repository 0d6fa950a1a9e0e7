/* comm/pause.h - how to wait for something that another core or rank does
 *
 * A short spin, then giving up the core. Where nobody is kept waiting the engine's thread sleeps
 * instead (comm/engine_thread.c).
 */
#ifndef COMM_PAUSE_H
#define COMM_PAUSE_H

#include <sched.h>
#include <stdbool.h>
#include <time.h>

enum { COMM_PAUSE_SPINS = 100, COMM_PAUSE_YIELDS = 200, COMM_PAUSE_NAP_NS = 20 * 1000 };

struct comm_pause {
    int tries; /* without progress */
};

static inline void comm_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Somebody waits for what we wait for. */
static inline void comm_pause(struct comm_pause *p)
{
    p->tries += p->tries < COMM_PAUSE_SPINS + COMM_PAUSE_YIELDS;
    if (p->tries < COMM_PAUSE_SPINS)
        comm_relax();
    else
        sched_yield();
}

/* The same, where it may be a rank that computes for long: sleeps in the end. */
static inline void comm_pause_long(struct comm_pause *p)
{
    const struct timespec nap = {.tv_nsec = COMM_PAUSE_NAP_NS};

    if (p->tries < COMM_PAUSE_SPINS + COMM_PAUSE_YIELDS)
        comm_pause(p);
    else
        nanosleep(&nap, NULL);
}

#endif
