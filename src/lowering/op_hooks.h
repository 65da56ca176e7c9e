/* The compiler's hooks of a built-in op, beside its public descriptor.
 *
 * An op fills this table beside its descriptor:
 *
 *     .hooks = &(const atl_op_hooks){.lower = lower_conv2d, .with_epilogue = conv2d_with_epilogue}
 *
 * Every hook is optional.  The compiler calls them when all shapes are known. */
#ifndef ATLED_LOWERING_OP_HOOKS_H
#define ATLED_LOWERING_OP_HOOKS_H

#include "lowering/lowering.h"

/* A node as a sum: scale * sum of a, or of a * b, over the middle dimension of [outer, reduced, inner]. */
typedef struct atl_sum_form {
    int a, b; /* inputs; b: -1 if it is no product */
    int64_t outer, reduced, inner;
    double scale;
} atl_sum_form;

/* A node as a product of two matrices whose rows can be computed a few at a time: [rows, columns], of input 0, whose
 * element (i, p) is a[i * a_row + p * a_column], and input 1, [terms, columns]. */
typedef struct atl_rows_form {
    int64_t rows, columns, terms;
    int64_t a_row, a_column;
} atl_rows_form;

struct atl_op_hooks {
    /* Emits the steps that compute the node (lowering.h).  Null: a step calls the op's kernel, map or reference. */
    int (*lower)(atl_lowering *lowering);
    unsigned workspace_inputs; /* bit i: input i is the forward node, whose workspace is used if it kept one */

    /* Runs as soon as its inputs are there, before nodes that were built earlier. */
    int is_early;

    /* ---- layouts and algorithms ---- */

    /* The benefit, in seconds, of the blocked layout (nChw16c) for this node; negative: a loss; -INFINITY: impossible.
     * Sets bit i of *images_out if input i must then be in blocks, too. */
    double (*blocked_benefit)(const atl_node *y, unsigned *images_out);
    /* Bit a is set if the node can be lowered by algorithm a (atl_algo); 0: there is no choice. */
    unsigned (*algos)(const atl_node *y, int winograd);

    /* ---- concats ---- */

    /* For an op that splits the result of a concat: input 0 is split, and inputs 1, 2, ... are those of the concat.
     * Returns which part the node is. */
    int (*part)(const atl_node *y);
    /* True if the result may have a pixel stride of its own, as part of a concat; `winograd`:
     * atl_lower_winograd_use. */
    int (*writes_strided)(const atl_node *y, int winograd);

    /* ---- fusion ---- */

    int element_op; /* of an element-wise op that can run in registers: its atl_element_op (kernels/element_code.h) */
    /* Describes y as a sum over elements of an input, or over products of two, so that the pass over memory that
     * computes these can sum them.  Returns 0 if y is no such sum. */
    int (*as_sum)(const atl_node *y, atl_sum_form *form_out);
    /* Describes y as such a product, so that element-wise ops run on its rows while these are in the cache.  Returns 0
     * if y is none, or if another loop computes it faster. */
    int (*as_rows)(const atl_node *y, atl_rows_form *form_out);
    /* Each of these returns an equal node that costs no more than y, or null if that is impossible. */
    atl_node *(*scaled)(atl_node *y, atl_node *scale); /* y * scale, a vector [channels] along the last dimension */
    atl_node *(*transposed)(atl_node *y);              /* y with its last two dimensions swapped */
    /* y for input 0 = x * scale, a vector [channels] along the last dimension of x. */
    atl_node *(*with_scaled_input)(atl_node *y, atl_node *x, atl_node *scale);
    /* y + bias [channels] + residual of y's shape, then relu; bias and residual may be null; relu: its limit (see
     * below), or 0: none. */
    atl_node *(*with_epilogue)(atl_node *y, atl_node *bias, atl_node *residual, float relu);
    /* y * scale, a vector [channels] along the last dimension, or y * factor, of y's shape, after its other epilogues:
     * one of them is null. */
    atl_node *(*multiplied)(atl_node *y, atl_node *scale, atl_node *factor);
    /* y, whose input 1 is a weight that changes with no run: only then may an epilogue of a product read arrays. */
    atl_node *(*with_weight)(atl_node *y);
    /* base + sign * factor * y, with a base of y's shape and a factor that is one number. */
    atl_node *(*as_update)(atl_node *y, atl_node *base, atl_node *factor, int sign);
    /* relu_grad(y + other, by), all of one shape; other may be null; the relu ends at `limit`; `winograd`: where
     * Winograd convolution is certain to be used. */
    atl_node *(*with_relu_grad)(atl_node *y, atl_node *other, atl_node *by, float limit, int winograd);
    /* y * scale + addend, after its other epilogues: scale is a vector [channels] along the last dimension, addend has
     * y's shape; one of them may be null. */
    atl_node *(*scaled_sum)(atl_node *y, atl_node *scale, atl_node *addend);
    /* If y is min(relu(input 0), limit): the limit; else 0. */
    float (*relu_limit)(const atl_node *y);
    /* If y is input 0 where 0 < input 1 < limit, else 0: the limit; else 0. */
    float (*relu_grad_limit)(const atl_node *y);

    /* ---- activation compression: set both or neither ---- */

    /* Makes a compact node, for example a bit mask, with all that y needs of its last input, which has y's shape. */
    atl_node *(*compress)(atl_node *input);
    /* Rebuilds y from that node, on new inputs. */
    atl_node *(*from_compressed)(const atl_node *y, atl_node *const *inputs, atl_node *compressed);
    /* For an op whose steps may keep as their workspace the mask (kernels/mask.h) of the relu that y ends with: the
     * relu's limit; 0: y ends with none. */
    float (*kept_mask)(const atl_node *y);

    /* ---- batches ---- */

    /* Bit i is set if image n of y (index n of the first dimension) needs only image n of input i (bit 31: inputs 31
     * and above); of the other inputs it needs everything.  0, or no hook: y does not work image by image. */
    unsigned (*by_image)(const atl_node *y);
    /* y for inputs with fewer images.  Null: the same op with the same attributes. */
    atl_node *(*for_images)(const atl_node *y, atl_node *const *inputs, int64_t images);

    /* Returns true if every element is certainly the same number, *value_out. */
    int (*uniform)(const atl_node *y, float *value_out);
};

/* The hooks of the node's op; an empty table for an op without hooks. */
const atl_op_hooks *atl_hooks_of(const atl_node *node);

/* The same for any node; INFINITY for relu and its gradient, which have no limit. */
float atl_relu_limit(const atl_node *y);
float atl_relu_grad_limit(const atl_node *y);

/* True if the node uses more than the shape of input i: its value, or the workspace that a forward node keeps for its
 * gradient. */
int atl_reads_input(const atl_node *node, int i);

/* True if image n of the node, one of so many, needs of input i only image n: see by_image. */
int atl_reads_by_image(const atl_node *node, int i, int64_t images);
/* True if the node works image by image, has so many, and reads one at least. */
int atl_works_by_image(const atl_node *node, int64_t images);

/* For `by_image`: all inputs; the first one; all of an op that works along the last dimension. */
unsigned atl_all_by_image(const atl_node *y);
unsigned atl_first_by_image(const atl_node *y);
unsigned atl_rows_by_image(const atl_node *y);

/* True if every element of the node is certainly the same number: a constant, or according to the op's `uniform`. */
int atl_is_uniform(const atl_node *node, float *value_out);

#endif
