/* Pooling: the largest or the mean of each window of each channel, and the gradients of both.
 *
 * max_pool2d_grad and max_pool2d_pick are linear in their first input and adjoint to one another, as are avg_pool2d and
 * avg_pool2d_grad: so pooling has gradients of any order. */
#include "onednn/pooling.h"
#include "ops/fast.h"
#include "ops/image.h"
#include "ops/parallel.h"
#include "ops/window.h"

/* The attributes of every op here. */
typedef struct pool_options {
    int32_t window[2]; /* height, width; 0, 0: the whole map */
    window_options slide;
} pool_options;

/* One op at work on known shapes. [0] is vertical, [1] horizontal. */
typedef struct pool {
    int64_t batch, channels;
    atl_window window[2];
    const float *x, *dy;
    float *result;
} pool;

static int is_global(const pool_options *options) { return options->window[0] == 0 && options->window[1] == 0; }

static pool pool_of(const atl_node *y, const atl_node *image)
{
    const pool_options *options = y->attributes;
    pool p = {.batch = image->shape.size[0], .channels = image->shape.size[3]};
    for (int d = 0; d < 2; d++) {
        int64_t input = image->shape.size[1 + d];
        if (is_global(options))
            p.window[d] = (atl_window){.input = input, .output = 1, .size = input, .stride = 1, .dilation = 1};
        else
            p.window[d] = atl_window_of(&options->slide, d, input, options->window[d]);
    }
    return p;
}

/* The pixels of one direction that output o looks at: first <= i < last, never none. */
typedef struct taps {
    int64_t first, last;
} taps;

static inline taps taps_of(const atl_window *window, int64_t o)
{
    int64_t start = o * window->stride - window->pad_before, end = start + window->size;
    return (taps){start > 0 ? start : 0, end < window->input ? end : window->input};
}

/* ---- shapes ---------------------------------------------------------------------------------------------------------- */

static int check_window(atl_node *y, const pool_options *options)
{
    const int32_t *window = options->window;
    if (is_global(options) && options->slide.padding == ATL_EXPLICIT)
        return atl_fail(
            y,
            "explicit padding around a window that is the whole map: give .window its sizes, or leave the padding out");
    if (!is_global(options) && (window[0] < 1 || window[1] < 1))
        return atl_fail(y, "the window {%d, %d} must be 1 or more in both directions, or {0, 0} for the whole map",
                        window[0], window[1]);
    return atl_check_window_options(y, &options->slide);
}

/* [n, h, w, c] -> [n, output height, output width, c] */
static int pooled_shape(atl_node *y, const atl_node *image, atl_shape *shape_out)
{
    const pool_options *options = y->attributes;
    *shape_out = image->shape;
    for (int d = 0; d < 2; d++) {
        int64_t input = image->shape.size[1 + d];
        if (is_global(options) && input == 0)
            return atl_fail(y, "the image, '%s', is %s: there is nothing to look at", atl_name_of(image),
                            SHAPE_OF(image));
        if (is_global(options))
            shape_out->size[1 + d] = 1;
        else if (!atl_slide_window(y, &options->slide, d, input, options->window[d], &shape_out->size[1 + d], NULL))
            return 0;
    }
    return 1;
}

static int infer_pool(atl_node *y)
{
    atl_shape shape;
    return check_window(y, y->attributes) && atl_require_image(y, 0) && pooled_shape(y, y->inputs[0], &shape) &&
           atl_set_type(y, ATL_FLOAT32, shape);
}

/* Gradients: the adjoint of the result, then the image. */
static int infer_pool_grad(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, y->inputs[1]->shape); }

static void describe_pool(const atl_node *y, char *text, size_t size)
{
    const pool_options *options = y->attributes;
    if (is_global(options))
        snprintf(text, size, "global");
    else
        atl_describe_window(&options->slide, options->window[0], options->window[1], text, size);
}

static atl_node *build_pool(const atl_op *op, const atl_pool2d_args *args)
{
    static const int whole[2] = {1, 1};
    pool_options options;
    memset(&options, 0, sizeof options);
    options.window[0] = args->window[0];
    options.window[1] = args->window[1];
    atl_window_options(&options.slide, args->stride, is_global(&options) ? whole : args->window, NULL, args->padding,
                       args->pad);
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, op->name);
    return atl_image_from_nhwc(ATL_APPLY(op, &options, image), args->layout);
}

