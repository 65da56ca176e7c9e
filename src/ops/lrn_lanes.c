/* Local response normalisation in registers: a window of channels is a sum of sums of 1, 2, 4, ... neighbours. */
#include "ops/lrn_lanes.h"

#include <math.h>

#include "ops/lanes.h"
#include "ops/parallel.h"

enum { MOST_VECTORS = 64, FARTHEST = LANES / 2, MAX_ROWS_PER_BLOCK = 4 };

#if defined __x86_64__ && defined __GNUC__
#include <immintrin.h>

/* Lanes k to k + 15 of a and b, one after the other; 0 <= k <= 16. */
WIDE_INLINE lanes lanes_from(int k, lanes a, lanes b)
{
    const lane_bits number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (lanes)_mm512_permutex2var_ps((__m512)a, (__m512i)(number + k), (__m512)b);
}

/* x^-1/2 to two units in the last place: an estimate of 14 bits and a step of Newton's. */
WIDE_INLINE lanes over_root(lanes x)
{
    const lanes r = (lanes)_mm512_rsqrt14_ps((__m512)x);
    return r * (1.5f - 0.5f * x * r * r);
}
#else
WIDE_INLINE lanes lanes_from(int k, lanes a, lanes b)
{
    float both[2 * LANES];
    store(both, a);
    store(both + LANES, b);
    return load(both + k);
}

WIDE_INLINE lanes over_root(lanes x)
{
    for (int i = 0; i < LANES; i++)
        x[i] = 1 / sqrtf(x[i]);
    return x;
}
#endif

/* The sums over the windows around the lanes of x[0] to x[n - 1]; x[-1] and x[n] are looked at, too.  In lane c of `near` begins a sum
 * of `length` lanes, at first from c - radius on; the binary digits of the window's size say which of them to add up.  n is known to
 * the compiler, so that all of it stays in registers. */
WIDE_INLINE void sum_windows(int n, int radius, const lanes *x, lanes *sum)
{
    const int size = 2 * radius + 1;
    lanes near[MAX_ROWS_PER_BLOCK + 1];
    UNROLL for (int i = 0; i <= n; i++) near[i] = lanes_from(LANES - radius, x[i - 1], x[i]);
    UNROLL for (int i = 0; i < n; i++) sum[i] = near[i];
    for (int length = 1, at = 1; 2 * length <= size; length *= 2) {
        UNROLL for (int i = 0; i < n; i++) near[i] += lanes_from(length, near[i], near[i + 1]);
        near[n] += lanes_from(length, near[n], (lanes){0});
        if (!(size & 2 * length))
            continue;
        UNROLL for (int i = 0; i < n; i++) sum[i] += lanes_from(at, near[i], near[i + 1]);
        at += 2 * length;
    }
}

/* s^-1/2 -> s^-beta */
WIDE_INLINE lanes power_of(lanes r, float beta) { return beta == 0.5f ? r : beta == 1 ? r * r : r * r * over_root(r); }

/* s^-1/2 for n vectors of channels */
WIDE_INLINE void over_roots(const atl_normalisation *of, int n, const lanes *square, lanes *r)
{
    sum_windows(n, (int)of->radius, square, r);
    UNROLL for (int i = 0; i < n; i++) r[i] = over_root(of->bias + of->alpha * r[i]);
}

/* One pixel; an array of its channels has nothing before and after. */
WIDE_INLINE void normalise(const atl_normalisation *of, int n, int vectors, const float *x, float *y)
{
    lanes space[MOST_VECTORS + 2], *square = space + 1, r[MAX_ROWS_PER_BLOCK];
    square[-1] = square[vectors] = (lanes){0};
    for (int i = 0; i < vectors; i++)
        square[i] = load(x + i * LANES) * load(x + i * LANES);
    for (int i = 0; i < vectors; i += n) {
        over_roots(of, n, square + i, r);
        UNROLL for (int k = i; k < i + n; k++) store(y + k * LANES, load(x + k * LANES) * power_of(r[k - i], of->beta));
    }
}

WIDE_INLINE void gradient(const atl_normalisation *of, int n, int vectors, const float *dy, const float *x, float *dx)
{
    const float factor = 2 * of->alpha * of->beta;
    lanes space[2][MOST_VECTORS + 2], *square = space[0] + 1, *term = space[1] + 1, direct[MOST_VECTORS];
    lanes r[MAX_ROWS_PER_BLOCK];
    square[-1] = square[vectors] = term[-1] = term[vectors] = (lanes){0};
    for (int i = 0; i < vectors; i++)
        square[i] = load(x + i * LANES) * load(x + i * LANES);
    for (int i = 0; i < vectors; i += n) {
        over_roots(of, n, square + i, r);
        UNROLL for (int k = i; k < i + n; k++)
        {
            direct[k] = load(dy + k * LANES) * power_of(r[k - i], of->beta);
            term[k] = load(x + k * LANES) * direct[k] * r[k - i] * r[k - i];
        }
    }
    for (int i = 0; i < vectors; i += n) {
        lanes sum[MAX_ROWS_PER_BLOCK];
        sum_windows(n, (int)of->radius, term + i, sum);
        UNROLL for (int k = i; k < i + n; k++)
        {
            const lanes at = load(x + k * LANES), whole = direct[k] - factor * at * sum[k - i];
            store(dx + k * LANES, of->relu_gradient ? where_positive(whole, at) : whole);
        }
    }
}

WIDE_INLINE void run_pixels(const atl_normalisation *of, int n, int vectors, int64_t first, int64_t last)
{
    for (int64_t at = first * of->channels; at < last * of->channels; at += of->channels)
        if (of->dy)
            gradient(of, n, vectors, of->dy + at, of->x + at, of->result + at);
        else
            normalise(of, n, vectors, of->x + at, of->result + at);
}

/* Where there are no more than n vectors, the compiler is told, and keeps all of the pixel in registers. */
WIDE_INLINE void run_rows(const atl_normalisation *of, int n, int64_t first, int64_t last)
{
    if (of->channels == n * LANES)
        run_pixels(of, n, n, first, last);
    else
        run_pixels(of, n, (int)(of->channels / LANES), first, last);
}

WIDE static void pixels(const void *job, int64_t first, int64_t last)
{
    const atl_normalisation *of = job;
    switch (lanes_side_by_side(of->channels)) {
    case 4:
        run_rows(of, 4, first, last);
        break;
    case 3:
        run_rows(of, 3, first, last);
        break;
    case 2:
        run_rows(of, 2, first, last);
        break;
    default:
        run_rows(of, 1, first, last);
    }
}

int atl_suits_lanes(const atl_normalisation *of)
{
    return atl_has_wide_lanes() && of->channels % LANES == 0 && of->channels <= MOST_VECTORS * LANES &&
           of->radius > 0 && of->radius <= FARTHEST && (of->beta == 0.5f || of->beta == 0.75f || of->beta == 1);
}

void atl_normalise_in_lanes(const atl_normalisation *of)
{
    atl_parallel(of->pixels, of->pixels * of->channels * (of->dy ? 8 : 4), pixels, of);
}
