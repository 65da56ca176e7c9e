/* Normal random numbers by counter. */
#include "graph/random.h"

#include <math.h>

double atl_random_normal(uint64_t seed, uint64_t counter)
{
    uint64_t bits = atl_random_bits(seed, counter);
    double u = ((double)(bits >> 32) + 1) * 0x1p-32; /* (0, 1], so its logarithm is finite */
    double v = (double)(bits & 0xffffffffu) * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}
