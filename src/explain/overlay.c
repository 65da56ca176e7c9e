/* A map as colours over a picture. */
#include <math.h>
#include <stdlib.h>

#include "atled/explain.h"
#include "graph/error.h"
#include "graph/memory.h"

/* From black over purple and orange to a light yellow: brightness grows evenly. */
static void heat(double t, double rgb[3])
{
    enum { STOPS = 5 };
    static const double stop[STOPS][3] = {{0, 0, 4}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}};
    double at = t * (STOPS - 1);
    int i = at < STOPS - 2 ? (int)at : STOPS - 2;
    for (int c = 0; c < 3; c++)
        rgb[c] = stop[i][c] + (at - i) * (stop[i + 1][c] - stop[i][c]);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The 99th percentile, or the largest value if that is not above 0; -1 if out of memory. */
static double brightest(const float *map, int64_t count)
{
    float *sorted = atl_allocate((size_t)count, sizeof *sorted);
    if (!sorted)
        return -1;
    for (int64_t i = 0; i < count; i++)
        sorted[i] = map[i] > 0 ? map[i] : 0;
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    double top = (double)sorted[(count - 1) * 99 / 100];
    if (top <= 0)
        top = (double)sorted[count - 1];
    atl_release(sorted);
    return top;
}

static void blend(double t, const float *pixel, float *to)
{
    const double strongest = 0.85;
    double colour[3], grey = 0.299 * (double)pixel[0] + 0.587 * (double)pixel[1] + 0.114 * (double)pixel[2];
    double opacity = strongest * sqrt(t);
    heat(t, colour);
    for (int c = 0; c < 3; c++)
        to[c] = (float)(grey + opacity * (colour[c] - grey));
}

atl_tensor *atl_explain_overlay(const atl_tensor *map, const atl_tensor *pixels)
{
    char given[160], other[160];
    atl_shape m = atl_tensor_shape(map), p = atl_tensor_shape(pixels);
    if (p.rank == 4 && p.size[0] == 1)
        p = ATL_SHAPE(p.size[1], p.size[2], p.size[3]);
    if (!atl_floats(map) || !atl_floats(pixels) || m.rank != 2 || p.rank != 3 || p.size[2] != 3 ||
        m.size[0] != p.size[0] || m.size[1] != p.size[1] || atl_tensor_count(map) == 0) {
        atl_set_error(ATL_INVALID,
                      "atl_explain_overlay: it takes a float32 map [h, w] and a picture [h, w, 3], not %s and %s",
                      map ? atl_shape_text(m, given, sizeof given) : "null",
                      pixels ? atl_shape_text(atl_tensor_shape(pixels), other, sizeof other) : "null");
        return NULL;
    }
    int64_t count = atl_tensor_count(map);
    double top = brightest(atl_floats(map), count);
    atl_tensor *result = top < 0 ? (atl_out_of_memory(), NULL) : atl_tensor_new(ATL_FLOAT32, p);
    for (int64_t i = 0; result && i < count; i++) {
        double t = top > 0 ? (double)atl_floats(map)[i] / top : 0;
        blend(t > 0 ? fmin(t, 1) : 0, atl_floats(pixels) + 3 * i, atl_floats(result) + 3 * i);
    }
    return result;
}
