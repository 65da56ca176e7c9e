/* Short programs of element-wise instructions over n floats, whose value stays in registers from one instruction to the
 * next: a map (maps.h) would write it to the cache, and the next map would read it again. */
#ifndef ATLED_KERNELS_ELEMENT_CODE_H
#define ATLED_KERNELS_ELEMENT_CODE_H

#include <stdint.h>

#include "kernels/maps.h"

/* LOAD: value = array; STORE: array = value.  FETCH and FETCH_TO_WRITE ask the processor for what the array has
 * ATL_ELEMENT_AHEAD floats further on, and change nothing; it may end before that.  A map of one argument, abs: value =
 * abs(value); of two, sub: value = value - array, and behind it sub_reversed: value = array - value. */
#define ATL_ELEMENT_UNARY(name, ...)  ATL_ELEMENT_##name,
#define ATL_ELEMENT_BINARY(name, ...) ATL_ELEMENT_##name, ATL_ELEMENT_##name##_reversed,
typedef enum atl_element_op {
    ATL_ELEMENT_NONE, /* of maps that have no instruction */
    ATL_ELEMENT_LOAD,
    ATL_ELEMENT_STORE,
    ATL_ELEMENT_FETCH,
    ATL_ELEMENT_FETCH_TO_WRITE,
    ATL_VECTOR_MAPS(ATL_ELEMENT_UNARY, ATL_ELEMENT_BINARY)
} atl_element_op;

enum { ATL_ELEMENT_AHEAD = 512 }; /* floats: what a loop over some arrays does while memory answers */

typedef struct atl_element_code {
    uint8_t op, array; /* array: its number */
} atl_element_code;

/* Runs the instructions over n floats of the arrays; the first one is a LOAD.  An array that is written may be exactly
 * another one, if no later instruction reads that. */
#define ATL_ELEMENT_CODE_KERNELS(K)                                                                                    \
    K(void, run_element_code, (const atl_element_code *code, int length, const float *const *array, int64_t n))

#endif
