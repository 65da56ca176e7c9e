/* Convolutions in double precision, as plain loops. */
#include "ops/conv.h"

/* Computes one filter position: x, w and y point to the pixel's channels of one group, to the position's [in, out] of
 * that group, and to the output's channels of that group; `row` is the distance of rows of w. */
typedef void tap_sum(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y);

static void add_to_result(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            y[o] += x[i] * w[i * row + o];
}

static void add_to_image(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            x[i] += y[o] * w[i * row + o];
}

static void add_to_filter(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            w[i * row + o] += x[i] * y[o];
}

/* Sums all filter positions of one output pixel.  x: the image of this example; y: the output pixel. */
static void sum_taps(const conv_geometry *g, tap_sum *tap, int64_t oy, int64_t ox, double *x, double *w, double *y)
{
    const atl_window *v = &g->vertical, *h = &g->horizontal;
    int64_t in = g->filter.size[2], row = g->filter.size[3], out = row / g->groups, channels = g->image.size[3];
    for (int64_t ty = 0; ty < v->size; ty++) {
        int64_t iy = oy * v->stride - v->pad_before + ty * v->dilation;
        for (int64_t tx = 0; tx < h->size; tx++) {
            int64_t ix = ox * h->stride - h->pad_before + tx * h->dilation;
            if (iy < 0 || iy >= v->input || ix < 0 || ix >= h->input)
                continue;
            for (int64_t k = 0; k < g->groups; k++)
                tap(in, out, row, x + (iy * h->input + ix) * channels + k * in,
                    w + (ty * h->size + tx) * in * row + k * out, y + k * out);
        }
    }
}

static void sum_everywhere(const conv_geometry *g, tap_sum *tap, const double *x, const double *w, const double *y)
{
    int64_t rows = g->vertical.output, columns = g->horizontal.output, out = g->result.size[3];
    int64_t pixels = g->image.size[1] * g->image.size[2] * g->image.size[3];
    for (int64_t n = 0; n < g->image.size[0]; n++)
        for (int64_t oy = 0; oy < rows; oy++)
            for (int64_t ox = 0; ox < columns; ox++)
                sum_taps(g, tap, oy, ox, (double *)x + n * pixels, (double *)w,
                         (double *)y + ((n * rows + oy) * columns + ox) * out);
}

static void clear(const atl_node *y, double *result)
{
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
}

void atl_conv2d_reference(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    clear(y, result);
    sum_everywhere(&g, add_to_result, x[0], x[1], result);
}

void atl_input_grad_reference(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    clear(y, result);
    sum_everywhere(&g, add_to_image, result, x[1], x[0]);
}

void atl_filter_grad_reference(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y, y->inputs[1]);
    clear(y, result);
    sum_everywhere(&g, add_to_filter, x[0], result, x[1]);
}
