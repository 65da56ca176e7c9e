/* Code shared by the pooling ops: shapes, lowering, and iteration over all windows. */
#include "ops/pool.h"

#include "common/numbers.h"
#include "cost/cost.h"
#include "onednn/pooling.h"

pool pool_of(const atl_node *y, const atl_node *image)
{
    const pool_options *options = y->attributes;
    pool p = {.batch = image->shape->size[0], .channels = image->shape->size[3]};
    for (int d = 0; d < 2; d++) {
        int64_t input = image->shape->size[1 + d];
        if (pool_is_global(options))
            p.window[d] = (atl_window){.input = input, .output = 1, .size = input, .stride = 1, .dilation = 1};
        else
            p.window[d] = atl_window_of(&options->slide, d, input, options->window[d]);
    }
    return p;
}

/* ---- shapes ---- */

static int check_window(atl_node *y, const pool_options *options)
{
    const int32_t *window = options->window;
    if (pool_is_global(options) && options->slide.padding == ATL_EXPLICIT)
        return atl_fail(
            y,
            "explicit padding around a window that is the whole map: give .window its sizes, or leave the padding out");
    if (!pool_is_global(options) && (window[0] < 1 || window[1] < 1))
        return atl_fail(y, "the window {%d, %d} must be 1 or more in both directions, or {0, 0} for the whole map",
                        window[0], window[1]);
    return atl_check_window_options(y, &options->slide);
}

static int pooled_shape(atl_node *y, const atl_node *image, atl_shape *shape_out)
{
    const pool_options *options = y->attributes;
    *shape_out = *image->shape;
    for (int d = 0; d < 2; d++) {
        int64_t input = image->shape->size[1 + d];
        if (pool_is_global(options) && input == 0)
            return atl_fail(y, "the image, '%s', is %s: there is nothing to look at", atl_name_of(image),
                            SHAPE_OF(image));
        if (pool_is_global(options))
            shape_out->size[1 + d] = 1;
        else if (!atl_slide_window(y, &options->slide, d, input, options->window[d], &shape_out->size[1 + d], NULL))
            return 0;
    }
    return 1;
}

bool pool_infer(atl_node *y)
{
    atl_shape shape;
    return check_window(y, y->attributes) && atl_require_image(y, 0) && pooled_shape(y, y->inputs[0], &shape) &&
           atl_set_type(y, ATL_FLOAT32, shape);
}

bool pool_infer_grad(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[1]->shape); }

void pool_describe(const atl_node *y, char *text, size_t size)
{
    const pool_options *options = y->attributes;
    if (pool_is_global(options))
        snprintf(text, size, "global");
    else
        atl_describe_window(&options->slide, options->window[0], options->window[1], text, size);
}

atl_node *pool_build(const atl_op *op, const atl_pool2d_args *args)
{
    static const int whole[2] = {1, 1};
    pool_options options;
    memset(&options, 0, sizeof options);
    options.window[0] = args->window[0];
    options.window[1] = args->window[1];
    atl_window_options(&options.slide, args->stride, pool_is_global(&options) ? whole : args->window, NULL,
                       args->padding, args->pad);
    if (args->image && pool_is_global(&options) && (args->stride[0] || args->stride[1]))
        return atl_builder_error(args->image->graph, op->name,
                                 ".stride is not used without a window: give .window, or leave the stride out");
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, op->name);
    return atl_image_from_nhwc(ATL_APPLY(op, &options, image), args->layout);
}

/* ---- lowering ---- */

enum { WIDEST_WINDOW = 1024 }; /* a limit of oneDNN */

/* Small images: the kernels here are as fast as oneDNN's, and need no parallel region. */
static int is_small(atl_shape image) { return atl_shape_count(image) < atl_costs_in_use()->pool_elements; }

static int onednn_supports(const pool *p, atl_shape image)
{
    return !is_small(image) && p->window[0].size <= WIDEST_WINDOW && p->window[1].size <= WIDEST_WINDOW;
}

int pool_lower(atl_lowering *lowering, int average)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[0]);
    onednn_pooling pooling = {.average = average, .image = *y->inputs[0]->shape, .result = *y->shape, .image_input = 0};
    memcpy(pooling.window, p.window, sizeof p.window);
    return onednn_supports(&p, pooling.image) ? onednn_lower_pooling(lowering, &pooling) : atl_lower_kernel(lowering);
}

int pool_lower_grad(atl_lowering *lowering, int average)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[1]);
    onednn_pooling pooling = {.average = average,
                              .gradient = 1,
                              .image = *y->shape,
                              .result = *y->inputs[0]->shape,
                              .adjoint_input = 0,
                              .image_input = 1,
                              .forward_input = 2};
    memcpy(pooling.window, p.window, sizeof p.window);
    return onednn_supports(&p, pooling.image) ? onednn_lower_pooling(lowering, &pooling) : atl_lower_kernel(lowering);
}

/* Bound by memory in either layout.  A gradient's result has the layout of the forward node's image. */
static double blocked_benefit(atl_shape image) { return image.size[3] % 16 || is_small(image) ? -INFINITY : 0; }
double pool_blocked_benefit(const atl_node *y, unsigned *images)
{
    *images = 1;
    return blocked_benefit(*y->inputs[0]->shape);
}
double pool_grad_blocked_benefit(const atl_node *y, unsigned *images)
{
    *images = 1 | 2;
    return blocked_benefit(*y->shape);
}

/* ---- loops ---- */

void pool_visit_all(const pool *p, pool_visit *visit, const double *const *x, double *result)
{
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t to = 0; to < p->batch * height * width * p->channels; to++) {
        int64_t c = to % p->channels, pixel = to / p->channels;
        pool_taps v = pool_taps_of(&p->window[0], pixel / width % height),
                  h = pool_taps_of(&p->window[1], pixel % width);
        visit(p, to, pixel / width / height, v, h, c, x, result);
    }
}

int64_t pool_work(const pool *p)
{
    int64_t height = p->window[0].size < p->window[0].input ? p->window[0].size : p->window[0].input;
    int64_t width = p->window[1].size < p->window[1].input ? p->window[1].size : p->window[1].input;
    return p->batch * p->window[0].output * p->window[1].output * p->channels * height * width;
}

int64_t pool_blocks(const pool *p) { return atl_divide_up(p->channels, POOL_BLOCK); }

void pool_scatter(const pool *p, int64_t first, int64_t last, pool_window_loop *loop)
{
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t k = first; k < last; k++) {
        int64_t image = k / pool_blocks(p), from = k % pool_blocks(p) * POOL_BLOCK;
        int64_t n = p->channels - from < POOL_BLOCK ? p->channels - from : POOL_BLOCK,
                start = pool_index(p, image, 0, 0, from);
        for (int64_t i = 0; i < p->window[0].input * p->window[1].input; i++)
            memset(p->result + start + i * p->channels, 0, (size_t)n * sizeof *p->result);
        for (int64_t o = 0; o < height * width; o++)
            loop(p, p->x ? p->x + start : NULL, pool_taps_of(&p->window[0], o / width),
                 pool_taps_of(&p->window[1], o % width), n, p->dy + (image * height * width + o) * p->channels + from,
                 p->result + start);
    }
}
