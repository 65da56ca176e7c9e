/* Changes of a picture: their size, the nearest one within a bound, and rounding to levels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attempt.h"
#include "graph/memory.h"

double atl_change_size(atl_norm norm, int64_t count, const float *original, const float *pixels)
{
    double size = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)pixels[i] - (double)original[i]);
        if (norm == ATL_NORM_LINF)
            size = d > size ? d : size;
        else
            size += norm == ATL_NORM_L2 ? d * d : norm == ATL_NORM_L1 ? d : d != 0;
    }
    return norm == ATL_NORM_L2 ? sqrt(size) : size;
}

static float clipped(float x, float lowest, float highest) { return fminf(fmaxf(x, lowest), highest); }

/* An element of a list to be sorted. */
typedef struct item {
    float key;
    int64_t index;
} item;

/* The largest key first; equal keys in the order of the picture. */
static int by_key(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The magnitudes of the change, the largest first; null without memory. */
static item *sorted_change(int64_t count, const float *original, const float *pixels)
{
    item *items = atl_allocate((size_t)count, sizeof *items);
    for (int64_t i = 0; items && i < count; i++)
        items[i] = (item){fabsf(pixels[i] - original[i]), i};
    if (items)
        qsort(items, (size_t)count, sizeof *items, by_key);
    return items;
}

/* The sum of the magnitudes if all shrink by the same amount and the pixels stay within the range. */
static double shrunk_l1(double shrink, int64_t count, const float *original, const float *pixels)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)pixels[i] - (double)original[i],
               room = d > 0 ? 255 - (double)original[i] : (double)original[i];
        sum += fmin(fmax(fabs(d) - shrink, 0), room);
    }
    return sum;
}

/* The nearest change with that sum of magnitudes and the pixels within the range: all magnitudes shrink by the same
 * amount, and are then cut off at the range (Croce & Hein 2021).  The amount is found by bisection. */
static void project_l1(double eps, int64_t count, const float *original, float *pixels)
{
    double low = 0, high = 0;
    if (shrunk_l1(0, count, original, pixels) <= eps)
        return;
    for (int64_t i = 0; i < count; i++)
        high = fmax(high, fabs((double)pixels[i] - (double)original[i]));
    for (int i = 0; i < 50 && high - low > 1e-9 * high; i++) {
        double middle = (low + high) / 2;
        if (shrunk_l1(middle, count, original, pixels) > eps)
            low = middle;
        else
            high = middle;
    }
    for (int64_t i = 0; i < count; i++) {
        double d = (double)pixels[i] - (double)original[i], m = fabs(d) - high;
        float x = m > 0 ? original[i] + (float)copysign(m, d) : original[i];
        /* Float rounding must not exceed eps. */
        pixels[i] = fabs((double)x - (double)original[i]) > fmax(m, 0) ? nextafterf(x, original[i]) : x;
    }
}

/* Keeps the largest changes. */
static void project_l0(double eps, int64_t count, const float *original, float *pixels)
{
    if (atl_change_size(ATL_NORM_L0, count, original, pixels) <= eps)
        return;
    item *items = sorted_change(count, original, pixels);
    if (!items) {
        memcpy(pixels, original, (size_t)count * sizeof *pixels);
        return;
    }
    for (int64_t i = (int64_t)eps; i < count; i++)
        pixels[items[i].index] = original[items[i].index];
    atl_release(items);
}

void atl_project_change(atl_norm norm, double eps, int64_t count, const float *original, float *pixels)
{
    if (isfinite(eps) && norm == ATL_NORM_L1)
        project_l1(eps, count, original, pixels);
    else if (isfinite(eps) && norm == ATL_NORM_L0)
        project_l0(eps, count, original, pixels);
    else if (isfinite(eps) && norm == ATL_NORM_L2) {
        double size = atl_change_size(norm, count, original, pixels);
        double factor = size > eps ? eps / size * (1 - 1e-7) : 1; /* float rounding must not exceed eps */
        for (int64_t i = 0; factor < 1 && i < count; i++)
            pixels[i] = original[i] + (float)(factor * ((double)pixels[i] - (double)original[i]));
    }
    float linf = norm == ATL_NORM_LINF && isfinite(eps) ? (float)eps : 255;
    for (int64_t i = 0; i < count; i++)
        pixels[i] = clipped(clipped(pixels[i], original[i] - linf, original[i] + linf), 0, 255);
}

/* ---- rounding ---------------------------------------------------------------------------------------------------- */

/* Lowers magnitudes by one level, those first that lie most above the unrounded change, until the size is within
 * eps. */
static int lower_to(atl_norm norm, double eps, int64_t count, const float *original, const float *pixels,
                    float *rounded)
{
    double limit = norm == ATL_NORM_L2 ? eps * eps : eps, size = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)rounded[i] - (double)original[i]);
        size += norm == ATL_NORM_L2 ? d * d : d;
    }
    if (size <= limit)
        return 1;
    item *items = atl_allocate((size_t)count, sizeof *items);
    if (!items)
        return 0;
    for (int64_t i = 0; i < count; i++)
        items[i] = (item){fabsf(rounded[i] - original[i]) - fabsf(pixels[i] - original[i]), i};
    qsort(items, (size_t)count, sizeof *items, by_key);
    while (size > limit)
        for (int64_t k = 0; k < count && size > limit; k++) {
            int64_t i = items[k].index;
            double d = (double)rounded[i] - (double)original[i];
            if (d == 0)
                continue;
            rounded[i] -= d > 0 ? 1.0f : -1.0f;
            size -= norm == ATL_NORM_L2 ? 2 * fabs(d) - 1 : 1;
        }
    atl_release(items);
    return 1;
}

int atl_round_change(atl_norm norm, double eps, double above, int64_t count, const float *original, const float *pixels,
                     float *rounded_out)
{
    double largest = norm == ATL_NORM_LINF && isfinite(eps) ? floor(eps) : 255;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)pixels[i] - (double)original[i], m = fabs(d), whole = floor(m);
        whole += m - whole > above;
        whole = whole > largest ? largest : whole;
        rounded_out[i] = clipped(original[i] + (float)copysign(whole, d), 0, 255);
    }
    if (!isfinite(eps) || (norm != ATL_NORM_L2 && norm != ATL_NORM_L1))
        return 1;
    return lower_to(norm, eps, count, original, pixels, rounded_out);
}
