/* A convolution of an image with few channels.
 *
 * A row of a window is a run of numbers, of all channels of its pixels, and each of them is multiplied with a vector of
 * the filter.  A tile's sums stay in registers while the whole window is read: of some pixels side by side and two
 * vectors of channels of the result, or of twice as many pixels and one vector.  At the left and right edges pixels go
 * one by one, with a part of each run. */
#include "kernels/few_channels.h"

#include "kernels/post_op_ranges.h"
#include "kernels/side_by_side.h"
#include "kernels/taps.h"

enum { TILE_VECTORS = 2, TILE_SUMS = ATL_VECTOR == 4 ? 8 : ATL_REGISTERS == 32 ? 16 : 12 };

/* A row of the result. */
typedef struct result_row {
    const atl_conv_sizes *f;
    const float *image, *filter; /* the row of the image where its windows begin; may be outside */
    const atl_epilogue *end;
    float *result;
    int64_t at; /* of its first float in the result */
    taps v;     /* rows of the filter that are inside of the image */
} result_row;

/* Where the next tile will be written, and, once for all channels, what the next row of windows reads from `below` on:
 * so much is computed of so little that a processor does not ask for it in time. */
INLINE void fetch_ahead(const int pixels, const int vectors, const int64_t step, const result_row *r,
                        const float *below, int64_t x, int64_t o)
{
    const int64_t out = r->f->result_channels, image_row = r->f->width * r->f->channels;
    UNROLL
    for (int line = 0; line < vectors * VECTOR; line += LINE_FLOATS)
        fetch_pixels(pixels, r->result + r->at + (x + pixels) * out + o + line, out);
    for (int64_t i = 0; o == 0 && i < r->f->stride_y; i++)
        for (int64_t t = 0; t < pixels * step; t += LINE_FLOATS)
            __builtin_prefetch(below + i * image_row + t);
}

/* Some pixels from x on, channels o to o + vectors * VECTOR - 1; h: the elements of the filter that are inside.  `step`
 * is from window to window. */
INLINE void some_results(const int pixels, const int vectors, const int64_t step, const result_row *r, taps h,
                         int64_t x, int64_t o)
{
    const int64_t channels = r->f->channels, out = r->f->result_channels, image_row = r->f->width * channels;
    const int64_t run = (h.last - h.first) * channels, filter_row = r->f->filter_width * channels * out;
    const float *first = r->image + x * step + (h.first - r->f->pad_left) * channels;
    const float *element = r->filter + h.first * channels * out + o;
    if (pixels > 1)
        fetch_ahead(pixels, vectors, step, r, first + r->f->filter_height * image_row, x, o);
    vec sum[TILE_VECTORS][TILE_SUMS];
    UNROLL
    for (int v = 0; v < vectors; v++)
        UNROLL
    for (int p = 0; p < pixels; p++)
        sum[v][p] = (vec){0};
    for (int64_t i = r->v.first; i < r->v.last; i++) {
        const float *number = first + i * image_row, *w = element + i * filter_row;
        for (int64_t t = 0; t < run; t++, number++, w += out) {
            HIDE_ADDRESS(number); /* else numbers that a later turn needs again would wait in registers */
            vec of[TILE_VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++)
                of[v] = load(w + v * VECTOR);
            UNROLL
            for (int p = 0; p < pixels; p++) {
                const vec value = broadcast(number[p * step]);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[v][p] += value * of[v];
            }
        }
    }
    const atl_epilogue own = *r->end;
    const atl_epilogue *operations = &own; /* read again each time: sums leave no registers for it */
    HIDE_ADDRESS(operations);
    UNROLL
    for (int v = 0; v < vectors; v++)
        write_results(pixels, operations, sum[v], r->at + x * out + o + v * VECTOR, out, o + v * VECTOR, r->result);
}

/* All pixels of one or two vectors of channels; the last two tiles may overlap. */
INLINE void run_row(const int vectors, const int64_t step, const result_row *r, int64_t first, int64_t last, int64_t o)
{
    const atl_conv_sizes *f = r->f;
    const taps whole = {0, f->filter_width};
    const int tile = TILE_SUMS / vectors;
    for (int64_t x = 0; x < f->result_width; x++)
        if (x == first && last - first >= tile) {
            for (; x < last; x += tile)
                some_results(tile, vectors, step, r, whole, x < last - tile ? x : last - tile, o);
            x = last - 1;
        } else
            some_results(1, vectors, step, r, taps_inside(x * f->stride_x - f->pad_left, f->width, f->filter_width, 1),
                         x, o);
}

/* A post-op gets whole rows: the last tiles of one overlap. */
INLINE void convolve_rows(const int64_t step, const atl_conv_sizes *f, int64_t from, int64_t to, const float *image,
                          const float *filter, const atl_epilogue *end, float *result)
{
    const int64_t out = f->result_channels, room = f->width - f->filter_width + f->pad_left;
    int64_t first = (f->pad_left + f->stride_x - 1) / f->stride_x, last = room < 0 ? 0 : room / f->stride_x + 1;
    last = last < f->result_width ? last : f->result_width; /* first <= x < last: windows inside of the image */
    const int64_t result_floats = f->result_width * out;
    int64_t written = from * result_floats; /* from there on without their post-op */
    for (int64_t row = from; row < to; row++) {
        const int64_t n = row / f->result_height, top = row % f->result_height * f->stride_y - f->pad_top;
        const result_row r = {.f = f,
                              .image = image + (n * f->height + top) * f->width * f->channels,
                              .filter = filter,
                              .end = end,
                              .result = result,
                              .at = row * result_floats,
                              .v = taps_inside(top, f->height, f->filter_height, 1)};
        int64_t o = 0;
        for (; o + TILE_VECTORS * VECTOR <= out; o += TILE_VECTORS * VECTOR)
            run_row(TILE_VECTORS, step, &r, first, last, o);
        if (o < out)
            run_row(1, step, &r, first, last, o);
        apply_post_op_to_many(end, &written, (row + 1) * result_floats);
    }
    atl_apply_post_op(end, written, to * result_floats);
}

void KERNEL(few_channels_convolve)(const atl_conv_sizes *f, const float *image, const float *filter,
                                   const atl_epilogue *end, float *result)
{
    const int64_t rows = f->batch * f->result_height, step = f->stride_x * f->channels;
#pragma omp parallel for num_threads(f->workers) schedule(static, 1) if (f->workers > 1)
    for (int worker = 0; worker < f->workers; worker++) {
        const int64_t from = rows * worker / f->workers, to = rows * (worker + 1) / f->workers;
        if (step == 6) /* 3 channels, stride 2: addresses are constants */
            convolve_rows(6, f, from, to, image, filter, end, result);
        else if (step == 3)
            convolve_rows(3, f, from, to, image, filter, end, result);
        else
            convolve_rows(step, f, from, to, image, filter, end, result);
    }
}
