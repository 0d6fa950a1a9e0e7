/* runtime/status.h - how every function that can fail says so
 *
 * The first function that knows the cause says it and returns the code; everyone above only
 * passes the code on. Only main turns a status into an exit code (rt_status_exit).
 * The more negative, the graver: comm_agree takes the minimum over ranks.
 */
#ifndef RT_STATUS_H
#define RT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    RT_OK = 0,
    RT_ESTOPPED = -1,   /* exit 75: stopped on request after a checkpoint, submit me again  */
    RT_EEXPECT = -2,    /* exit 70: below the stated expectation                            */
    RT_EBUSY = -3,      /* exit 73: another job owns this run                               */
    RT_EMISSING = -4,   /* exit 3: a sensor, device, library or feature is not here         */
    RT_EINVAL = -5,     /* exit 2: usage, run file, or a contract broken by the caller      */
    RT_EDATA = -6,      /* exit 4: damaged or wrong data                                    */
    RT_ENONFINITE = -7, /* exit 71: loss or gradient norm is not finite                     */
    RT_ENOMEM = -8,     /* exit 1: host or device memory is exhausted                       */
    RT_EIO = -9,        /* exit 1: file system or HDF5                                      */
    RT_ECOMM = -10,     /* exit 1: MPI                                                      */
    RT_EDEVICE = -11,   /* exit 1: device or kernel library                                 */
    RT_EHUNG = -12,     /* exit 72: the watchdog ended a hung job                           */
} rt_status;

#define RT_NODISCARD __attribute__((warn_unused_result))

/* Say what is wrong (value, limit and remedy in the text) and be the code:
 *     return RT_FAIL(RT_EINVAL, "%s:%d: heads is %d, must divide dim %d", file, line, h, d); */
#define RT_FAIL(code, ...) (rt_log_error((code), __FILE__, __LINE__, __VA_ARGS__), (code))

/* Leave with the callee's status. Only where there is nothing to release. */
#define RT_TRY(expr)                                                                               \
    do {                                                                                           \
        rt_status try_ = (expr);                                                                   \
        if (try_ != RT_OK) return try_;                                                            \
    } while (0)

/* The same where there is: keeps the code in `st` and goes to the one label `out`. */
#define RT_TRY_OUT(expr)                                                                           \
    do {                                                                                           \
        st = (expr);                                                                               \
        if (st != RT_OK) goto out;                                                                 \
    } while (0)

/* Print "recua: error: TEXT" on stderr (with "[rank r/P] " when there are several ranks; with
 * file and line at log level debug). See rt_log_common in log.h. */
void rt_log_error(rt_status code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

const char *rt_status_str(rt_status st);

/* The exit code of DESIGN section 7: 0 1 2 3 4 70 71 72 73 75. */
int rt_status_exit(rt_status st);

#ifdef __cplusplus
}
#endif
#endif
