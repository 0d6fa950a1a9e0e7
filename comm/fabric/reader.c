/* comm/fabric/reader.c - see reader.h */
#include "comm/fabric/reader.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/fabric/ethtool.h"

enum { MOST_DIGITS = 18 }; /* of a number that a long long holds */

static int open_below(const char *root, const char *path, int flags)
{
    char full[4096];
    int n = snprintf(full, sizeof full, "%s%s", root, path);

    if (n < 0 || (size_t)n >= sizeof full) return -ENAMETOOLONG;
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
    return fd < 0 ? -errno : fd;
}

static int read_file(void *context, const char *path, char *text, size_t size)
{
    struct stat s;
    size_t done = 0;
    int code = 0, fd = open_below(context, path, 0);

    if (fd < 0) return fd;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) code = -EISDIR;
    while (code == 0 && done + 1 < size) {
        ssize_t n = read(fd, text + done, size - 1 - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) code = -errno;
        if (n <= 0) break;
        done += (size_t)n;
    }
    close(fd);
    if (code != 0) return code;
    text[done] = '\0';
    return (int)done;
}

static int list_folder(void *context, const char *path, comm_reader_name *names, int most)
{
    int count = 0, fd = open_below(context, path, O_DIRECTORY);

    if (fd < 0) return fd;
    DIR *d = fdopendir(fd);
    if (d == NULL) {
        close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (count < most) snprintf(names[count], sizeof names[count], "%.63s", e->d_name);
        count++;
    }
    closedir(d);
    return count;
}

static const char *get_env(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

static int get_statistics(void *context, const char *interface, comm_reader_take *take, void *taker)
{
    (void)context;
    return comm_ethtool_statistics(interface, take, taker);
}

struct comm_reader comm_reader_at(const char *root)
{
    /* The functions only read through root. A recorded machine's interfaces are not ours. */
    return (struct comm_reader){.read = read_file,
                                .list = list_folder,
                                .env = get_env,
                                .statistics = root[0] == '\0' ? get_statistics : NULL,
                                .context = (void *)(size_t)root};
}

comm_read comm_reader_line(const struct comm_reader *r, const char *path, char *out, size_t size)
{
    char text[COMM_READER_LINE];
    int n = r->read(r->context, path, text, sizeof text);
    size_t used = 0;

    out[0] = '\0';
    if (n == -ENOENT || n == -ENOTDIR || n == -EINVAL) return COMM_READ_ABSENT;
    if (n < 0) return COMM_READ_UNREADABLE;
    while (used < (size_t)n && text[used] != '\n' && used + 1 < size) {
        out[used] = text[used];
        if (text[used] < ' ' || text[used] > '~') out[used] = '?';
        used++;
    }
    while (used > 0 && out[used - 1] == ' ') used--;
    out[used] = '\0';
    return COMM_READ_OK;
}

comm_read comm_reader_integer(const struct comm_reader *r, const char *path, long long least,
                              long long most, long long *out, char *text)
{
    comm_read got = comm_reader_line(r, path, text, COMM_READER_LINE);
    const char *digits = text[0] == '-' ? text + 1 : text;
    int base = 10;
    char *end;

    if (got != COMM_READ_OK) return got;
    if (strncmp(digits, "0x", 2) == 0) {
        base = 16;
        digits += 2;
    }
    if (!isxdigit((unsigned char)digits[0]) || strlen(digits) > MOST_DIGITS)
        return COMM_READ_NONSENSE;
    errno = 0;
    long long v = strtoll(digits, &end, base);
    if (errno != 0 || end == digits || *end != '\0') return COMM_READ_NONSENSE;
    if (text[0] == '-') v = -v;
    if (v < least || v > most) return COMM_READ_NONSENSE;
    *out = v;
    return COMM_READ_OK;
}

int comm_reader_order(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0' && isdigit((unsigned char)a[1])) a++;
            while (*b == '0' && isdigit((unsigned char)b[1])) b++;
            size_t x = strspn(a, "0123456789"), y = strspn(b, "0123456789");
            int order = x != y ? (x < y ? -1 : 1) : strncmp(a, b, x);
            if (order != 0) return order;
            a += x;
            b += y;
            continue;
        }
        if (*a != *b) break;
        a++;
        b++;
    }
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

static int by_order(const void *a, const void *b)
{
    int order = comm_reader_order(a, b);
    return order != 0 ? order : strcmp(a, b); /* "01" and "1" */
}

int comm_reader_names(const struct comm_reader *r, const char *path, comm_reader_name *names,
                      int most)
{
    int n = r->list(r->context, path, names, most);

    if (n > 1) qsort(names, (size_t)(n < most ? n : most), sizeof *names, by_order);
    return n;
}

const char *comm_reader_env(const struct comm_reader *r, const char *name)
{
    const char *value = r->env(r->context, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}
