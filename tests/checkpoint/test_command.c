/* tests/checkpoint/test_command.c - `recua checkpoint`: what it prints and how it exits */
#include <fcntl.h>

#include "jobs/commands.h"
#include "tests/checkpoint/state.h"

/* The exit code of `recua checkpoint WHAT DIR`; what it prints goes to text (room). */
static int command(const char *what, const char *dir, char *text, size_t room)
{
    char name[] = "recua checkpoint", what_[32], dir_[300];
    char *argv[] = {name, what_, dir_, NULL};
    struct capture quiet = capture_begin();
    FILE *out = tmpfile();
    const int saved = dup(1);

    snprintf(what_, sizeof what_, "%s", what);
    snprintf(dir_, sizeof dir_, "%s", dir);
    (void)fflush(stdout);
    (void)dup2(fileno(out), 1);
    const int code = cmd_checkpoint(3, argv);
    (void)fflush(stdout);
    (void)dup2(saved, 1);
    close(saved);
    rewind(out);
    text[fread(text, 1, room - 1, out)] = 0;
    (void)fclose(out);
    capture_end(&quiet, NULL, 0);
    return code;
}

static void whole_checkpoints_are_shown(const char *run, const char *step)
{
    static char text[20000];

    CHECK(command("list", run, text, sizeof text) == 0);
    CHECK(strstr(text, "step-00000002") != NULL && strstr(text, "step-00000001") != NULL);
    CHECK(command("info", run, text, sizeof text) == 0);
    CHECK(strstr(text, "step         2\n") != NULL && strstr(text, "norm.weight") != NULL);
    CHECK(command("info", step, text, sizeof text) == 0);
    CHECK(strstr(text, "step         1\n") != NULL);
    CHECK(command("verify", run, text, sizeof text) == 0);
    CHECK(strstr(text, "step-00000001: good") != NULL);
    CHECK(command("verify", step, text, sizeof text) == 0);
}

static void damage_and_absence_have_their_codes(const char *run, const char *step)
{
    static char text[20000];
    char path[400];

    snprintf(path, sizeof path, "%s/state.h5", step);
    const int fd = open(path, O_WRONLY);
    CHECK(pwrite(fd, "?", 1, 3000) == 1);
    close(fd);
    CHECK(command("verify", run, text, sizeof text) == 4);
    CHECK(strstr(text, "step-00000001: damaged") != NULL);
    CHECK(strstr(text, "step-00000002: good") != NULL);
    CHECK(truncate(path, 3000) == 0);
    CHECK(command("list", run, text, sizeof text) == 4);
    CHECK(strstr(text, "damaged") != NULL);
    CHECK(command("verify", "/nowhere", text, sizeof text) == 3);
    CHECK(command("info", "/nowhere", text, sizeof text) == 3);
    CHECK(command("list", "/usr", text, sizeof text) == 3);
    CHECK(command("prune", run, text, sizeof text) == 3);
    CHECK(command("merge", run, text, sizeof text) == 3);
    CHECK(command("squash", run, text, sizeof text) == 2);
}

int main(int argc, char **argv)
{
    struct comm *world = NULL;
    char run[200], dir[300], step[300];
    struct made m;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    if (!scratch_create(run, sizeof run, false)) return 1;
    snprintf(dir, sizeof dir, "%s/checkpoints", run);
    made_create(&m, false, 0, 1, 1);
    for (uint64_t i = 1; i <= 2; i++) {
        made_fill(&m, i);
        CHECK_OK(checkpoint_save(world, dir, &m.meta, &m.files, &m.state, 2, NULL));
    }
    snprintf(step, sizeof step, "%s/checkpoints/step-00000001", run);
    whole_checkpoints_are_shown(run, step);
    damage_and_absence_have_their_codes(run, step);
    made_destroy(&m);
    scratch_remove(run);
    comm_finish(&world);
    return check_failures != 0;
}
