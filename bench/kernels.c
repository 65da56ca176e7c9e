/* Times the kernels of src/kernels at each instruction set that this processor has: build/bench/atled_kernels [NAME...]
 *
 * One thread; the least of several runs, in processor seconds, so that a busy machine changes little.  GFLOP/s of
 * convolutions count the multiplications and additions of the direct method. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/numbers.h"
#include "cost/cost.h"
#include "floats.h"
#include "kernels/kernels.h"

/* What a case is given: sizes, and arrays that are large enough. */
typedef struct setting {
    const atl_kernel_table *k;
    int64_t size[4]; /* of a convolution: pixels in each direction, in, out, the filter's size */
    atl_winograd winograd;
    float *a, *b, *c, *scratch, *prepared;
} setting;

typedef struct bench_case {
    const char *name;
    int64_t size[4];
    void (*prepare)(setting *s);
    void (*run)(setting *s);
    double (*work)(const setting *s);
    const char *unit; /* of 1e9 a second */
} bench_case;

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

static void prepare_winograd(setting *s)
{
    int64_t pixels = s->size[0];
    s->winograd = (atl_winograd){.batch = 1,
                                 .height = pixels,
                                 .width = pixels,
                                 .result_height = pixels,
                                 .result_width = pixels,
                                 .in = s->size[1],
                                 .out = s->size[2],
                                 .pad_top = s->size[3] / 2,
                                 .pad_left = s->size[3] / 2,
                                 .cache_bytes = atl_costs_in_use()->core_cache,
                                 .shared_bytes = atl_costs_in_use()->tiles_cache,
                                 .kernel_size = (int)s->size[3],
                                 .workers = 1};
    s->a = floats(pixels * pixels * s->size[1]);
    s->b = floats(s->size[3] * s->size[3] * s->size[1] * s->size[2]);
    s->c = floats(pixels * pixels * s->size[2]);
    int64_t scratch = s->k->winograd_scratch_floats(&s->winograd),
            more = s->k->winograd_large_scratch_floats(&s->winograd);
    s->scratch = floats(atl_larger(atl_larger(scratch, more), s->k->winograd_gradient_scratch_floats(&s->winograd)));
    s->prepared = floats(s->k->winograd_filter_floats(&s->winograd));
    s->k->winograd_transform_filter(&s->winograd, s->b, 0, s->prepared);
}

static void run_winograd(setting *s)
{
    s->k->winograd_convolve(&s->winograd, s->a, s->prepared, &(atl_epilogue){.relu = 1}, s->scratch, s->c);
}
static void run_winograd_large(setting *s)
{
    s->k->winograd_convolve_large(&s->winograd, s->a, s->b, 0, &(atl_epilogue){.relu = 1}, s->scratch, s->c);
}
static void run_winograd_transposed(setting *s)
{
    s->k->winograd_convolve_large(&s->winograd, s->a, s->b, 1, &(atl_epilogue){.relu = 1}, s->scratch, s->c);
}
static void run_winograd_gradient(setting *s)
{
    s->k->winograd_filter_gradient(&s->winograd, s->a, s->c, s->scratch, s->b);
}
static void run_filter_transform(setting *s) { s->k->winograd_transform_filter(&s->winograd, s->b, 1, s->prepared); }

static double convolution_flops(const setting *s)
{
    return 2.0 * (double)(s->size[0] * s->size[0] * s->size[1] * s->size[2] * s->size[3] * s->size[3]);
}

static void prepare_pointwise(setting *s)
{
    s->a = floats(s->size[0] * s->size[0] * s->size[1]);
    s->b = floats(s->size[1] * s->size[2]);
    s->c = floats(s->size[0] * s->size[0] * s->size[2]);
}

static void run_pointwise(setting *s)
{
    const atl_pointwise p = {.pixels = s->size[0] * s->size[0],
                             .in = s->size[1],
                             .out = s->size[2],
                             .in_pixel_stride = s->size[1],
                             .out_pixel_stride = s->size[2],
                             .workers = 1};
    s->k->pointwise_convolve(&p, s->a, s->b, &(atl_epilogue){.relu = 1}, s->c);
}

