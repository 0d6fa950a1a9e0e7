/* tests/checkpoint/test_kill.c - the two halves of kill_test.sh
 *
 *     test_kill save DIR FIRST LAST    under mpirun: save these steps, one after the other
 *     test_kill check DIR LEAST        alone: every step verifies, one is LEAST or newer, LATEST
 *                                      names one of them; then clean, and nothing is left over
 */
#include "tests/checkpoint/state.h"

static int save(int argc, char **argv)
{
    const char *dir = argv[2];
    const uint64_t first = strtoull(argv[3], NULL, 10), last = strtoull(argv[4], NULL, 10);
    struct comm *world = NULL;
    struct made m;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    made_create(&m, true, comm_rank(world), comm_size(world), first);
    for (uint64_t step = first; step <= last; step++) {
        made_fill(&m, step);
        CHECK_OK(checkpoint_save(world, dir, &m.meta, &m.files, &m.state, 2, NULL));
    }
    made_destroy(&m);
    comm_finish(&world);
    return check_failures != 0;
}

static int check(const char *dir, uint64_t least)
{
    struct checkpoint *c = NULL;
    uint64_t *steps = NULL;
    unsigned long latest = 0;
    size_t count = 0;
    char path[400];

    snprintf(path, sizeof path, "%s/LATEST", dir);
    FILE *f = fopen(path, "r");
    if (CHECK(f != NULL)) {
        CHECK(fscanf(f, "step-%lu\n", &latest) == 1);
        (void)fclose(f);
    }
    bool named = false;
    CHECK_OK(checkpoint_list(dir, &steps, &count));
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/step-%08lu", dir, (unsigned long)steps[i]);
        CHECK_OK(checkpoint_verify(path, NULL));
        named |= steps[i] == latest;
    }
    CHECK(named);
    CHECK(count > 0 && steps[0] >= least);
    free(steps);
    if (CHECK_OK(checkpoint_open(dir, &c))) CHECK(checkpoint_meta(c)->step >= least);
    checkpoint_close(&c);
    CHECK_OK(checkpoint_clean(dir));
    snprintf(path, sizeof path, "test -z \"$(find '%s' -name '.?*')\"", dir);
    CHECK(system(path) == 0);
    return check_failures != 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "save") == 0) return save(argc, argv);
    if (argc == 4 && strcmp(argv[1], "check") == 0)
        return check(argv[2], strtoull(argv[3], NULL, 10));
    printf("usage: %s save DIR FIRST LAST | check DIR LEAST\n", argv[0]);
    return 2;
}
