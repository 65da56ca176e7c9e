/* Converts between element types: see convert.h. */
#include "kernels/convert.h"

#include "kernels/level.h"
#include "kernels/loops.h"

void KERNEL(floats_to_ints)(int64_t count, const float *x, int32_t *result)
{
    ATL_LANES
    for (int64_t i = 0; i < count; i++) {
        const float floored = x[i] < -0x1p31f ? -0x1p31f : x[i],
                    limited = floored < 0x1p31f ? floored : 0; /* 0: NaN, too */
        const int32_t whole = (int32_t)limited;
        result[i] = x[i] >= 0x1p31f ? INT32_MAX : whole;
    }
}

void KERNEL(ints_to_floats)(int64_t count, const int32_t *x, float *result)
{
    ATL_LANES
    for (int64_t i = 0; i < count; i++)
        result[i] = (float)x[i];
}

void KERNEL(floats_of_bytes)(const unsigned char *bytes, int64_t count, float *to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)bytes[i];
}
