/* runtime/cuda/emulate.cu - the host emulator: fibers, barriers, warps, shared arrays
 *
 * Always compiled as C++ for the host. A pass resumes every thread of the block that can go on, in
 * the order that is set; each runs until it ends, comes to a barrier or brings its part to a warp
 * operation. After a pass barriers and warp operations that are complete let their threads go on; a
 * pass in which nobody ran is a deadlock.
 */
#include <cstdio>
#include <memory>
#include <vector>

#include <ucontext.h>

#include "runtime/cuda/emulate.h"

#if defined(__SANITIZE_ADDRESS__)
#define RT_EMULATE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_EMULATE_ASAN 1
#endif
#endif
#ifdef RT_EMULATE_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace
{

const size_t WARP = 32, STACK_BYTES = 64 << 10;

enum class state { ready, barrier, warp, ended };

struct place {
    const char *file;
    int line;
};

bool same(const place &a, const place &b)
{
    return a.line == b.line && strcmp(a.file, b.file) == 0;
}

struct fiber {
    rt_emulate_thread seen; /* what the kernel sees */
    ucontext_t context;
    state at;
    place where;
    unsigned mask;    /* of the warp operation it waits in */
    unsigned from;    /* lane whose value it wants */
    uint64_t value;   /* brought, then got */
    void *fake_stack; /* AddressSanitizer's */
};

struct shared_array {
    place where;
    void *data;
};

struct emulator {
    rt_emulate_order order;
    uint64_t seed;
    const char *kernel; /* NULL: no launch is under way */
    void (*body)(void *);
    void *context;
    std::vector<fiber> fibers; /* of one block */
    std::unique_ptr<unsigned char[]> stacks;
    size_t stacks_count;
    std::vector<shared_array> arrays;
    void *dynamic;
    size_t current;
    ucontext_t scheduler;
    void *fake_stack; /* the scheduler's */
    const void *stack;
    size_t stack_bytes;
};

emulator e;

[[noreturn]] void stop(const char *what, const place &where)
{
    fprintf(stderr, "recua: error: kernel %s: %s (%s:%d)\n", e.kernel, what, where.file,
            where.line);
    abort();
}

uint64_t random_next()
{
    e.seed ^= e.seed << 13; /* xorshift, Marsaglia 2003 */
    e.seed ^= e.seed >> 7;
    e.seed ^= e.seed << 17;
    return e.seed;
}

/* 0..n-1 in the order that is set. */
std::vector<size_t> in_order(size_t n)
{
    std::vector<size_t> order(n);

    for (size_t i = 0; i < n; i++) order[i] = e.order == RT_REVERSE ? n - 1 - i : i;
    for (size_t i = n; e.order == RT_RANDOM && i > 1; i--)
        std::swap(order[i - 1], order[random_next() % i]);
    return order;
}

/* Out of a fiber, to the scheduler. */
void leave(bool for_good)
{
    fiber &f = e.fibers[e.current];

#ifdef RT_EMULATE_ASAN
    __sanitizer_start_switch_fiber(for_good ? nullptr : &f.fake_stack, e.stack, e.stack_bytes);
#endif
    if (for_good)
        setcontext(&e.scheduler);
    else
        swapcontext(&f.context, &e.scheduler);
#ifdef RT_EMULATE_ASAN
    __sanitizer_finish_switch_fiber(f.fake_stack, &e.stack, &e.stack_bytes);
#endif
}

void run_fiber()
{
#ifdef RT_EMULATE_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &e.stack, &e.stack_bytes);
#endif
    e.body(e.context);
    e.fibers[e.current].at = state::ended;
    leave(true);
}

void resume(size_t i)
{
    fiber &f = e.fibers[i];

    e.current = i;
    rt_emulate_now = &f.seen;
#ifdef RT_EMULATE_ASAN
    __sanitizer_start_switch_fiber(&e.fake_stack, f.context.uc_stack.ss_sp,
                                   f.context.uc_stack.ss_size);
#endif
    swapcontext(&e.scheduler, &f.context);
#ifdef RT_EMULATE_ASAN
    __sanitizer_finish_switch_fiber(e.fake_stack, nullptr, nullptr);
#endif
    rt_emulate_now = nullptr;
}

void make_fibers(dim3 grid, dim3 block, dim3 at)
{
    const size_t n = (size_t)block.x * block.y * block.z;

    e.fibers.resize(n);
    if (e.stacks_count < n) e.stacks.reset(new unsigned char[n * STACK_BYTES]);
    if (e.stacks_count < n) e.stacks_count = n;
    for (size_t i = 0; i < n; i++) {
        fiber &f = e.fibers[i];
        const unsigned t = (unsigned)i;
        f.seen = {dim3(t % block.x, t / block.x % block.y, t / block.x / block.y), at, grid, block};
        f.at = state::ready;
        f.fake_stack = nullptr;
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = e.stacks.get() + i * STACK_BYTES;
        f.context.uc_stack.ss_size = STACK_BYTES;
        f.context.uc_link = nullptr;
        makecontext(&f.context, run_fiber, 0);
    }
}

/* All threads that have not ended wait at one barrier: they go on. */
bool release_barrier()
{
    const fiber *first = nullptr;

    for (const fiber &f : e.fibers) {
        if (f.at == state::ended) continue;
        if (f.at != state::barrier) return false;
        if (first == nullptr) first = &f;
        if (!same(first->where, f.where)) stop("threads wait at different barriers", f.where);
    }
    if (first == nullptr) return false;
    for (fiber &f : e.fibers) {
        if (f.at == state::ended)
            stop("a thread has ended that others wait for at a barrier", first->where);
        f.at = state::ready;
    }
    return true;
}

/* Have all lanes of f's mask come to f's operation? The last warp of a block may be no whole one. */
bool is_complete(const fiber &f, fiber *warp, size_t lanes)
{
    for (size_t k = 0; k < lanes; k++) {
        const fiber &other = warp[k];
        if ((f.mask >> k & 1) == 0) continue;
        if (other.at == state::ended) stop("a lane of the mask has ended", f.where);
        if (other.at != state::warp || other.mask != f.mask) return false;
        if (!same(other.where, f.where))
            stop("lanes of one warp are at different warp operations", f.where);
    }
    return true;
}

/* Every lane of the mask gets what the lane that it names has brought. */
void exchange(unsigned mask, fiber *warp, size_t lanes)
{
    uint64_t brought[WARP];

    for (size_t k = 0; k < lanes; k++) brought[k] = warp[k].value;
    for (size_t k = 0; k < lanes; k++) {
        fiber &f = warp[k];
        if ((mask >> k & 1) == 0) continue;
        if (f.from >= lanes || (mask >> f.from & 1) == 0)
            stop("a shuffle reads a lane that takes no part", f.where);
        f.value = brought[f.from];
        f.at = state::ready;
    }
}

/* Warp operations whose lanes have all come. */
bool release_warps()
{
    const size_t n = e.fibers.size();
    bool moved = false;

    for (size_t i = 0; i < n; i++) {
        fiber *warp = &e.fibers[i / WARP * WARP];
        const size_t first = i / WARP * WARP, lanes = n - first < WARP ? n - first : WARP;
        if (e.fibers[i].at != state::warp || !is_complete(e.fibers[i], warp, lanes)) continue;
        exchange(e.fibers[i].mask, warp, lanes);
        moved = true;
    }
    return moved;
}

void run_block()
{
    for (;;) {
        bool ran = false, left = false;
        for (size_t i : in_order(e.fibers.size())) {
            if (e.fibers[i].at != state::ready) continue;
            resume(i);
            ran = true;
        }
        for (const fiber &f : e.fibers) left = left || f.at != state::ended;
        if (!left) return;
        const bool warps = release_warps(), all = release_barrier();
        if (ran || warps || all) continue;
        for (const fiber &f : e.fibers)
            if (f.at != state::ended) stop("threads wait for ever", f.where);
    }
}

void drop_arrays()
{
    for (shared_array &a : e.arrays) free(a.data);
    e.arrays.clear();
}

} // namespace

