/* comm/fabric/reader.h - what the probe reads of the world: small files, folders, the environment
 *
 * All of it goes through one struct, so that a test can serve a machine from memory. Paths are
 * absolute, as on a real machine. Every read is bounded. Nothing here is collective.
 */
#ifndef COMM_FABRIC_READER_H
#define COMM_FABRIC_READER_H

#include <stddef.h>
#include <stdint.h>

enum { COMM_READER_NAME = 64, COMM_READER_PATH = 256, COMM_READER_LINE = 256 };

typedef char comm_reader_name[COMM_READER_NAME];

/* One of an interface's statistics, as `ethtool -S` names it. */
typedef void comm_reader_take(void *taker, const char *name, uint64_t value);

struct comm_reader {
    /* The file's first size-1 bytes and a NUL into text: how many, or -errno. */
    int (*read)(void *context, const char *path, char *text, size_t size);
    /* The first `most` names in a folder (longer ones are cut), in any order: how many there are,
     * which may be more; or -errno. */
    int (*list)(void *context, const char *path, comm_reader_name *names, int most);
    /* As getenv. */
    const char *(*env)(void *context, const char *name);
    /* Every statistic of an interface: 0, or -errno. NULL: there are none. */
    int (*statistics)(void *context, const char *interface, comm_reader_take *take, void *taker);
    void *context;
};

/* This machine's environment and its files below root ("" for the real ones). root is lent. */
struct comm_reader comm_reader_at(const char *root);

/* How reading one value went. ABSENT: no such file, or the kernel gives it no value (EINVAL). */
typedef enum { COMM_READ_OK, COMM_READ_ABSENT, COMM_READ_UNREADABLE, COMM_READ_NONSENSE } comm_read;

/* The first line of a file, without spaces at its end. Bytes that do not print become '?'. */
comm_read comm_reader_line(const struct comm_reader *r, const char *path, char *out, size_t size);

/* The one whole number of a file, decimal or 0x; must lie in [least, most]. *out changes on
 * COMM_READ_OK alone. text (COMM_READER_LINE) gets what stood there. */
comm_read comm_reader_integer(const struct comm_reader *r, const char *path, long long least,
                              long long most, long long *out, char *text);

/* The names in a folder in natural order (mlx5_2 before mlx5_10), at most `most`: as `list`. */
int comm_reader_names(const struct comm_reader *r, const char *path, comm_reader_name *names,
                      int most);

/* <0, 0, >0: digits compare as numbers. */
int comm_reader_order(const char *a, const char *b);

/* The environment's value, NULL where it is unset or empty. */
const char *comm_reader_env(const struct comm_reader *r, const char *name);

#endif
