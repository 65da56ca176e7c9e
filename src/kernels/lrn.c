/* Local response normalisation in registers: a window of channels is a sum of sums of 1, 2, 4, ... neighbours. */
#include "kernels/lrn.h"

#include "kernels/product_tiles.h"

enum { MAX_VECTORS = 1024 / VECTOR, MAX_RADIUS = VECTOR / 2, MAX_GROUP = 4 };

/* The sums over the windows around the lanes of x[0] to x[n - 1]; x[-1] and x[n] are looked at, too.  In lane c of
 * `near` begins a sum of `length` elements, at first from c - radius on; the binary digits of the window's size say
 * which of them to add up.  n is known to the compiler, so that all of it stays in registers. */
INLINE void sum_windows(int n, int radius, const vec *x, vec *sum)
{
    const int size = 2 * radius + 1;
    vec near[MAX_GROUP + 1];
    UNROLL for (int i = 0; i <= n; i++) near[i] = window_of(VECTOR - radius, x[i - 1], x[i]);
    UNROLL for (int i = 0; i < n; i++) sum[i] = near[i];
    for (int length = 1, at = 1; 2 * length <= size; length *= 2) {
        UNROLL for (int i = 0; i < n; i++) near[i] += window_of(length, near[i], near[i + 1]);
        near[n] += window_of(length, near[n], (vec){0});
        if (!(size & 2 * length))
            continue;
        UNROLL for (int i = 0; i < n; i++) sum[i] += window_of(at, near[i], near[i + 1]);
        at += 2 * length;
    }
}

/* s^-1/2 -> s^-beta */
INLINE vec power_of(vec r, float beta) { return beta == 0.5f ? r : beta == 1 ? r * r : r * r * reciprocal_root(r); }

/* s^-1/2 for n vectors of channels */
INLINE void reciprocal_roots(const atl_normalization *of, int n, const vec *square, vec *r)
{
    sum_windows(n, (int)of->radius, square, r);
    UNROLL for (int i = 0; i < n; i++) r[i] = reciprocal_root(of->bias + of->alpha * r[i]);
}

/* One pixel; an array of its channels has nothing before and after. */
INLINE void normalise(const atl_normalization *of, int n, int vectors, const float *x, float *y)
{
    vec space[MAX_VECTORS + 2], *square = space + 1, r[MAX_GROUP];
    square[-1] = square[vectors] = (vec){0};
    for (int i = 0; i < vectors; i++)
        square[i] = load(x + i * VECTOR) * load(x + i * VECTOR);
    for (int i = 0; i < vectors; i += n) {
        reciprocal_roots(of, n, square + i, r);
        UNROLL for (int k = i; k < i + n; k++)
            store(y + k * VECTOR, load(x + k * VECTOR) * power_of(r[k - i], of->beta));
    }
}

INLINE void gradient(const atl_normalization *of, int n, int vectors, const float *dy, const float *x, float *dx)
{
    const float factor = 2 * of->alpha * of->beta;
    vec space[2][MAX_VECTORS + 2], *square = space[0] + 1, *term = space[1] + 1, direct[MAX_VECTORS];
    vec r[MAX_GROUP];
    square[-1] = square[vectors] = term[-1] = term[vectors] = (vec){0};
    for (int i = 0; i < vectors; i++)
        square[i] = load(x + i * VECTOR) * load(x + i * VECTOR);
    for (int i = 0; i < vectors; i += n) {
        reciprocal_roots(of, n, square + i, r);
        UNROLL for (int k = i; k < i + n; k++)
        {
            direct[k] = load(dy + k * VECTOR) * power_of(r[k - i], of->beta);
            term[k] = load(x + k * VECTOR) * direct[k] * r[k - i] * r[k - i];
        }
    }
    for (int i = 0; i < vectors; i += n) {
        vec sum[MAX_GROUP];
        sum_windows(n, (int)of->radius, term + i, sum);
        UNROLL for (int k = i; k < i + n; k++)
        {
            const vec at = load(x + k * VECTOR), whole = direct[k] - factor * at * sum[k - i];
            store(dx + k * VECTOR, of->relu_grad ? where_positive(whole, at) : whole);
        }
    }
}

INLINE void run_pixels(const atl_normalization *of, int n, int vectors, int64_t first, int64_t last)
{
    for (int64_t at = first * of->channels; at < last * of->channels; at += of->channels)
        if (of->dy)
            gradient(of, n, vectors, of->dy + at, of->x + at, of->result + at);
        else
            normalise(of, n, vectors, of->x + at, of->result + at);
}

/* Where there are no more than n vectors, the compiler is told, and keeps all of the pixel in registers. */
INLINE void run_group(const atl_normalization *of, int n, int64_t first, int64_t last)
{
    if (of->channels == n * VECTOR)
        run_pixels(of, n, n, first, last);
    else
        run_pixels(of, n, (int)(of->channels / VECTOR), first, last);
}

int KERNEL(lrn_fits_vectors)(const atl_normalization *of)
{
    return of->channels % VECTOR == 0 && of->channels <= MAX_VECTORS * VECTOR && of->radius > 0 &&
           of->radius <= MAX_RADIUS && (of->beta == 0.5f || of->beta == 0.75f || of->beta == 1);
}

void KERNEL(lrn_vectors)(const atl_normalization *of, int64_t first, int64_t last)
{
    FOR_VECTORS(tile_vectors(of->channels), run_group(of, 4, first, last), run_group(of, 3, first, last),
                run_group(of, 2, first, last), run_group(of, 1, first, last))
}
