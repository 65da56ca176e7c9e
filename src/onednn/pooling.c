/* Pooling and its gradients with oneDNN. The image keeps its layout, NHWC or blocks of a convolution, and the result
 * gets the same one: oneDNN's kernels are bound by memory in either, and a partly given layout would use its slow
 * reference loops.  The gradient of a maximum reads the positions that the forward step stored, which depend on the
 * layout: it uses the same layout. */
#include "onednn/pooling.h"

#include <string.h>

#include "graph/error.h"
#include "onednn/nan_guard.h"
#include "onednn/primitive.h"

typedef struct geometry {
    onednn_desc plain_image, plain_result; /* NHWC */
    onednn_desc image, result;             /* as the primitive is to have them */
    dnnl_dims_t kernel, stride, dilation, before, after;
    dnnl_alg_kind_t algorithm;
    dnnl_prop_kind_t direction; /* of the forward pass */
    int threads;
} geometry;

static void release_geometry(geometry *g)
{
    onednn_release_desc(&g->plain_image);
    onednn_release_desc(&g->plain_result);
    onednn_release_desc(&g->image);
    onednn_release_desc(&g->result);
}

static int is_image_layout(const atl_memory_layout *layout) { return layout && !strcmp(layout->letters, "nchw"); }

/* The image as it lies (null: NHWC); beside NHWC the result is NHWC, beside blocks it is what the primitive chooses. */
static int describe_arrays(geometry *g, const onednn_pooling *p, const atl_memory_layout *image)
{
    if (!onednn_describe_image(&g->plain_image, p->image) || !onednn_describe_image(&g->plain_result, p->result))
        return 0;
    if (is_image_layout(image))
        return onednn_copy_desc(&g->image, ONEDNN_MD(image->actual)) &&
               onednn_describe_image_any(&g->result, p->result);
    return onednn_copy_desc(&g->image, ONEDNN_MD(g->plain_image)) &&
           onednn_copy_desc(&g->result, ONEDNN_MD(g->plain_result));
}

static int describe_geometry(geometry *g, const onednn_pooling *p, const atl_memory_layout *image)
{
    memset(g, 0, sizeof *g);
    for (int d = 0; d < 2; d++) {
        const atl_window *w = &p->window[d];
        g->kernel[d] = w->size;
        g->stride[d] = w->stride;
        g->before[d] = w->pad_before;
        g->after[d] = w->pad_after > 0 ? w->pad_after : 0;
    }
    g->algorithm = p->average ? dnnl_pooling_avg_exclude_padding : dnnl_pooling_max;
    g->direction = dnnl_forward_inference;
    g->threads = onednn_threads_for(0, (double)atl_shape_count(p->image));
    if (describe_arrays(g, p, image))
        return 1;
    release_geometry(g);
    return 0;
}

/* ---- what differs between oneDNN 2.x and 3.x --------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t open_forward(dnnl_primitive_desc_t *desc, const geometry *g, dnnl_primitive_attr_t attributes)
{
    return dnnl_pooling_forward_primitive_desc_create(desc, onednn_engine(), g->direction, g->algorithm, g->image.md,
                                                      g->result.md, g->stride, g->kernel, g->dilation, g->before,
                                                      g->after, attributes);
}

static dnnl_status_t open_backward(dnnl_primitive_desc_t *desc, const geometry *g, dnnl_primitive_attr_t attributes,
                                   dnnl_primitive_desc_t forward)
{
    return dnnl_pooling_backward_primitive_desc_create(desc, onednn_engine(), g->algorithm, g->image.md, g->result.md,
                                                       g->stride, g->kernel, g->dilation, g->before, g->after, forward,
                                                       attributes);
}
#else
static dnnl_status_t open_forward(dnnl_primitive_desc_t *desc, const geometry *g, dnnl_primitive_attr_t attributes)
{
    dnnl_pooling_desc_t op;
    dnnl_status_t status = dnnl_pooling_forward_desc_init(&op, g->direction, g->algorithm, &g->image.md, &g->result.md,
                                                          g->stride, g->kernel, g->before, g->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attributes, onednn_engine(), NULL) : status;
}

static dnnl_status_t open_backward(dnnl_primitive_desc_t *desc, const geometry *g, dnnl_primitive_attr_t attributes,
                                   dnnl_primitive_desc_t forward)
{
    dnnl_pooling_desc_t op;
    dnnl_status_t status = dnnl_pooling_backward_desc_init(&op, g->algorithm, &g->image.md, &g->result.md, g->stride,
                                                           g->kernel, g->before, g->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attributes, onednn_engine(), forward)
                                  : status;
}
#endif

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* 1, or 0 with the error set. *desc is null if oneDNN has nothing but reference loops. */
static int open_pass(dnnl_primitive_desc_t *desc, geometry *g, dnnl_primitive_desc_t forward)
{
    dnnl_primitive_attr_t attributes = onednn_engine() ? onednn_attributes() : NULL;
    *desc = NULL;
    if (!attributes)
        return 0;
    int before = onednn_use_threads(g->threads);
    dnnl_status_t status = forward ? open_backward(desc, g, attributes, forward) : open_forward(desc, g, attributes);
    onednn_use_threads(before);
    dnnl_primitive_attr_destroy(attributes);
    return onednn_accept(desc, status, "pool");
}

