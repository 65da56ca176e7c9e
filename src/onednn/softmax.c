/* Softmax with oneDNN. */
#include "onednn/softmax.h"

#include "onednn/nan_guard.h"
#include "onednn/primitive.h"

/* ---- what differs between oneDNN 2.x and 3.x --------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t open_softmax(dnnl_primitive_desc_t *desc, const onednn_desc *rows, int logarithm,
                                  dnnl_primitive_attr_t attributes)
{
    return dnnl_softmax_forward_primitive_desc_create(desc, onednn_engine(), dnnl_forward_inference,
                                                      logarithm ? dnnl_softmax_log : dnnl_softmax_accurate, rows->md,
                                                      rows->md, 1, attributes);
}
#else
static dnnl_status_t open_softmax(dnnl_primitive_desc_t *desc, const onednn_desc *rows, int logarithm,
                                  dnnl_primitive_attr_t attributes)
{
    dnnl_softmax_v2_desc_t op;
    dnnl_status_t status = dnnl_softmax_v2_forward_desc_init(&op, dnnl_forward_inference,
                                                             logarithm ? dnnl_softmax_log : dnnl_softmax_accurate,
                                                             &rows->md, &rows->md, 1);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attributes, onednn_engine(), NULL) : status;
}
#endif

int onednn_lower_softmax(atl_lowering *l, int64_t rows, int64_t width, int logarithm)
{
    onednn_desc array;
    dnnl_primitive_desc_t desc = NULL;
    if (!onednn_can_guard()) /* oneDNN's would drop NaN */
        return atl_lower_kernel(l);
    dnnl_primitive_attr_t attributes = onednn_attributes();
    if (!attributes || !onednn_engine() || !onednn_describe(&array, 2, (int64_t[]){rows, width}, NULL)) {
        if (attributes)
            dnnl_primitive_attr_destroy(attributes);
        return 0;
    }
    int threads = onednn_threads_for(0, (double)rows * (double)width), before = onednn_use_threads(threads);
    int ok = onednn_accept(&desc, open_softmax(&desc, &array, logarithm, attributes), "normalise");
    onednn_use_threads(before);
    dnnl_primitive_attr_destroy(attributes);
    onednn_release_desc(&array);
    if (!ok)
        return 0;
    if (!desc)
        return atl_lower_kernel(l);
    const onednn_argument arguments[] = {{DNNL_ARG_SRC, atl_lower_input(l, 0), ONEDNN_READ},
                                         {DNNL_ARG_DST, atl_lower_output(l), ONEDNN_WRITTEN}};
    onednn_guard guard = onednn_guard_softmax(rows, width, logarithm);
    return onednn_lower_guarded(l, desc, &guard, 2, arguments, 0, threads);
}
