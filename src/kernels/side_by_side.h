/* What kernels share that compute a vector of channels of several pixels side by side, which end together. */
#ifndef ATLED_KERNELS_SIDE_BY_SIDE_H
#define ATLED_KERNELS_SIDE_BY_SIDE_H

#include "kernels/vectors.h"

enum {
    SIDE_BY_SIDE_SUMS = 8, /* at most, each in a register */
    WIDEST = 5             /* depthwise filter whose elements of a row are in registers, too */
};

INLINE void fetch_pixels(const int count, const float *from, int64_t channels)
{
    UNROLL
    for (int k = 0; k < count; k++) {
        __builtin_prefetch(from, 0, 3);
        from += channels;
        HIDE_ADDRESS(from);
    }
}

/* As where_bits of bits_at.  Vectors of four share bytes of a mask; wider ones have an address each. */
INLINE void apply_mask(const int count, const uint8_t *mask, vec *sum, int64_t at, int64_t channels)
{
    const uint8_t *byte = mask + at / 8;
    UNROLL
    for (int k = 0; k < count; k++) {
        sum[k] = where_bits(sum[k], VECTOR == 4 ? bits_at(mask, at + k * channels) : bits_at(byte, 0));
        byte += channels / 8;
        HIDE_ADDRESS(byte);
    }
}

INLINE void make_mask(const int count, uint8_t *mask, float highest, const vec *sum, int64_t at, int64_t channels)
{
    uint8_t *byte = mask + at / 8;
    UNROLL
    for (int k = 0; k < count; k++) {
        const unsigned bits = bits_between(sum[k], highest);
        if (VECTOR == 4)
            add_bits(mask, at + k * channels, bits);
        else
            add_bits(byte, 0, bits);
        byte += channels / 8;
        HIDE_ADDRESS(byte);
    }
}

/* What apply_epilogue does, for results side by side, and writes them; it asks once for each operation, not for each
 * vector. */
INLINE void write_results(const int count, const atl_epilogue *end, vec *sum, int64_t at, int64_t channels, int64_t c,
                          float *result)
{
    if (end->bias) {
        UNROLL
        for (int k = 0; k < count; k++)
            sum[k] += load(end->bias + c);
    }
    if (end->residual) {
        const float *more = end->residual + at;
        UNROLL
        for (int k = 0; k < count; k++) {
            sum[k] += load(more);
            more += channels;
            HIDE_ADDRESS(more);
        }
    }
    if (end->relu) {
        UNROLL
        for (int k = 0; k < count; k++)
            sum[k] = relu(sum[k]);
    }
    if (end->relu && end->highest > 0) {
        UNROLL
        for (int k = 0; k < count; k++)
            sum[k] = at_most(sum[k], end->highest);
    }
    if (end->relu_grad) {
        const float *by = end->relu_grad + at;
        UNROLL
        for (int k = 0; k < count; k++) {
            sum[k] =
                end->highest > 0 ? where_between(sum[k], load(by), end->highest) : where_positive(sum[k], load(by));
            by += channels;
            HIDE_ADDRESS(by);
        }
    }
    if (end->mask)
        apply_mask(count, end->mask, sum, at, channels);
    float *to = result + at;
    UNROLL
    for (int k = 0; k < count; k++) {
        store(to, sum[k]);
        to += channels;
        HIDE_ADDRESS(to);
    }
    if (end->positive)
        make_mask(count, end->positive, end->highest, sum, at, channels);
}

#endif
