/* Activations and their slopes: see slopes.h. */
#include "kernels/slopes.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/gelu.h"

void KERNEL(gelu_and_slope)(int64_t n, const float *x, float *y, float *slope)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++) {
        const value_and_slope of_x = gelu_and_slope(x[i]);
        y[i] = of_x.value;
        slope[i] = of_x.slope;
    }
}
