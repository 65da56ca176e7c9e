/* 1x1 convolutions: products of [pixels, in] and [in, out], with an epilogue. */
#include "kernels/pointwise.h"

#include "kernels/vectors.h"

/* To [out / block][in][block]. */
void KERNEL(pointwise_pack)(const atl_pointwise *p, const float *filter, int transposed, float *packed)
{
    int64_t block = tile_vectors(p->out) * VECTOR;
    for (int64_t i = 0; i < p->in; i++)
        for (int64_t o = 0; o < p->out; o++)
            packed[(o / block * p->in + i) * block + o % block] = filter[transposed ? o * p->in + i : i * p->out + o];
}

/* Some pixels from `pixel` on, and 16 * vectors outputs from `first` on. */
INLINE void some_pixels(const int rows, const int vectors, const atl_pointwise *p, int64_t pixel, int64_t first,
                        const float *image, const float *b, const atl_epilogue *end, float *result)
{
    product_tile sum;
    clear_tile(rows, vectors, sum);
    add_to_tile(rows, vectors, p->in, image + pixel * p->in_pixel_stride, p->in_pixel_stride, 1, b, vectors * VECTOR,
                sum);
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++) {
        int64_t channel = first + v * VECTOR;
        store(result + (pixel + i) * p->out_pixel_stride + channel,
              apply_epilogue(end, sum[i][v], (pixel + i) * p->out + channel, channel));
    }
}

/* The pixels from..to-1, and the outputs from `first` to last-1. */
INLINE void some_outputs(const int rows, const int vectors, const atl_pointwise *p, int64_t from, int64_t to,
                         int64_t first, int64_t last, const float *image, const float *packed, const atl_epilogue *end,
                         float *result)
{
    for (; from + rows <= to; from += rows)
        for (int64_t o = first; o < last; o += vectors * VECTOR)
            some_pixels(rows, vectors, p, from, o, image, packed + o * p->in, end, result);
    for (; from < to; from++)
        for (int64_t o = first; o < last; o += vectors * VECTOR)
            some_pixels(1, vectors, p, from, o, image, packed + o * p->in, end, result);
}

/* The smaller of filter and image is read again and again: a few pixels with the whole filter, or, if the filter is the
 * larger one, a block of it with all pixels. */
INLINE void range_of_pixels(const int rows, const int vectors, const atl_pointwise *p, int64_t from, int64_t to,
                            const float *image, const float *packed, const atl_epilogue *end, float *result)
{
    int64_t step = p->out > to - from ? vectors * VECTOR : p->out;
    for (int64_t o = 0; o < p->out; o += step)
        some_outputs(rows, vectors, p, from, to, o, o + step, image, packed, end, result);
}

static void convolve_range(const atl_pointwise *p, int64_t from, int64_t to, const float *image, const float *packed,
                           const atl_epilogue *end, float *result)
{
    const atl_epilogue own = *end; /* which no store into the result can change, so that it stays in registers */
    FOR_TILE(p->out, range_of_pixels, p, from, to, image, packed, &own, result)
}

void KERNEL(pointwise_convolve)(const atl_pointwise *p, const float *image, const float *packed,
                                const atl_epilogue *end, float *result)
{
#pragma omp parallel for num_threads(p->workers) schedule(static, 1) if (p->workers > 1)
    for (int worker = 0; worker < p->workers; worker++) {
        int64_t rows = tile_rows(tile_vectors(p->out)), groups = p->pixels / rows; /* the last has the rest, too */
        int64_t from = groups * worker / p->workers * rows, to = groups * (worker + 1) / p->workers * rows;
        convolve_range(p, from, worker + 1 == p->workers ? p->pixels : to, image, packed, end, result);
    }
}
