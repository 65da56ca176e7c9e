/* lower_bound CASE ROUNDS: the oneDNN lower bound of a step of the case.
 *
 * Each convolution, matrix product, pooling and normalisation of its graph is a bare oneDNN primitive, without bias,
 * relu or reorders; every other step of our plan is a copy of as many bytes.  First the program finds the fastest
 * implementation of each primitive: direct on NHWC, direct in the layouts that oneDNN prefers, Winograd, each with its
 * first few implementations.  Then it runs all primitives one after the other, in the order of the graph, and times
 * each; the lower bound is the sum of their medians.
 *
 * So the caches are as cold as in a step: images and results lie in a ring as large as our arena, each weight has its
 * own memory, and the input of a primitive is written just before the clock starts.  Primitives repeated alone are up
 * to twice as fast if all their data fits into the caches: LOWER_BOUND_ALONE=1 measures that. Prints one line of JSON;
 * LOWER_BOUND_VERBOSE=1: each primitive on stderr. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cases.h"

#if DNNL_VERSION_MAJOR >= 3
int main(void)
{
    fputs("lower_bound: oneDNN 2.x only\n", stderr);
    return 77;
}
#else

enum {
    MOST_ARGUMENTS = 8,
    MOST_ROUNDS = 100,
    MOST_SEEN = 512,
    MOST_WORKS = 4096,
    MOST_NODES = 1 << 16,
    IMPLEMENTATIONS = 3, /* candidates of each layout and algorithm */
    TRIES = 4            /* runs of each candidate; the minimum time counts */
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static int rounds = 5;

/* ---- memory ------------------------------------------------------------------------------------------------------ */

enum { HUGE_PAGE = 2 << 20 };

/* Whole pages, large ones if the system has them, all of them touched.  Zeros take as much time as other values. */
static char *new_memory(size_t bytes)
{
    size_t whole = (bytes / HUGE_PAGE + 1) * HUGE_PAGE;
    char *memory = aligned_alloc(HUGE_PAGE, whole);
    if (!memory) {
        fputs("lower_bound: out of memory\n", stderr);
        exit(1);
    }
    madvise(memory, whole, MADV_HUGEPAGE);
    memset(memory, 0, whole);
    return memory;
}

/* A ring buffer: allocation continues at the start when it reaches the end. */
static struct ring {
    char *memory;
    size_t size, used;
} ring;

static char *from_ring(size_t bytes)
{
    bytes = (bytes + 63) / 64 * 64;
    if (ring.used + bytes > ring.size)
        ring.used = 0;
    if (bytes > ring.size) { /* old memory is not freed: the process is short-lived */
        ring.size = bytes;
        ring.memory = new_memory(bytes);
    }
    ring.used += bytes;
    return ring.memory + ring.used - bytes;
}

/* ---- one primitive ----------------------------------------------------------------------------------------------- */

/* An operand or a result of a primitive. */
typedef struct argument {
    int index; /* DNNL_ARG_SRC */
    dnnl_query_t query;
    int which;
} argument;

/* The fastest candidate for a primitive; primitive is null if there is none. */
typedef struct choice {
    dnnl_primitive_t primitive;
    double seconds; /* when timed alone */
    int count;
    int index[MOST_ARGUMENTS];
    dnnl_memory_desc_t md[MOST_ARGUMENTS];
    char implementation[64];
} choice;

/* True if the step before writes it, or if it is fed; false for weights, and for images kept from the forward pass. */
static int made_just_before(const choice *c, int i)
{
    int source = DNNL_ARG_SRC;
    for (int k = 0; k < c->count; k++)
        if (c->index[k] == DNNL_ARG_DIFF_DST)
            source = DNNL_ARG_DIFF_DST;
    return c->index[i] == source;
}

static int is_kept(int index) { return index == DNNL_ARG_WEIGHTS || index == DNNL_ARG_DIFF_WEIGHTS; }

