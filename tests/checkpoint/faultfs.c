/* tests/checkpoint/faultfs.c - a file system that fails on request (LD_PRELOAD)
 *
 * Counts the operations on one directory tree and lets the n-th go wrong:
 *     kill       SIGKILL instead of the operation
 *     torn       half of a write is done, then SIGKILL; other operations: kill
 *     eio enospc the operation fails with that error
 *     short      a write or read transfers half; others are left alone
 *     eintr      a write, read or sync fails once with EINTR; others are left alone
 * With "-noexchange" behind it, two names cannot be exchanged on this file system either.
 * It also keeps a trace: a line "OPERATION PATH" for each, the path without the tree's.
 * A test arms it by dlsym("faultfs_arm"); or the environment does, for a rank that is to die:
 * FAULT_DIR, FAULT_AT, FAULT_KIND, FAULT_RANK; FAULT_COUNT names a file that gets the number of
 * operations when the process ends.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FDS = 1024, NAME = 128, TRACE = 1 << 16 };

static struct {
    char dir[256], kind[16];
    long at, count;
    bool armed, no_exchange, watched[FDS];
    char names[FDS][NAME], trace[TRACE];
    size_t traced;
} fault;

void faultfs_arm(const char *dir, long at, const char *kind);
long faultfs_disarm(void);
const char *faultfs_trace(void);

void faultfs_arm(const char *dir, long at, const char *kind)
{
    snprintf(fault.dir, sizeof fault.dir, "%s", dir);
    snprintf(fault.kind, sizeof fault.kind, "%.*s", (int)strcspn(kind, "-"), kind);
    fault.no_exchange = strstr(kind, "-noexchange") != NULL;
    fault.at = at;
    fault.count = 0;
    fault.traced = 0;
    fault.trace[0] = 0;
    fault.armed = true;
}

const char *faultfs_trace(void) { return fault.trace; }

/* Operations since it was armed. */
long faultfs_disarm(void)
{
    fault.armed = false;
    return fault.count;
}

__attribute__((constructor)) static void from_environment(void)
{
    const char *dir = getenv("FAULT_DIR"), *at = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND");
    const char *wanted = getenv("FAULT_RANK"), *rank = getenv("OMPI_COMM_WORLD_RANK");

    if (dir != NULL && at != NULL && kind != NULL && wanted != NULL && rank != NULL &&
        strcmp(wanted, rank) == 0)
        faultfs_arm(dir, atol(at), kind);
}

__attribute__((destructor)) static void report(void)
{
    const char *name = getenv("FAULT_COUNT");
    FILE *f;

    if (!fault.armed || name == NULL) return;
    fault.armed = false;
    f = fopen(name, "w");
    if (f == NULL) return;
    fprintf(f, "%ld\n", fault.count);
    (void)fclose(f);
}

static bool inside(const char *path)
{
    return fault.armed && path != NULL && strncmp(path, fault.dir, strlen(fault.dir)) == 0;
}

static bool watched(int fd) { return fault.armed && fd >= 0 && fd < FDS && fault.watched[fd]; }

static __attribute__((noreturn)) void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) pause();
}

static bool is(const char *kind) { return strcmp(fault.kind, kind) == 0; }

typedef enum { GO_ON, FAIL, HALF, HALF_AND_DIE } verdict;

static void note(const char *operation, const char *path)
{
    const size_t n = strlen(fault.dir);
    char *to = fault.trace + fault.traced;
    const size_t room = TRACE - fault.traced;

    if (strncmp(path, fault.dir, n) == 0) path += n;
    const int wrote = snprintf(to, room, "%s %s\n", operation, path);
    if (wrote > 0 && (size_t)wrote < room) fault.traced += (size_t)wrote;
}

/* What becomes of the operation that is about to be done. */
static verdict judge(const char *operation, const char *path, bool transfer, bool interruptible)
{
    note(operation, path);
    if (++fault.count != fault.at) return GO_ON;
    if (is("kill") || (is("torn") && !transfer)) die();
    if (is("torn")) return HALF_AND_DIE;
    if (is("short")) return transfer ? HALF : GO_ON;
    if (is("eintr") && !interruptible) return GO_ON;
    errno = is("enospc") ? ENOSPC : is("eintr") ? EINTR : EIO;
    return FAIL;
}

#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        mode_t mode = 0;                                                                           \
        NEXT(name);                                                                                \
        if (flags & O_CREAT) {                                                                     \
            va_list list;                                                                          \
            va_start(list, flags);                                                                 \
            mode = va_arg(list, mode_t);                                                           \
            va_end(list);                                                                          \
        }                                                                                          \
        if (!inside(path)) return next(path, flags, mode);                                         \
        const char *what = flags & O_CREAT ? "create" : "open";                                    \
        if (judge(what, path, false, false) == FAIL) return -1;                                    \
        const int fd = next(path, flags, mode);                                                    \
        if (fd < 0 || fd >= FDS) return fd;                                                        \
        fault.watched[fd] = true;                                                                  \
        snprintf(fault.names[fd], NAME, "%s", path);                                               \
        return fd;                                                                                 \
    }
OPEN(open)
OPEN(open64)

#define TRANSFER(name, pointer)                                                                    \
    ssize_t name(int fd, pointer bytes, size_t n, off_t offset)                                    \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (!watched(fd)) return next(fd, bytes, n, offset);                                       \
        const verdict v = judge(#name, fault.names[fd], n > 1, true);                              \
        if (v == FAIL) return -1;                                                                  \
        const ssize_t done = next(fd, bytes, v == GO_ON ? n : n / 2, offset);                      \
        if (v == HALF_AND_DIE) die();                                                              \
        return done;                                                                               \
    }
TRANSFER(pwrite, const void *)
TRANSFER(pwrite64, const void *)
TRANSFER(pread, void *)
TRANSFER(pread64, void *)

int fsync(int fd)
{
    NEXT(fsync);
    if (watched(fd) && judge("fsync", fault.names[fd], false, true) == FAIL) return -1;
    return next(fd);
}

int close(int fd)
{
    NEXT(close);
    if (!watched(fd)) return next(fd);
    fault.watched[fd] = false;
    const bool bad = judge("close", fault.names[fd], false, false) == FAIL;
    const int why = errno;
    const int result = next(fd);
    if (!bad) return result;
    errno = why;
    return -1;
}

int posix_fallocate(int fd, off_t offset, off_t n)
{
    NEXT(posix_fallocate);
    if (watched(fd) && judge("reserve", fault.names[fd], false, true) == FAIL) return errno;
    return next(fd, offset, n);
}

#define TWO_PATHS(name)                                                                            \
    int name(const char *from, const char *to)                                                     \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (inside(from) && judge("rename", to, false, false) == FAIL) return -1;                  \
        return next(from, to);                                                                     \
    }
TWO_PATHS(rename)

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    NEXT(renameat2);
    if (inside(from)) {
        if (fault.no_exchange && flags != 0) {
            errno = EINVAL;
            return -1;
        }
        if (judge("exchange", to, false, false) == FAIL) return -1;
    }
    return next(from_dir, from, to_dir, to, flags);
}

#define ONE_PATH(name)                                                                             \
    int name(const char *path)                                                                     \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (inside(path) && judge(#name, path, false, false) == FAIL) return -1;                   \
        return next(path);                                                                         \
    }
ONE_PATH(unlink)
ONE_PATH(rmdir)

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    if (inside(path) && judge("mkdir", path, false, false) == FAIL) return -1;
    return next(path, mode);
}
