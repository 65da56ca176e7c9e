/* What the tiles of a 1x1 convolution share, for pointwise.c: how their results are finished and written, and the
 * arrays that they read and write then. */
#ifndef ATLED_KERNELS_POINTWISE_TILES_H
#define ATLED_KERNELS_POINTWISE_TILES_H

#include "kernels/pointwise.h"
#include "kernels/product_tiles.h"

/* One factor for each output. */
INLINE void scale_tile(const int rows, const int vectors, const float *factor, product_tile sum)
{
    UNROLL
    for (int v = 0; v < vectors; v++)
        UNROLL
    for (int i = 0; i < rows; i++)
        sum[i][v] *= load(factor + v * VECTOR);
}

INLINE void add_rows(const int rows, const int vectors, const float *x, int64_t x_row, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] += load(x + i * x_row + v * VECTOR);
}

INLINE void multiply_rows(const int rows, const int vectors, const float *x, int64_t x_row, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] *= load(x + i * x_row + v * VECTOR);
}

/* add_bits, for vectors of 16 as one store, straight from a mask register. */
INLINE void put_bits(uint8_t *mask, int64_t at, unsigned bits)
{
#if ATL_VECTOR == 16
    const uint16_t both = (uint16_t)bits;
    memcpy(mask + (uint64_t)at / 8, &both, sizeof both);
#else
    add_bits(mask, at, bits);
#endif
}

/* True if the epilogue ends with a relu up to a limit whose mask is made: that of most 1x1 convolutions before a
 * depthwise one. */
INLINE int ends_clipped(const atl_epilogue *end)
{
    return end->relu && end->highest > 0 && end->positive && !end->relu_grad && !end->mask && !end->scale &&
           !end->addend && !end->factor;
}

/* Each vector is written before the next is clipped: compilers would keep all their bits to write them together. */
INLINE void write_clipped(const int rows, const int vectors, const atl_pointwise *p, int64_t pixel, int64_t first,
                          product_tile sum, const atl_epilogue *end, float *result)
{
    const float highest = end->highest;
    const int64_t row = p->out, to_row = p->out_pixel_stride; /* here, for a store into a mask may change all else */
    int64_t at = pixel * row + first;
    float *to = result + pixel * to_row + first;
    uint8_t *positive = end->positive;
    UNROLL
    for (int i = 0; i < rows; i++, at += row, to += to_row)
        UNROLL
    for (int v = 0; v < vectors; v++) {
        unsigned bits;
        store(to + v * VECTOR, clipped(sum[i][v], highest, &bits));
        put_bits(positive, at + v * VECTOR, bits);
    }
}

/* True if it only applies a gradient of such a relu, after what is added. */
INLINE int applies_relu6_grad(const atl_epilogue *end)
{
    return end->relu_grad && end->highest > 0 && !end->relu && !end->mask && !end->positive;
}

INLINE void keep_where_between(const int rows, const int vectors, const float *by, int64_t row, float highest,
                               product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = where_between(sum[i][v], load(by + i * row + v * VECTOR), highest);
}

/* The results of a tile, from that pixel and output on. */
INLINE void write_tile(const int rows, const int vectors, const atl_pointwise *p, int64_t pixel, int64_t first,
                       product_tile sum, const atl_epilogue *end, float *result)
{
    const int64_t at = pixel * p->out + first;
    const atl_epilogue added = {.bias = end->bias, .residual = end->residual};
    if (ends_clipped(end)) {
        apply_to_tile(rows, vectors, &added, at, p->out, first, sum);
        write_clipped(rows, vectors, p, pixel, first, sum, end, result);
        return;
    }
    if (applies_relu6_grad(end)) {
        apply_to_tile(rows, vectors, &added, at, p->out, first, sum);
        keep_where_between(rows, vectors, end->relu_grad + at, p->out, end->highest, sum);
    } else
        apply_to_tile(rows, vectors, end, at, p->out, first, sum);
    if (end->scale)
        scale_tile(rows, vectors, end->scale + first, sum);
    if (end->addend)
        add_rows(rows, vectors, end->addend + pixel * end->addend_pixel_stride + first, end->addend_pixel_stride, sum);
    if (end->factor)
        multiply_rows(rows, vectors, end->factor + pixel * p->out + first, p->out, sum);
    store_tile(rows, vectors, sum, result + pixel * p->out_pixel_stride + first, p->out_pixel_stride);
}

static int operands_of(const atl_epilogue *end)
{
    return (end->residual != NULL) + (end->relu_grad != NULL) + (end->addend != NULL) + (end->factor != NULL);
}

/* ---- what a tile reads and writes at its end --------------------------------------------------------------------- */

/* An array with so many floats from pixel to pixel. */
typedef struct pixel_array {
    const float *from;
    int64_t row;
} pixel_array;

enum { MOST_ARRAYS = 5 };
typedef struct product {
    const atl_pointwise *p;
    const float *image, *packed;
    atl_epilogue end;
    float *result;
    pixel_array array[MOST_ARRAYS]; /* which a tile reads or writes at its end */
    int arrays;
} product;

static product new_product(const atl_pointwise *p, const float *image, const float *packed, const atl_epilogue *end,
                           float *result)
{
    product x = {p, image, packed, *end, result, {{NULL, 0}}, 0};
    const pixel_array array[MOST_ARRAYS] = {{result, p->out_pixel_stride},
                                            {end->residual, p->out},
                                            {end->relu_grad, p->out},
                                            {end->addend, end->addend_pixel_stride},
                                            {end->factor, p->out}};
    for (int k = 0; k < MOST_ARRAYS; k++)
        if (array[k].from && (k == 0 || array[k].from != result))
            x.array[x.arrays++] = array[k];
    return x;
}

/* Fetches the lines of a pixel that a tile with these outputs reads and writes at its end, in the arrays from k on. */
INLINE void fetch_pixel(const int vectors, const product *x, int k, int64_t pixel, int64_t first)
{
    for (; k < x->arrays; k++) {
        const float *from = x->array[k].from + pixel * x->array[k].row + first;
        for (int v = 0; v < vectors * VECTOR; v += LINE_FLOATS)
            __builtin_prefetch(from + v, 0, 3);
    }
}

#endif