/* ---- lowering --------------------------------------------------------------------------------------------------------- */

/* Below this, and for windows that oneDNN was never meant to see, the kernels here are as good, and cost no parallel region. */
enum { FEW_ELEMENTS = 4096, WIDEST_WINDOW = 1024 };

static int suits_onednn(const pool *p, atl_shape image)
{
    return atl_shape_count(image) >= FEW_ELEMENTS && p->window[0].size <= WIDEST_WINDOW &&
           p->window[1].size <= WIDEST_WINDOW;
}

static int lower_forward(atl_lowering *lowering, int average)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[0]);
    onednn_pooling pooling = {.average = average, .image = y->inputs[0]->shape, .result = y->shape, .image_input = 0};
    memcpy(pooling.window, p.window, sizeof p.window);
    return suits_onednn(&p, pooling.image) ? onednn_lower_pooling(lowering, &pooling) : atl_lower_kernel(lowering);
}

static int lower_grad(atl_lowering *lowering, int average)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[1]);
    onednn_pooling pooling = {.average = average,
                              .gradient = 1,
                              .image = y->shape,
                              .result = y->inputs[0]->shape,
                              .adjoint_input = 0,
                              .image_input = 1,
                              .forward_input = 2};
    memcpy(pooling.window, p.window, sizeof p.window);
    return suits_onednn(&p, pooling.image) ? onednn_lower_pooling(lowering, &pooling) : atl_lower_kernel(lowering);
}

/* Bound by memory in either layout.  A gradient's result lies as the image of the forward node does. */
static double blocked_gain(atl_shape image)
{
    return image.size[3] % 16 || atl_shape_count(image) < FEW_ELEMENTS ? -INFINITY : 0;
}
static double forward_blocked_gain(const atl_node *y, unsigned *images)
{
    *images = 1;
    return blocked_gain(y->inputs[0]->shape);
}
static double grad_blocked_gain(const atl_node *y, unsigned *images)
{
    *images = 1 | 2;
    return blocked_gain(y->shape);
}

static int lower_max(atl_lowering *lowering) { return lower_forward(lowering, 0); }
static int lower_max_grad(atl_lowering *lowering) { return lower_grad(lowering, 0); }
static int lower_avg(atl_lowering *lowering) { return lower_forward(lowering, 1); }
static int lower_avg_grad(atl_lowering *lowering) { return lower_grad(lowering, 1); }

/* ---- references ------------------------------------------------------------------------------------------------------- */

/* Calls visit for every element of the pooled map: `to` is its index there; its window are the pixels v x h of channel c of
 * image n. */
typedef void pool_visit(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                        double *result);

static void visit_all(const pool *p, pool_visit *visit, const double *const *x, double *result)
{
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t to = 0; to < p->batch * height * width * p->channels; to++) {
        int64_t c = to % p->channels, pixel = to / p->channels;
        taps v = taps_of(&p->window[0], pixel / width % height), h = taps_of(&p->window[1], pixel % width);
        visit(p, to, pixel / width / height, v, h, c, x, result);
    }
}

static int64_t index_of(const pool *p, int64_t n, int64_t row, int64_t column, int64_t c)
{
    return ((n * p->window[0].input + row) * p->window[1].input + column) * p->channels + c;
}

/* The index of the largest; of equal ones the first in row order. */
static int64_t largest_in(const pool *p, int64_t n, taps v, taps h, int64_t c, const double *x)
{
    int64_t best = index_of(p, n, v.first, h.first, c);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            if (x[index_of(p, n, i, j, c)] > x[best])
                best = index_of(p, n, i, j, c);
    return best;
}

/* ---- largest ---------------------------------------------------------------------------------------------------------- */

enum { BLOCK = 64 }; /* channels that the gradients work on at once, so that what they note fits on the stack */

/* max_pool2d(x): the largest of each window; padding never wins.  dx = max_pool2d_grad(dy, x, y) */
static void visit_max(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                      double *result)
{
    result[to] = x[0][largest_in(p, n, v, h, c, x[0])];
}