static int bind(const choice *c, dnnl_exec_arg_t *list, int weights_of_their_own)
{
    for (int i = 0; i < c->count; i++) {
        size_t bytes = dnnl_memory_desc_get_size(&c->md[i]);
        char *data = weights_of_their_own && is_kept(c->index[i]) ? new_memory(bytes) : from_ring(bytes);
        list[i].arg = c->index[i];
        if (dnnl_memory_create(&list[i].memory, &c->md[i], engine, data))
            return 0;
    }
    return 1;
}

static double time_once(const choice *c, const dnnl_exec_arg_t *list)
{
    double start = seconds_now();
    if (dnnl_primitive_execute(c->primitive, stream, c->count, list) || dnnl_stream_wait(stream))
        return 0;
    return seconds_now() - start;
}

/* The minimum of several runs; stops after the first run if it is far from the best. */
static double time_alone(const choice *c, double best)
{
    dnnl_exec_arg_t list[MOST_ARGUMENTS];
    double least = 0;
    if (!bind(c, list, 0))
        return 0;
    time_once(c, list); /* warms up: packs weights and fills caches */
    for (int i = 0; i < TRIES; i++) {
        double seconds = time_once(c, list);
        if (least == 0 || seconds < least)
            least = seconds;
        if (best > 0 && least > 1.5 * best)
            break;
    }
    for (int i = 0; i < c->count; i++)
        dnnl_memory_destroy(list[i].memory);
    return least;
}

static int describe(choice *c, dnnl_primitive_desc_t desc, const argument *arguments)
{
    const char *name = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    snprintf(c->implementation, sizeof c->implementation, "%s", name);
    for (const argument *a = arguments; a->index; a++) {
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, a->query, a->which);
        if (!md || dnnl_memory_desc_get_size(md) == 0)
            continue;
        c->index[c->count] = a->index;
        c->md[c->count++] = *md;
    }
    return dnnl_primitive_create(&c->primitive, desc) == dnnl_success;
}

static void try_one(choice *best, dnnl_primitive_desc_t desc, const argument *arguments)
{
    choice c = {0};
    if (describe(&c, desc, arguments))
        c.seconds = time_alone(&c, best->seconds);
    if (c.seconds > 0 && (!best->primitive || c.seconds < best->seconds)) {
        choice worse = *best;
        *best = c;
        c = worse;
    }
    dnnl_primitive_destroy(c.primitive);
}

static int is_reference(dnnl_primitive_desc_t desc)
{
    const char *name = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, "ref") != NULL; /* takes minutes, and is never the fastest */
}

/* Keeps the best of the first implementations. */
static void try_all(choice *best, const void *op, dnnl_primitive_desc_t hint, const argument *arguments)
{
    dnnl_primitive_desc_iterator_t iterator = NULL;
    if (dnnl_primitive_desc_iterator_create(&iterator, op, NULL, engine, hint))
        return;
    for (int i = 0; i < IMPLEMENTATIONS; i++) {
        dnnl_primitive_desc_t desc = dnnl_primitive_desc_iterator_fetch(iterator);
        if (desc && !is_reference(desc))
            try_one(best, desc, arguments);
        dnnl_primitive_desc_destroy(desc);
        if (dnnl_primitive_desc_iterator_next(iterator))
            break;
    }
    dnnl_primitive_desc_iterator_destroy(iterator);
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

/* ---- convolution ------------------------------------------------------------------------------------------------- */

typedef enum conv_pass { FORWARD, OF_IMAGE, OF_FILTER } conv_pass;

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
    dnnl_memory_desc_t src = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag),
                       weights = array(4, (int64_t[]){filter[3], filter[2], filter[0], filter[1]}, dnnl_format_tag_any);
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

