/* Measures convolutions, ours and oneDNN's: see costs.c. */
#include "costs.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "atled/atled.h"
#include "common/numbers.h"
#include "kernels/kernels.h"
#include "program/program_state.h"
#include "onednn/onednn.h"

/* ---- our own Winograd kernels ------------------------------------------------------------------------------------ */

typedef struct winograd {
    atl_winograd w;
    float *image, *filter, *transformed, *scratch, *result;
} winograd;

static winograd new_winograd(const atl_costs *c, int64_t side, int64_t channels)
{
    const atl_kernel_table *k = atl_kernels;
    winograd b = {.w = {.batch = 1,
                        .height = side,
                        .width = side,
                        .result_height = side,
                        .result_width = side,
                        .in = channels,
                        .out = channels,
                        .pad_top = 1,
                        .pad_left = 1,
                        .cache_bytes = c->core_cache,
                        .shared_bytes = c->tiles_cache,
                        .kernel_size = 3,
                        .workers = omp_get_max_threads()}};
    int64_t scratch = k->winograd_scratch_floats(&b.w), large = k->winograd_large_scratch_floats(&b.w),
            gradient = k->winograd_gradient_scratch_floats(&b.w);
    b.image = floats(side * side * channels);
    b.result = floats(side * side * channels);
    b.filter = floats(9 * channels * channels);
    b.scratch = floats(atl_larger(atl_larger(scratch, large), gradient));
    b.transformed = floats(k->winograd_filter_floats(&b.w));
    return b;
}

static void free_winograd(winograd *b)
{
    free(b->image), free(b->result), free(b->filter), free(b->scratch), free(b->transformed);
}

static void convolve(void *data)
{
    winograd *b = data;
    atl_kernels->winograd_convolve(&b->w, b->image, b->transformed, &(atl_epilogue){0}, b->scratch, b->result);
}
static void convolve_large(void *data)
{
    winograd *b = data;
    atl_kernels->winograd_convolve_large(&b->w, b->image, b->filter, 0, &(atl_epilogue){0}, b->scratch, b->result);
}
static void convolve_turned(void *data)
{
    winograd *b = data;
    atl_kernels->winograd_convolve_large(&b->w, b->image, b->filter, 1, &(atl_epilogue){0}, b->scratch, b->result);
}
static void sum_gradient(void *data)
{
    winograd *b = data;
    atl_kernels->winograd_filter_gradient(&b->w, b->image, b->result, b->scratch, b->filter);
}
static void transform(void *data)
{
    winograd *b = data;
    atl_kernels->winograd_transform_filter(&b->w, b->filter, 0, b->transformed);
}

static double winograd_time(const atl_costs *c, void (*run)(void *), int64_t side, int64_t channels)
{
    winograd b = new_winograd(c, side, channels);
    double seconds = least_seconds(run, &b);
    free_winograd(&b);
    return seconds;
}

/* Tiles of 4x4 results: values of 36 points that are transformed, and the flops of the products at these points. */
static double tiles(int64_t side) { return (double)((side + 3) / 4 * ((side + 3) / 4)); }
static double values(int64_t side, int64_t channels) { return tiles(side) * 36 * 2 * (double)channels; }
static double flops(int64_t side, int64_t channels)
{
    return tiles(side) * 36 * 2 * (double)channels * (double)channels;
}

/* Few channels spend their time in transforms, many in products: two sizes, two equations. */
void measure_winograd(atl_costs *c)
{
    enum { WIDE = 112, FEW = 16, NARROW = 28, MANY = 128, LARGE = 512, SMALL = 14, MIDDLE = 56, SOME = 64 };
    double few = winograd_time(c, convolve, WIDE, FEW), many = winograd_time(c, convolve, NARROW, MANY);
    double v1 = values(WIDE, FEW), f1 = flops(WIDE, FEW), v2 = values(NARROW, MANY), f2 = flops(NARROW, MANY);
    double determinant = v1 * f2 - v2 * f1;
    double each_value = (few * f2 - many * f1) / determinant, each_flop = (v1 * many - v2 * few) / determinant;
    if (each_value > 0 && each_flop > 0) {
        c->winograd_value = each_value;
        c->winograd_flops = 1 / each_flop;
    }
    double least = winograd_time(c, convolve, 4, FEW);
    c->winograd_start = fmax(least - values(4, FEW) * c->winograd_value - flops(4, FEW) / c->winograd_flops, 1e-7);
    c->winograd_filter_value = winograd_time(c, transform, 8, LARGE) / (36.0 * LARGE * LARGE);
    double rows = ceil(tiles(SMALL) / 6) * 6; /* whole tiles of a product: see conv_winograd.c */
    double large = winograd_time(c, convolve_large, SMALL, LARGE);
    double turned = winograd_time(c, convolve_turned, SMALL, LARGE) - large;
    c->winograd_turned_value = c->winograd_filter_value + fmax(0, turned / (36.0 * LARGE * LARGE));
    double rest = large - values(SMALL, LARGE) * c->winograd_value - 36.0 * LARGE * LARGE * c->winograd_filter_value -
                  c->winograd_start;
    if (rest > 0)
        c->winograd_large_flops = flops(SMALL, LARGE) * rows / tiles(SMALL) / rest;
    double forward = values(MIDDLE, SOME) * c->winograd_value + flops(MIDDLE, SOME) / c->winograd_flops;
    c->winograd_gradient_slowdown = fmax(1, winograd_time(c, sum_gradient, MIDDLE, SOME) / forward);
}

