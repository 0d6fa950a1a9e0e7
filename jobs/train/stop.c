/* jobs/train/stop.c - see stop.h */
#include "jobs/train/stop.h"

#include <stddef.h>

static volatile sig_atomic_t asked;

static void ask(int signal_)
{
    (void)signal_;
    asked = 1;
}

const volatile sig_atomic_t *stop_watch(void)
{
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return &asked;
}
