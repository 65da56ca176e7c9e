/* One iteration of gradient descent, in one pass over the pixels. */
#include "atled/attack.h"

#include <math.h>

#include "graph/error.h"
#include "kernels/kernels.h"

/* Sums in double: the squares of tiny gradients must not underflow. */
static double root_mean_square(const float *x, int64_t count)
{
    enum { LANES = 16 };
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k] * x[i + k];
    for (; i < count; i++)
        sum += (double)x[i] * x[i];
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return count ? sqrt(sum / (double)count) : 0;
}

static int same_floats(const atl_tensor *a, const atl_tensor *b)
{
    return atl_floats(a) && atl_floats(b) && atl_shape_equal(atl_tensor_shape(a), atl_tensor_shape(b));
}

static atl_status check(const atl_descend_args *args, atl_descent method)
{
    char pixels[160], gradient[160];
    if (!atl_floats(args->pixels) || !atl_floats(args->gradient))
        return atl_set_error(ATL_INVALID, "atl_descend: pixels and gradient must be float32 tensors, and one is %s",
                             args->pixels && args->gradient ? "of another type" : "null");
    if (!same_floats(args->pixels, args->gradient))
        return atl_set_error(ATL_INVALID, "atl_descend: the pixels are %s but their gradient is %s",
                             atl_shape_text(atl_tensor_shape(args->pixels), pixels, sizeof pixels),
                             atl_shape_text(atl_tensor_shape(args->gradient), gradient, sizeof gradient));
    if (method == ATL_DESCENT_ADAM &&
        (!same_floats(args->pixels, args->moments[0]) || !same_floats(args->pixels, args->moments[1])))
        return atl_set_error(ATL_INVALID, "atl_descend: Adam needs .moments: two tensors of the pixels' shape, %s",
                             atl_shape_text(atl_tensor_shape(args->pixels), pixels, sizeof pixels));
    if (method != ATL_DESCENT_ADAM && (args->moments[0] || args->moments[1] || args->iteration))
        return atl_set_error(ATL_INVALID, "atl_descend: %s is for .method = ATL_DESCENT_ADAM: leave it out",
                             args->iteration ? ".iteration" : ".moments");
    if (args->iteration < 0)
        return atl_set_error(ATL_INVALID, "atl_descend: .iteration is %d; it counts from 0", args->iteration);
    return ATL_OK;
}

static void tell_effect(const atl_descent_job *d, atl_descent_effect *effect)
{
    *effect = (atl_descent_effect){0};
    for (int i = 0; i < ATL_DESCENT_PARTS; i++) {
        effect->largest = d->largest[i] > effect->largest ? d->largest[i] : effect->largest;
        effect->moved += d->moved[i];
    }
}

atl_status atl_descend_with(const atl_descend_args *args)
{
    if (!args)
        return atl_null_argument("atl_descend", "the options are");
    atl_descent method = args->method == ATL_DESCENT_DEFAULT ? ATL_DESCENT_NORMALISED : args->method;
    atl_status status = check(args, method);
    if (status)
        return status;
    int64_t count = atl_tensor_count(args->pixels);
    int bounded = args->lowest != 0 || args->highest != 0;
    atl_descent_job d = {.pixels = atl_floats(args->pixels),
                         .gradient = atl_floats(args->gradient),
                         .factor = args->rate,
                         .lowest = bounded ? args->lowest : -INFINITY,
                         .highest = bounded ? args->highest : INFINITY};
    if (method == ATL_DESCENT_NORMALISED) {
        double size = root_mean_square(d.gradient, count);
        d.large_factor = size > 0 ? args->rate / size : 0;
        d.factor = (float)d.large_factor;
    } else if (method == ATL_DESCENT_ADAM) {
        d.mean = atl_floats(args->moments[0]);
        d.square = atl_floats(args->moments[1]);
        d.mean_left = 0.9f;
        d.square_left = 0.999f;
        d.factor =
            (float)(args->rate * sqrt(1 - pow(0.999, args->iteration + 1)) / (1 - pow(0.9, args->iteration + 1)));
    }
    (method == ATL_DESCENT_ADAM   ? atl_kernels->descend_moments
     : method == ATL_DESCENT_SIGN ? atl_kernels->descend_sign
     : isinf(d.factor)            ? atl_kernels->descend_tiny_gradient
                                  : atl_kernels->descend_gradient)(&d, count);
    if (args->effect_out)
        tell_effect(&d, args->effect_out);
    return ATL_OK;
}
