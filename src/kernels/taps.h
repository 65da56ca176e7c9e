/* The elements of a sliding window, in one direction, that meet an image. */
#ifndef ATLED_KERNELS_TAPS_H
#define ATLED_KERNELS_TAPS_H

#include "kernels/vectors.h"

typedef struct taps {
    int64_t first, last; /* first <= i < last */
} taps;

/* The elements, `dilation` pixels apart, of a window that begins at pixel `start` which are inside of an image of
 * `pixels`. */
INLINE taps taps_inside(int64_t start, int64_t pixels, int64_t size, int64_t dilation)
{
    const int64_t room = pixels - start; /* from the first element on */
    return (taps){start < 0 ? (-start + dilation - 1) / dilation : 0,
                  room < (size - 1) * dilation + 1 ? (room + dilation - 1) / dilation : size};
}

/* The elements by which windows read pixel `at` = pixel + padding: every stride-th from the first on, which is of the
 * window (at - first) / stride; each next one is of the window before. */
INLINE taps elements_over(int64_t at, int64_t stride, int64_t size, int64_t results)
{
    taps t = {at % stride, at + 1 < size ? at + 1 : size};
    int64_t too_far = at - (results - 1) * stride; /* at this element the last window reads it */
    if (too_far > t.first)
        t.first = too_far;
    return t;
}

#endif
