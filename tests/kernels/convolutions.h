/* Sizes of convolutions for the tests of kernels, and loops over sizes that tests of several kernels share. */
#ifndef ATLED_TESTS_CONVOLUTIONS_H
#define ATLED_TESTS_CONVOLUTIONS_H

#include "isas.h"

static inline int64_t count_of_results(const atl_conv_sizes *f)
{
    return f->batch * f->result_height * f->result_width * f->result_channels;
}
static inline int64_t count_of_image(const atl_conv_sizes *f) { return f->batch * f->height * f->width * f->channels; }
static inline int64_t count_of_filter(const atl_conv_sizes *f)
{
    return f->filter_height * f->filter_width * f->channels * f->result_channels;
}

/* How many windows, `extent` pixels from end to end, fit into an image with `pad` zeros on both sides. */
static inline int64_t results(int64_t pixels, int64_t extent, int64_t stride, int64_t pad)
{
    int64_t room = pixels + 2 * pad - extent;
    return room < 0 ? 0 : room / stride + 1;
}

static inline atl_conv_sizes square(int64_t channels, int64_t out, int64_t size, int64_t stride, int64_t pad,
                                    int64_t pixels)
{
    return (atl_conv_sizes){.batch = 1,
                            .height = pixels,
                            .width = pixels,
                            .channels = channels,
                            .result_height = results(pixels, size, stride, pad),
                            .result_width = results(pixels, size, stride, pad),
                            .result_channels = out,
                            .filter_height = size,
                            .filter_width = size,
                            .stride_y = stride,
                            .stride_x = stride,
                            .pad_top = pad,
                            .pad_left = pad,
                            .dilation_y = 1,
                            .dilation_x = 1,
                            .workers = 1};
}

typedef void convolution_check(const atl_kernel_table *k, atl_conv_sizes f);

/* Windows up to 11 pixels wide, strides up to 4, square images up to so many pixels wide. */
static inline void check_windows(const atl_kernel_table *k, int64_t most_pixels, convolution_check *check)
{
    for (int64_t channels = 1; channels <= ATL_FEW_CHANNELS; channels++)
        for (int64_t size = 1; size <= 11; size += 1 + size / 5)
            for (int64_t stride = 1; stride <= 4; stride++)
                for (int64_t pixels = 1; pixels <= most_pixels; pixels += 1 + pixels / 2) {
                    atl_conv_sizes f =
                        square(channels, (1 + pixels % 3) * k->vector, size, stride, pixels % size, pixels);
                    f.batch = 1 + pixels % 2;
                    if (f.result_width > 0)
                        check(k, f);
                }
}

/* Height and width differ in everything. */
static inline void check_rectangles(const atl_kernel_table *k, convolution_check *check)
{
    for (int64_t out = 16; out <= 96; out += 16)
        for (int64_t stride = 1; stride <= 3; stride++) {
            atl_conv_sizes f = square(3, out, 5, stride, 2, 37);
            f.height = 11, f.filter_height = 2, f.stride_y = 4 - stride, f.pad_top = 0;
            f.result_height = results(f.height, f.filter_height, f.stride_y, 0);
            check(k, f);
        }
}

/* Results that read less than the whole image, as where rows behind the last window are left over, and windows that
 * reach over its end, some with all of their elements. */
static inline void check_unread_pixels(const atl_kernel_table *k, convolution_check *check)
{
    for (int64_t less = 1; less <= 4; less++) {
        atl_conv_sizes f = square(3, 2 * k->vector, 3, 1, 1, 30);
        f.result_height -= less, f.result_width -= 7 * less;
        check(k, f);
        f.result_height += 3 * less, f.result_width += 9 * less;
        check(k, f);
    }
}

#endif
