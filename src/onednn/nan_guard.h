/* NaNs that oneDNN's kernels drop. A relu that oneDNN applies to its result turns NaN into 0, its max-pooling skips
 * NaN, and its softmax of a row with NaN is finite: all compare with instructions that ignore NaN.  These instructions
 * set the processor's flag for an invalid operation, which stays set until it is cleared.  So atled checks the flag
 * after such a primitive, which costs nothing as long as all values are finite.  If the flag is set, the step is
 * recomputed by code that propagates NaN. */
#ifndef ATLED_ONEDNN_NAN_GUARD_H
#define ATLED_ONEDNN_NAN_GUARD_H

#include "onednn/primitive.h"

typedef struct onednn_guard onednn_guard;
struct onednn_guard {
    /* Recomputes everything that the primitive writes.  Returns 1, or 0 with the error set. */
    int (*recompute)(const onednn_guard *guard, const_dnnl_primitive_desc_t desc, dnnl_stream_t stream, int count,
                     const dnnl_exec_arg_t *arguments);
    dnnl_primitive_desc_t
        without_relu;        /* the same primitive on the same memory, but without its relu; null for others */
    atl_shape image, result; /* of max-pooling; of softmax the image is [rows, width] */
    atl_window window[2];
    int logarithm; /* of softmax */
    float highest; /* of a relu: min(relu, highest), as in relu6; 0: no limit */
};

/* True if this machine's flags reveal NaNs that oneDNN's threads drop. */
int onednn_can_guard(void);

/* For a primitive with a relu.  Takes ownership of without_relu (see onednn_lower_guarded). */
onednn_guard onednn_guard_relu(dnnl_primitive_desc_t without_relu, float highest);
/* For max-pooling, with or without the positions for its gradient. */
onednn_guard onednn_guard_max_pool(atl_shape image, atl_shape result, const atl_window *window);
/* For a softmax, or its logarithm, of consecutive rows. */
onednn_guard onednn_guard_softmax(int64_t rows, int64_t width, int logarithm);
void onednn_release_guard(onednn_guard *guard); /* also of a zeroed one */

/* Executes the primitive, and recomputes if it has met NaN.  Returns 1, or 0 with the error set. */
int onednn_execute_guarded(const onednn_guard *guard, const_dnnl_primitive_desc_t desc,
                           const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count,
                           const dnnl_exec_arg_t *arguments);

/* onednn_lower_primitive with a guard; takes ownership of the guard, also on failure. */
int onednn_lower_guarded(atl_lowering *lowering, dnnl_primitive_desc_t desc, const onednn_guard *guard, int count,
                         const onednn_argument *arguments, double flops, int threads);

/* Appends oneDNN's own relu: min(relu, highest), or 0: without a limit. */
dnnl_status_t onednn_append_relu(dnnl_post_ops_t ops, float highest);

/* Emits the step that applies relu to a value in the layout `md` and keeps NaN: for primitives without a guard. */
int onednn_lower_relu(atl_lowering *lowering, atl_value_id value, onednn_md md, float highest);

#endif
