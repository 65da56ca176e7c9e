/* What our own convolution kernels are told of their sizes. */
#include "ops/conv_sizes.h"

#include <omp.h>

#include "common/numbers.h"
#include "cost/cost.h"

double atl_conv_flops(const onednn_convolution *c)
{
    int64_t taps = c->vertical.size * c->horizontal.size * c->image.size[3] / c->groups;
    return 2.0 * (double)taps * (double)atl_shape_count(c->result);
}

atl_conv_sizes atl_conv_sizes_of(const onednn_convolution *c)
{
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    const int64_t *image = c->image.size, *result = c->result.size;
    int is_small = atl_conv_flops(c) < 2 * atl_costs_in_use()->thread_flops;
    return (atl_conv_sizes){.batch = image[0],
                            .height = image[1],
                            .width = image[2],
                            .channels = image[3],
                            .result_height = result[1],
                            .result_width = result[2],
                            .result_channels = result[3],
                            .filter_height = v->size,
                            .filter_width = h->size,
                            .stride_y = v->stride,
                            .stride_x = h->stride,
                            .pad_top = v->pad_before,
                            .pad_left = h->pad_before,
                            .dilation_y = v->dilation,
                            .dilation_x = h->dilation,
                            .workers = is_small ? 1 : omp_get_max_threads()};
}

atl_conv_sizes atl_conv_turned(atl_conv_sizes d)
{
    atl_conv_sizes turned = d;
    turned.height = d.result_height, turned.width = d.result_width, turned.channels = d.result_channels;
    turned.result_height = d.height, turned.result_width = d.width, turned.result_channels = d.channels;
    turned.pad_top = (d.filter_height - 1) * d.dilation_y - d.pad_top;
    turned.pad_left = (d.filter_width - 1) * d.dilation_x - d.pad_left;
    turned.flipped = 1;
    return turned;
}

/* Of one line, the pairs of a result and an element of the window that meet inside of the image. */
static double pairs_inside(int64_t results, int64_t pixels, int64_t size, int64_t stride, int64_t dilation, int64_t pad)
{
    double pairs = 0;
    for (int64_t i = 0; i < size; i++) {
        int64_t at = i * dilation - pad; /* of the first result */
        int64_t before = at < 0 ? atl_divide_up(-at, stride) : 0;
        int64_t end = at < pixels ? atl_divide_up(pixels - at, stride) : 0;
        pairs += (double)atl_larger(0, atl_smaller(end, results) - before);
    }
    return pairs;
}

double atl_conv_pairs_inside(const atl_conv_sizes *d)
{
    return pairs_inside(d->result_height, d->height, d->filter_height, d->stride_y, d->dilation_y, d->pad_top) *
           pairs_inside(d->result_width, d->width, d->filter_width, d->stride_x, d->dilation_x, d->pad_left);
}
