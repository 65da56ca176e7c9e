/* Numbers, shapes and nodes from the bytes of a fuzz input, for api.c.  Small values are likely, absurd ones
 * possible. */
#ifndef ATLED_TESTS_FUZZ_READER_H
#define ATLED_TESTS_FUZZ_READER_H

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "atled/atled.h"

enum { MOST_NODES = 24, MOST_INPUTS = 6 };

typedef struct reader {
    const uint8_t *at, *end;
    atl_graph *graph;
    atl_node *node[MOST_NODES], *input[MOST_INPUTS];
    int nodes, inputs;
} reader;

static inline uint8_t next_byte(reader *r) { return r->at < r->end ? *r->at++ : 0; }

static inline int next_bit(reader *r) { return next_byte(r) & 1; }

/* Mostly 0 to 4. */
static inline int64_t next_integer(reader *r)
{
    static const int64_t absurd[] = {INT64_MAX, INT64_MIN, INT_MAX, INT_MIN, 1ll << 32, 1ll << 62, 65536, -65536};
    static const int64_t usual[] = {5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, -1, -2, -3, -4, -8};
    uint8_t b = next_byte(r);
    return b < 200 ? b % 5 : b < 248 ? usual[b % 16] : absurd[b - 248];
}

/* For arguments that are ints. */
static inline int next_int(reader *r)
{
    int64_t n = next_integer(r);
    return n > INT_MAX ? INT_MAX : n < INT_MIN ? INT_MIN : (int)n;
}

static inline float next_float(reader *r)
{
    static const float usual[] = {0, 0.5f, 1, -1, 2, 0.25f, -0.5f, 3, 0.1f, 0.9f, 1e-5f, -2};
    static const float absurd[] = {NAN, INFINITY, -INFINITY, 1e30f, -3e38f, 1e-45f, -0.0f, 2147483648.0f};
    uint8_t b = next_byte(r);
    return b < 240 ? usual[b % 12] : absurd[b % 8];
}

static inline atl_shape next_shape(reader *r)
{
    uint8_t b = next_byte(r);
    atl_shape shape = {.rank = b < 230 ? b % 5 : b % 12 - 1};
    for (int i = 0; i < shape.rank && i < ATL_MAX_RANK; i++) {
        uint8_t size = next_byte(r);
        shape.size[i] = size < 16    ? ATL_ANY
                        : size < 220 ? 1 + size % 6
                        : size < 240 ? 16 + size % 3 * 16
                                     : next_integer(r);
    }
    return shape;
}

/* One of the nodes built so far, or null. */
static inline atl_node *next_node(reader *r)
{
    uint8_t b = next_byte(r);
    return r->nodes == 0 || b >= 254 ? NULL : r->node[b % r->nodes];
}

#endif
