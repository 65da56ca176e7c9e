/* Local response normalisation and its gradient on oneDNN, always in NHWC: its other layouts are ten times slower, or worse. */
#include "onednn/lrn.h"

#include "graph/error.h"
#include "onednn/primitive.h"

/* ---- what differs between oneDNN 2.x and 3.x ---------------------------------------------------------------------- */

/* oneDNN divides alpha by the window, which we do not. */
static float alpha_of(const onednn_lrn *lrn) { return lrn->alpha * (float)(2 * lrn->radius + 1); }

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t open_forward(dnnl_primitive_desc_t *desc, const onednn_lrn *lrn, const onednn_desc *image,
                                  dnnl_prop_kind_t direction, dnnl_primitive_attr_t attributes)
{
    return dnnl_lrn_forward_primitive_desc_create(desc, onednn_engine(), direction, dnnl_lrn_across_channels, image->md,
                                                  image->md, 2 * lrn->radius + 1, alpha_of(lrn), lrn->beta, lrn->bias,
                                                  attributes);
}

static dnnl_status_t open_backward(dnnl_primitive_desc_t *desc, const onednn_lrn *lrn, const onednn_desc *image,
                                   dnnl_primitive_desc_t forward, dnnl_primitive_attr_t attributes)
{
    return dnnl_lrn_backward_primitive_desc_create(desc, onednn_engine(), dnnl_lrn_across_channels, image->md,
                                                   image->md, image->md, 2 * lrn->radius + 1, alpha_of(lrn), lrn->beta,
                                                   lrn->bias, forward, attributes);
}
#else
static dnnl_status_t open_forward(dnnl_primitive_desc_t *desc, const onednn_lrn *lrn, const onednn_desc *image,
                                  dnnl_prop_kind_t direction, dnnl_primitive_attr_t attributes)
{
    dnnl_lrn_desc_t op;
    dnnl_status_t status = dnnl_lrn_forward_desc_init(&op, direction, dnnl_lrn_across_channels, &image->md,
                                                      2 * lrn->radius + 1, alpha_of(lrn), lrn->beta, lrn->bias);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attributes, onednn_engine(), NULL) : status;
}

static dnnl_status_t open_backward(dnnl_primitive_desc_t *desc, const onednn_lrn *lrn, const onednn_desc *image,
                                   dnnl_primitive_desc_t forward, dnnl_primitive_attr_t attributes)
{
    dnnl_lrn_desc_t op;
    dnnl_status_t status = dnnl_lrn_backward_desc_init(&op, dnnl_lrn_across_channels, &image->md, &image->md,
                                                       2 * lrn->radius + 1, alpha_of(lrn), lrn->beta, lrn->bias);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attributes, onednn_engine(), forward)
                                  : status;
}
#endif

/* ---- steps -------------------------------------------------------------------------------------------------------- */

/* 1, or 0 with the error set. *desc is null if oneDNN has nothing but reference loops. */
static int open_pass(dnnl_primitive_desc_t *desc, const onednn_lrn *lrn, const onednn_desc *image,
                     dnnl_prop_kind_t direction, dnnl_primitive_desc_t forward)
{
    dnnl_primitive_attr_t attributes = onednn_attributes();
    *desc = NULL;
    if (!attributes || !onednn_engine())
        return 0;
    dnnl_status_t status = forward ? open_backward(desc, lrn, image, forward, attributes)
                                   : open_forward(desc, lrn, image, direction, attributes);
    dnnl_primitive_attr_destroy(attributes);
    return onednn_accept(desc, status, "normalise");
}

static int lower_forward(atl_lowering *l, const onednn_lrn *lrn, const onednn_desc *image)
{
    dnnl_primitive_desc_t desc;
    onednn_argument arguments[3];
    int count = 2;
    if (!open_pass(&desc, lrn, image, atl_lower_wants_workspace(l) ? dnnl_forward_training : dnnl_forward_inference,
                   NULL))
        return 0;
    if (!desc)
        return atl_lower_kernel(l);
    onednn_md workspace = onednn_wanted(desc, DNNL_ARG_WORKSPACE);
    size_t bytes = workspace ? dnnl_memory_desc_get_size(workspace) : 0;
    arguments[0] = (onednn_argument){DNNL_ARG_SRC, atl_lower_input(l, 0), ONEDNN_READ};
    arguments[1] = (onednn_argument){DNNL_ARG_DST, atl_lower_output(l), ONEDNN_WRITTEN};
    if (bytes > 0)
        arguments[count++] =
            (onednn_argument){DNNL_ARG_WORKSPACE, atl_lower_workspace(l, (int64_t)bytes), ONEDNN_WRITTEN};
    return onednn_lower_primitive(l, desc, count, arguments, 0);
}

static int lower_gradient(atl_lowering *l, const onednn_lrn *lrn, const onednn_desc *image)
{
    dnnl_primitive_desc_t forward, desc = NULL;
    atl_value_id workspace = atl_lower_workspace_of(l, 2);
    if (workspace < 0)
        return atl_lower_kernel(l);
    if (!open_pass(&forward, lrn, image, dnnl_forward_training, NULL))
        return 0;
    int ok = !forward || open_pass(&desc, lrn, image, dnnl_forward_training, forward);
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    if (!ok)
        return 0;
    if (!desc)
        return atl_lower_kernel(l);
    const onednn_argument arguments[] = {{DNNL_ARG_DIFF_DST, atl_lower_input(l, 0), ONEDNN_READ},
                                         {DNNL_ARG_SRC, atl_lower_input(l, 1), ONEDNN_READ},
                                         {DNNL_ARG_WORKSPACE, workspace, ONEDNN_READ},
                                         {DNNL_ARG_DIFF_SRC, atl_lower_output(l), ONEDNN_WRITTEN}};
    return onednn_lower_primitive(l, desc, 4, arguments, 0);
}

int onednn_lower_lrn(atl_lowering *l, const onednn_lrn *lrn)
{
    onednn_desc image;
    if (!onednn_describe_image(&image, lrn->image))
        return 0;
    int ok = lrn->gradient ? lower_gradient(l, lrn, &image) : lower_forward(l, lrn, &image);
    onednn_release_desc(&image);
    return ok;
}