/* A 3x3 window: pixels in each direction, in, out, stride. */
static atl_conv_sizes tap_sums_of(const setting *s)
{
    const int64_t pixels = s->size[0], stride = s->size[3], result = (pixels + stride - 1) / stride;
    return (atl_conv_sizes){.batch = 1,
                            .height = pixels,
                            .width = pixels,
                            .channels = s->size[1],
                            .result_height = result,
                            .result_width = result,
                            .result_channels = s->size[2],
                            .filter_height = 3,
                            .filter_width = 3,
                            .stride_y = stride,
                            .stride_x = stride,
                            .pad_top = 1,
                            .pad_left = 1,
                            .dilation_y = 1,
                            .dilation_x = 1,
                            .workers = 1};
}
static atl_conv_sizes turned_tap_sums_of(const setting *s)
{
    atl_conv_sizes d = tap_sums_of(s), t = d;
    t.height = d.result_height, t.width = d.result_width, t.channels = d.result_channels;
    t.result_height = d.height, t.result_width = d.width, t.result_channels = d.channels;
    t.flipped = 1;
    return t;
}
static void prepare_tap_sums(setting *s)
{
    s->a = floats(s->size[0] * s->size[0] * s->size[1]);
    s->prepared = floats(9 * s->size[1] * s->size[2]);
    s->c = floats(s->size[0] * s->size[0] * s->size[2]);
}
static void run_tap_sums(setting *s)
{
    const atl_conv_sizes d = tap_sums_of(s);
    s->k->tap_sums_convolve(&d, s->a, s->prepared, &(atl_epilogue){.relu = 1}, s->c);
}
static void run_turned_tap_sums(setting *s)
{
    const atl_conv_sizes d = turned_tap_sums_of(s);
    s->k->tap_sums_convolve(&d, s->c, s->prepared, &(atl_epilogue){.relu = 1}, s->a);
}
static double tap_sums_flops(const setting *s)
{
    return 18.0 * (double)(s->size[0] * s->size[0] * s->size[1] * s->size[2] / s->size[3] / s->size[3]);
}

/* Pixels in each direction, channels, the filter's size, stride. */
static void prepare_depthwise(setting *s)
{
    s->a = floats(s->size[0] * s->size[0] * s->size[1]);
    s->b = floats(s->size[2] * s->size[2] * s->size[1]);
    s->c = floats(s->size[0] * s->size[0] * s->size[1]);
}
static atl_conv_sizes depthwise_of(const setting *s)
{
    int64_t pixels = s->size[0], stride = s->size[3], result = (pixels + stride - 1) / stride;
    return (atl_conv_sizes){.batch = 1,
                            .height = pixels,
                            .width = pixels,
                            .result_height = result,
                            .result_width = result,
                            .channels = s->size[1],
                            .filter_height = s->size[2],
                            .filter_width = s->size[2],
                            .stride_y = stride,
                            .stride_x = stride,
                            .pad_top = s->size[2] / 2,
                            .pad_left = s->size[2] / 2,
                            .dilation_y = 1,
                            .dilation_x = 1,
                            .workers = 1};
}
static void run_depthwise(setting *s)
{
    const atl_conv_sizes d = depthwise_of(s);
    s->k->depthwise_filter_gradient(&d, s->a, s->c, s->b);
}
static void run_depthwise_convolution(setting *s)
{
    const atl_conv_sizes d = depthwise_of(s);
    s->k->depthwise_convolve(&d, s->a, s->b, &(atl_epilogue){.relu = 1, .highest = 6}, s->c);
}
static void run_depthwise_image_gradient(setting *s)
{
    const atl_conv_sizes d = depthwise_of(s);
    s->k->depthwise_image_gradient(&d, s->c, s->b, &(atl_epilogue){.relu = 1, .highest = 6}, s->a);
}
static double depthwise_flops(const setting *s)
{
    double pixels = (double)(s->size[0] * s->size[0]) / (double)(s->size[3] * s->size[3]);
    return 2 * pixels * (double)(s->size[1] * s->size[2] * s->size[2]);
}