/* ---- oneDNN, each node as a program of its own ------------------------------------------------------------------- */

typedef struct sizes {
    int64_t side, in, out, kernel, stride, groups;
} sizes;

typedef enum which { FORWARD, BY_FILTER, BY_IMAGE } which;

static double convolution_flops(sizes s)
{
    int64_t result = (s.side + s.stride - 1) / s.stride;
    return 2.0 * (double)(result * result * s.kernel * s.kernel) * (double)(s.in / s.groups * s.out);
}

/* Seconds of the convolution, or of one of its gradients. */
static double convolution_time(sizes s, which part, atl_algo algo, int bfloat16)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, s.side, s.side, s.in));
    atl_node *filter = atl_input(g, "filter", ATL_FLOAT32, ATL_SHAPE(s.kernel, s.kernel, s.in / s.groups, s.out));
    atl_node *y = atl_conv2d(image, filter, .stride = {s.stride, s.stride}, .groups = s.groups);
    if (part != FORWARD)
        y = atl_gradient(y, part == BY_FILTER ? filter : image);
    double seconds = y ? atl_measure_algo(y, algo, bfloat16) : NAN;
    atl_graph_free(g);
    return seconds;
}

static double rate_of(sizes s, which part, atl_algo algo, int bfloat16)
{
    return convolution_flops(s) / convolution_time(s, part, algo, bfloat16);
}

static void set(double *number, double measured)
{
    if (measured > 0 && isfinite(measured))
        *number = measured;
}

typedef struct depthwise {
    atl_conv_sizes d;
    float *image, *dy, *dw;
} depthwise;

static void sum_depthwise(void *data)
{
    depthwise *b = data;
    atl_kernels->depthwise_filter_gradient(&b->d, b->image, b->dy, b->dw);
}

static double depthwise_rate(void)
{
    enum { SIDE = 28, CHANNELS = 240, KERNEL = 5 };
    depthwise b = {{.batch = 1,
                    .height = SIDE,
                    .width = SIDE,
                    .result_height = SIDE,
                    .result_width = SIDE,
                    .channels = CHANNELS,
                    .filter_height = KERNEL,
                    .filter_width = KERNEL,
                    .stride_y = 1,
                    .stride_x = 1,
                    .pad_top = KERNEL / 2,
                    .pad_left = KERNEL / 2,
                    .workers = omp_get_max_threads()},
                   floats(SIDE * SIDE * CHANNELS),
                   floats(SIDE * SIDE * CHANNELS),
                   floats(KERNEL * KERNEL * CHANNELS)};
    double seconds = least_seconds(sum_depthwise, &b);
    free(b.image), free(b.dy), free(b.dw);
    return 2.0 * SIDE * SIDE * CHANNELS * KERNEL * KERNEL / seconds;
}

typedef struct tap_sums {
    atl_conv_sizes d;
    float *image, *packed, *result;
} tap_sums;

static void sum_taps(void *data)
{
    tap_sums *b = data;
    atl_kernels->tap_sums_convolve(&b->d, b->image, b->packed, &(atl_epilogue){.relu = 1}, b->result);
}

enum { TAP_SIDE = 28, TAP_RESULTS = 96, TAP_MEETINGS = (3 * TAP_SIDE - 2) * (3 * TAP_SIDE - 2) };

static double tap_sums_time(int64_t channels)
{
    tap_sums b = {{.batch = 1,
                   .height = TAP_SIDE,
                   .width = TAP_SIDE,
                   .channels = channels,
                   .result_height = TAP_SIDE,
                   .result_width = TAP_SIDE,
                   .result_channels = TAP_RESULTS,
                   .filter_height = 3,
                   .filter_width = 3,
                   .stride_y = 1,
                   .stride_x = 1,
                   .pad_top = 1,
                   .pad_left = 1,
                   .dilation_y = 1,
                   .dilation_x = 1,
                   .workers = omp_get_max_threads()},
                  floats(TAP_SIDE * TAP_SIDE * channels),
                  floats(9 * channels * TAP_RESULTS),
                  floats(TAP_SIDE * TAP_SIDE * TAP_RESULTS)};
    double seconds = least_seconds(sum_taps, &b);
    free(b.image), free(b.packed), free(b.result);
    return seconds;
}