static void reference_max(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[0]);
    visit_all(&p, visit_max, x, result);
}

ATL_FAST static void keep_larger(int64_t n, const float *x, float *best)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++)
        best[c] = x[c] > best[c] ? x[c] : best[c];
}

/* The largest of a window, for n channels from the x of channel 0 on. */
static void largest_of_window(const pool *p, const float *image, taps v, taps h, int64_t n, float *best)
{
    memcpy(best, image + index_of(p, 0, v.first, h.first, 0), (size_t)n * sizeof *best);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            keep_larger(n, image + index_of(p, 0, i, j, 0), best);
}

/* Ranges of rows of the result, over all images. */
static void max_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++) {
        const float *image = p->x + index_of(p, row / height, 0, 0, 0);
        taps v = taps_of(&p->window[0], row % height);
        for (int64_t o = 0; o < width; o++)
            largest_of_window(p, image, v, taps_of(&p->window[1], o), p->channels,
                              p->result + (row * width + o) * p->channels);
    }
}

static int64_t work_of(const pool *p)
{
    int64_t height = p->window[0].size < p->window[0].input ? p->window[0].size : p->window[0].input;
    int64_t width = p->window[1].size < p->window[1].input ? p->window[1].size : p->window[1].input;
    return p->batch * p->window[0].output * p->window[1].output * p->channels * height * width;
}

static void kernel_max(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[0]);
    p.x = x[0];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, work_of(&p), max_rows, &p);
}

static atl_node *max_pool2d_gradient(atl_node *y, atl_node *dy);
static atl_node *max_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x, atl_node *y);
static atl_node *max_pool2d_pick(atl_node *of, atl_node *g, atl_node *x, atl_node *y);

