/* one_hot(labels [..]) -> [.., classes]: 1 at the label, else 0.  A label out of range gives zeros.  It has no
 * gradient: labels are int32. */
#include "ops/ops.h"

static bool infer_one_hot(atl_node *y)
{
    int64_t classes = *(const int64_t *)y->attributes;
    atl_shape to = *y->inputs[0]->shape;
    if (!atl_require_int(y, 0, "the labels"))
        return 0;
    if (classes <= 0)
        return atl_fail(y, "the number of classes, %lld, is not positive", (long long)classes);
    if (to.rank < ATL_MAX_RANK)
        to.size[to.rank] = classes;
    to.rank++;
    return atl_set_type(y, ATL_FLOAT32, to);
}

static void one_hot_reference(const atl_node *y, const double *const *x, double *result)
{
    int64_t classes = *(const int64_t *)y->attributes, labels = atl_shape_count(*y->inputs[0]->shape);
    for (int64_t i = 0; i < labels; i++)
        for (int64_t c = 0; c < classes; c++)
            result[i * classes + c] = x[0][i] == (double)c;
}

static void one_hot_kernel(const atl_node *y, const void *const *x, void *result)
{
    int64_t classes = *(const int64_t *)y->attributes, labels = atl_shape_count(*y->inputs[0]->shape);
    const int32_t *label = x[0];
    float *row = result;
    memset(result, 0, (size_t)(labels * classes) * sizeof *row);
    for (int64_t i = 0; i < labels; i++, row += classes)
        if (label[i] >= 0 && label[i] < classes)
            row[label[i]] = 1;
}

static void describe_one_hot(const atl_node *y, char *text, size_t size)
{
    int64_t classes = *(const int64_t *)y->attributes;
    snprintf(text, size, "%lld class%s", (long long)classes, classes == 1 ? "" : "es");
}

static atl_node *of_4(atl_node *labels) { return atl_one_hot(labels, 4); }
static atl_node *of_none(atl_node *labels) { return atl_one_hot(labels, 0); }

static const atl_op one_hot_op = {
    .name = "one_hot",
    .arity = 1,
    .attributes = sizeof(int64_t),
    .infer = infer_one_hot,
    .reference = one_hot_reference,
    .kernel = one_hot_kernel,
    .describe = describe_one_hot,
    .samples = (const atl_sample[]){
        {"some out of range", .unary = of_4, .input = {{2, {3, 2}, -1, 6, 1}}, .inputs = 1, .no_gradient = 1},
        {"labels that are floats", .unary = of_4, .input = {{1, {3}}}, .inputs = 1, .error = "int32"},
        {"no classes", .unary = of_none, .input = {{1, {3}, 0, 3, 1}}, .inputs = 1, .error = "not positive"},
        {"nine dimensions", .unary = of_4, .input = {{8, {1, 1, 1, 1, 1, 1, 1, 2}, 0, 3, 1}}, .inputs = 1,
         .error = "limit is 8"},
        {0}}};
ATL_BUILTIN(one_hot_op);

atl_node *atl_one_hot(atl_node *labels, int64_t classes) { return ATL_APPLY(&one_hot_op, &classes, labels); }