/* Our own direct convolution of few channels and of many. */
static void measure_tap_sums(atl_costs *c)
{
    const double few = tap_sums_time(16), many = tap_sums_time(256), sums = (double)TAP_MEETINGS * TAP_RESULTS;
    const double rate = 2 * sums * (256 - 16) / (many - few);
    set(&c->tap_sums_flops, rate);
    set(&c->tap_sums_value, few / sums - 2 * 16 / rate);
}

/* A gradient by an image of three channels: flops, and seconds for each of `values` that its other part is about. */
static void set_few_channels(atl_algo algo, double values, double *flops, double *value)
{
    const sizes narrow = {112, 3, 32, 3, 1, 1}, wide = {112, 3, 128, 3, 1, 1};
    double least = convolution_time(narrow, BY_IMAGE, algo, 0), most = convolution_time(wide, BY_IMAGE, algo, 0);
    double rate = (convolution_flops(wide) - convolution_flops(narrow)) / (most - least);
    if (rate > 0 && isfinite(rate)) {
        *flops = rate;
        *value = fmax(0, least - convolution_flops(narrow) / rate) / values;
    }
}

static void measure_few_channels(atl_costs *c)
{
    const double numbers = 112 * 112 * 3; /* of the image; each is in nine windows */
    set_few_channels(ATL_ALGO_FEW_CHANNELS, numbers, &c->few_channels_flops, &c->few_channels_value);
    set_few_channels(ATL_ALGO_DIRECT, 9 * numbers, &c->onednn_few_channels_flops, &c->onednn_few_channels_value);
    const sizes usual = {112, 3, 64, 3, 1, 1}, least = {112, 1, atl_kernels->vector, 3, 1, 1}; /* 3 sums at a time */
    const sizes narrow = {112, 3, ATL_NARROW_RESULT, 3, 1, 1};
    set(&c->few_channels_forward_flops, rate_of(narrow, FORWARD, ATL_ALGO_FEW_CHANNELS, 0));
    set(&c->onednn_wide_forward_flops, rate_of(usual, FORWARD, ATL_ALGO_DIRECT, 0));
    set(&c->onednn_narrow_forward_flops, rate_of(narrow, FORWARD, ATL_ALGO_DIRECT, 0));
    set(&c->onednn_wide_filter_flops, rate_of(usual, BY_FILTER, ATL_ALGO_DIRECT, 0));
    set(&c->onednn_narrow_filter_flops, rate_of(narrow, BY_FILTER, ATL_ALGO_DIRECT, 0));
    set(&c->few_channels_filter_flops, rate_of(usual, BY_FILTER, ATL_ALGO_FEW_CHANNELS, 0));
    set(&c->few_channels_filter_sums,
        fmax(1, 3 * c->few_channels_filter_flops / rate_of(least, BY_FILTER, ATL_ALGO_FEW_CHANNELS, 0)));
}

/* oneDNN's own Winograd kernels, by the formula of conv_algorithm.c. */
static void measure_onednn_winograd(atl_costs *c)
{
    const sizes many = {28, 128, 128, 3, 1, 1}, few = {56, 16, 16, 3, 1, 1}, deep = {4, 512, 512, 3, 1, 1},
                wide = {112, 32, 32, 3, 1, 1};
    double whole = convolution_time(many, FORWARD, ATL_ALGO_BLOCKED_WINOGRAD, 0);
    double rate = convolution_flops(many) / 4 / whole;
    set(&c->onednn_winograd_flops, rate);
    set(&c->onednn_winograd_narrow,
        16 * rate / (convolution_flops(few) / 4 / convolution_time(few, FORWARD, ATL_ALGO_BLOCKED_WINOGRAD, 0)));
    set(&c->onednn_winograd_filter_bytes,
        36.0 * 512 * 512 * 4 / convolution_time(deep, FORWARD, ATL_ALGO_BLOCKED_WINOGRAD, 0));
    double rest = convolution_time(wide, FORWARD, ATL_ALGO_BLOCKED_WINOGRAD, 0) - convolution_flops(wide) / 4 / rate;
    set(&c->onednn_winograd_image_bytes, 112.0 * 112 * (32 + 32) * 2.25 * 4 * 2 / rest);
}

static double moved_rate(atl_algo algo, int bfloat16);
static double product_rate(void);

