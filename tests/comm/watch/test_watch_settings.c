/* tests/comm/watch/test_watch_settings.c - the watchdog's environment: limits and interfaces */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/watch/watchdog.h"
#include "tests/check.h"

static void unset_all(void)
{
    static const char *const names[] = {
        "RECUA_WATCHDOG",   "RECUA_WATCH_SILENT", "RECUA_WATCH_STUCK",          "RECUA_INIT_LIMIT",
        "RECUA_WATCH_DUMP", "RECUA_WATCH_IF",     "OMPI_MCA_btl_tcp_if_include"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) (void)unsetenv(names[i]);
}

static void defaults_stand_without_environment(void)
{
    struct comm_watch_settings s = {.on = false};

    unset_all();
    CHECK_OK(comm_watch_settings_read(&s));
    CHECK(s.on && s.silent_s == 6 && s.stuck_s == 600 && s.straggler_s == 3 && s.init_s == 300);
    CHECK(s.dump_dir == NULL);
}

static void the_environment_is_taken(void)
{
    struct comm_watch_settings s;

    unset_all();
    (void)setenv("RECUA_WATCHDOG", "off", 1);
    (void)setenv("RECUA_WATCH_SILENT", "2.5", 1);
    (void)setenv("RECUA_WATCH_STUCK", "1e3", 1);
    (void)setenv("RECUA_INIT_LIMIT", "60", 1);
    (void)setenv("RECUA_WATCH_DUMP", "/tmp", 1);
    CHECK_OK(comm_watch_settings_read(&s));
    CHECK(!s.on && s.silent_s == 2.5 && s.stuck_s == 1000 && s.init_s == 60);
    CHECK(strcmp(s.dump_dir, "/tmp") == 0);
    (void)setenv("RECUA_WATCHDOG", "on", 1);
    CHECK_OK(comm_watch_settings_read(&s));
    CHECK(s.on);
}

static void nonsense_is_refused(void)
{
    static const char *const wrong[][2] = {
        {"RECUA_WATCHDOG", "no"},          {"RECUA_WATCH_SILENT", "0"},
        {"RECUA_WATCH_SILENT", "0.5"},     {"RECUA_WATCH_SILENT", "6 s"},
        {"RECUA_WATCH_SILENT", "nan"},     {"RECUA_WATCH_SILENT", "1e9"},
        {"RECUA_WATCH_STUCK", "-1"},       {"RECUA_WATCH_STUCK", "inf"},
        {"RECUA_INIT_LIMIT", "soon"},      {"RECUA_INIT_LIMIT", "1,5"},
        {"RECUA_WATCH_DUMP", "/dev/null"}, {"RECUA_WATCH_DUMP", "/not/there"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct comm_watch_settings s = {.silent_s = -7};
        unset_all();
        (void)setenv(wrong[i][0], wrong[i][1], 1);
        if (!CHECK(comm_watch_settings_read(&s) == RT_EINVAL && s.silent_s == -7))
            printf("%s=%s\n", wrong[i][0], wrong[i][1]);
    }
}

static rt_status open_on(bool one_node, const char *ours, const char *mpi,
                         struct comm_beat_address *a)
{
    int fd = -1;

    unset_all();
    memset(a, 0, sizeof *a);
    if (ours != NULL) (void)setenv("RECUA_WATCH_IF", ours, 1);
    if (mpi != NULL) (void)setenv("OMPI_MCA_btl_tcp_if_include", mpi, 1);
    const rt_status st = comm_beat_open(one_node, 0, &fd, a);
    CHECK((fd >= 0) == (st == RT_OK));
    if (fd >= 0) (void)close(fd);
    return st;
}

static bool is_loopback(const struct comm_beat_address *a)
{
    return a->family == 4 && a->ip[0] == 127 && a->port != 0;
}

static void interfaces_are_chosen_by_name_or_subnet(void)
{
    struct comm_beat_address a;

    CHECK_OK(open_on(true, NULL, NULL, &a));
    CHECK(is_loopback(&a) && a.pid == getpid() && a.host[0] != '\0' && a.nonce != 0);
    CHECK_OK(open_on(false, "lo", NULL, &a));
    CHECK(is_loopback(&a));
    CHECK_OK(open_on(false, "nothere0,127.0.0.0/8", "10.0.0.0/8", &a));
    CHECK(is_loopback(&a));
    CHECK_OK(open_on(false, NULL, "127.0.0.1/24", &a));
    CHECK(is_loopback(&a));
    CHECK(open_on(false, "nothere0", NULL, &a) == RT_EINVAL);
    CHECK(open_on(false, "10.255.255.255/32", NULL, &a) == RT_EINVAL);
    CHECK(open_on(false, "127.0.0.0/33", NULL, &a) == RT_EINVAL);
    CHECK(open_on(false, "127.0.0.0/x", NULL, &a) == RT_EINVAL);
    /* Where this host has IPv6. */
    const rt_status six = open_on(false, "::1/128", NULL, &a);
    CHECK(six == RT_EINVAL || (six == RT_OK && a.family == 6 && a.ip[15] == 1 && a.port != 0));
    CHECK_OK(open_on(false, NULL, "nothere0", &a)); /* MPI complains of its own list */
    CHECK(a.family == 4 || a.family == 6);
}

static void a_wrong_interface_stops_before_any_work(void)
{
    struct comm_watch_settings s;
    struct comm_beat_address mine;
    struct comm_watch *w = NULL;

    unset_all();
    CHECK_OK(comm_watch_settings_read(&s));
    (void)setenv("RECUA_WATCH_IF", "nothere0", 1);
    CHECK(comm_watch_open(&s, 4, 1, 2, &w, &mine) == RT_EINVAL && w == NULL);
    CHECK(mine.family == 0 && mine.node == 1);
    s.on = false;
    CHECK_OK(comm_watch_open(&s, 4, 1, 2, &w, &mine));
    CHECK(w == NULL && mine.family == 0);
    comm_watch_phase_begin(w, "nothing", 1); /* all accept NULL */
    comm_watch_phase_end(w);
    CHECK_OK(comm_watch_start(&w, NULL));
    comm_watch_finish(&w);
}

int main(void)
{
    defaults_stand_without_environment();
    the_environment_is_taken();
    nonsense_is_refused();
    interfaces_are_chosen_by_name_or_subnet();
    a_wrong_interface_stops_before_any_work();
    return check_failures != 0;
}