/* Pixels in each direction, channels, the window's size, stride. */
static void prepare_max_pool(setting *s)
{
    s->a = floats(s->size[0] * s->size[0] * s->size[1]);
    s->b = floats(s->size[0] * s->size[0] * s->size[1]);
    s->c = floats(s->size[0] * s->size[0] * s->size[1]);
    s->scratch = floats(s->size[0] * s->size[0] * s->size[1]);
}
static atl_max_pool max_pool_of(const setting *s)
{
    const atl_pool_direction d = {.input = s->size[0],
                                  .output = (s->size[0] - s->size[2]) / s->size[3] + 1,
                                  .size = s->size[2],
                                  .stride = s->size[3]};
    return (atl_max_pool){.batch = 1,
                          .channels = s->size[1],
                          .v = d,
                          .h = d,
                          .x = s->a,
                          .y = s->b,
                          .positions = (uint8_t *)(void *)s->scratch,
                          .dy = s->b,
                          .maximum_at = (const uint8_t *)(const void *)s->scratch,
                          .dx = s->c};
}
static void run_max_pool(setting *s)
{
    const atl_max_pool p = max_pool_of(s);
    s->k->max_pool_rows(&p, 0, p.v.output);
}
static void run_max_pool_gradient(setting *s)
{
    const atl_max_pool p = max_pool_of(s);
    s->k->max_pool_gradient_rows(&p, 0, p.v.input);
}
static double image_elements(const setting *s) { return (double)(s->size[0] * s->size[0] * s->size[1]); }

/* ---- products: sizes are m, n, k
 * ---------------------------------------------------------------------------------------- */

static atl_product product_of(const setting *s, int b_transposed)
{
    return (atl_product){s->size[0], s->size[1], s->size[2], s->size[2], 1, b_transposed};
}
static void prepare_product(setting *s)
{
    s->a = floats(s->size[0] * s->size[2]);
    s->b = floats(s->size[2] * s->size[1]);
    s->c = floats(s->size[0] * s->size[1]);
}
static void run_small(setting *s)
{
    const atl_product p = product_of(s, 0);
    s->k->small_product(&p, s->a, s->b, NULL, s->c);
}
static void run_stream(setting *s)
{
    const atl_product p = product_of(s, 0);
    s->k->stream_product(&p, 1, s->a, s->b, s->c, NULL);
}
static void run_stream_dots(setting *s)
{
    const atl_product p = product_of(s, 1);
    s->k->stream_product(&p, 1, s->a, s->b, s->c, NULL);
}
static double product_flops(const setting *s) { return 2.0 * (double)(s->size[0] * s->size[1] * s->size[2]); }

/* ---- loops: the size is how many --------------------------------------------------------------------------------- */

static void prepare_loop(setting *s)
{
    s->a = floats(s->size[0]);
    s->b = floats(s->size[0]);
    s->c = floats(s->size[0]);
    s->prepared = floats(s->size[0]);
}
static void run_exp(setting *s) { s->k->map_exp(NULL, (size_t)s->size[0], (const float *[]){s->a}, s->c); }
static void run_tanh(setting *s) { s->k->map_tanh(NULL, (size_t)s->size[0], (const float *[]){s->a}, s->c); }
static void run_add(setting *s) { s->k->map_add(NULL, (size_t)s->size[0], (const float *[]){s->a, s->b}, s->c); }
/* A step of momentum: m = 0.9 m + gradient; w = w - rate m, where one array of one number stands for both. */
static void run_momentum(setting *s)
{
    static const atl_element_code code[] = {{ATL_ELEMENT_LOAD, 0},  {ATL_ELEMENT_mul, 3}, {ATL_ELEMENT_add, 1},
                                            {ATL_ELEMENT_STORE, 0}, {ATL_ELEMENT_mul, 3}, {ATL_ELEMENT_sub_reversed, 2},
                                            {ATL_ELEMENT_STORE, 2}};
    s->k->run_element_code(code, sizeof code / sizeof *code, (const float *[]){s->a, s->b, s->c, s->prepared},
                           s->size[0]);
}
static void run_sum(setting *s) { s->c[0] = s->k->sum_of(s->a, s->size[0]); }
static void run_mask(setting *s)
{
    s->k->mask_blocks(&(atl_mask_job){.x = s->a, .mask = (uint8_t *)(void *)s->prepared, .count = s->size[0]}, 0,
                      s->size[0] / ATL_MASK_BLOCK);
}
static void run_lrn(setting *s)
{
    const atl_normalization of = {.pixels = s->size[0] / 64,
                                  .channels = 64,
                                  .radius = 2,
                                  .bias = 1,
                                  .alpha = 0.1f,
                                  .beta = 0.75f,
                                  .x = s->a,
                                  .result = s->c};
    s->k->lrn_vectors(&of, 0, of.pixels);
}
static double elements(const setting *s) { return (double)s->size[0]; }

