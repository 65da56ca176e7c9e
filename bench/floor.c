/* floor CASE REPEATS: what a step of the case costs at least.  Each convolution, matrix product, pooling and normalisation of its
 * graph is run as a bare oneDNN primitive, alone, with the fastest of its algorithms and layouts; their times are summed, without
 * reorders.  Every other step of our plan is charged for its bytes, at the bandwidth measured for an array of that size.
 * Prints one line of JSON. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#if DNNL_VERSION_MAJOR >= 3
int main(void)
{
    fputs("floor: oneDNN 2.x only\n", stderr);
    return 77;
}
#else

enum { MOST_ARGUMENTS = 8, MOST_REPEATS = 100, MOST_SEEN = 512, MOST_NODES = 1 << 16 };

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static int repeats = 5;
static double others_bytes; /* of steps that are no primitive */

/* ---- one primitive ------------------------------------------------------------------------------------------------------- */

typedef struct argument {
    int index; /* DNNL_ARG_SRC */
    dnnl_query_t query;
    int which;
} argument;

static int add_memory(dnnl_exec_arg_t *list, int *count, int index, const dnnl_memory_desc_t *md)
{
    if (!md || dnnl_memory_desc_get_size(md) == 0)
        return 1;
    list[*count].arg = index;
    if (dnnl_memory_create(&list[*count].memory, md, engine, DNNL_MEMORY_ALLOCATE))
        return 0;
    void *data = NULL;
    dnnl_memory_get_data_handle(list[(*count)++].memory, &data);
    memset(data, 0, dnnl_memory_desc_get_size(md)); /* touched; zeros cost what other numbers cost */
    return 1;
}

static double time_primitive(dnnl_primitive_t primitive, const dnnl_exec_arg_t *list, int count)
{
    static double times[MOST_REPEATS];
    for (int i = -1; i < repeats; i++) {
        double start = seconds_now();
        if (dnnl_primitive_execute(primitive, stream, count, list) || dnnl_stream_wait(stream))
            return 0;
        if (i >= 0)
            times[i] = seconds_now() - start;
    }
    return median_of(times, repeats);
}

/* Seconds of the primitive; 0 if it cannot be had. Releases the descriptor. */
static double time_of(dnnl_primitive_desc_t desc, const argument *arguments)
{
    dnnl_exec_arg_t list[MOST_ARGUMENTS];
    dnnl_primitive_t primitive = NULL;
    int count = 0, ok = dnnl_primitive_create(&primitive, desc) == dnnl_success;
    for (const argument *a = arguments; ok && a->index; a++)
        ok = add_memory(list, &count, a->index, dnnl_primitive_desc_query_md(desc, a->query, a->which));
    double seconds = ok ? time_primitive(primitive, list, count) : 0;
    for (int i = 0; i < count; i++)
        dnnl_memory_destroy(list[i].memory);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(desc);
    return seconds;
}

static int is_reference(dnnl_primitive_desc_t desc)
{
    const char *name = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, "ref") != NULL; /* takes minutes, and is never the fastest */
}

/* The first implementation; with hint for a backward one. */
static double time_first(const void *op, dnnl_primitive_desc_t hint, const argument *arguments)
{
    dnnl_primitive_desc_t desc = NULL;
    if (dnnl_primitive_desc_create(&desc, op, NULL, engine, hint))
        return 0;
    if (is_reference(desc)) {
        dnnl_primitive_desc_destroy(desc);
        return 0;
    }
    return time_of(desc, arguments);
}

static void keep_least(double *best, double seconds)
{
    if (seconds > 0 && (*best == 0 || seconds < *best))
        *best = seconds;
}

static dnnl_memory_desc_t array(int rank, const int64_t *dims, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t all = {0};
    memset(&md, 0, sizeof md);
    memcpy(all, dims, (size_t)rank * sizeof *dims);
    dnnl_memory_desc_init_by_tag(&md, rank, all, dnnl_f32, tag);
    return md;
}

