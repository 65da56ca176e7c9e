/* What a machine does in a second, for each instruction set: the only place with numbers of that kind.  Every decision
 * (layout, Winograd's method or a direct convolution, bfloat16, threads or none, our own loops or oneDNN) compares
 * seconds that are made of these.
 *
 * They are not the numbers of the machine at hand: the same sizes at the same instruction set give the same choice
 * everywhere.  What counts is where one way overtakes another.  avx512.def, avx2.def and generic.def hold them, and say
 * on which processor they were measured; build/bench/atled_costs measures them again, and writes such a file. */
#ifndef ATLED_COST_COST_H
#define ATLED_COST_COST_H

#include <stdint.h>

/* Sizes that are the same on every machine, because the order of sums, and so their last bits, depends on them; most
 * also size arrays. */
enum {
    ATL_CORE_FLOATS = 8192,                 /* fill a first-level cache of 32 KB */
    ATL_BLOCK_FLOATS = ATL_CORE_FLOATS / 8, /* what a loop over blocks works on, beside other arrays */
    ATL_NEAR_FLOATS = 1 << 16,              /* half of a second-level cache of 512 KB */
    ATL_PIECE_FLOATS = 16384,               /* the least that is worth a thread of its own */
    ATL_NARROW_RESULT = 32,                 /* channels */
    ATL_FAR_FLOATS = 1 << 22                /* of a matrix or an image that is in memory, not in a cache */
};

