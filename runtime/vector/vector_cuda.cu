/* runtime/vector/vector_cuda.cu - the vector table on a GPU; gives the bits of ref
 *
 * Memory   element-wise loops take eight elements a thread, 16 bytes an access, where all vectors lie
 *          on 16 bytes, and one at a time at the end or where they do not
 * Traffic  cast n (in + out) bytes; reduce n (all sources + out); scale 2 n, squares and finite n
 *          of fp32: all wait for memory. Operations: reduce n (count - 1), scale n, squares 2 n
 * Squares  x^2 is a whole number of 48 bits times a power of two, added as integers in one bin an
 *          exponent (atomics on integers: any order, the same sum), then put into rt_exact
 */
#include <math.h>

#include "runtime/cuda/queue.h"
#include "runtime/vector/vector.h"

namespace
{

enum { THREADS = 256, AT_ONCE = 8, FEW = 64, LEVELS = 24, BINS = 256 };

template <typename T, int W> struct pack {
    alignas(W == 1 ? alignof(T) : 16) T v[W];
};

bool is_aligned(const void *p) { return (uintptr_t)p % 16 == 0; }

rt_status launched(const char *what) { return rt_cuda(cudaGetLastError(), what); }

__device__ size_t first_index(void) { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ size_t stride(void) { return (size_t)gridDim.x * blockDim.x; }

/* --- casts --- */

template <int W, typename To, typename From> RT_KERNEL cast_kernel(To *y, const From *x, size_t n)
{
    for (size_t i = first_index() * W; i < n; i += stride() * W) {
        const pack<From, W> in = *reinterpret_cast<const pack<From, W> *>(x + i);
        pack<To, W> out;
        for (int k = 0; k < W; k++) rt_store(&out.v[k], rt_load(&in.v[k]));
        *reinterpret_cast<pack<To, W> *>(y + i) = out;
    }
}

template <typename To, typename From>
rt_status cast_typed(struct rt_queue *q, To *y, const From *x, size_t n)
{
    const size_t wide = is_aligned(x) && is_aligned(y) ? n / AT_ONCE * AT_ONCE : 0;

    if (wide > 0)
        RT_LAUNCH((cast_kernel<AT_ONCE, To, From>), rt_cuda_blocks(wide / AT_ONCE, THREADS),
                  THREADS, 0, q->stream, y, x, wide);
    if (wide < n)
        RT_LAUNCH((cast_kernel<1, To, From>), rt_cuda_blocks(n - wide, THREADS), THREADS, 0,
                  q->stream, y + wide, x + wide, n - wide);
    return launched("cast");
}

rt_status cast_cuda(struct rt_queue *q, void *y, rt_dtype yt, const void *x, rt_dtype xt, size_t n)
{
    if (n == 0) return RT_OK;
    if (xt == yt)
        return rt_cuda(
            cudaMemcpyAsync(y, x, n * rt_dtype_bytes(xt), cudaMemcpyDeviceToDevice, q->stream),
            "a copy on the device");
    if (yt == RT_BF16)
        return cast_typed(q, static_cast<rt_bf16 *>(y), static_cast<const float *>(x), n);
    return cast_typed(q, static_cast<float *>(y), static_cast<const rt_bf16 *>(x), n);
}

/* --- sums --- */

/* Up to FEW go with the launch, more by a table in the queue's scratch. */
struct sources {
    const void *few[FEW];
    unsigned char few_types[FEW];
    const void *const *many;
    const unsigned char *many_types;
    int count;
};

template <int W> __device__ void load(const sources &s, int k, size_t i, float (&out)[W])
{
    const void *x = s.count <= FEW ? s.few[k] : s.many[k];
    const int type = s.count <= FEW ? s.few_types[k] : s.many_types[k];

    if (type == RT_BF16) {
        const auto in =
            *reinterpret_cast<const pack<rt_bf16, W> *>(static_cast<const rt_bf16 *>(x) + i);
        for (int j = 0; j < W; j++) out[j] = rt_load(&in.v[j]);
    } else {
        const auto in =
            *reinterpret_cast<const pack<float, W> *>(static_cast<const float *>(x) + i);
        for (int j = 0; j < W; j++) out[j] = in.v[j];
    }
}

template <int W> __device__ void sum_in_order(const sources &s, size_t i, float (&sum)[W])
{
    float next[W];

    load<W>(s, 0, i, sum);
    for (int k = 1; k < s.count; k++) {
        load<W>(s, k, i, next);
        for (int j = 0; j < W; j++) sum[j] = sum[j] + next[j];
    }
}

/* A binary counter of partial sums, as in reduce_cpu.c. */
__device__ float sum_by_tree(const sources &s, size_t i)
{
    float part[LEVELS], next[1];
    int depth = 0;

    for (int k = 0; k < s.count; k++) {
        load<1>(s, k, i, next);
        if (k % 2 == 0) {
            part[depth++] = next[0];
            continue;
        }
        part[depth - 1] = part[depth - 1] + next[0];
        for (int pairs = (k + 1) / 2; pairs % 2 == 0; pairs /= 2, depth--)
            part[depth - 2] = part[depth - 2] + part[depth - 1];
    }
    for (; depth > 1; depth--) part[depth - 2] = part[depth - 2] + part[depth - 1];
    return part[0];
}

template <int W, typename To>
RT_KERNEL reduce_kernel(To *y, const sources s, size_t from, size_t n, bool tree, bool add)
{
    for (size_t i = from + first_index() * W; i < n; i += stride() * W) {
        float sum[W];
        pack<To, W> out;
        if (tree)
            for (int j = 0; j < W; j++) sum[j] = sum_by_tree(s, i + (size_t)j);
        else
            sum_in_order<W>(s, i, sum);
        if (add) out = *reinterpret_cast<const pack<To, W> *>(y + i);
        for (int j = 0; j < W; j++) rt_store(&out.v[j], add ? rt_load(&out.v[j]) + sum[j] : sum[j]);
        *reinterpret_cast<pack<To, W> *>(y + i) = out;
    }
}

template <typename To>
rt_status reduce_typed(struct rt_queue *q, To *y, const sources &s, size_t wide, size_t n,
                       bool tree, bool add)
{
    if (wide > 0)
        RT_LAUNCH((reduce_kernel<AT_ONCE, To>), rt_cuda_blocks(wide / AT_ONCE, THREADS), THREADS, 0,
                  q->stream, y, s, 0, wide, tree, add);
    if (wide < n)
        RT_LAUNCH((reduce_kernel<1, To>), rt_cuda_blocks(n - wide, THREADS), THREADS, 0, q->stream,
                  y, s, wide, n, tree, add);
    return launched("a sum");
}

/* The table of more sources than go with a launch, into the scratch. */
rt_status put_table(struct rt_queue *q, const void *const *x, const rt_dtype *xt, sources *s)
{
    const size_t count = (size_t)s->count, pointers = count * sizeof(void *);
    char *pinned = static_cast<char *>(q->pinned), *device = static_cast<char *>(q->scratch);

    memcpy(pinned, x, pointers);
    for (size_t k = 0; k < count; k++) pinned[pointers + k] = (char)xt[k];
    s->many = reinterpret_cast<const void *const *>(device);
    s->many_types = reinterpret_cast<const unsigned char *>(device + pointers);
    return rt_cuda(
        cudaMemcpyAsync(device, pinned, pointers + count, cudaMemcpyHostToDevice, q->stream),
        "a table of vectors");
}

rt_status reduce_cuda(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                      const rt_dtype *xt, int count, size_t n, bool tree, bool add)
{
    const int most = RT_CUDA_SCRATCH / (int)(sizeof(void *) + 1);
    sources s = {};
    bool aligned = is_aligned(y);
    rt_status st = RT_OK;

    if (count < 1 || count > most)
        return RT_FAIL(RT_EINVAL, "a sum of %d vectors, must be 1 to %d", count, most);
    if (n == 0) return RT_OK;
    s.count = count;
    for (int k = 0; k < count; k++) aligned = aligned && is_aligned(x[k]);
    for (int k = 0; k < count && count <= FEW; k++) {
        s.few[k] = x[k];
        s.few_types[k] = (unsigned char)xt[k];
    }
    if (count > FEW) st = put_table(q, x, xt, &s);
    if (st != RT_OK) return st;
    const size_t wide = aligned ? n / AT_ONCE * AT_ONCE : 0;
    st = yt == RT_BF16 ? reduce_typed(q, static_cast<rt_bf16 *>(y), s, wide, n, tree, add)
                       : reduce_typed(q, static_cast<float *>(y), s, wide, n, tree, add);
    if (st == RT_OK && count > FEW) st = rt_cuda_queue_wait(q); /* the table may change */
    return st;
}

/* --- the rest --- */

/* What a kernel left in the scratch, into pinned memory; who calls may read it. */
rt_status fetch(struct rt_queue *q, size_t bytes, const char *what)
{
    const rt_status st = rt_cuda(
        cudaMemcpyAsync(q->pinned, q->scratch, bytes, cudaMemcpyDeviceToHost, q->stream), what);
    return st == RT_OK ? rt_cuda_queue_wait(q) : st;
}

RT_KERNEL scale_kernel(float *y, float a, size_t n)
{
    for (size_t i = first_index(); i < n; i += stride()) y[i] = y[i] * a;
}

rt_status scale_cuda(struct rt_queue *q, float *y, float a, size_t n)
{
    if (n > 0) RT_LAUNCH(scale_kernel, rt_cuda_blocks(n, THREADS), THREADS, 0, q->stream, y, a, n);
    return launched("a scaling");
}

typedef unsigned long long bin; /* atomicAdd has no uint64_t */

/* low, high: of an exponent's squares the lower 32 bits and the upper 16, added up. Exponent 255: low
 * counts what is infinite, high what is NaN. */
RT_KERNEL squares_kernel(bin *low, bin *high, const float *x, size_t n)
{
    RT_SHARED(bin, low_here, BINS);
    RT_SHARED(bin, high_here, BINS);

    for (unsigned e = threadIdx.x; e < BINS; e += blockDim.x) low_here[e] = high_here[e] = 0;
    __syncthreads();
    for (size_t i = first_index(); i < n; i += stride()) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        const unsigned e = bits >> 23 & 255u;
        const bin m = (bits & 0x7fffffu) | (e > 0 ? 0x800000u : 0u), square = m * m;
        if (e == 255) {
            atomicAdd((bits & 0x7fffffu) == 0 ? &low_here[e] : &high_here[e], (bin)1);
            continue;
        }
        atomicAdd(&low_here[e], square & 0xffffffffu);
        atomicAdd(&high_here[e], square >> 32);
    }
    __syncthreads();
    for (unsigned e = threadIdx.x; e < BINS; e += blockDim.x) {
        if (low_here[e] != 0) atomicAdd(&low[e], low_here[e]);
        if (high_here[e] != 0) atomicAdd(&high[e], high_here[e]);
    }
}

/* bins times 2^shift, 32 bits at a time: each is a double. */
void add_bin(struct rt_exact *a, bin value, int shift)
{
    if ((value & 0xffffffffu) != 0) rt_exact_add(a, ldexp((double)(value & 0xffffffffu), shift));
    if (value >> 32 != 0) rt_exact_add(a, ldexp((double)(value >> 32), shift + 32));
}

rt_status squares_cuda(struct rt_queue *q, struct rt_exact *a, const float *x, size_t n)
{
    bin *low = static_cast<bin *>(q->scratch), *high = low + BINS;
    const bin *sums = static_cast<const bin *>(q->pinned);
    const size_t bytes = 2 * BINS * sizeof(bin);

    if (n == 0) return RT_OK;
    rt_status st = rt_cuda(cudaMemsetAsync(low, 0, bytes, q->stream), "zeroing bins");
    if (st != RT_OK) return st;
    RT_LAUNCH(squares_kernel, rt_cuda_blocks(n, THREADS), THREADS, 0, q->stream, low, high, x, n);
    st = launched("a sum of squares");
    if (st == RT_OK) st = fetch(q, bytes, "bins to the host");
    if (st != RT_OK) return st;
    for (int e = 0; e < BINS - 1; e++) {
        const int shift = 2 * ((e == 0 ? 1 : e) - 150);
        add_bin(a, sums[e], shift);
        add_bin(a, sums[BINS + e], shift + 32);
    }
    a->plus_infs += (int64_t)sums[BINS - 1];
    a->nans += (int64_t)sums[2 * BINS - 1];
    return RT_OK;
}

RT_KERNEL finite_kernel(unsigned *bad, const float *x, size_t n)
{
    unsigned mine = 0;

    for (size_t i = first_index(); i < n; i += stride()) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        mine |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    if (mine != 0) atomicOr(bad, 1u);
}

rt_status finite_cuda(struct rt_queue *q, bool *finite, const float *x, size_t n)
{
    unsigned *bad = static_cast<unsigned *>(q->scratch);

    *finite = true;
    if (n == 0) return RT_OK;
    rt_status st = rt_cuda(cudaMemsetAsync(bad, 0, sizeof *bad, q->stream), "zeroing a flag");
    if (st != RT_OK) return st;
    RT_LAUNCH(finite_kernel, rt_cuda_blocks(n, THREADS), THREADS, 0, q->stream, bad, x, n);
    st = launched("a scan");
    if (st == RT_OK) st = fetch(q, sizeof *bad, "a flag to the host");
    if (st == RT_OK) *finite = *static_cast<const unsigned *>(q->pinned) == 0;
    return st;
}

} // namespace

const struct rt_vector rt_vector_cuda = {"cuda",     cast_cuda,    reduce_cuda,
                                         scale_cuda, squares_cuda, finite_cuda};