void measure_onednn(atl_costs *c)
{
    const sizes usual = {28, 128, 128, 3, 1, 1};
    double direct = convolution_time(usual, FORWARD, ATL_ALGO_DIRECT, 0);
    set(&c->direct_flops, convolution_flops(usual) / direct);
    const int least = atl_kernels->vector; /* channels that our own kernels take */
    set(&c->direct_narrow,
        least * c->direct_flops / rate_of((sizes){56, least, least, 3, 1, 1}, FORWARD, ATL_ALGO_DIRECT, 0));
    const sizes strided = {28, 128, 128, 3, 2, 1};
    set(&c->direct_image_slowdown, fmax(1, convolution_time(strided, BY_IMAGE, ATL_ALGO_DIRECT, 0) /
                                               convolution_time(strided, FORWARD, ATL_ALGO_DIRECT, 0)));
    measure_tap_sums(c);
    c->depthwise_gradient = depthwise_rate();
    set(&c->onednn_depthwise_gradient_3, rate_of((sizes){28, 240, 240, 3, 1, 240}, BY_FILTER, ATL_ALGO_DIRECT, 0));
    set(&c->onednn_depthwise_gradient_5, rate_of((sizes){28, 240, 240, 5, 1, 240}, BY_FILTER, ATL_ALGO_DIRECT, 0));
    measure_few_channels(c);
    set(&c->product_flops, product_rate());
    if (!atl_onednn_has_winograd())
        return;
    set(&c->reorder_bytes, moved_rate(ATL_ALGO_BLOCKED, 0));
    set(&c->blocked_slowdown, convolution_time(usual, FORWARD, ATL_ALGO_BLOCKED, 0) / direct);
    measure_onednn_winograd(c);
}

/* ---- bfloat16 ---------------------------------------------------------------------------------------------------- */

void measure_bfloat16(atl_costs *c)
{
    if (!atl_has_bfloat16())
        return;
    const sizes one = {28, 256, 256, 1, 1, 1}, three = {28, 256, 256, 3, 1, 1}, five = {28, 128, 128, 5, 1, 1},
                strided = {56, 128, 128, 3, 2, 1}, thin = {224, 16, 16, 1, 1, 1};
    set(&c->rounding_bytes, moved_rate(ATL_ALGO_DIRECT, 1));
    set(&c->exact_flops, rate_of(three, FORWARD, ATL_ALGO_DIRECT, 0));
    set(&c->exact_bytes, 4.0 * 224 * 224 * 32 / convolution_time(thin, FORWARD, ATL_ALGO_DIRECT, 0));
    set(&c->rounded_flops_1x1, rate_of(one, FORWARD, ATL_ALGO_DIRECT, 1));
    set(&c->rounded_flops_3x3, rate_of(three, FORWARD, ATL_ALGO_DIRECT, 1));
    set(&c->rounded_flops_5x5, rate_of(five, FORWARD, ATL_ALGO_DIRECT, 1));
    set(&c->rounded_filter_strided, rate_of(strided, BY_FILTER, ATL_ALGO_DIRECT, 1));
    set(&c->rounded_filter_3x3, rate_of(three, BY_FILTER, ATL_ALGO_DIRECT, 1));
    set(&c->rounded_filter_5x5, rate_of(five, BY_FILTER, ATL_ALGO_DIRECT, 1));
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

/* A second of the steps of a program with one input: bytes of those that move data, or flops of the others. */
static double steps_rate(atl_program *program, const atl_node *input, atl_shape shape, int moving)
{
    atl_tensor *values = atl_uniform_tensor(shape, -1, 1, 1);
    double work = 0, microseconds = 0;
    atl_step_info info;
    if (program && values && !atl_program_profile(program, ATL_FEED(input, values), 20))
        for (int64_t i = 0; i < atl_program_step_count(program); i++)
            if (!atl_program_step(program, i, &info) && !info.prepack && (info.flops == 0) == moving) {
                work += moving ? (double)info.bytes : info.flops;
                microseconds += info.microseconds;
            }
    atl_tensor_free(values);
    return microseconds > 0 ? work / (microseconds * 1e-6) : NAN;
}

/* Bytes a second of the steps around a convolution: of an image whose layout changes, or that is rounded. */
static double moved_rate(atl_algo algo, int bfloat16)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(1, 112, 112, 64);
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, shape);
    atl_node *y = atl_conv2d(image, atl_variable(g, "filter", ATL_SHAPE(3, 3, 64, 64), atl_he()));
    atl_program *program = atl_new_program(g, &(atl_compile_args){.outputs = {1, &y}, .bfloat16 = bfloat16}, (int)algo);
    double rate = steps_rate(program, image, shape, 1);
    atl_program_free(program);
    atl_graph_free(g);
    return rate;
}

static double product_rate(void)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(1024, 1024);
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, shape), *y = atl_matmul(a, a);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    double rate = steps_rate(program, a, shape, 0);
    atl_program_free(program);
    atl_graph_free(g);
    return rate;
}
