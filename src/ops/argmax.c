/* argmax(x): the index of the largest element along an axis; the first of equal ones, or of NaNs.  int32, so it has no
 * gradient. */
#include "ops/ops.h"
#include "kernels/parallel.h"

static bool infer_argmax(atl_node *y)
{
    atl_node *x = y->inputs[0];
    atl_shape to = *x->shape;
    int axis = atl_axis_of(y, *(const int *)y->attributes, to.rank);
    if (axis < 0 || !atl_require_float(y, 0, "the input"))
        return 0;
    if (to.size[axis] == 0)
        return atl_fail(y, "dimension %d of '%s', %s, is empty: it has no largest element", axis, atl_name_of(x),
                        SHAPE_OF(x));
    if (to.size[axis] > INT32_MAX)
        return atl_fail(y, "dimension %d of '%s', %s, is too long for int32", axis, atl_name_of(x), SHAPE_OF(x));
    to.rank--;
    memmove(to.size + axis, to.size + axis + 1, (size_t)(to.rank - axis) * sizeof *to.size);
    return atl_set_type(y, ATL_INT32, to);
}

static void argmax_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_axis_split split = atl_split_at(*y->inputs[0]->shape, *(const int *)y->attributes);
    for (int64_t i = 0; i < split.outer * split.inner; i++) {
        const double *first = x[0] + i / split.inner * split.size * split.inner + i % split.inner;
        int64_t best = 0;
        for (int64_t j = 1; j < split.size; j++) {
            double a = first[best * split.inner], b = first[j * split.inner];
            if (b > a || (b != b && a == a))
                best = j;
        }
        result[i] = (double)best;
    }
}

typedef struct argmax_job {
    atl_axis_split split;
    const float *x;
    int32_t *result;
} argmax_job;

/* Results outer * inner + first.. */
static void argmax_range(const void *job, int64_t first, int64_t last)
{
    const argmax_job *p = job;
    int64_t inner = p->split.inner;
    for (int64_t i = first; i < last; i++) {
        const float *x = p->x + i / inner * p->split.size * inner + i % inner;
        float largest = x[0];
        int64_t best = 0;
        for (int64_t j = 1; j < p->split.size; j++) {
            float value = x[j * inner];
            if (value > largest || (value != value && largest == largest)) {
                largest = value;
                best = j;
            }
        }
        p->result[i] = (int32_t)best;
    }
}

static void argmax_kernel(const atl_node *y, const void *const *x, void *result)
{
    argmax_job job = {atl_split_at(*y->inputs[0]->shape, *(const int *)y->attributes), x[0], result};
    atl_parallel(job.split.outer * job.split.inner, job.split.outer * job.split.inner * job.split.size, argmax_range,
                 &job);
}

static void describe_argmax(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "axis %d", *(const int *)y->attributes);
}

static atl_node *along_last(atl_node *x) { return atl_argmax(x, -1); }
static atl_node *along_0(atl_node *x) { return atl_argmax(x, 0); }
static atl_node *along_1(atl_node *x) { return atl_argmax(x, 1); }

static const atl_op argmax_op = {
    .name = "argmax",
    .arity = 1,
    .attributes = sizeof(int),
    .infer = infer_argmax,
    .reference = argmax_reference,
    .kernel = argmax_kernel,
    .describe = describe_argmax,
    .samples = (const atl_sample[]){
        {"last", .unary = along_last, .input = {{2, {4, 5}}}, .inputs = 1, .no_gradient = 1},
        {"first", .unary = along_0, .input = {{2, {4, 5}}}, .inputs = 1, .no_gradient = 1},
        {"middle", .unary = along_1, .input = {{3, {2, 4, 3}}}, .inputs = 1, .no_gradient = 1},
        {"equal ones", .unary = along_last, .input = {{2, {3, 4}, 0.5f, 0.5f}}, .inputs = 1, .no_gradient = 1},
        {"axis out of range", .unary = along_1, .input = {{1, {4}}}, .inputs = 1, .error = "axis 1"},
        {"scalar", .unary = along_0, .input = {{0}}, .inputs = 1, .error = "scalar"},
        {"integers", .unary = along_0, .input = {{1, {4}, 0, 9, 1}}, .inputs = 1, .error = "float32"},
        {0}}};
ATL_BUILTIN(argmax_op);

atl_node *atl_argmax(atl_node *x, int axis) { return ATL_APPLY(&argmax_op, &axis, x); }
