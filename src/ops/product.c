/* product_of_others(x, d_1, ..., d_m): the op from which the derivatives of a product are built.
 *
 * Let x_j be the elements that are multiplied, and f(e) the product over j of (x_j + e_1 d_1j + ... + e_m d_mj).
 * Element k of the result is the coefficient of e_1 e_2 ... e_m in that product without its k-th factor.  For m = 0 it
 * is the product of the others.  Since f is linear in each factor,
 *
 *     the derivative with respect to x of the sum over k of a_k y_k    is the same op of (x, d_1, ..., d_m, a),
 *     the derivative with respect to d_i                               is the same op with a in place of d_i.
 *
 * So the family is closed, and nothing is ever divided by an x that could be 0. */
#include "ops/product.h"

#include "ops/ops.h"
#include "kernels/parallel.h"

enum { MOST_DIRECTIONS = 6 }; /* derivatives of reduce_prod up to the eighth */

static bool infer_product_of_others(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    for (int i = 0; i < y->input_count; i++) {
        if (!atl_require_float(y, i, "the input"))
            return 0;
        if (!atl_shapes_agree(*x->shape, *y->inputs[i]->shape))
            return atl_fail(y, "the shapes %s ('%s') and %s ('%s') must be the same", SHAPE_OF(x), atl_name_of(x),
                            SHAPE_OF(y->inputs[i]), atl_name_of(y->inputs[i]));
    }
    if (y->input_count > 1 + MOST_DIRECTIONS)
        return atl_fail(y, "derivatives of reduce_prod end with the %dth", MOST_DIRECTIONS + 2);
    return atl_set_type(y, ATL_FLOAT32, *x->shape);
}

static atl_node *product_of_others_gradient(atl_node *y, atl_node *dy, int input)
{
    atl_node *inputs[MOST_DIRECTIONS + 2];
    int count = y->input_count;
    memcpy(inputs, y->inputs, (size_t)count * sizeof *inputs);
    inputs[input ? input : count++] = dy;
    return atl_apply_with(y->op, y->attributes, (atl_nodes){count, inputs});
}

/* The elements that are multiplied, for floats and doubles. */
typedef struct factors {
    int directions, rank; /* of the reduced dimensions */
    int64_t count, size[ATL_MAX_RANK], stride[ATL_MAX_RANK];
    int64_t first;        /* the offset of the first one */
    const void *const *x; /* x, d_1, ... */
    void *result;
    int is_double;
} factors;

static int64_t place_of(const factors *f, int64_t j)
{
    int64_t place = f->first;
    for (int i = f->rank - 1; i > 0; i--) {
        place += j % f->size[i] * f->stride[i];
        j /= f->size[i];
    }
    return f->rank ? place + j * f->stride[0] : place;
}

static double value_of(const factors *f, int input, int64_t place)
{
    return f->is_double ? ((const double *)f->x[input])[place] : (double)((const float *)f->x[input])[place];
}

/* product[s], for each set s of directions, is the coefficient of the product of their e; this multiplies in one more
 * factor. */
static void multiply(const factors *f, int64_t j, double *product)
{
    int64_t place = place_of(f, j);
    double x = value_of(f, 0, place), d[MOST_DIRECTIONS];
    for (int i = 0; i < f->directions; i++)
        d[i] = value_of(f, 1 + i, place);
    for (int s = (1 << f->directions) - 1; s >= 0; s--) { /* subsets of s still have their old values */
        product[s] *= x;
        for (int i = 0; i < f->directions; i++)
            if (s >> i & 1)
                product[s] += product[s & ~(1 << i)] * d[i];
    }
}

/* The results first..last-1; `outside` is the product of all other factors.  Recursive halving: n log n, and no
 * memory. */
static void multiply_others(const factors *f, int64_t first, int64_t last, const double *outside)
{
    int64_t middle = first + (last - first) / 2;
    double product[1 << MOST_DIRECTIONS];
    size_t bytes = sizeof *product << f->directions;
    if (last - first == 1) {
        double value = outside[(1 << f->directions) - 1];
        if (f->is_double)
            ((double *)f->result)[place_of(f, first)] = value;
        else
            ((float *)f->result)[place_of(f, first)] = (float)value;
        return;
    }
    memcpy(product, outside, bytes);
    for (int64_t j = middle; j < last; j++)
        multiply(f, j, product);
    multiply_others(f, first, middle, product);
    memcpy(product, outside, bytes);
    for (int64_t j = first; j < middle; j++)
        multiply(f, j, product);
    multiply_others(f, middle, last, product);
}