/* ---- convolution --------------------------------------------------------------------------------------------------------- */

typedef enum conv_pass { FORWARD, BY_IMAGE, BY_FILTER } conv_pass;

typedef struct window {
    dnnl_dims_t size, stride, dilation, before, after;
} window;

/* From the sizes: the padding is what the window reaches beyond the image.  Its cost does not depend on the side. */
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

static double time_convolution(conv_pass pass, dnnl_alg_kind_t algorithm, dnnl_format_tag_t tag, const int64_t *image,
                               const int64_t *filter, const int64_t *result)
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
    dnnl_memory_desc_t src = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag),
                       weights = array(4, (int64_t[]){filter[3], filter[2], filter[0], filter[1]}, dnnl_format_tag_any);
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, algorithm, &src, &weights, NULL, &dst, w.stride,
                                           w.before, w.after))
        return 0;
    if (pass == FORWARD)
        return time_first(&op, NULL, forward);
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return 0;
    dnnl_status_t status = pass == BY_IMAGE
                               ? dnnl_convolution_backward_data_desc_init(&op, algorithm, &src, &weights, &dst,
                                                                          w.stride, w.before, w.after)
                               : dnnl_convolution_backward_weights_desc_init(&op, algorithm, &src, &weights, NULL, &dst,
                                                                             w.stride, w.before, w.after);
    double seconds = status ? 0 : time_first(&op, hint, pass == BY_IMAGE ? by_image : by_filter);
    dnnl_primitive_desc_destroy(hint);
    return seconds;
}

static double floor_of_convolution(conv_pass pass, const int64_t *image, const int64_t *filter, const int64_t *result)
{
    double best = 0;
    keep_least(&best, time_convolution(pass, dnnl_convolution_direct, dnnl_nhwc, image, filter, result));
    keep_least(&best, time_convolution(pass, dnnl_convolution_direct, dnnl_format_tag_any, image, filter, result));
    if (image[3] <= 4)
        keep_least(&best, time_convolution(pass, dnnl_convolution_direct, dnnl_nchw, image, filter, result));
    if (filter[0] == 3 && filter[1] == 3)
        keep_least(&best,
                   time_convolution(pass, dnnl_convolution_winograd, dnnl_format_tag_any, image, filter, result));
    return best;
}

/* ---- matrix product: [m, k] x [k, n] -------------------------------------------------------------------------------------- */

static double floor_of_product(int64_t m, int64_t k, int64_t n)
{
    static const argument arguments[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                         {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                         {0}};
    static const dnnl_format_tag_t tags[] = {dnnl_ab, dnnl_ba, dnnl_format_tag_any};
    double best = 0;
    dnnl_memory_desc_t dst = array(2, (int64_t[]){m, n}, dnnl_ab);
    for (int left = 0; left < 2; left++)
        for (int right = 0; right < 3; right++) {
            dnnl_memory_desc_t a = array(2, (int64_t[]){m, k}, tags[left]),
                               b = array(2, (int64_t[]){k, n}, tags[right]);
            dnnl_matmul_desc_t op;
            if (dnnl_matmul_desc_init(&op, &a, &b, NULL, &dst) == dnnl_success)
                keep_least(&best, time_first(&op, NULL, arguments));
        }
    dnnl_memory_desc_t src = array(2, (int64_t[]){m, k}, dnnl_ab),
                       weights = array(2, (int64_t[]){n, k}, dnnl_format_tag_any);
    dnnl_inner_product_desc_t op;
    if (dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &src, &weights, NULL, &dst) == dnnl_success)
        keep_least(&best, time_first(&op, NULL, arguments));
    return best;
}

/* ---- pooling, normalisation ------------------------------------------------------------------------------------------------ */

