/* How a window moves over one to three dimensions: what convolutions and pools of the file have in common. */
#ifndef ATLED_ONNX_WINDOW_H
#define ATLED_ONNX_WINDOW_H

#include "onnx/import.h"

enum { ONNX_MOST_SPATIAL = 3 };

typedef struct onnx_window {
    int dims;
    int64_t input[ONNX_MOST_SPATIAL]; /* ATL_ANY: not known */
    int64_t size[ONNX_MOST_SPATIAL], stride[ONNX_MOST_SPATIAL], dilation[ONNX_MOST_SPATIAL];
    int64_t before[ONNX_MOST_SPATIAL], after[ONNX_MOST_SPATIAL]; /* padding */
    int64_t extra[ONNX_MOST_SPATIAL]; /* beyond the padding, where sizes are rounded up: never counted */
} onnx_window;

/* An attribute with so many numbers of at least `least`; each is `otherwise` if it is not given.  0 with the reason. */
int onnx_read_list(onnx_op *op, const char *name, int numbers, int64_t least, int64_t otherwise, int64_t *to);

/* What kind of op it is: with ceil_mode; one whose window lies in the output, so that auto_pad is left to the
 * caller. */
typedef enum onnx_window_kind { ONNX_PLAIN_WINDOW = 0, ONNX_ROUNDED_WINDOW, ONNX_TRANSPOSED_WINDOW } onnx_window_kind;
/* From the attributes of the op; size: of the window, or null to read kernel_shape.  0 with the reason. */
int onnx_read_window(onnx_op *op, const int64_t *size, onnx_window_kind kind, onnx_window *window_out);
/* The window's reach in a dimension. */
int64_t onnx_span(const onnx_window *window, int d);
/* How many places it takes there; the input must be known. */
int64_t onnx_places(const onnx_window *window, int d);
/* Whether the engine's own padding can do it: less than the window's reach on each side. */
int onnx_pads_fit(const onnx_window *window);
/* x [n, spatial..., c] with the padding around it, of the given value; the window then has none but the extra. */
atl_node *onnx_pad_window(atl_node *x, onnx_window *window, float value);
/* The part of x, padded, that tap `tap` (an index for each dimension) sees: [n, places..., c]. */
atl_node *onnx_tap(atl_node *x, const onnx_window *window, const int64_t *tap);
/* The next tap in row order; 0 after the last one. */
int onnx_next_tap(const onnx_window *window, int64_t *tap);

#endif