typedef struct product_job {
    const atl_node *y;
    const void *const *x;
    void *result;
    int is_double;
} product_job;

/* Groups of factors first..last-1. */
static void product_range(const void *job, int64_t first, int64_t last)
{
    const product_job *p = job;
    atl_shape shape = *p->y->shape;
    unsigned axes = *(const unsigned *)p->y->attributes;
    int64_t stride[ATL_MAX_RANK];
    factors f = {
        .directions = p->y->input_count - 1, .count = 1, .x = p->x, .result = p->result, .is_double = p->is_double};
    atl_strides_of(shape, stride);
    for (int i = 0; i < shape.rank; i++)
        if (axes >> i & 1) {
            f.size[f.rank] = shape.size[i];
            f.stride[f.rank++] = stride[i];
            f.count *= shape.size[i];
        }
    for (int64_t group = first; group < last && f.count; group++) {
        double one[1 << MOST_DIRECTIONS] = {1};
        int64_t rest = group;
        f.first = 0;
        for (int i = shape.rank - 1; i >= 0; i--)
            if (!(axes >> i & 1)) {
                f.first += rest % shape.size[i] * stride[i];
                rest /= shape.size[i];
            }
        multiply_others(&f, 0, f.count, one);
    }
}

static int64_t group_count(const atl_node *y)
{
    unsigned axes = *(const unsigned *)y->attributes;
    int64_t groups = 1;
    for (int i = 0; i < y->shape->rank; i++)
        groups *= axes >> i & 1 ? 1 : y->shape->size[i];
    return groups;
}

static void product_of_others_kernel(const atl_node *y, const void *const *x, void *result)
{
    product_job job = {y, x, result, 0};
    atl_parallel(group_count(y), 8 * atl_shape_count(*y->shape) << (y->input_count - 1), product_range, &job);
}

static void product_of_others_reference(const atl_node *y, const double *const *x, double *result)
{
    product_job job = {y, (const void *const *)x, result, 1};
    product_range(&job, 0, group_count(y));
}

static void describe_product_of_others(const atl_node *y, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "axes");
    for (int i = 0; i < ATL_MAX_RANK && at < size; i++)
        if (*(const unsigned *)y->attributes >> i & 1)
            at += (size_t)snprintf(text + at, size - at, " %d", i);
}

static atl_node *of_columns(atl_node *x) { return atl_product_of_others(x, 2); }
static atl_node *of_some(atl_node *x) { return atl_product_of_others(x, 5); }
static atl_node *one_direction(atl_node *x, atl_node *d);
static atl_node *of_floats(atl_node *x) { return atl_product_of_others(x, 1); }

static const atl_op product_of_others_op = {
    .name = "product_of_others",
    .arity = ATL_VARIADIC,
    .attributes = sizeof(unsigned),
    .infer = infer_product_of_others,
    .gradient_of = product_of_others_gradient,
    .reference = product_of_others_reference,
    .kernel = product_of_others_kernel,
    .describe = describe_product_of_others,
    .samples = (const atl_sample[]){
        {"of each row", .unary = of_columns, .input = {{2, {2, 5}}}, .inputs = 1},
        {"of two dimensions", .unary = of_some, .input = {{3, {2, 2, 3}}}, .inputs = 1},
        {"with zeros", .unary = of_columns, .input = {{2, {2, 3}, 0, 1e-30f}}, .inputs = 1, .no_gradient = 1},
        {"one direction", .binary = one_direction, .input = {{2, {2, 4}}, {2, {2, 4}}}, .inputs = 2},
        {"another shape", .binary = one_direction, .input = {{2, {2, 4}}, {2, {2, 3}}}, .inputs = 2, .error = "[2, 3]"},
        {"integers", .unary = of_floats, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .error = "float32"},
        {0}}};
ATL_BUILTIN(product_of_others_op);

static atl_node *one_direction(atl_node *x, atl_node *d)
{
    unsigned axes = 2;
    return ATL_APPLY(&product_of_others_op, &axes, x, d);
}

atl_node *atl_product_of_others(atl_node *x, unsigned axes) { return ATL_APPLY(&product_of_others_op, &axes, x); }
