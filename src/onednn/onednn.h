/* The rest of the library's interface to oneDNN: layouts that its primitives prefer, and reorders between them.  Only
 * this folder includes dnnl.h. A layout describes one value: its shape, and the position of each element in memory.
 * Null is the plain layout, dense and row-major. */
#ifndef ATLED_ONEDNN_ONEDNN_H
#define ATLED_ONEDNN_ONEDNN_H

#include <stddef.h>
#include <stdint.h>

#include "lowering/lowering.h"

/* True if a value in layout a can be read as one in layout b.  Either may be null. */
int atl_layout_equal(const atl_memory_layout *a, const atl_memory_layout *b);

/* Bytes of memory, padding included; the layout must not be null. */
int64_t atl_layout_bytes(const atl_memory_layout *layout);

/* Null, with the error set, when out of memory; null for null. */
atl_memory_layout *atl_layout_copy(const atl_memory_layout *layout);
void atl_layout_free(atl_memory_layout *layout);

/* Writes "nChw16c", "OIhw16i16o", "winograd", ..., or "plain" for null, into text and returns text. */
const char *atl_layout_name(const atl_memory_layout *layout, char *text, size_t size);

/* Blocks of 16 channels of an image [n, h, w, c]; null, with the error set, on failure. */
atl_memory_layout *atl_layout_blocked(atl_shape image);

/* An image [n, h, w, c] in NHWC with pixel_stride floats from pixel to pixel; null, with the error set, on failure. */
atl_memory_layout *atl_layout_strided(atl_shape image, int64_t pixel_stride);

/* Emits the step (or two) that converts a float32 value of that shape from one layout to the other.  Returns 1, or 0
 * with the error set. */
int atl_lower_reorder(atl_lowering *lowering, atl_shape shape, atl_value_id from, const atl_memory_layout *from_layout,
                      atl_value_id to, const atl_memory_layout *to_layout);

/* oneDNN's threading, version and instruction set for messages: "oneDNN 2.6.3, avx512".  Returns text. */
const char *atl_onednn_version(char *text, size_t size);

/* Emits the step that sets the result of the node being lowered to zero: a sum over no terms. */
int onednn_lower_zeros(atl_lowering *lowering);

/* True if this processor has bfloat16 instructions: operands rounded to 8 bits of mantissa, sums in float32. */
int atl_onednn_has_bfloat16(void);

/* ---- windows that slide ------------------------------------------------------------------------------------------ */

/* One direction of a window over a known image.  Element i of the window at output o reads input o * stride -
 * pad_before + i * dilation. */
typedef struct atl_window {
    int64_t input, output; /* pixels */
    int64_t size;          /* elements of the window */
    int64_t stride, dilation;
    int64_t pad_before, pad_after; /* pixels; pad_after is what the last output's window reaches, and may be negative */
} atl_window;

/* ---- convolution ------------------------------------------------------------------------------------------------- */

typedef enum onednn_pass {
    ONEDNN_FORWARD,        /* image, filter -> result */
    ONEDNN_INPUT_GRADIENT, /* result gradient, filter -> image gradient */
    ONEDNN_FILTER_GRADIENT /* image, result gradient -> filter gradient */
} onednn_pass;

/* The operations that a forward convolution applies to each element before it is written, in this order: + bias, +
 * residual, activation. */
typedef enum onednn_activation {
    ONEDNN_IDENTITY = 0,
    ONEDNN_RELU /* x <= 0 ? 0 : x: NaN stays NaN */
} onednn_activation;

enum { ONEDNN_NO_INPUT = -1 };

typedef struct onednn_convolution {
    onednn_pass pass;
    atl_shape image;  /* [n, h, w, in] */
    atl_shape filter; /* [fh, fw, in / groups, out] */
    atl_shape result; /* [n, oh, ow, out] */
    atl_window vertical, horizontal;
    int64_t groups;
    /* Indices of the node's inputs; ONEDNN_NO_INPUT for the one of image, filter and result that is computed. */
    int image_input, filter_input, result_input;
    /* Forward only; ONEDNN_NO_INPUT if there is none. */
    int bias_input;     /* [out] */
    int residual_input; /* the shape of the result */
    /* The same, or its mask (ops/mask.h): only our own kernels, of the image's gradient, can do it. */
    int relu_grad_input;
    int relu_grad_is_mask;
    /* Applied after that, and only by our own 1x1 kernels: factors [channels], and what is added to the products. */
    int scale_input, addend_input;
    onednn_activation activation;
    float highest; /* of the relu and of relu_grad: min(relu, highest), as in relu6; 0: no limit */
    int blocked;   /* images in blocks of 16 channels */
    int winograd;  /* by Winograd's method, if oneDNN has it for this one; only with blocked */
    int bfloat16;  /* set by onednn_lower_convolution: the operands may be rounded */
} onednn_convolution;

/* True if this oneDNN, on this processor, has 3x3 convolutions by Winograd's method (2.x with AVX-512). */
int atl_onednn_has_winograd(void);

/* Estimated seconds of a direct convolution with operands rounded to bfloat16, the rounding included; INFINITY where
 * float32 takes less. */
double onednn_convolution_rounded_seconds(const onednn_convolution *convolution);

/* Emits the convolution that computes the node being lowered. 1, or 0 with the error set. */
int onednn_lower_convolution(atl_lowering *lowering, const onednn_convolution *convolution);

/* True if oneDNN has nothing faster for it than a product of copied windows: its vector kernels take no padding that is
 * wider than some pixels, nor channels or groups that do not fill their vectors. */
int onednn_convolution_copies_windows(const onednn_convolution *convolution);

/* The implementation that would be chosen, for tests and plans: "brgconv:avx512_core". Returns text, "" on failure. */
const char *onednn_convolution_implementation(const onednn_convolution *convolution, char *text, size_t size);

/* ---- matrix products --------------------------------------------------------------------------------------------- */

/* [batch, m, n] = [batch, m, k] x [batch, k, n], either stored with its last two dimensions swapped. */
typedef struct onednn_matmul {
    int64_t batch, m, n, k;
    int transpose_a, transpose_b;
    int broadcast_a, broadcast_b; /* stored once for the whole batch */
    int pack_b;                   /* let the primitive choose the layout of B; batch is 1 */
    int bias_input;               /* [n] */
    int relu;
    float highest; /* of the relu: min(relu, highest); 0: no limit */
    int bfloat16;  /* set by onednn_lower_matmul: A and B may be rounded */
} onednn_matmul;

/* Emits the product of inputs 0 and 1 of the node being lowered. */
int onednn_lower_matmul(atl_lowering *lowering, const onednn_matmul *matmul);
const char *onednn_matmul_implementation(const onednn_matmul *matmul, char *text, size_t size);

#endif
