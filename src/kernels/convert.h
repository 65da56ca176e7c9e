/* Numbers of one type from those of another. */
#ifndef ATLED_KERNELS_CONVERT_H
#define ATLED_KERNELS_CONVERT_H

#include <stdint.h>

/* floats_to_ints: towards zero, saturating, and 0 of NaN. */
#define ATL_CONVERT_KERNELS(K)                                                                                         \
    K(void, floats_to_ints, (int64_t count, const float *x, int32_t *result))                                          \
    K(void, ints_to_floats, (int64_t count, const int32_t *x, float *result))                                          \
    K(void, floats_of_bytes, (const unsigned char *bytes, int64_t count, float *to))

#endif