static double time_pooling(int backward, dnnl_format_tag_t tag, const int64_t *image, const int64_t *result, int size)
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
    dnnl_memory_desc_t src = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag);
    dnnl_pooling_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_pooling_forward_desc_init(&op, dnnl_forward_training, dnnl_pooling_max, &src, &dst, w.stride, w.size,
                                       w.before, w.after))
        return 0;
    if (!backward)
        return time_first(&op, NULL, forward);
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return 0;
    double seconds =
        dnnl_pooling_backward_desc_init(&op, dnnl_pooling_max, &src, &dst, w.stride, w.size, w.before, w.after)
            ? 0
            : time_first(&op, hint, back);
    dnnl_primitive_desc_destroy(hint);
    return seconds;
}

static double floor_of_pooling(int backward, const int64_t *image, const int64_t *result, int size)
{
    double best = 0;
    keep_least(&best, time_pooling(backward, dnnl_nhwc, image, result, size));
    keep_least(&best, time_pooling(backward, dnnl_nChw16c, image, result, size));
    return best;
}

/* In NHWC: nothing else is fast.  Nine channels wide, as in the CIFAR-10 network. */
static double floor_of_lrn(int backward, const int64_t *image)
{
    static const argument forward[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                       {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                       {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                       {0}};
    static const argument back[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                    {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0},
                                    {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0},
                                    {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0},
                                    {0}};
    dnnl_memory_desc_t md = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, dnnl_nhwc);
    dnnl_lrn_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    if (dnnl_lrn_forward_desc_init(&op, dnnl_forward_training, dnnl_lrn_across_channels, &md, 9, 0.001f, 0.75f, 1))
        return 0;
    if (!backward)
        return time_first(&op, NULL, forward);
    if (dnnl_primitive_desc_create(&hint, &op, NULL, engine, NULL))
        return 0;
    double seconds = dnnl_lrn_backward_desc_init(&op, dnnl_lrn_across_channels, &md, &md, 9, 0.001f, 0.75f, 1)
                         ? 0
                         : time_first(&op, hint, back);
    dnnl_primitive_desc_destroy(hint);
    return seconds;
}

/* ---- everything else: its bytes -------------------------------------------------------------------------------------------- */

/* Seconds to read half of the bytes and write the other half, on all threads where that is worth it. */
static double time_of_bytes(int64_t bytes)
{
    static double times[MOST_REPEATS];
    int64_t count = bytes / 8;
    float *from = calloc((size_t)count + 1, 4), *to = calloc((size_t)count + 1, 4);
    for (int i = -1; from && to && i < repeats; i++) {
        double start = seconds_now();
#pragma omp parallel for simd if (count > 1 << 15)
        for (int64_t k = 0; k < count; k++)
            to[k] = from[k] > 0 ? from[k] : 1;
        if (i >= 0)
            times[i] = seconds_now() - start;
    }
    free(from);
    free(to);
    return median_of(times, repeats);
}

static int is_primitive(const char *op)
{
    static const char *const beginnings[] = {"conv2d", "matmul", "max_pool2d", "lrn", "reorder"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(op, beginnings[i], strlen(beginnings[i])) == 0)
            return 1;
    return 0;
}

static double floor_of_others(const built_case *b)
{
    double seconds = 0;
    for (int64_t i = 0; i < atl_program_step_count(b->program); i++) {
        atl_step_info info;
        if (atl_program_step(b->program, i, &info) || info.once || is_primitive(info.op))
            continue;
        seconds += time_of_bytes(info.bytes);
        others_bytes += (double)info.bytes;
    }
    return seconds;
}

/* ---- the graph ------------------------------------------------------------------------------------------------------------ */

/* The first number of what the op says of itself: a window's height. */
static int window_of(const atl_node *node)
{
    char text[256] = "";
    int size = 1;
    if (atl_op_of(node)->describe)
        atl_op_of(node)->describe(node, text, sizeof text);
    sscanf(text, "%d", &size);
    return size;
}

static double measure_node(const atl_node *node)
{
    const char *op = atl_op_of(node)->name;
    atl_shape y = atl_shape_of(node), a = atl_shape_of(atl_input_of(node, 0)), b = atl_shape_of(atl_input_of(node, 1));
    if (strcmp(op, "conv2d") == 0)
        return floor_of_convolution(FORWARD, a.size, b.size, y.size);
    if (strcmp(op, "conv2d_input_grad") == 0)
        return floor_of_convolution(BY_IMAGE, y.size, b.size, a.size);
    if (strcmp(op, "conv2d_filter_grad") == 0)
        return floor_of_convolution(BY_FILTER, a.size, y.size, b.size);
    if (strcmp(op, "matmul") == 0 && y.rank == 2)
        return floor_of_product(y.size[0], atl_shape_count(a) / y.size[0], y.size[1]);
    if (strcmp(op, "max_pool2d") == 0)
        return floor_of_pooling(0, a.size, y.size, window_of(node));
    if (strcmp(op, "max_pool2d_grad") == 0)
        return floor_of_pooling(1, y.size, a.size, window_of(node));
    if (strcmp(op, "lrn") == 0 || strcmp(op, "lrn_grad") == 0)
        return floor_of_lrn(op[3] != 0, y.size);
    return 0;
}

/* Equal work is measured once. */
static double floor_of_node(const atl_node *node)
{
    static char keys[MOST_SEEN][200];
    static double values[MOST_SEEN];
    static int seen;
    char key[200], shape[3][60];
    snprintf(key, sizeof key, "%s%s%s%s", atl_op_of(node)->name,
             atl_shape_text(atl_shape_of(node), shape[0], sizeof shape[0]),
             atl_shape_text(atl_shape_of(atl_input_of(node, 0)), shape[1], sizeof shape[1]),
             atl_shape_text(atl_shape_of(atl_input_of(node, 1)), shape[2], sizeof shape[2]));
    for (int i = 0; i < seen; i++)
        if (strcmp(keys[i], key) == 0)
            return values[i];
    double seconds = measure_node(node);
    if (seen < MOST_SEEN) {
        memcpy(keys[seen], key, sizeof key);
        values[seen++] = seconds;
    }
    if (seconds > 0 && getenv("FLOOR_VERBOSE"))
        fprintf(stderr, "%10.3f ms  %s\n", seconds * 1e3, key);
    return seconds;
}

static double floor_of_primitives(const built_case *b)
{
    static char needed[MOST_NODES];
    double seconds = 0;
    for (int64_t i = 0; i < b->count; i++)
        needed[atl_index_of(b->wanted[i])] = 1;
    for (int64_t i = atl_graph_node_count(b->graph); i-- > 0;) { /* inputs come before their users */
        const atl_node *node = atl_graph_node(b->graph, i);
        if (!needed[i])
            continue;
        for (int k = 0; k < atl_input_count(node); k++)
            needed[atl_index_of(atl_input_of(node, k))] = 1;
        seconds += floor_of_node(node);
    }
    return seconds;
}

static int measure(const bench_case *c)
{
    built_case b;
    int ok = open_case(c, &b) && atl_graph_node_count(b.graph) < MOST_NODES;
    if (ok) {
        double primitives = floor_of_primitives(&b), others = floor_of_others(&b);
        printf(
            "{\"case\": \"%s\", \"who\": \"floor\", \"unit\": \"ms\", \"median\": %.6f, \"min\": %.6f, \"runs\": %d, "
            "\"primitives\": %.6f, \"bytes\": %.0f}\n",
            c->name, (primitives + others) * 1e3, (primitives + others) * 1e3, repeats, primitives * 1e3, others_bytes);
    }
    close_case(&b);
    return ok;
}

int main(int argc, char **argv)
{
    const bench_case *c = argc > 1 ? bench_case_find(argv[1]) : NULL;
    if (argc > 2)
        repeats = atoi(argv[2]);
    if (!c || repeats < 1 || repeats > MOST_REPEATS) {
        fputs("usage: floor CASE [REPEATS]\n", stderr);
        return 2;
    }
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags))
        return 1;
    int ok = measure(c);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return !ok;
}
#endif
