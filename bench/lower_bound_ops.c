/* The primitives of lower_bound.c. */
#include "lower_bound.h"

#include <string.h>

#if DNNL_VERSION_MAJOR < 3

/* ---- convolution ------------------------------------------------------------------------------------------------- */

typedef struct window {
    dnnl_dims_t size, stride, dilation, before, after;
} window;

/* The window, from the sizes: padding is what the window reaches beyond the image.  The time does not depend on the
 * side. */
static window window_between(const int64_t *image, const int64_t *result, int64_t height, int64_t width)
{
    window w = {.size = {height, width}};
    for (int d = 0; d < 2; d++) {
        w.stride[d] = result[1 + d] ? (image[1 + d] + result[1 + d] / 2) / result[1 + d] : 1;
        int64_t beyond = (result[1 + d] - 1) * w.stride[d] + w.size[d] - image[1 + d];
        w.before[d] = beyond > 0 ? beyond / 2 : 0;
        w.after[d] = beyond > 0 ? beyond - w.before[d] : 0;
    }
    return w;
}

/* [height, width, in / groups, out], in whatever layout the primitive prefers. */
static dnnl_memory_desc_t filter_array(const int64_t *filter, int64_t groups)
{
    const int64_t size[] = {groups, filter[3] / groups, filter[2], filter[0], filter[1]};
    const int plain = groups == 1; /* its array has no dimension for the groups */
    return plain_array(5 - plain, size + plain, dnnl_format_tag_any);
}

static void try_convolution(choice *best, conv_pass pass, dnnl_alg_kind_t algorithm, dnnl_format_tag_t tag,
                            const int64_t *image, const int64_t *filter, const int64_t *result)
{
    static const argument forward[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                       {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                       {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                       {0}};
    static const argument by_image[] = {{DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0},
                                        {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                        {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0},
                                        {0}};
    static const argument by_filter[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                         {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0},
                                         {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0},
                                         {0}};
    window w = window_between(image, result, filter[0], filter[1]);
    dnnl_memory_desc_t src = plain_array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = plain_array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag),
                       weights = filter_array(filter, image[3] / filter[2]);
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, algorithm, &src, &weights, NULL, &dst, w.stride,
                                           w.before, w.after))
        return;
    if (pass == FORWARD) {
        try_all(best, &op, NULL, forward);
        return;
    }
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return;
    dnnl_status_t status = pass == OF_IMAGE
                               ? dnnl_convolution_backward_data_desc_init(&op, algorithm, &src, &weights, &dst,
                                                                          w.stride, w.before, w.after)
                               : dnnl_convolution_backward_weights_desc_init(&op, algorithm, &src, &weights, NULL, &dst,
                                                                             w.stride, w.before, w.after);
    if (!status)
        try_all(best, &op, hint, pass == OF_IMAGE ? by_image : by_filter);
    dnnl_primitive_desc_destroy(hint);
}

choice best_convolution(conv_pass pass, const int64_t *image, const int64_t *filter, const int64_t *result)
{
    choice best = {0};
    if (filter[0] == 3 && filter[1] == 3 && image[3] == filter[2])
        try_convolution(&best, pass, dnnl_convolution_winograd, dnnl_format_tag_any, image, filter, result);
    try_convolution(&best, pass, dnnl_convolution_direct, dnnl_nhwc, image, filter, result);
    try_convolution(&best, pass, dnnl_convolution_direct, dnnl_format_tag_any, image, filter, result);
    if (image[3] <= 4)
        try_convolution(&best, pass, dnnl_convolution_direct, dnnl_nchw, image, filter, result);
    return best;
}

/* ---- matrix products --------------------------------------------------------------------------------------------- */

static void try_inner_product(choice *best, product p, const argument *arguments)
{
    dnnl_memory_desc_t src = plain_array(2, (int64_t[]){p.m, p.k}, dnnl_ab),
                       weights = plain_array(2, (int64_t[]){p.n, p.k}, dnnl_format_tag_any),
                       dst = plain_array(2, (int64_t[]){p.m, p.n}, dnnl_ab);
    dnnl_inner_product_desc_t op;
    if (dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &src, &weights, NULL, &dst) == dnnl_success)
        try_all(best, &op, NULL, arguments);
}

