/* Tests of kernels run for each instruction set that this processor has; the others are skipped. */
#ifndef ATLED_TESTS_ISAS_H
#define ATLED_TESTS_ISAS_H

#include "kernels/kernels.h"
#include "support.h"

static inline void run_for_isa(atl_isa isa, void (*body)(const atl_kernel_table *k))
{
    const atl_kernel_table *kernels = atl_kernels_of(isa);
    if (!kernels)
        cr_skip_test("this processor has no %s", atl_isa_name(isa));
    cr_assert_eq(kernels->isa, isa);
    body(kernels);
}

/* Result `at` of a convolution whose groups have `group` channels, in double, without an epilogue.  The filter is
 * [filter_height, filter_width, group, result_channels]. */
static inline double exact_convolution(const atl_conv_sizes *d, int64_t group, int64_t at, const float *image,
                                       const float *filter)
{
    const int64_t o = at % d->result_channels, pixel = at / d->result_channels, ox = pixel % d->result_width;
    const int64_t oy = pixel / d->result_width % d->result_height, n = pixel / d->result_width / d->result_height;
    const int64_t first = o / (d->result_channels / (d->channels / group)) * group; /* channel of its group */
    double sum = 0;
    for (int64_t t = 0; t < d->filter_height * d->filter_width; t++) {
        int64_t y = oy * d->stride_y - d->pad_top + t / d->filter_width * d->dilation_y;
        int64_t x = ox * d->stride_x - d->pad_left + t % d->filter_width * d->dilation_x;
        for (int64_t k = 0; k < group && y >= 0 && y < d->height && x >= 0 && x < d->width; k++)
            sum += (double)image[((n * d->height + y) * d->width + x) * d->channels + first + k] *
                   (double)filter[(t * group + k) * d->result_channels + o];
    }
    return sum;
}

/* ISA_TEST(suite, name) { ... k->kernel(...) ... } is suite::name_avx512, suite::name_avx2 and suite::name_generic. */
#define ISA_TEST(suite, name)                                                                                          \
    static void suite##_##name(const atl_kernel_table *k);                                                             \
    Test(suite, name##_avx512) { run_for_isa(ATL_ISA_AVX512, suite##_##name); }                                        \
    Test(suite, name##_avx2) { run_for_isa(ATL_ISA_AVX2, suite##_##name); }                                            \
    Test(suite, name##_generic) { run_for_isa(ATL_ISA_GENERIC, suite##_##name); }                                      \
    static void suite##_##name(const atl_kernel_table *k)

#endif
