/* comm/share.c - one open file of shared memory: the places to try, its making and reserving */
#include "comm/share.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/pages.h"

const char *comm_share_place(int i)
{
    const char *chosen = getenv("RECUA_WINDOW"), *tmp = getenv("TMPDIR");
    const char *places[COMM_SHARE_PLACES] = {"memfd", "/dev/shm",
                                             tmp != NULL && *tmp != '\0' ? tmp : "/tmp"};

    if (chosen != NULL && *chosen != '\0') return i == 0 ? chosen : NULL;
    return i < COMM_SHARE_PLACES ? places[i] : NULL;
}

static bool is_memfd(const char *place) { return strcmp(place, "memfd") == 0; }

uint64_t comm_share_free(const char *place)
{
    struct statvfs v;

    if (is_memfd(place)) return rt_pages_free("", NULL);
    if (statvfs(place, &v) != 0) return UINT64_MAX;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static bool in_memory(const char *place)
{
    struct statfs s;
    return is_memfd(place) || (statfs(place, &s) == 0 && s.f_type == TMPFS_MAGIC);
}

/* The largest file that this process may make; more is SIGXFSZ. */
static uint64_t file_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_FSIZE, &l) != 0 || l.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return l.rlim_cur;
}

static bool has_room(const char *place, size_t bytes, char why[COMM_SHARE_WHY])
{
    bool group = false;

    if (bytes > file_limit()) {
        snprintf(why, COMM_SHARE_WHY, "files may have %" PRIu64 " bytes (ulimit -f)", file_limit());
        return false;
    }
    if (!is_memfd(place) && comm_share_free(place) < bytes) {
        snprintf(why, COMM_SHARE_WHY, "%" PRIu64 " bytes free", comm_share_free(place));
        return false;
    }
    uint64_t memory = in_memory(place) ? rt_pages_free("", &group) : UINT64_MAX;
    if (memory >= bytes) return true;
    snprintf(why, COMM_SHARE_WHY, "%" PRIu64 " bytes of memory free%s", memory,
             group ? " in this control group" : "");
    return false;
}

static int open_file(const char *place, struct comm_share *out)
{
    if (is_memfd(place)) {
        int fd = memfd_create("recua-window", MFD_CLOEXEC);
        snprintf(out->path, sizeof out->path, "/proc/%ld/fd/%d", (long)getpid(), fd);
        return fd;
    }
    if ((size_t)snprintf(out->path, sizeof out->path, "%s/recua-window-XXXXXX", place) >=
        sizeof out->path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return mkostemp(out->path, O_CLOEXEC);
}

int comm_share_make(const char *place, size_t bytes, struct comm_share *out,
                    char why[COMM_SHARE_WHY])
{
    struct stat s;

    *out = (struct comm_share){0};
    if (!has_room(place, bytes, why)) return -1;
    snprintf(out->place, sizeof out->place, "%s", place);
    int fd = open_file(place, out);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && fstat(fd, &s) == 0) {
        out->device = s.st_dev;
        out->inode = s.st_ino;
        return fd;
    }
    snprintf(why, COMM_SHARE_WHY, "%s", strerror(errno));
    if (fd >= 0) {
        comm_share_unlink(out);
        close(fd);
    }
    *out = (struct comm_share){0};
    return -1;
}

int comm_share_open(const struct comm_share *s)
{
    struct stat now;
    int fd = open(s->path, O_RDWR | O_CLOEXEC);

    if (fd < 0) return -1;
    if (fstat(fd, &now) == 0 && now.st_dev == s->device && now.st_ino == s->inode) return fd;
    close(fd);
    errno = ESTALE; /* the number of another process, in another container */
    return -1;
}

int comm_share_reserve(int fd, size_t from, size_t bytes)
{
    int code = 0;

    if (bytes == 0) return 0;
    if (from + bytes > file_limit()) return EFBIG;
    do code = posix_fallocate(fd, (off_t)from, (off_t)bytes);
    while (code == EINTR);
    return code;
}

void comm_share_unlink(const struct comm_share *s)
{
    if (!is_memfd(s->place)) unlink(s->path);
}