const rt_emulate_thread *rt_emulate_now;

void rt_emulate_set_order(rt_emulate_order order, uint64_t seed)
{
    e.order = order;
    e.seed = seed | 1;
}

void rt_emulate_barrier(const char *file, int line)
{
    fiber &f = e.fibers[e.current];

    f.at = state::barrier;
    f.where = {file, line};
    leave(false);
}

unsigned rt_emulate_lane(void) { return (unsigned)(e.current % WARP); }

int rt_emulate_lane_below(unsigned by)
{
    const unsigned lane = rt_emulate_lane();
    return (int)(lane + by < WARP ? lane + by : lane);
}

uint64_t rt_emulate_exchange(unsigned mask, uint64_t mine, int from, const char *file, int line)
{
    fiber &f = e.fibers[e.current];

    f.where = {file, line};
    if ((mask >> rt_emulate_lane() & 1) == 0)
        stop("a lane is not in the mask that it gives", f.where);
    f.at = state::warp;
    f.mask = mask;
    f.from = (unsigned)from % WARP;
    f.value = mine;
    leave(false);
    return f.value;
}

void *rt_emulate_shared(size_t bytes, const char *file, int line)
{
    const place here = {file, line};

    for (const shared_array &a : e.arrays)
        if (same(a.where, here)) return a.data;
    void *data = malloc(bytes);
    if (data == nullptr) stop("no memory for a shared array", here);
    memset(data, 0xff, bytes);
    e.arrays.push_back({here, data});
    return data;
}

void *rt_emulate_dynamic(void) { return e.dynamic; }

void rt_emulate_run(dim3 grid, dim3 block, size_t shared, const char *name, void (*body)(void *),
                    void *context)
{
    const size_t blocks = (size_t)grid.x * grid.y * grid.z;

    e.kernel = name;
    e.body = body;
    e.context = context;
    for (size_t b : in_order(blocks)) {
        const unsigned at = (unsigned)b;
        e.dynamic = shared > 0 ? malloc(shared) : nullptr;
        if (shared > 0 && e.dynamic != nullptr) memset(e.dynamic, 0xff, shared);
        make_fibers(grid, block, dim3(at % grid.x, at / grid.x % grid.y, at / grid.x / grid.y));
        run_block();
        free(e.dynamic);
        drop_arrays();
    }
    e.kernel = nullptr;
}