choice best_product(product p)
{
    static const argument arguments[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                         {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                         {0}};
    static const dnnl_format_tag_t matrix[] = {dnnl_ab, dnnl_ba, dnnl_format_tag_any},
                                   matrices[] = {dnnl_abc, dnnl_acb, dnnl_format_tag_any};
    const int batched = p.batches > 1, rank = 2 + batched;
    const dnnl_format_tag_t *tags = batched ? matrices : matrix;
    /* Without the number of products the sizes are those of a matrix. */
    const int64_t a_size[] = {p.batches, p.m, p.k}, b_size[] = {p.batches, p.k, p.n}, y_size[] = {p.batches, p.m, p.n};
    choice best = {0};
    dnnl_memory_desc_t dst = plain_array(rank, y_size + !batched, tags[0]);
    for (int left = 0; left < 2; left++)
        for (int right = 0; right < 3; right++) {
            dnnl_memory_desc_t a = plain_array(rank, a_size + !batched, tags[left]),
                               b = plain_array(rank, b_size + !batched, tags[right]);
            dnnl_matmul_desc_t op;
            if (dnnl_matmul_desc_init(&op, &a, &b, NULL, &dst) == dnnl_success)
                try_all(&best, &op, NULL, arguments);
        }
    if (!batched)
        try_inner_product(&best, p, arguments);
    best.fresh_operands = batched;
    return best;
}

/* ---- pooling, normalisation -------------------------------------------------------------------------------------- */

static void try_pooling(choice *best, int backward, dnnl_format_tag_t tag, const int64_t *image, const int64_t *result,
                        int size)
{
    static const argument forward[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                       {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                       {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                       {0}};
    static const argument back[] = {{DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0},
                                    {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0},
                                    {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                    {0}};
    window w = window_between(image, result, size, size);
    dnnl_memory_desc_t src = plain_array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = plain_array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag);
    dnnl_pooling_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_pooling_forward_desc_init(&op, dnnl_forward_training, dnnl_pooling_max, &src, &dst, w.stride, w.size,
                                       w.before, w.after))
        return;
    if (!backward) {
        try_all(best, &op, NULL, forward);
        return;
    }
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return;
    if (!dnnl_pooling_backward_desc_init(&op, dnnl_pooling_max, &src, &dst, w.stride, w.size, w.before, w.after))
        try_all(best, &op, hint, back);
    dnnl_primitive_desc_destroy(hint);
}

choice best_pooling(int backward, const int64_t *image, const int64_t *result, int size)
{
    choice best = {0};
    try_pooling(&best, backward, dnnl_nhwc, image, result, size);
    try_pooling(&best, backward, dnnl_nChw16c, image, result, size);
    return best;
}

/* In NHWC, the only fast layout.  The window is nine channels wide, as in the CIFAR-10 network. */
choice best_lrn(int backward, const int64_t *image)
{
    choice best = {0};
    static const argument forward[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                       {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                       {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                       {0}};
    static const argument back[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                    {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0},
                                    {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0},
                                    {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                    {0}};
    dnnl_memory_desc_t md = plain_array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, dnnl_nhwc);
    dnnl_lrn_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_lrn_forward_desc_init(&op, dnnl_forward_training, dnnl_lrn_across_channels, &md, 9, 0.001f, 0.75f, 1))
        return best;
    if (!backward) {
        try_all(&best, &op, NULL, forward);
        return best;
    }
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return best;
    if (!dnnl_lrn_backward_desc_init(&op, dnnl_lrn_across_channels, &md, &md, 9, 0.001f, 0.75f, 1))
        try_all(&best, &op, hint, back);
    dnnl_primitive_desc_destroy(hint);
    return best;
}
#endif