typedef struct atl_costs {
    const char *measured_on;

    /* ---- convolutions, on two cores: multiplications and additions a second, and seconds ---- */
    double direct_flops;          /* oneDNN's direct convolution of NHWC images */
    double direct_image_slowdown; /* of its gradient by the image */
    double direct_narrow;         /* channels of the image or the result below which that is slower, in proportion */
    double blocked_slowdown; /* of a direct convolution of blocked images; below 1 it is faster than of NHWC images */
    double winograd_flops;   /* of the products of our own Winograd kernels, whose transformed filter is kept */
    double winograd_large_flops;  /* the same where the filter is transformed as it goes */
    double winograd_value;        /* to transform one value of an image or a result to or from a point, a channel */
    double winograd_filter_value; /* the same of a filter */
    double winograd_turned_value; /* the same of one that is turned, for the gradient by the image, as it goes */
    double winograd_start;
    double
        winograd_gradient_slowdown; /* of the gradient by the filter: sums are read and written again, block by block */
    double pointwise_flops;         /* of our own 1x1 convolutions */
    double onednn_pointwise_flops;  /* and of oneDNN's */
    double tap_sums_flops, tap_sums_value; /* our own direct convolution: flops, and seconds to read and write the sums
                                              of a result for an element of the window */
    double onednn_windows_flops;           /* oneDNN's where it copies the windows and multiplies them */
    double grouped_flops, grouped_wide_flops; /* our own convolution in groups, with less than a vector of channels
                                                 each, and with more */
    double onednn_grouped_flops, onednn_small_groups; /* oneDNN's, and with fewer channels than onednn_group */
    double few_channels_flops, few_channels_value; /* our own gradient by an image of few channels: flops, and seconds
                                                      to finish each number of it */
    double onednn_few_channels_flops, onednn_few_channels_value; /* oneDNN's, and to add one number of a window to it */
    /* Flops of our own convolution of such an image, and of oneDNN's for results of more than ATL_NARROW_RESULT
     * channels, and of fewer. */
    double few_channels_forward_flops, onednn_wide_forward_flops, onednn_narrow_forward_flops;
    /* Flops of our own gradient by a filter of few channels, the sums of a tile below which that is slower, in
     * proportion, and flops of oneDNN's for results of more than ATL_NARROW_RESULT channels, and of fewer. */
    double few_channels_filter_flops, few_channels_filter_sums, onednn_wide_filter_flops, onednn_narrow_filter_flops;
    /* Flops of depthwise convolutions, ours and oneDNN's: with filters up to 3x3, and with wider ones; of their
     * gradients by the image, and of those with strides. */
    double depthwise_3, depthwise_5, onednn_depthwise_3, onednn_depthwise_5;
    double depthwise_image_3, depthwise_image_5, onednn_depthwise_image_3, onednn_depthwise_image_5;
    double depthwise_strided_3, depthwise_strided_5, onednn_depthwise_strided_3, onednn_depthwise_strided_5;
    double onednn_depthwise_dilated; /* of oneDNN's gradient by the image of dilated windows: not a depthwise kernel */
    double depthwise_gradient;       /* flops of our own gradient by a depthwise filter */
    double onednn_depthwise_gradient_3;  /* of oneDNN's, for filters up to 3x3 */
    double onednn_depthwise_gradient_5;  /* and for wider ones */
    double onednn_winograd_flops;        /* oneDNN's Winograd kernels (2.x with AVX-512) */
    double onednn_winograd_narrow;       /* channels below which its products get slower */
    double onednn_winograd_filter_bytes; /* its transformed filters, a second */
    double onednn_winograd_image_bytes;

    /* ---- bfloat16 in place of float32, on two cores ---- */
    double exact_flops, exact_bytes;                                /* of a float32 convolution beside a rounded one */
    double rounded_start;                                           /* seconds, to round the operands at all */
    double rounding_bytes;                                          /* rounded a second */
    double rounded_flops_1x1, rounded_flops_3x3, rounded_flops_5x5; /* convolutions, and gradients by their image */
    double rounded_filter_strided, rounded_filter_3x3, rounded_filter_5x5; /* gradients by their filter */
    double product_flops; /* of a float32 matrix product; a rounded one takes half the time */

    /* ---- memory ---- */
    double reorder_bytes; /* of an image whose layout changes: read and written, a second */
    double cached_bytes;  /* read from the caches, a second */
    double memory_bytes;  /* read from memory, a second */
    double shared_cache;  /* bytes of images that the caches hold between steps */
    double last_cache;    /* bytes of the last-level cache that one process can count on */
    int64_t core_cache;   /* bytes of the second-level cache that a kernel fills */
    int64_t tiles_cache;  /* bytes of the last-level cache that winograd_convolve_large fills with tiles */
    int64_t kept_filter;  /* in * out of a filter whose transform is kept: the caches hold it beside everything else */

    double step_start; /* seconds from the end of one step of a plan to the work of the next */

    /* ---- work that one thread does alone: waking the others takes microseconds ---- */
    double thread_flops;     /* of our own kernels, for each thread */
    double primitive_flops;  /* of a oneDNN primitive */
    double primitive_floats; /* that it touches */
    int64_t loop_elements;   /* of a loop */
    int64_t small_product;   /* multiplications of a product that calling oneDNN would slow down by half */
    int64_t small_dots;      /* the same where B is transposed */
    int64_t rows_terms;      /* of a product that our own loop computes a few rows at a time, at most; 8: of none */
    int64_t rows_least;      /* and its rows, at least */
    int64_t onednn_group;    /* channels of a group below which oneDNN has no vector kernel */
    int64_t grouped_most, grouped_image_most; /* channels of a group above which oneDNN's convolution, and its gradient
                                                 by the image, are faster than ours */
    int64_t pointwise_terms;                  /* of a 1x1 convolution, from which on ours is faster than oneDNN's */
    int64_t pointwise_small_terms;            /* the same where in * out is at most ATL_CORE_FLOATS */
    int64_t packed_rows;                      /* rows of A from which on oneDNN's own copying of B does not count */
    int64_t packed_size;                      /* elements of B from which on it would */
    int64_t lasting_rows;     /* of A, from which on our own product with a weight is faster than oneDNN's */
    int64_t lasting_terms;    /* of its sums, above which it no longer is */
    int64_t attention_scores; /* of a head, from which on attention in one step is faster than products and softmax */
    int64_t pool_elements;    /* of an image that our own pooling takes as long for as oneDNN's */
    int64_t random_work;      /* simple operations that take as long as a random number */

    /* ---- other ---- */
    int64_t kept_image; /* elements of an image from which on it leaves the caches between forward and backward pass */
    int64_t few_blocks; /* of an arena, for which trying many orders takes milliseconds: the time is quadratic */
} atl_costs;

/* Those of the instruction set in use. */
const atl_costs *atl_costs_in_use(void);

#endif
