/* Copies between two strided views of the same sizes: used by transpose, slice, pad, concat, reverse, tile and
 * broadcast. */
#ifndef ATLED_OPS_STRIDED_COPY_H
#define ATLED_OPS_STRIDED_COPY_H

#include "atled/op.h"

enum { ATL_STRIDED_COPY_RANK = 2 * ATL_MAX_RANK }; /* tile iterates over [repeats, size] for each dimension */

/* to[to_start + sum i_d * to[d]] = from[from_start + sum i_d * from[d]] for every index i of `size`, in elements.  A
 * stride of 0 in `from` repeats, a negative one goes backwards.  No element is written twice. */
typedef struct atl_strided_copy {
    int rank;
    int64_t size[ATL_STRIDED_COPY_RANK];
    int64_t to[ATL_STRIDED_COPY_RANK], from[ATL_STRIDED_COPY_RANK];
    int64_t to_start, from_start;
} atl_strided_copy;

/* Over all of `shape`, both sides dense: the caller changes it. */
atl_strided_copy atl_strided_copy_over(atl_shape shape);

/* Floats or int32, fast. */
void atl_copy_words(const atl_strided_copy *desc, void *to, const void *from);
/* For the reference: a plain loop. */
void atl_copy_doubles(const atl_strided_copy *desc, double *to, const double *from);

#endif