#define POOL_SAMPLES(prefix, pool)                                                                                     \
    static atl_node *prefix##_2x2(atl_node *x) { return pool(x, .window = {2, 2}); }                                   \
    static atl_node *prefix##_3x3_same(atl_node *x) { return pool(x, .window = {3, 3}, .stride = {2, 2}); }            \
    static atl_node *prefix##_3x2_valid(atl_node *x)                                                                   \
    {                                                                                                                  \
        return pool(x, .window = {3, 2}, .stride = {2, 1}, .padding = ATL_VALID);                                      \
    }                                                                                                                  \
    static atl_node *prefix##_explicit(atl_node *x)                                                                    \
    {                                                                                                                  \
        return pool(x, .window = {3, 3}, .stride = {2, 3}, .padding = ATL_EXPLICIT, .pad = {2, 0, 1, 2});              \
    }                                                                                                                  \
    static atl_node *prefix##_global(atl_node *x) { return pool(x); }                                                  \
    static atl_node *prefix##_nchw(atl_node *x)                                                                        \
    {                                                                                                                  \
        return pool(x, .window = {3, 3}, .stride = {2, 2}, .layout = ATL_NCHW);                                        \
    }                                                                                                                  \
    static atl_node *prefix##_gaps(atl_node *x) { return pool(x, .window = {1, 2}, .stride = {3, 3}); }                \
    static atl_node *prefix##_no_height(atl_node *x) { return pool(x, .window = {0, 3}); }                             \
    static atl_node *prefix##_negative(atl_node *x) { return pool(x, .window = {3, -3}); }                             \
    static atl_node *prefix##_stride(atl_node *x) { return pool(x, .window = {2, 2}, .stride = {-1, 1}); }             \
    static atl_node *prefix##_wide_pad(atl_node *x)                                                                    \
    {                                                                                                                  \
        return pool(x, .window = {2, 2}, .padding = ATL_EXPLICIT, .pad = {2, 0, 0, 0});                                \
    }                                                                                                                  \
    static atl_node *prefix##_large(atl_node *x) { return pool(x, .window = {9, 9}, .padding = ATL_VALID); }           \
    static const atl_sample prefix##_samples[] = {                                                                     \
        {"2x2", .unary = prefix##_2x2, .input = {{4, {2, 4, 6, 3}, -8, 8}}, .inputs = 1},                              \
        {"2x2, odd sizes", .unary = prefix##_2x2, .input = {{4, {1, 5, 7, 2}, -8, 8}}, .inputs = 1},                   \
        {"3x3, stride 2, same", .unary = prefix##_3x3_same, .input = {{4, {2, 6, 7, 3}, -8, 8}}, .inputs = 1},         \
        {"3x3, stride 2, 17 channels", .unary = prefix##_3x3_same, .input = {{4, {1, 5, 4, 17}, -8, 8}}, .inputs = 1}, \
        {"3x2, valid", .unary = prefix##_3x2_valid, .input = {{4, {2, 7, 4, 2}, -8, 8}}, .inputs = 1},                 \
        {"explicit padding", .unary = prefix##_explicit, .input = {{4, {2, 5, 6, 2}, -8, 8}}, .inputs = 1},            \
        {"negative values beside padding", .unary = prefix##_3x3_same, .input = {{4, {1, 3, 4, 1}, -9, -1}},           \
         .inputs = 1},                                                                                                 \
        {"global", .unary = prefix##_global, .input = {{4, {2, 3, 4, 5}, -8, 8}}, .inputs = 1},                        \
        {"NCHW", .unary = prefix##_nchw, .input = {{4, {2, 3, 5, 6}, -8, 8}}, .inputs = 1},                            \
        {"stride over gaps", .unary = prefix##_gaps, .input = {{4, {1, 7, 8, 2}, -8, 8}}, .inputs = 1},                \
        {"window {0, 3}", .unary = prefix##_no_height, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1, .error = "{0, 3}"},  \
        {"window {3, -3}", .unary = prefix##_negative, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1, .error = "{3, -3}"}, \
        {"stride {-1, 1}", .unary = prefix##_stride, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,                        \
         .error = "stride {-1, 1}"},                                                                                   \
        {"padding as wide as the window", .unary = prefix##_wide_pad, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,       \
         .error = "must be smaller"},                                                                                  \
        {"window larger than the image", .unary = prefix##_large, .input = {{4, {1, 5, 5, 1}}}, .inputs = 1,           \
         .error = "9"},                                                                                                \
        {"three dimensions", .unary = prefix##_2x2, .input = {{3, {5, 5, 1}}}, .inputs = 1,                            \
         .error = "four dimensions"},                                                                                  \
        {"NCHW of three dimensions", .unary = prefix##_nchw, .input = {{3, {5, 5, 1}}}, .inputs = 1,                   \
         .error = "four dimensions"},                                                                                  \
        {"int32", .unary = prefix##_2x2, .input = {{4, {1, 4, 4, 1}, 0, 9, 1}}, .inputs = 1,                           \
         .error = "must be float32"},                                                                                  \
        {0}}

POOL_SAMPLES(max, atl_max_pool2d);

static const atl_op max_pool2d_op = {
    .name = "max_pool2d",
    .arity = 1,
    .attributes = sizeof(pool_options),
    .infer = infer_pool,
    .gradient = {max_pool2d_gradient},
    .reference = reference_max,
    .kernel = kernel_max,
    .lower = lower_max,
    .blocked_gain = forward_blocked_gain,
    .describe = describe_pool,
    .samples = max_samples,
};
ATL_BUILTIN(max_pool2d_op);

atl_node *atl_max_pool2d_with(const atl_pool2d_args *args) { return build_pool(&max_pool2d_op, args); }

static atl_node *max_pool2d_gradient(atl_node *y, atl_node *dy)
{
    return max_pool2d_grad(y, dy, atl_input_of(y, 0), y);
}

/* max_pool2d_grad(dy, x, y): each dy added to the place where x is the largest of its window; zero elsewhere.
 * With respect to dy it is max_pool2d_pick; moving x a little changes nothing. */
static void visit_max_grad(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                           double *result)
{
    result[largest_in(p, n, v, h, c, x[1])] += x[0][to];
}

static void reference_max_grad(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    memset(result, 0, (size_t)atl_shape_count(y->shape) * sizeof *result);
    visit_all(&p, visit_max_grad, x, result);
}

/* dx += dy where x is the largest and nothing equal came before. */
ATL_FAST static void add_where_largest(int64_t n, const float *x, const float *best, const float *dy, float *waiting,
                                       float *dx)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++) {
        float hit = x[c] == best[c] ? waiting[c] : 0;
        dx[c] += hit > 0 ? dy[c] : 0;
        waiting[c] -= hit;
    }
}

/* One window, n <= BLOCK channels. */
static void max_grad_of_window(const pool *p, const float *image, taps v, taps h, int64_t n, const float *dy, float *dx)
{
    float best[BLOCK], waiting[BLOCK];
    largest_of_window(p, image, v, h, n, best);
    for (int64_t c = 0; c < n; c++)
        waiting[c] = 1;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++) {
            int64_t at = index_of(p, 0, i, j, 0);
            add_where_largest(n, image + at, best, dy, waiting, dx + at);
        }
}

/* The windows may overlap, so a thread has whole maps: the range is over blocks of channels of images. */
static int64_t blocks_of(const pool *p) { return (p->channels + BLOCK - 1) / BLOCK; }

typedef void window_loop(const pool *p, const float *image, taps v, taps h, int64_t n, const float *dy, float *dx);

static void scatter(const pool *p, int64_t first, int64_t last, window_loop *loop)
{
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t k = first; k < last; k++) {
        int64_t image = k / blocks_of(p), from = k % blocks_of(p) * BLOCK;
        int64_t n = p->channels - from < BLOCK ? p->channels - from : BLOCK, start = index_of(p, image, 0, 0, from);
        for (int64_t i = 0; i < p->window[0].input * p->window[1].input; i++)
            memset(p->result + start + i * p->channels, 0, (size_t)n * sizeof *p->result);
        for (int64_t o = 0; o < height * width; o++)
            loop(p, p->x ? p->x + start : NULL, taps_of(&p->window[0], o / width), taps_of(&p->window[1], o % width), n,
                 p->dy + (image * height * width + o) * p->channels + from, p->result + start);
    }
}

static void max_grad_maps(const void *job, int64_t first, int64_t last)
{
    scatter(job, first, last, max_grad_of_window);
}

static void kernel_max_grad(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.x = x[1];
    p.result = result;
    atl_parallel(p.batch * blocks_of(&p), work_of(&p), max_grad_maps, &p);
}

static atl_node *nothing_flows(atl_node *y, atl_node *dy)
{
    (void)y, (void)dy;
    return NULL;
}

static atl_node *max_grad_by_adjoint(atl_node *y, atl_node *g)
{
    return max_pool2d_pick(y, g, atl_input_of(y, 1), atl_input_of(y, 2));
}

static atl_node *sample_max_grad(atl_node *dy, atl_node *x)
{
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2});
    return max_pool2d_grad(y, dy, x, y);
}

static const atl_op max_pool2d_grad_op = {
    .name = "max_pool2d_grad",
    .arity = 3,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 2,
    .workspace_inputs = 1 << 2,
    .infer = infer_pool_grad,
    .gradient = {max_grad_by_adjoint, nothing_flows},
    .reference = reference_max_grad,
    .kernel = kernel_max_grad,
    .lower = lower_max_grad,
    .blocked_gain = grad_blocked_gain,
    .describe = describe_pool,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_max_grad,
                                     .input = {{4, {2, 3, 4, 5}}, {4, {2, 6, 7, 5}, -8, 8}}, .inputs = 2},
                                    {0}},
};
ATL_BUILTIN(max_pool2d_grad_op);

/* `of` is any of these ops with the same attributes. */
static atl_node *max_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x, atl_node *y)
{
    return of ? ATL_APPLY(&max_pool2d_grad_op, atl_attributes_of(of), dy, x, y) : NULL;
}

/* gate(max_pool2d_grad(dy, x, y), x) = max_pool2d_grad(gate(dy, y), x, y): where x is the largest of a window it is that window's
 * y.  The gate is applied to fewer elements, and x need not be kept for it. */
atl_node *atl_gate_before_pool(atl_node *dx, atl_node *x)
{
    if (dx->op != &max_pool2d_grad_op || dx->inputs[1] != x)
        return NULL;
    atl_node *y = dx->inputs[2];
    return max_pool2d_grad(dx, atl_gate(dx->inputs[0], y), x, y);
}

/* max_pool2d_pick(g, x, y): the g that stands where x is the largest of its window; of y's shape.
 * With respect to g it is max_pool2d_grad again. */
static int infer_pick(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, y->inputs[2]->shape); }

