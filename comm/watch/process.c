/* comm/watch/process.c - what /proc tells of another rank's process on this machine
 *
 * A pid means the same process only in the same pid namespace and with the same start time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/watch/address.h"

enum { STARTED_FIELD = 22 }; /* of /proc/PID/stat; the state is field 3 */

/* The state's letter, 0 where there is no such process; *started as the kernel counts. */
static char read_stat(int pid, uint64_t *started)
{
    char path[64], text[1024];
    FILE *f;

    *started = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (f == NULL) return '\0';
    const size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    /* The name may hold anything; what follows its last parenthesis is regular. */
    char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ') return '\0';
    at += 2;
    const char state = *at;
    for (int field = 3; field < STARTED_FIELD && at != NULL; field++) {
        at = strchr(at, ' ');
        if (at != NULL) at++;
    }
    if (at != NULL) *started = strtoull(at, NULL, 10);
    return state;
}

void comm_beat_identify(struct comm_beat_address *a)
{
    struct stat space;

    a->pid = (int32_t)getpid();
    a->pid_space = stat("/proc/self/ns/pid", &space) == 0 ? (uint64_t)space.st_ino : 0;
    (void)read_stat(a->pid, &a->pid_started);
    memset(a->host, 0, sizeof a->host);
    if (gethostname(a->host, sizeof a->host - 1) != 0) strcpy(a->host, "?");
    for (char *c = a->host; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~') *c = '?';
}

void comm_beat_process_state(const struct comm_beat_address *a,
                             const struct comm_beat_address *mine, char *text, size_t bytes)
{
    uint64_t started;

    text[0] = '\0';
    if (a->pid_space == 0 || a->pid_space != mine->pid_space || a->pid_started == 0) return;
    if (strcmp(a->host, mine->host) != 0) return;
    const char state = read_stat(a->pid, &started);
    if (state == '\0' || started != a->pid_started || state == 'Z' || state == 'X')
        (void)snprintf(text, bytes, "its process %d is gone", a->pid);
    else if (state == 'T' || state == 't')
        (void)snprintf(text, bytes, "its process %d is stopped", a->pid);
    else if (state == 'D')
        (void)snprintf(text, bytes, "its process %d hangs in the kernel, on a disk perhaps",
                       a->pid);
}
