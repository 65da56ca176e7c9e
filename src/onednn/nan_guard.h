/* Not-a-numbers that oneDNN's kernels drop.
 *
 * A relu that oneDNN applies to its result makes 0 of NaN, its max-pooling skips NaN, and its softmax of a row with
 * NaN is finite: all compare by instructions that ignore it.  These instructions raise the processor's flag of an
 * invalid operation, though, which stays raised until somebody lowers it. So the flag is looked at after such a
 * primitive: it costs nothing as long as all is finite.  Where the flag is up, the step is computed again in a way
 * that keeps NaN. */
#ifndef ATLED_ONEDNN_NAN_GUARD_H
#define ATLED_ONEDNN_NAN_GUARD_H

#include "onednn/primitive.h"

typedef struct onednn_guard onednn_guard;
struct onednn_guard {
    /* Computes all that the primitive writes again.  1, or 0 with the error set. */
    int (*recompute)(const onednn_guard *guard, const_dnnl_primitive_desc_t desc, dnnl_stream_t stream, int count,
                     const dnnl_exec_arg_t *arguments);
    dnnl_primitive_desc_t
        without_relu;        /* the same primitive on the same memory, but without its relu; null for others */
    atl_shape image, result; /* of max-pooling; of softmax the image is [rows, width] */
    atl_window window[2];
    int logarithm; /* of softmax */
};

/* True if this machine's flags tell of the NaNs that oneDNN's threads drop. */
int onednn_can_guard(void);

/* Of a primitive with a relu.  Takes without_relu over (see onednn_lower_guarded). */
onednn_guard onednn_guard_relu(dnnl_primitive_desc_t without_relu);
/* Of max-pooling, with or without the positions that its gradient wants. */
onednn_guard onednn_guard_max_pool(atl_shape image, atl_shape result, const atl_window *window);
/* Of a softmax, or its logarithm, of rows one after the other. */
onednn_guard onednn_guard_softmax(int64_t rows, int64_t width, int logarithm);
void onednn_release_guard(onednn_guard *guard); /* also of a zeroed one */

/* Executes the primitive, and again with care if it has met NaN.  1, or 0 with the error set. */
int onednn_execute_guarded(const onednn_guard *guard, const_dnnl_primitive_desc_t desc,
                           const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count,
                           const dnnl_exec_arg_t *arguments);

/* onednn_lower_primitive with a guard, which is taken over, on failure too. */
int onednn_lower_guarded(atl_lowering *lowering, dnnl_primitive_desc_t desc, const onednn_guard *guard, int count,
                         const onednn_argument *arguments, double flops, int threads);

/* Appends oneDNN's own relu. */
dnnl_status_t onednn_append_relu(dnnl_post_ops_t ops);

/* Emits the step that replaces a value in the layout `md` by its relu, NaN kept: where there can be no guard. */
int onednn_lower_relu(atl_lowering *lowering, atl_value_id value, onednn_md md);

#endif
