/* Sizes of convolutions with few channels, for the tests of both of their gradients. */
#ifndef ATLED_TESTS_FEW_CHANNELS_SIZES_H
#define ATLED_TESTS_FEW_CHANNELS_SIZES_H

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

/* Numbers of results that read all of the image, as a padding on both sides gives them. */
static inline int64_t results(int64_t pixels, int64_t size, int64_t stride, int64_t pad)
{
    int64_t room = pixels + 2 * pad - size;
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
                            .workers = 1};
}

#endif
