/* comm/pause.h - how to wait for something that another core or rank does
 *
 * Where somebody is kept waiting: a short spin, then giving up the core. Where nobody is: a few
 * tries, then sleeps that grow, so that who computes keeps the core.
 */
#ifndef COMM_PAUSE_H
#define COMM_PAUSE_H

#include <sched.h>
#include <stdbool.h>
#include <time.h>

enum {
    COMM_PAUSE_SPINS = 100,
    COMM_PAUSE_YIELDS = 200,
    COMM_PAUSE_TRIES = 8, /* before the first sleep */
    COMM_PAUSE_NAP_NS = 20 * 1000,
    COMM_PAUSE_DOUBLINGS = 3 /* of the sleep */
};

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

/* Nobody does: this core may be wanted. p may come from the other way to wait. */
static inline void comm_pause_asleep(struct comm_pause *p)
{
    const int most = COMM_PAUSE_TRIES + COMM_PAUSE_DOUBLINGS;
    const int doublings = (p->tries < most ? p->tries : most) - COMM_PAUSE_TRIES;

    p->tries += p->tries < most;
    if (doublings < 0) {
        sched_yield();
    } else {
        const struct timespec nap = {.tv_nsec = (long)COMM_PAUSE_NAP_NS << doublings};
        nanosleep(&nap, NULL);
    }
}

#endif
