/* Sliding windows, for convolution and pooling: sizes, padding, and the checks of their options. */
#ifndef ATLED_OPS_WINDOW_H
#define ATLED_OPS_WINDOW_H

#include "onednn/onednn.h"
#include "ops/ops.h"

/* How a window slides; part of an op's attributes; [0] is vertical, [1] horizontal. */
typedef struct window_options {
    int32_t stride[2], dilation[2]; /* 1 or more, once checked */
    int32_t padding;                /* atl_padding */
    int32_t pad[4];                 /* top, bottom, left, right; zero unless ATL_EXPLICIT */
} window_options;

/* Sets options from a builder's arguments; 0 becomes `stride_default` (both or none of a pair may be 0).  dilation
 * null: 1. */
void atl_window_options(window_options *options, const int *stride, const int *stride_default, const int *dilation,
                        atl_padding padding, const int *pad);

/* Fails on y for a stride, dilation or padding that is invalid for every image. */
int atl_check_window_options(atl_node *y, const window_options *options);

/* The output size in one direction (0 vertical, 1 horizontal) for an input and a window size, either of which may be
 * ATL_ANY; the other fields, if result is not null and both sizes are known.  Fails on y if the window does not fit. */
int atl_slide_window(atl_node *y, const window_options *options, int direction, int64_t input, int64_t size,
                     int64_t *output, atl_window *result);

/* The same for shapes that infer has accepted. */
atl_window atl_window_of(const window_options *options, int direction, int64_t input, int64_t size);

/* "3x3, stride 2, dilation 2, pad 1 1 1 1, valid": what differs from the default; returns the length written. */
size_t atl_describe_window(const window_options *options, int64_t height, int64_t width, char *text, size_t size);

#endif
