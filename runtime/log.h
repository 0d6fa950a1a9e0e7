/* runtime/log.h - lines for people, on stderr
 *
 * rt_log_once prints on rank 0 only; rt_log on this rank, with "[rank r/P] " when P > 1.
 * The environment's RECUA_LOG (error, warn, info, debug) sets the level at rt_log_init.
 * Lower case, no full stop, values without `=`. The log's level and this process's rank are
 * the only process-wide state of the libraries.
 */
#ifndef RT_LOG_H
#define RT_LOG_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { RT_LOG_ERROR, RT_LOG_WARN, RT_LOG_INFO, RT_LOG_DEBUG } rt_log_level;

void rt_log_init(int rank, int size);      /* until called: rank 0 of 1 */
void rt_log_set_level(rt_log_level level); /* default RT_LOG_INFO */
rt_log_level rt_log_get_level(void);

/* While on, all ranks do the same work on the same input, so only rank 0 prints errors. */
void rt_log_common(bool on);

void rt_log(rt_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rt_log_once(rt_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
