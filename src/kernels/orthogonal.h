/* Orthonormal vectors, in double. */
#ifndef ATLED_KERNELS_ORTHOGONAL_H
#define ATLED_KERNELS_ORTHOGONAL_H

#include <stdint.h>

enum { ATL_ORTHOGONAL_LANES = 8 }; /* partial sums of a dot product */

/* Doubles from one row to the next: whole lanes, and an odd number of them, so that the same column of many rows does
 * not fall into the same few lines of a cache. */
static inline int64_t atl_orthogonal_row(int64_t length)
{
    return ((length + ATL_ORTHOGONAL_LANES - 1) / ATL_ORTHOGONAL_LANES | 1) * ATL_ORTHOGONAL_LANES;
}

/* orthonormalize: makes the rows of q orthonormal, each a combination of itself and of those before it.
 *     q        [vectors, atl_orthogonal_row(length)], vectors <= length; zero beyond the length
 *     squares  scratch of `vectors` doubles
 * A row that depends on those before it, as one of zeros does, becomes some row that is orthogonal to them.  The result
 * has the same bits for each instruction set and each number of threads. */
#define ATL_ORTHOGONAL_KERNELS(K) K(void, orthonormalize, (double *q, int64_t vectors, int64_t length, double *squares))

#endif