/* The cases of one kind: a name, what runs, and sizes. */
#define WINOGRAD(name, run, ...)                                                                                       \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_winograd, run, convolution_flops, "GFLOP/s"                                       \
    }
#define TAP_SUMS(name, run, ...)                                                                                       \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_tap_sums, run, tap_sums_flops, "GFLOP/s"                                          \
    }
#define DEPTHWISE(name, run, ...)                                                                                      \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_depthwise, run, depthwise_flops, "GFLOP/s"                                        \
    }
#define POINTWISE(name, run, ...)                                                                                      \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_pointwise, run, convolution_flops, "GFLOP/s"                                      \
    }
#define MAX_POOL(name, run, ...)                                                                                       \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_max_pool, run, image_elements, "G/s"                                              \
    }
#define PRODUCT(name, run, ...)                                                                                        \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_product, run, product_flops, "GFLOP/s"                                            \
    }
#define LOOP(name, run, ...)                                                                                           \
    {                                                                                                                  \
        name, {__VA_ARGS__}, prepare_loop, run, elements, "G/s"                                                        \
    }

static const bench_case cases[] = {
    WINOGRAD("winograd 3x3, 56x56, 64 to 64", run_winograd, 56, 64, 64, 3),
    WINOGRAD("winograd 3x3, 28x28, 128 to 128", run_winograd, 28, 128, 128, 3),
    WINOGRAD("winograd 3x3, 32x32, 16 to 16", run_winograd, 32, 16, 16, 3),
    WINOGRAD("winograd 5x5, 24x24, 64 to 64", run_winograd, 24, 64, 64, 5),
    WINOGRAD("winograd large 3x3, 56x56, 256", run_winograd_large, 56, 256, 256, 3),
    WINOGRAD("winograd large 3x3, 28x28, 512", run_winograd_large, 28, 512, 512, 3),
    WINOGRAD("winograd large 3x3, 14x14, 512", run_winograd_large, 14, 512, 512, 3),
    WINOGRAD("the same, transposed filter", run_winograd_transposed, 28, 512, 512, 3),
    WINOGRAD("winograd filter gradient, 56x56, 64", run_winograd_gradient, 56, 64, 64, 3),
    WINOGRAD("winograd filter gradient, 24x24, 64, 5x5", run_winograd_gradient, 24, 64, 64, 5),
    WINOGRAD("winograd filter transform, 128", run_filter_transform, 8, 128, 128, 3),
    TAP_SUMS("tap sums 3x3, 7x7, 512 to 512", run_tap_sums, 7, 512, 512, 1),
    TAP_SUMS("tap sums 3x3, 14x14, 128 to 128", run_tap_sums, 14, 128, 128, 1),
    TAP_SUMS("tap sums 3x3 / 2, 56x56, 64 to 128", run_tap_sums, 56, 64, 128, 2),
    TAP_SUMS("tap sums 3x3 / 2, 32x32, 16 to 32", run_tap_sums, 32, 16, 32, 2),
    TAP_SUMS("tap sums 3x3, 28x28, 32 to 32", run_tap_sums, 28, 32, 32, 1),
    TAP_SUMS("turned tap sums 3x3 / 2, 56x56, 64 to 128", run_turned_tap_sums, 56, 64, 128, 2),
    TAP_SUMS("turned tap sums 3x3 / 2, 32x32, 16 to 32", run_turned_tap_sums, 32, 16, 32, 2),
    DEPTHWISE("depthwise, 28x28, 192, 3x3", run_depthwise_convolution, 28, 192, 3, 1),
    DEPTHWISE("depthwise, 56x56, 144, 3x3 / 2", run_depthwise_convolution, 56, 144, 3, 2),
    DEPTHWISE("depthwise, 14x14, 480, 5x5", run_depthwise_convolution, 14, 480, 5, 1),
    DEPTHWISE("depthwise image gradient, 28x28, 192, 3x3", run_depthwise_image_gradient, 28, 192, 3, 1),
    DEPTHWISE("depthwise image gradient, 56x56, 144, 3x3 / 2", run_depthwise_image_gradient, 56, 144, 3, 2),
    DEPTHWISE("depthwise image gradient, 14x14, 480, 5x5", run_depthwise_image_gradient, 14, 480, 5, 1),
    DEPTHWISE("depthwise filter gradient, 28x28, 192, 3x3", run_depthwise, 28, 192, 3, 1),
    DEPTHWISE("depthwise filter gradient, 56x56, 144, 3x3 / 2", run_depthwise, 56, 144, 3, 2),
    DEPTHWISE("depthwise filter gradient, 14x14, 480, 5x5", run_depthwise, 14, 480, 5, 1),
    POINTWISE("pointwise, 56x56, 64 to 64", run_pointwise, 56, 64, 64, 1),
    POINTWISE("pointwise, 28x28, 128 to 192", run_pointwise, 28, 128, 192, 1),
    MAX_POOL("max-pool, 112x112, 64, 2x2 / 2", run_max_pool, 112, 64, 2, 2),
    MAX_POOL("max-pool, 55x55, 128, 3x3 / 2", run_max_pool, 55, 128, 3, 2),
    MAX_POOL("gradient of max-pool, 112x112, 64, 2x2 / 2", run_max_pool_gradient, 112, 64, 2, 2),
    MAX_POOL("gradient of max-pool, 55x55, 128, 3x3 / 2", run_max_pool_gradient, 55, 128, 3, 2),
    PRODUCT("small product, 4x32x32", run_small, 4, 32, 32),
    PRODUCT("stream product, 1x4096x4096", run_stream, 1, 4096, 4096),
    PRODUCT("stream product, 8x25088x1024", run_stream, 8, 25088, 1024),
    PRODUCT("stream product, 8x4096x4096, transposed", run_stream_dots, 8, 4096, 4096),
    LOOP("exp", run_exp, 4096),
    LOOP("tanh", run_tanh, 4096),
    LOOP("add", run_add, 4096),
    LOOP("momentum", run_momentum, 512),
    LOOP("sum", run_sum, 4096),
    LOOP("mask", run_mask, 4096),
    LOOP("lrn of 64 channels", run_lrn, 64 * 64),
};

