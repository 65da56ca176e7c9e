/* The arrays on which kernels and costs are measured. */
#include "floats.h"

#include <stdlib.h>

float *floats(int64_t count)
{
    float *x = aligned_alloc(64, (size_t)(count * 4 + 63) / 64 * 64 + 64);
    for (int64_t i = 0; x && i < count; i++)
        x[i] = (float)((i * 7919 + 13) % 2003) / 1001.5f - 1;
    if (!x)
        abort();
    return x;
}