static void visit_pick(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                       double *result)
{
    result[to] = x[0][largest_in(p, n, v, h, c, x[1])];
}

static void reference_pick(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    visit_all(&p, visit_pick, x, result);
}

ATL_FAST static void pick_where_larger(int64_t n, const float *x, const float *g, float *best, float *picked)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++) {
        int larger = x[c] > best[c];
        picked[c] = larger ? g[c] : picked[c];
        best[c] = larger ? x[c] : best[c];
    }
}

static void pick_of_window(const pool *p, const float *x, const float *g, taps v, taps h, int64_t n, float *picked)
{
    float best[BLOCK];
    int64_t start = index_of(p, 0, v.first, h.first, 0);
    memcpy(best, x + start, (size_t)n * sizeof *best);
    memcpy(picked, g + start, (size_t)n * sizeof *picked);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            pick_where_larger(n, x + index_of(p, 0, i, j, 0), g + index_of(p, 0, i, j, 0), best, picked);
}

static void pick_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++)
        for (int64_t o = 0; o < width; o++)
            for (int64_t from = 0; from < p->channels; from += BLOCK) {
                int64_t n = p->channels - from < BLOCK ? p->channels - from : BLOCK;
                int64_t start = index_of(p, row / height, 0, 0, from);
                pick_of_window(p, p->x + start, p->dy + start, taps_of(&p->window[0], row % height),
                               taps_of(&p->window[1], o), n, p->result + (row * width + o) * p->channels + from);
            }
}