static choice best_convolution(conv_pass pass, const int64_t *image, const int64_t *filter, const int64_t *result)
{
    choice best = {0};
    if (filter[0] == 3 && filter[1] == 3)
        try_convolution(&best, pass, dnnl_convolution_winograd, dnnl_format_tag_any, image, filter, result);
    try_convolution(&best, pass, dnnl_convolution_direct, dnnl_nhwc, image, filter, result);
    try_convolution(&best, pass, dnnl_convolution_direct, dnnl_format_tag_any, image, filter, result);
    if (image[3] <= 4)
        try_convolution(&best, pass, dnnl_convolution_direct, dnnl_nchw, image, filter, result);
    return best;
}

/* ---- matrix product: [m, k] x [k, n] ----------------------------------------------------------------------------- */

static choice best_product(int64_t m, int64_t k, int64_t n)
{
    static const argument arguments[] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                         {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                         {0}};
    static const dnnl_format_tag_t tags[] = {dnnl_ab, dnnl_ba, dnnl_format_tag_any};
    choice best = {0};
    dnnl_memory_desc_t dst = array(2, (int64_t[]){m, n}, dnnl_ab);
    for (int left = 0; left < 2; left++)
        for (int right = 0; right < 3; right++) {
            dnnl_memory_desc_t a = array(2, (int64_t[]){m, k}, tags[left]),
                               b = array(2, (int64_t[]){k, n}, tags[right]);
            dnnl_matmul_desc_t op;
            if (dnnl_matmul_desc_init(&op, &a, &b, NULL, &dst) == dnnl_success)
                try_all(&best, &op, NULL, arguments);
        }
    dnnl_memory_desc_t src = array(2, (int64_t[]){m, k}, dnnl_ab),
                       weights = array(2, (int64_t[]){n, k}, dnnl_format_tag_any);
    dnnl_inner_product_desc_t op;
    if (dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &src, &weights, NULL, &dst) == dnnl_success)
        try_all(&best, &op, NULL, arguments);
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
    dnnl_memory_desc_t src = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, tag),
                       dst = array(4, (int64_t[]){result[0], result[3], result[1], result[2]}, tag);
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

static choice best_pooling(int backward, const int64_t *image, const int64_t *result, int size)
{
    choice best = {0};
    try_pooling(&best, backward, dnnl_nhwc, image, result, size);
    try_pooling(&best, backward, dnnl_nChw16c, image, result, size);
    return best;
}

/* In NHWC, the only fast layout.  The window is nine channels wide, as in the CIFAR-10 network. */
static choice best_lrn(int backward, const int64_t *image)
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
    dnnl_memory_desc_t md = array(4, (int64_t[]){image[0], image[3], image[1], image[2]}, dnnl_nhwc);
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

/* ---- the work of a step ------------------------------------------------------------------------------------------ */

/* A primitive, or a copy of a number of bytes. */
typedef struct work {
    const choice *how; /* null: a copy */
    dnnl_exec_arg_t list[MOST_ARGUMENTS];
    char *from, *to; /* of the copy; `from`, and for a primitive its input, is written just before the clock starts */
    size_t bytes;    /* starting at `from` */
    double times[MOST_ROUNDS];
    char key[200];
} work;

static work *works[MOST_WORKS];
static int work_count;

static work *add_work(const char *key)
{
    work *w = work_count < MOST_WORKS ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        fputs("lower_bound: too many steps\n", stderr);
        exit(1);
    }
    snprintf(w->key, sizeof w->key, "%s", key);
    return works[work_count++] = w;
}

static void add_primitive(const choice *how, const char *key)
{
    work *w = add_work(key);
    w->how = how;
    if (!bind(how, w->list, 1))
        exit(1);
    for (int i = 0; i < how->count; i++)
        if (made_just_before(how, i)) {
            void *data = NULL;
            dnnl_memory_get_data_handle(w->list[i].memory, &data);
            w->from = data;
            w->bytes = dnnl_memory_desc_get_size(&how->md[i]);
        }
}

