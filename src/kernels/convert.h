/* Converts between element types. */
#ifndef ATLED_KERNELS_CONVERT_H
#define ATLED_KERNELS_CONVERT_H

#include <stdint.h>

/* floats_to_ints: rounds towards zero and saturates; NaN becomes 0. */
#define ATL_CONVERT_KERNELS(K)                                                                                         \
    K(void, floats_to_ints, (int64_t count, const float *x, int32_t *result))                                          \
    K(void, ints_to_floats, (int64_t count, const int32_t *x, float *result))                                          \
    K(void, floats_of_bytes, (const unsigned char *bytes, int64_t count, float *to))

#endif