static int lower_forward(atl_lowering *l, const onednn_pooling *p, geometry *g)
{
    dnnl_primitive_desc_t desc;
    onednn_argument arguments[3];
    int count = 2;
    if (!p->average && !onednn_can_guard()) /* oneDNN's would skip NaN */
        return atl_lower_kernel(l);
    if (!p->average && atl_lower_wants_workspace(l))
        g->direction = dnnl_forward_training;
    if (!open_pass(&desc, g, NULL))
        return 0;
    if (!desc)
        return atl_lower_kernel(l);
    onednn_md workspace = onednn_required_md(desc, DNNL_ARG_WORKSPACE);
    size_t bytes = workspace ? dnnl_memory_desc_get_size(workspace) : 0;
    arguments[0] = (onednn_argument){DNNL_ARG_SRC,
                                     onednn_input(l, p->image_input, ONEDNN_MD(g->plain_image),
                                                  onednn_required_md(desc, DNNL_ARG_SRC), "nchw"),
                                     ONEDNN_READ};
    arguments[1] =
        (onednn_argument){DNNL_ARG_DST,
                          onednn_output(l, ONEDNN_MD(g->plain_result), onednn_required_md(desc, DNNL_ARG_DST), "nchw"),
                          ONEDNN_WRITTEN};
    if (bytes > 0)
        arguments[count++] =
            (onednn_argument){DNNL_ARG_WORKSPACE, atl_lower_workspace(l, (int64_t)bytes), ONEDNN_WRITTEN};
    onednn_guard guard = p->average ? (onednn_guard){0} : onednn_guard_max_pool(p->image, p->result, p->window);
    return onednn_lower_guarded(l, desc, &guard, count, arguments, 0, g->threads);
}

/* The forward pass that the forward step ran, or (for a mean) could have run: backward primitives want to see it. */
static int lower_gradient(atl_lowering *l, const onednn_pooling *p, geometry *g)
{
    dnnl_primitive_desc_t forward, desc = NULL;
    onednn_argument arguments[3];
    atl_value_id workspace = p->average ? -1 : atl_lower_workspace_of(l, p->forward_input);
    int count = 2;
    if (!p->average && workspace < 0)
        return atl_lower_kernel(l);
    g->direction = dnnl_forward_training;
    if (!open_pass(&forward, g, NULL))
        return 0;
    int ok = !forward ||
             (onednn_release_desc(&g->result), onednn_copy_desc(&g->result, onednn_required_md(forward, DNNL_ARG_DST)));
    ok = ok && (!forward || open_pass(&desc, g, forward));
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    if (!ok)
        return 0;
    if (!desc)
        return atl_lower_kernel(l);
    arguments[0] = (onednn_argument){DNNL_ARG_DIFF_DST,
                                     onednn_input(l, p->adjoint_input, ONEDNN_MD(g->plain_result),
                                                  onednn_required_md(desc, DNNL_ARG_DIFF_DST), "nchw"),
                                     ONEDNN_READ};
    arguments[1] = (onednn_argument){DNNL_ARG_DIFF_SRC,
                                     onednn_output(l, ONEDNN_MD(g->plain_image),
                                                   onednn_required_md(desc, DNNL_ARG_DIFF_SRC), "nchw"),
                                     ONEDNN_WRITTEN};
    if (workspace >= 0)
        arguments[count++] = (onednn_argument){DNNL_ARG_WORKSPACE, workspace, ONEDNN_READ};
    return onednn_lower_primitive(l, desc, count, arguments, 0, g->threads);
}

int onednn_lower_pooling(atl_lowering *l, const onednn_pooling *p)
{
    geometry g;
    if (!describe_geometry(&g, p, p->image_input >= 0 ? atl_lower_layout_of(l, p->image_input) : NULL))
        return 0;
    int ok = p->gradient ? lower_gradient(l, p, &g) : lower_forward(l, p, &g);
    release_geometry(&g);
    return ok;
}