/* The least time of a run, of many that take 0.2 s together. */
static double time_case(const bench_case *c, const atl_kernel_table *k)
{
    setting s = {.k = k};
    memcpy(s.size, c->size, sizeof s.size);
    c->prepare(&s);
    c->run(&s);
    double start = atl_process_seconds(), best = 1e30;
    int64_t repeats = 1;
    while (atl_process_seconds() - start < 0.1) {
        double before = atl_process_seconds();
        for (int64_t i = 0; i < repeats; i++)
            c->run(&s);
        double taken = atl_process_seconds() - before;
        best = taken / (double)repeats < best ? taken / (double)repeats : best;
        if (taken < 1e-3)
            repeats *= 2;
    }
    free(s.a), free(s.b), free(s.c), free(s.scratch), free(s.prepared);
    return c->work(&s) / best * 1e-9;
}

static int is_wanted(const char *name, int count, char **wanted)
{
    for (int i = 0; i < count; i++)
        if (strstr(name, wanted[i]))
            return 1;
    return count == 0;
}

int main(int argc, char **argv)
{
    printf("%-42s %9s %9s %9s\n", "", "generic", "avx2", "avx512");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!is_wanted(cases[i].name, argc - 1, argv + 1))
            continue;
        printf("%-42s", cases[i].name);
        for (int isa = ATL_ISA_GENERIC; isa <= ATL_ISA_AVX512; isa++) {
            const atl_kernel_table *k = atl_kernels_of((atl_isa)isa);
            if (k)
                printf(" %9.2f", time_case(&cases[i], k));
            else
                printf(" %9s", "-");
            fflush(stdout);
        }
        printf(" %s\n", cases[i].unit);
    }
    return 0;
}