/* A step that reads half of the bytes and writes the other half. */
static void add_copy(int64_t bytes, const char *key)
{
    work *w = add_work(key);
    w->bytes = (size_t)bytes / 2;
    w->from = from_ring(w->bytes);
    w->to = from_ring(w->bytes);
}

enum { FEW_BYTES = 1 << 17 }; /* too small for two threads */

static void write_all(char *to, size_t bytes)
{
    int64_t count = (int64_t)bytes / 4;
    float *x = (float *)to;
#pragma omp parallel for simd if (bytes > FEW_BYTES)
    for (int64_t i = 0; i < count; i++)
        x[i] = 0;
}

static double time_copy(const work *w)
{
    const float *from = (const float *)w->from;
    float *to = (float *)w->to;
    int64_t count = (int64_t)w->bytes / 4;
    double start = seconds_now();
#pragma omp parallel for simd if (w->bytes > FEW_BYTES)
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] > 0 ? from[i] : 1;
    return seconds_now() - start;
}

/* Times all works, one after the other, as a step runs them; or each repeatedly. */
static void time_works(void)
{
    int alone = getenv("LOWER_BOUND_ALONE") != NULL;
    for (int outer = 0; outer < (alone ? work_count : rounds + 1); outer++)
        for (int inner = 0; inner < (alone ? rounds + 1 : work_count); inner++) {
            work *w = works[alone ? outer : inner];
            int round = (alone ? inner : outer) - 1; /* -1: warm-up */
            if (!alone)
                write_all(w->from, w->bytes);
            double seconds = w->how ? time_once(w->how, w->list) : time_copy(w);
            if (round >= 0)
                w->times[round] = seconds;
        }
}

/* ---- the graph --------------------------------------------------------------------------------------------------- */

/* The first number in the op's description: a window's height. */
static int window_of(const atl_node *node)
{
    char text[256] = "";
    int size = 1;
    if (atl_op_of(node)->describe)
        atl_op_of(node)->describe(node, text, sizeof text);
    sscanf(text, "%d", &size);
    return size;
}

static choice best_of_node(const atl_node *node)
{
    const char *op = atl_op_of(node)->name;
    atl_shape y = atl_shape_of(node), a = atl_shape_of(atl_input_of(node, 0)), b = atl_shape_of(atl_input_of(node, 1));
    if (strcmp(op, "conv2d") == 0)
        return best_convolution(FORWARD, a.size, b.size, y.size);
    if (strcmp(op, "conv2d_input_grad") == 0)
        return best_convolution(OF_IMAGE, y.size, b.size, a.size);
    if (strcmp(op, "conv2d_filter_grad") == 0)
        return best_convolution(OF_FILTER, a.size, y.size, b.size);
    if (strcmp(op, "matmul") == 0 && y.rank == 2)
        return best_product(y.size[0], atl_shape_count(a) / y.size[0], y.size[1]);
    if (strcmp(op, "max_pool2d") == 0)
        return best_pooling(0, a.size, y.size, window_of(node));
    if (strcmp(op, "max_pool2d_grad") == 0)
        return best_pooling(1, y.size, a.size, window_of(node));
    if (strcmp(op, "lrn") == 0 || strcmp(op, "lrn_grad") == 0)
        return best_lrn(op[3] != 0, y.size);
    return (choice){0};
}

/* Equal work uses the same choice. */
static const choice *choice_of_node(const atl_node *node, const char *key)
{
    static char keys[MOST_SEEN][200];
    static choice choices[MOST_SEEN + 1];
    static int seen;
    for (int i = 0; i < seen; i++)
        if (strcmp(keys[i], key) == 0)
            return &choices[i];
    if (seen == MOST_SEEN)
        return &choices[MOST_SEEN];
    snprintf(keys[seen], sizeof keys[seen], "%s", key);
    choices[seen] = best_of_node(node);
    return &choices[seen++];
}

