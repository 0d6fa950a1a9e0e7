/* tests/runtime/test_log.c - runtime/log.h: who prints what */
#include "runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/status.h"
#include "tests/check.h"
#include "tests/runtime/capture.h"

static char text[8192];

/* One line of each kind, as rank r of P prints it. */
static void say_everything(int rank, int size)
{
    struct capture c = capture_begin();

    rt_log_init(rank, size);
    (void)RT_FAIL(RT_EIO, "e%d", 1);
    rt_log(RT_LOG_WARN, "w%d", 2);
    rt_log(RT_LOG_INFO, "i%d", 3);
    rt_log(RT_LOG_DEBUG, "d%d", 4);
    rt_log_once(RT_LOG_INFO, "once%d", 5);
    capture_end(&c, text, sizeof text);
}

static void one_rank_has_no_prefix(void)
{
    say_everything(0, 1);
    CHECK(strcmp(text, "recua: error: e1\nrecua: warning: w2\nrecua: i3\nrecua: once5\n") == 0);
}

static void of_several_ranks_each_names_itself(void)
{
    say_everything(1, 4);
    CHECK(strcmp(text, "[rank 1/4] recua: error: e1\n[rank 1/4] recua: warning: w2\n"
                       "[rank 1/4] recua: i3\n") == 0);
    say_everything(0, 4);
    CHECK(strstr(text, "[rank 0/4] recua: error: e1\n") == text);
    CHECK(strstr(text, "\nrecua: once5\n") != NULL);
}

static void common_work_is_reported_by_rank_0_alone(void)
{
    rt_log_common(true);
    say_everything(1, 4);
    CHECK(text[0] == '\0');
    say_everything(0, 4);
    CHECK(strstr(text, "recua: error: e1\n") == text);
    rt_log_common(false);
    say_everything(1, 4);
    CHECK(text[0] != '\0');
}

static void the_level_decides(void)
{
    rt_log_set_level(RT_LOG_ERROR);
    say_everything(0, 1);
    CHECK(strcmp(text, "recua: error: e1\n") == 0);
    rt_log_set_level(RT_LOG_DEBUG);
    say_everything(0, 1);
    CHECK(strstr(text, "recua: debug: d4\n") != NULL);
    CHECK(strstr(text, "recua: error: e1 (input or output failed, ") == text);
    CHECK(strstr(text, "test_log.c:") != NULL);
    rt_log_set_level(RT_LOG_INFO);
}

static void the_environment_sets_the_level(void)
{
    setenv("RECUA_LOG", "warn", 1);
    say_everything(0, 1);
    CHECK(strcmp(text, "recua: error: e1\nrecua: warning: w2\n") == 0);
    CHECK(rt_log_get_level() == RT_LOG_WARN);
    setenv("RECUA_LOG", "loud", 1);
    say_everything(0, 1);
    CHECK(strstr(text, "RECUA_LOG is 'loud', must be error, warn, info or debug") != NULL);
    CHECK(rt_log_get_level() == RT_LOG_WARN);
    unsetenv("RECUA_LOG");
    rt_log_set_level(RT_LOG_INFO);
}

/* A line that is too long is cut, marked and still one line; an exact fit is not cut. */
static void long_lines_are_cut(void)
{
    static char wide[5000];

    for (size_t length = 2030; length < 2050; length++) {
        memset(wide, 'x', length);
        wide[length] = '\0';
        struct capture c = capture_begin();
        rt_log(RT_LOG_INFO, "%s", wide);
        size_t n = capture_end(&c, text, sizeof text);
        bool fits = strlen("recua: ") + length + 1 <= 2048;
        CHECK(n == (fits ? strlen("recua: ") + length + 1 : 2048));
        CHECK((strstr(text, "...\n") == NULL) == fits);
        CHECK(strchr(text, '\n') == text + n - 1);
    }
}

/* Even where the line cannot be written. */
static void errno_is_left_alone(void)
{
    int saved = dup(STDERR_FILENO), none = open("/dev/null", O_RDONLY);

    CHECK(dup2(none, STDERR_FILENO) == STDERR_FILENO);
    errno = ENOSPC;
    rt_log(RT_LOG_INFO, "%s", "line");
    CHECK(errno == ENOSPC);
    rt_log_once(RT_LOG_INFO, "%s", "line");
    CHECK(errno == ENOSPC);
    (void)RT_FAIL(RT_EIO, "line");
    CHECK(errno == ENOSPC);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(none);
}

int main(void)
{
    unsetenv("RECUA_LOG");
    one_rank_has_no_prefix();
    of_several_ranks_each_names_itself();
    common_work_is_reported_by_rank_0_alone();
    the_level_decides();
    the_environment_sets_the_level();
    rt_log_init(0, 1);
    long_lines_are_cut();
    errno_is_left_alone();
    return check_failures != 0;
}
