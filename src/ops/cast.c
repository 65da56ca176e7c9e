/* Ops that change the type of a value, or stop its gradient. */
#include "ops/elementwise.h"

/* cast(x): to float32 or int32; to int32 it rounds towards zero and saturates, and NaN becomes 0.  d/dx = 1 from
 * float32 to float32; no gradient flows through int32. */
static bool infer_cast(atl_node *y)
{
    return atl_set_type(y, *(const atl_dtype *)atl_attributes_of(y), *y->inputs[0]->shape);
}

static double to_int32(double x)
{
    if (!(x == x))
        return 0;
    return x <= INT32_MIN ? INT32_MIN : x >= INT32_MAX ? INT32_MAX : trunc(x);
}

static void reference_cast(const atl_node *y, const double *const *x, double *result)
{
    int64_t count = atl_shape_count(*y->shape);
    for (int64_t i = 0; i < count; i++)
        result[i] = y->dtype == ATL_INT32 ? to_int32(x[0][i]) : x[0][i];
}

static void kernel_cast(const atl_node *y, const void *const *x, void *result)
{
    int64_t count = atl_shape_count(*y->shape);
    if (y->dtype == y->inputs[0]->dtype)
        memcpy(result, x[0], (size_t)count * sizeof(float));
    else if (y->dtype == ATL_INT32)
        atl_kernels->floats_to_ints(count, x[0], result);
    else
        atl_kernels->ints_to_floats(count, x[0], result);
}

static atl_node *cast_gradient(atl_node *y, atl_node *dy)
{
    return y->dtype == ATL_FLOAT32 && y->inputs[0]->dtype == ATL_FLOAT32 ? dy : NULL;
}

/* A cast to the type that the input has becomes the input. */
static atl_node *cast_simplified(atl_node *y) { return y->dtype == y->inputs[0]->dtype ? y->inputs[0] : NULL; }

static void describe_cast(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "to %s", atl_dtype_name(y->dtype));
}

static atl_node *cast_to_int(atl_node *x) { return atl_cast(x, ATL_INT32); }
static atl_node *cast_to_float(atl_node *x) { return atl_cast(x, ATL_FLOAT32); }
static atl_node *cast_to_double(atl_node *x) { return atl_cast(x, ATL_FLOAT64); }

static const atl_op cast_op = {
    .name = "cast",
    .arity = 1,
    .attributes = sizeof(atl_dtype),
    .infer = infer_cast,
    .gradient = {cast_gradient},
    .reference = reference_cast,
    .kernel = kernel_cast,
    .describe = describe_cast,
    .simplify = cast_simplified,
    .samples = (const atl_sample[]){
        {"float32 to int32", .unary = cast_to_int, .input = {{2, {5, 7}, -9, 9}}, .inputs = 1, .no_gradient = 1},
        {"beyond int32", .unary = cast_to_int, .input = {{1, {67}, -1e10f, 1e10f}}, .inputs = 1, .no_gradient = 1},
        {"int32 to float32", .unary = cast_to_float, .input = {{2, {5, 7}, -9, 9, 1}}, .inputs = 1, .no_gradient = 1},
        {"float32 to float32", .unary = cast_to_float, .input = {{2, {2, 3}}}, .inputs = 1},
        {"to float64", .unary = cast_to_double, .input = {{1, {3}}}, .inputs = 1, .error = "float64"},
        {0}}};
ATL_BUILTIN(cast_op);
atl_node *atl_cast(atl_node *x, atl_dtype dtype) { return ATL_APPLY(&cast_op, &dtype, x); }

/* stop_gradient(x) = x, as a constant */
static void reference_stop_gradient(const atl_node *y, const double *const *x, double *result)
{
    memcpy(result, x[0], (size_t)atl_shape_count(*y->shape) * sizeof *result);
}
static const atl_op stop_gradient_op = {
    .name = "stop_gradient",
    .arity = 1,
    .flags = ATL_OP_STOPS_GRADIENT | ATL_OP_ALIAS,
    .infer = atl_infer_same,
    .reference = reference_stop_gradient,
    .samples = (const atl_sample[]){
        {"floats", .unary = atl_stop_gradient, .input = {{2, {2, 3}}}, .inputs = 1, .no_gradient = 1},
        {"integers", .unary = atl_stop_gradient, .input = {{2, {2, 3}, 0, 9, 1}}, .inputs = 1, .no_gradient = 1},
        {0}}};
ATL_BUILTIN(stop_gradient_op);
atl_node *atl_stop_gradient(atl_node *x) { return ATL_APPLY(&stop_gradient_op, NULL, x); }