static void kernel_pick(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.x = x[1];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, work_of(&p), pick_rows, &p);
}

static atl_node *pick_by_picked(atl_node *y, atl_node *g)
{
    return max_pool2d_grad(y, g, atl_input_of(y, 1), atl_input_of(y, 2));
}

static atl_node *sample_pick(atl_node *g, atl_node *x)
{
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2});
    return max_pool2d_pick(y, g, x, y);
}

static const atl_op max_pool2d_pick_op = {
    .name = "max_pool2d_pick",
    .arity = 3,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 2,
    .infer = infer_pick,
    .gradient = {pick_by_picked, nothing_flows},
    .reference = reference_pick,
    .kernel = kernel_pick,
    .describe = describe_pool,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_pick,
                                     .input = {{4, {2, 6, 7, 5}}, {4, {2, 6, 7, 5}, -8, 8}}, .inputs = 2},
                                    {"70 channels", .binary = sample_pick,
                                     .input = {{4, {1, 3, 4, 70}}, {4, {1, 3, 4, 70}, -8, 8}}, .inputs = 2},
                                    {0}},
};
ATL_BUILTIN(max_pool2d_pick_op);

static atl_node *max_pool2d_pick(atl_node *of, atl_node *g, atl_node *x, atl_node *y)
{
    return of ? ATL_APPLY(&max_pool2d_pick_op, atl_attributes_of(of), g, x, y) : NULL;
}

/* ---- mean ------------------------------------------------------------------------------------------------------------- */

/* avg_pool2d(x): the mean of each window; padding does not count.  dx = avg_pool2d_grad(dy, x) */
static void visit_avg(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                      double *result)
{
    double sum = 0;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            sum += x[0][index_of(p, n, i, j, c)];
    result[to] = sum / (double)((v.last - v.first) * (h.last - h.first));
}

static void reference_avg(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[0]);
    visit_all(&p, visit_avg, x, result);
}

ATL_FAST static void add_scaled(int64_t n, float factor, const float *x, float *sum)
{
    ATL_LANES
    for (int64_t c = 0; c < n; c++)
        sum[c] += factor * x[c];
}

static void avg_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++)
        for (int64_t o = 0; o < width; o++) {
            float *mean = p->result + (row * width + o) * p->channels;
            taps v = taps_of(&p->window[0], row % height), h = taps_of(&p->window[1], o);
            float share = 1.0f / (float)((v.last - v.first) * (h.last - h.first));
            memset(mean, 0, (size_t)p->channels * sizeof *mean);
            for (int64_t i = v.first; i < v.last; i++)
                for (int64_t j = h.first; j < h.last; j++)
                    add_scaled(p->channels, share, p->x + index_of(p, row / height, i, j, 0), mean);
        }
}