static void add_node(const atl_node *node)
{
    char key[200], shape[3][60];
    snprintf(key, sizeof key, "%s%s%s%s", atl_op_of(node)->name,
             atl_shape_text(atl_shape_of(node), shape[0], sizeof shape[0]),
             atl_shape_text(atl_shape_of(atl_input_of(node, 0)), shape[1], sizeof shape[1]),
             atl_shape_text(atl_shape_of(atl_input_of(node, 1)), shape[2], sizeof shape[2]));
    const choice *how = choice_of_node(node, key);
    if (how->primitive)
        add_primitive(how, key);
}

static void add_primitives(const built_case *b)
{
    static char needed[MOST_NODES];
    for (int64_t i = 0; i < b->count; i++)
        needed[atl_index_of(b->outputs[i])] = 1;
    for (int64_t i = atl_graph_node_count(b->graph); i-- > 0;) /* inputs come before their users */
        for (int k = 0; needed[i] && k < atl_input_count(atl_graph_node(b->graph, i)); k++)
            needed[atl_index_of(atl_input_of(atl_graph_node(b->graph, i), k))] = 1;
    for (int64_t i = 0; i < atl_graph_node_count(b->graph); i++)
        if (needed[i])
            add_node(atl_graph_node(b->graph, i));
}

static int is_primitive(const char *op)
{
    static const char *const beginnings[] = {"conv2d", "matmul", "max_pool2d", "lrn", "reorder"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(op, beginnings[i], strlen(beginnings[i])) == 0)
            return 1;
    return 0;
}

/* Adds the remaining steps as copies.  A plan lists reorders under the op that reads the result; reorders of filters
 * and images do not count.  Batch norm in training counts: it makes as many passes over memory as oneDNN's
 * primitive. */
static void add_others(const built_case *b)
{
    for (int64_t i = 0; i < atl_program_step_count(b->program); i++) {
        atl_step_info info;
        if (!atl_program_step(b->program, i, &info) && !info.prepack && !is_primitive(info.op))
            add_copy(info.bytes, info.node);
    }
}

static void add_up(const bench_case *c)
{
    double primitives = 0, others = 0, least = 0, bytes = 0;
    for (int i = 0; i < work_count; i++) {
        work *w = works[i];
        double seconds = median_of(w->times, rounds);
        *(w->how ? &primitives : &others) += seconds;
        least += w->times[0];
        bytes += w->how ? 0 : 2 * (double)w->bytes;
        if (getenv("LOWER_BOUND_VERBOSE"))
            fprintf(stderr, "%10.3f ms, alone %10.3f  %-28s %s\n", seconds * 1e3, w->how ? w->how->seconds * 1e3 : 0,
                    w->how ? w->how->implementation : "copy", w->key);
    }
    printf(
        "{\"case\": \"%s\", \"who\": \"lower_bound\", \"unit\": \"ms\", \"median\": %.6f, \"min\": %.6f, \"runs\": %d, "
        "\"primitives\": %.6f, \"bytes\": %.0f}\n",
        c->name, (primitives + others) * 1e3, least * 1e3, rounds, primitives * 1e3, bytes);
}

static int measure(const bench_case *c)
{
    built_case b;
    int ok = open_case(c, &b) && atl_graph_node_count(b.graph) < MOST_NODES;
    if (ok) {
        ring.size = (size_t)atl_program_arena_bytes(b.program) + 64;
        ring.memory = new_memory(ring.size);
        add_primitives(&b);
        add_others(&b);
        time_works();
        add_up(c);
    }
    close_case(&b);
    return ok;
}

int main(int argc, char **argv)
{
    const bench_case *c = argc > 1 ? bench_case_find(argv[1]) : NULL;
    if (argc > 2)
        rounds = atoi(argv[2]);
    if (!c || rounds < 1 || rounds > MOST_ROUNDS) {
        fputs("usage: lower_bound CASE [ROUNDS]\n", stderr);
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
