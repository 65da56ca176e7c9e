/* Reductions: how terms are put together, for up to some thousand results side by side. */
#ifndef ATLED_KERNELS_FOLD_H
#define ATLED_KERNELS_FOLD_H

#include <stdint.h>

typedef enum atl_fold {
    ATL_FOLD_SUM,
    ATL_FOLD_MEAN, /* a sum, for the loops */
    ATL_FOLD_MAX,  /* NaN if there is one */
    ATL_FOLD_MIN,
    ATL_FOLD_PRODUCT,
    ATL_FOLD_SUM_SQUARE,
    ATL_FOLD_NORM,       /* square root of the sum of squares */
    ATL_FOLD_LOG_SUM_EXP /* max + log(sum of e^(x - max)) */
} atl_fold;

enum { ATL_FOLD_LANES = 16, ATL_FOLD_BLOCK = 512 }; /* runs are added up in so many parts, a block at a time */

/* The loops of a fold.  `part` holds floats, or doubles if `wide` (squares and products of floats leave their range);
 * `shift` is the maximum, for log-sum-exp. */
typedef struct atl_fold_loops {
    int wide;
    void (*begin)(void *part, int64_t n);
    void (*rows)(void *part, const float *x, const float *shift, int64_t n);  /* part[i] and x[i] */
    void (*flush)(double *total, const void *part, int64_t first, int64_t n); /* total[i] and part[first + i] */
    void (*join)(double *total, const double *more, int64_t n);
    /* total[i] and x[stride * i] ... x[stride * i + n - 1] */
    void (*runs)(double *total, const float *x, int64_t stride, int64_t n, const float *shift, int64_t width);
} atl_fold_loops;

/* What is done to an element, and to two. */
#define FOLD_VALUE(x, shift)  (x)
#define FOLD_SQUARE(x, shift) ((double)(x) * (double)(x))
#define FOLD_ADD(a, b)        ((a) + (b))
#define FOLD_MULTIPLY(a, b)   ((a) * (b))
#define FOLD_LARGER(a, b)     ((((b) > (a)) | ((b) != (b))) ? (b) : (a))
#define FOLD_SMALLER(a, b)    ((((b) < (a)) | ((b) != (b))) ? (b) : (a))

#define ATL_FOLD_KERNELS(K) K(const atl_fold_loops *, fold_loops, (atl_fold kind))

#endif
