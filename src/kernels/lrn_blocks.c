/* Local response normalisation of any exponent, and of windows that no vector holds: loops over blocks of channels. */
#include <string.h>

#include "kernels/level.h"
#include "kernels/lrn.h"
#include "kernels/vector_math.h"

enum { MOST = ATL_LRN_BLOCK, ROOM = MOST + 4 * ATL_LRN_MAX_RADIUS };

/* The sums of `size` neighbours, for n of them, from n + size - 1 elements, which are lost: sums of 1, 2, 4, ...
 * neighbours are made in turn, and those added up that make `size`. Each sum is added up in the same order, wherever it
 * stands. */
static void sum_neighbours(int64_t n, int64_t size, float *x, float *sum)
{
    int64_t at = 0, total = n + size - 1;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t length = 1; size; length *= 2, size /= 2) {
        if (size % 2) {
            ATL_LANES
            for (int64_t i = 0; i < n; i++)
                sum[i] += x[i + at];
            at += length;
        }
        if (size == 1)
            break;
        for (int64_t i = 0; i + 2 * length <= total; i++)
            x[i] += x[i + length];
    }
}

/* s^-beta.  The usual exponents need square roots only. */
static void raise(int64_t n, const float *s, float beta, float *power)
{
    if (beta == 0.75f) {
        ATL_LANES
        for (int64_t i = 0; i < n; i++) {
            float root = sqrtf(s[i]);
            power[i] = 1 / (root * sqrtf(root));
        }
    } else if (beta == 0.5f) {
        ATL_LANES
        for (int64_t i = 0; i < n; i++)
            power[i] = 1 / sqrtf(s[i]);
    } else if (beta == 1) {
        ATL_LANES
        for (int64_t i = 0; i < n; i++)
            power[i] = 1 / s[i];
    } else {
        ATL_LANES
        for (int64_t i = 0; i < n; i++)
            power[i] = fast_pow(s[i], -beta);
    }
}

/* s = bias + alpha S(x^2) for the channels first..last-1, which may lie outside of x by up to a radius. */
static void scales(const atl_normalization *job, const float *x, int64_t first, int64_t last, float *s)
{
    float square[ROOM];
    int64_t radius = job->radius, n = last - first, from = first - radius;
    int64_t begin = from > 0 ? from : 0, end = last + radius < job->channels ? last + radius : job->channels;
    const float bias = job->bias, alpha = job->alpha;
    memset(square, 0, (size_t)(n + 2 * radius) * sizeof *square);
    ATL_LANES
    for (int64_t c = begin; c < end; c++)
        square[c - from] = x[c] * x[c];
    sum_neighbours(n, 2 * radius + 1, square, s);
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        s[i] = bias + alpha * s[i];
}

/* The channels first..last-1 of one pixel. */
void KERNEL(lrn_block)(const atl_normalization *job, const float *x, int64_t first, int64_t last, float *y)
{
    float s[MOST], power[MOST];
    int64_t n = last - first;
    scales(job, x, first, last, s);
    raise(n, s, job->beta, power);
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        y[first + i] = x[first + i] * power[i];
}

void KERNEL(lrn_grad_block)(const atl_normalization *job, const float *dy, const float *x, int64_t first, int64_t last,
                            float *dx)
{
    float s[ROOM], power[ROOM], sum[MOST];
    int64_t radius = job->radius, n = last - first, from = first - radius, to = last + radius;
    const float factor = 2 * job->alpha * job->beta;
    scales(job, x, from, to, s);
    raise(to - from, s, job->beta, power);
    for (int64_t c = from; c < to; c++) /* dy x s^(-beta - 1), in place of s */
        s[c - from] = c < 0 || c >= job->channels ? 0 : dy[c] * x[c] * power[c - from] / s[c - from];
    sum_neighbours(n, 2 * radius + 1, s, sum);
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        dx[first + i] = dy[first + i] * power[radius + i] - factor * x[first + i] * sum[i];
}