static void kernel_avg(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[0]);
    p.x = x[0];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, work_of(&p), avg_rows, &p);
}

static atl_node *avg_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x);

static atl_node *avg_pool2d_gradient(atl_node *y, atl_node *dy) { return avg_pool2d_grad(y, dy, atl_input_of(y, 0)); }

POOL_SAMPLES(avg, atl_avg_pool2d);

static const atl_op avg_pool2d_op = {
    .name = "avg_pool2d",
    .arity = 1,
    .attributes = sizeof(pool_options),
    .infer = infer_pool,
    .gradient = {avg_pool2d_gradient},
    .reference = reference_avg,
    .kernel = kernel_avg,
    .lower = lower_avg,
    .blocked_gain = forward_blocked_gain,
    .describe = describe_pool,
    .samples = avg_samples,
};
ATL_BUILTIN(avg_pool2d_op);

atl_node *atl_avg_pool2d_with(const atl_pool2d_args *args) { return build_pool(&avg_pool2d_op, args); }

/* avg_pool2d_grad(dy, x): each dy spread evenly over its window.  With respect to dy it is avg_pool2d; of x only the shape counts. */
static void visit_avg_grad(const pool *p, int64_t to, int64_t n, taps v, taps h, int64_t c, const double *const *x,
                           double *result)
{
    double share = x[0][to] / (double)((v.last - v.first) * (h.last - h.first));
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            result[index_of(p, n, i, j, c)] += share;
}

static void reference_avg_grad(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    memset(result, 0, (size_t)atl_shape_count(y->shape) * sizeof *result);
    visit_all(&p, visit_avg_grad, x, result);
}

static void avg_grad_of_window(const pool *p, const float *image, taps v, taps h, int64_t n, const float *dy, float *dx)
{
    float share = 1.0f / (float)((v.last - v.first) * (h.last - h.first));
    (void)image;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            add_scaled(n, share, dy, dx + index_of(p, 0, i, j, 0));
}

static void avg_grad_maps(const void *job, int64_t first, int64_t last)
{
    scatter(job, first, last, avg_grad_of_window);
}

static void kernel_avg_grad(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.result = result;
    atl_parallel(p.batch * blocks_of(&p), work_of(&p), avg_grad_maps, &p);
}

static atl_node *avg_grad_by_adjoint(atl_node *y, atl_node *g)
{
    return ATL_APPLY(&avg_pool2d_op, atl_attributes_of(y), g);
}

static atl_node *sample_avg_grad(atl_node *dy, atl_node *x)
{
    return avg_pool2d_grad(atl_avg_pool2d(x, .window = {3, 3}, .stride = {2, 2}), dy, x);
}

static const atl_op avg_pool2d_grad_op = {
    .name = "avg_pool2d_grad",
    .arity = 2,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 1,
    .infer = infer_pool_grad,
    .gradient = {avg_grad_by_adjoint},
    .reference = reference_avg_grad,
    .kernel = kernel_avg_grad,
    .lower = lower_avg_grad,
    .blocked_gain = grad_blocked_gain,
    .describe = describe_pool,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_avg_grad,
                                     .input = {{4, {2, 3, 4, 5}}, {4, {2, 6, 7, 5}}}, .inputs = 2},
                                    {"70 channels", .binary = sample_avg_grad,
                                     .input = {{4, {1, 2, 2, 70}}, {4, {1, 4, 4, 70}}}, .inputs = 2},
                                    {0}},
};
ATL_BUILTIN(avg_pool2d_grad_op);

static atl_node *avg_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x)
{
    return of ? ATL_APPLY(&avg_pool2d_grad_op, atl_attributes_of(of), dy, x) : NULL;
}

atl_node *atl_spread_by_pool(const atl_node *dx)
{
    return dx->op == &max_pool2d_grad_op || dx->op == &avg_pool2d_grad_op ? dx->inputs[0] : NULL;
}
