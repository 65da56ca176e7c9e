/* Loops of pooling: see pooling.h. */
#include "kernels/pooling.h"

#include "kernels/level.h"
#include "kernels/loops.h"

/* True if x takes the place of the largest so far: the first NaN stands for the whole window. */
ATL_LANE int takes_over(float x, float best) { return (x > best) | ((x != x) & (best == best)); }

void KERNEL(keep_larger)(int64_t n, const float *x, float *best)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++)
        best[c] = takes_over(x[c], best[c]) ? x[c] : best[c];
}

/* dx += dy where x is the largest and nothing equal came before. */
void KERNEL(add_where_largest)(int64_t n, const float *x, const float *best, const float *dy, float *waiting, float *dx)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++) {
        int is_best = (x[c] == best[c]) | ((x[c] != x[c]) & (best[c] != best[c]));
        float hit = is_best ? waiting[c] : 0;
        dx[c] += hit > 0 ? dy[c] : 0;
        waiting[c] -= hit;
    }
}

void KERNEL(pick_where_larger)(int64_t n, const float *x, const float *g, float *best, float *picked)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++) {
        int larger = takes_over(x[c], best[c]);
        picked[c] = larger ? g[c] : picked[c];
        best[c] = larger ? x[c] : best[c];
    }
}

void KERNEL(add_scaled)(int64_t n, float factor, const float *x, float *sum)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++)
        sum[c] += factor * x[c];
}
