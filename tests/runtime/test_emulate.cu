/* tests/runtime/test_emulate.cu - the emulator finds what it is for: a right kernel is right in every
 * order of threads, five wrong ones are each caught, and what CUDA leaves undefined ends the process
 */
#include <cmath>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

#include "runtime/cuda/kernel.h"

namespace
{

enum { ROWS = 5, COLUMNS = 1001, THREADS = 96, WARPS = THREADS / RT_WARP };
enum bug { NONE, BARRIER, TAIL, STRIDE, UNWRITTEN, ACCUMULATION, BUGS };

const char *const names[BUGS] = {"right",          "a missing barrier",   "a tail off by one",
                                 "a wrong stride", "an unwritten output", "sums in bf16"};
int failures;

void check(bool good, const char *what, const char *name)
{
    if (!good) printf("FAIL  %s: %s\n", name, what);
    failures += !good;
}

/* y[row] = the sum of x[row][0..n): one block a row. */
template <int BUG> RT_KERNEL sum_rows(float *y, const float *x, int n)
{
    RT_SHARED(float, part, WARPS);
    const int lane = (int)threadIdx.x % RT_WARP, warp = (int)threadIdx.x / RT_WARP;
    const int last = BUG == TAIL ? n : n - 1, step = (int)blockDim.x + (BUG == STRIDE);
    float sum = 0;

    for (int i = (int)threadIdx.x; i <= last; i += step) {
        sum += x[(size_t)blockIdx.x * (size_t)n + (size_t)i];
        if (BUG == ACCUMULATION) sum = rt_bf16_to_f32(rt_bf16_from_f32(sum));
    }
    for (int bits = RT_WARP / 2; bits > 0; bits /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, bits);
    if (lane == 0) part[warp] = sum;
    if (BUG != BARRIER) __syncthreads();
    if (threadIdx.x != 0) return;
    for (int w = 1; w < WARPS; w++) sum += part[w];
    if (BUG != UNWRITTEN || blockIdx.x + 1 < gridDim.x) y[blockIdx.x] = sum;
}

/* Does it give the sums, 1e-5 relative, in every order? */
template <int BUG> bool is_right(const float *x)
{
    bool right = true;

    for (int order = 0; order < RT_ORDERS; order++) {
        float y[ROWS];
        memset(y, 0xff, sizeof y);
        rt_emulate_set_order((enum rt_emulate_order)order, 3);
        RT_LAUNCH(sum_rows<BUG>, ROWS, THREADS, 0, nullptr, y, x, COLUMNS);
        for (int r = 0; r < ROWS; r++) {
            double want = 0;
            for (int i = 0; i < COLUMNS; i++) want += (double)x[r * COLUMNS + i];
            right = right && std::fabs((double)y[r] - want) <= 1e-5 * want;
        }
    }
    return right;
}

void planted_bugs_are_caught()
{
    static float x[ROWS * COLUMNS + 1];

    for (int i = 0; i <= ROWS * COLUMNS; i++) x[i] = 1.0f + (float)(i * 7 % 13) / 3;
    check(is_right<NONE>(x), "is wrong", names[NONE]);
    check(!is_right<BARRIER>(x), "is not caught", names[BARRIER]);
    check(!is_right<TAIL>(x), "is not caught", names[TAIL]);
    check(!is_right<STRIDE>(x), "is not caught", names[STRIDE]);
    check(!is_right<UNWRITTEN>(x), "is not caught", names[UNWRITTEN]);
    check(!is_right<ACCUMULATION>(x), "is not caught", names[ACCUMULATION]);
}

/* --- every thread sees its own indices; shuffles; dynamic memory --- */

RT_KERNEL indices(unsigned *seen)
{
    const unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);

    seen[b * blockDim.x * blockDim.y * blockDim.z + t]++;
}

/* Through memory of the launch, turned round; then each lane's neighbour of 3 further on. */
RT_KERNEL turn(int *y)
{
    RT_SHARED_DYNAMIC(int, all);
    const int n = (int)blockDim.x, t = (int)threadIdx.x;

    all[t] = t;
    __syncthreads();
    const int mine = all[n - 1 - t], other = __shfl_down_sync(0xffffffffu, mine, 3);
    __syncwarp();
    y[t] = __shfl_sync(0xffffffffu, mine, 5) * 1000 + other;
}

void kernels_see_what_they_should()
{
    unsigned seen[2 * 3 * 2 * 4 * 3 * 2] = {0};
    int y[64];
    bool right = true;

    RT_LAUNCH(indices, dim3(2, 3, 2), dim3(4, 3, 2), 0, nullptr, seen);
    for (unsigned s : seen) right = right && s == 1;
    check(right, "an index is missing or comes twice", "indices");
    for (int order = 0; order < RT_ORDERS; order++) {
        rt_emulate_set_order((enum rt_emulate_order)order, 11);
        RT_LAUNCH(turn, 1, 64, 64 * sizeof(int), nullptr, y);
        for (int t = 0; t < 64; t++) {
            const int first = t / 32 * 32, lane = t % 32, from = lane + 3 < 32 ? t + 3 : t;
            check(y[t] == (63 - first - 5) * 1000 + 63 - from, "a wrong value", "shuffles");
        }
    }
}

/* --- what is undefined --- */

RT_KERNEL two_barriers(void *)
{
    if (threadIdx.x < 7)
        __syncthreads();
    else
        __syncthreads(); /* another place */
}

RT_KERNEL one_leaves(void *)
{
    if (threadIdx.x == 3) return;
    __syncthreads();
}

RT_KERNEL half_a_warp(int *y)
{
    if (threadIdx.x < 16) *y = __shfl_sync(0xffffffffu, 1, 0);
}

RT_KERNEL absent_lane(int *y)
{
    if (threadIdx.x < 16) *y = __shfl_sync(0x0000ffffu, 1, 20);
}

/* The launch ends its process, and says why. */
template <typename F> void ends_with(const char *says, F launch)
{
    char text[512] = "";
    int pipes[2], status = 0;

    if (pipe(pipes) != 0) return check(false, "no pipe", says);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 2);
        launch();
        _exit(0);
    }
    close(pipes[1]);
    const ssize_t n = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    check(pid > 0 && waitpid(pid, &status, 0) == pid &&
              !(WIFEXITED(status) && WEXITSTATUS(status) == 0),
          "nothing ended it", says);
    check(n > 0 && strstr(text, says) != nullptr, "it does not say so", says);
}

void what_is_undefined_ends_the_process()
{
    int y = 0;

    rt_emulate_set_order(RT_FORWARD, 1);
    ends_with("threads wait at different barriers",
              [&] { RT_LAUNCH(two_barriers, 1, 32, 0, nullptr, nullptr); });
    ends_with("a thread has ended that others wait for",
              [&] { RT_LAUNCH(one_leaves, 1, 32, 0, nullptr, nullptr); });
    ends_with("a lane of the mask has ended",
              [&] { RT_LAUNCH(half_a_warp, 1, 32, 0, nullptr, &y); });
    ends_with("a shuffle reads a lane that takes no part",
              [&] { RT_LAUNCH(absent_lane, 1, 32, 0, nullptr, &y); });
}

} // namespace

int main()
{
    planted_bugs_are_caught();
    kernels_see_what_they_should();
    what_is_undefined_ends_the_process();
    return failures != 0;
}
