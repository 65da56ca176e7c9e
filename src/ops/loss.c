/* Losses and distances, most of them composed of other ops. */
#include "ops/elementwise.h"

/* Unlike element-wise ops, losses do not broadcast: [n, 1] against [n] would silently compare everything with
 * everything. */
static int same_shape(atl_node *a, atl_node *b, const char *builder)
{
    if (atl_shapes_agree(*a->shape, *b->shape))
        return 1;
    atl_builder_error(a->graph, builder, "'%s' is %s but '%s' is %s; both must have the same shape (see atl_reshape)",
                      atl_name_of(a), SHAPE_OF(a), atl_name_of(b), SHAPE_OF(b));
    return 0;
}

/* The same for floats: otherwise the error would come from an inner op that the user did not build. */
static int same_floats(atl_node *a, atl_node *b, const char *builder)
{
    for (int i = 0; i < 2; i++)
        if ((i ? b : a)->dtype != ATL_FLOAT32) {
            atl_builder_error(a->graph, builder, "'%s' is int32 but must be float32: use atl_cast(x, ATL_FLOAT32)",
                              atl_name_of(i ? b : a));
            return 0;
        }
    return same_shape(a, b, builder);
}

#define TWO_MISTAKES(builder)                                                                                          \
    {"[2, 3] and [3]", .binary = builder, .input = {{2, {2, 3}}, {1, {3}}}, .inputs = 2, .error = "[3]"},              \
    {                                                                                                                  \
        "int32", .binary = builder, .input = {{2, {2, 3}}, {2, {2, 3}, 0, 5, 1}}, .inputs = 2,                         \
                 .error = "must be float32"                                                                            \
    }

/* mean((a - b)^2) over all elements */
atl_node *atl_mean_squared_error(atl_node *a, atl_node *b)
{
    if (!a || !b || !same_floats(a, b, "mean_squared_error"))
        return NULL;
    return atl_mean(atl_square(atl_sub(a, b)));
}

static const atl_op mean_squared_error_composed = {
    .name = "mean_squared_error",
    .samples = (const atl_sample[]){{"matrices", .binary = atl_mean_squared_error, .input = {{2, {4, 3}}, {2, {4, 3}}},
                                     .inputs = 2},
                                    {"scalars", .binary = atl_mean_squared_error, .input = {{0}, {0}}, .inputs = 2},
                                    TWO_MISTAKES(atl_mean_squared_error),
                                    {0}}};
ATL_COMPOSED(mean_squared_error_composed);

/* sum(x^2) / 2 */
atl_node *atl_l2_loss(atl_node *x) { return atl_scale(atl_reduce_sum_square(x), 0.5f); }

static const atl_op l2_loss_composed = {
    .name = "l2_loss",
    .samples = (const atl_sample[]){{"matrix", .unary = atl_l2_loss, .input = {{2, {4, 3}}}, .inputs = 1}, {0}}};
ATL_COMPOSED(l2_loss_composed);

/* sigmoid_cross_entropy(x, t) = -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)), without overflow.
 * dx = sigmoid(x) - t = (1 - t) sigmoid(x) - t sigmoid(-x), where nothing cancels for t = 1;  dt = -x */
static double sigmoid_cross_entropy_element(const double *x, const void *attributes)
{
    (void)attributes;
    return fmax(x[0], 0) - x[0] * x[1] + log1p(exp(-fabs(x[0])));
}

KERNEL_MAP(sigmoid_cross_entropy)

static atl_node *sigmoid_cross_entropy_by_logits(atl_node *y, atl_node *dy)
{
    atl_node *x = atl_input_of(y, 0), *t = atl_input_of(y, 1);
    atl_node *others = atl_sub(atl_scalar(y, 1), t);
    return atl_mul(dy, atl_sub(atl_mul(others, atl_sigmoid(x)), atl_mul(t, atl_sigmoid(atl_neg(x)))));
}

static atl_node *sigmoid_cross_entropy_by_targets(atl_node *y, atl_node *dy)
{
    return atl_neg(atl_mul(dy, atl_input_of(y, 0)));
}

BINARY_OP(sigmoid_cross_entropy, sigmoid_cross_entropy_by_logits, sigmoid_cross_entropy_by_targets,
          RANGES(sigmoid_cross_entropy, -4, 4, 0, 1),
          {"large logits", .binary = atl_sigmoid_cross_entropy, .input = {{1, {8}, -10000, 10000}, {1, {8}, 0, 1}},
           .inputs = 2, .no_gradient = 1})

/* huber(a, b) = d^2 / 2 where d = a - b is within delta, delta |d| - delta^2 / 2 beyond: with c = d clipped to +-delta,
 * c (d - c / 2) Huber 1964 */
atl_node *atl_huber_loss(atl_node *a, atl_node *b, float delta)
{
    if (!a || !b || !same_floats(a, b, "huber_loss"))
        return NULL;
    if (!(delta > 0) || isinf(delta))
        return atl_builder_error(a->graph, "huber_loss", "delta is %g; it must be positive", (double)delta);
    atl_node *d = atl_sub(a, b), *c = atl_clip(d, -delta, delta);
    return atl_mul(c, atl_sub(d, atl_scale(c, 0.5f)));
}

static atl_node *sample_huber(atl_node *a, atl_node *b) { return atl_huber_loss(a, b, 0.75f); }
static atl_node *sample_huber_zero(atl_node *a, atl_node *b) { return atl_huber_loss(a, b, 0); }

static const atl_op huber_loss_composed = {
    .name = "huber_loss",
    .samples = (const atl_sample[]){
        {"near and far", .binary = sample_huber, .input = {{2, {5, 3}, -2, 2}, {2, {5, 3}}}, .inputs = 2},
        {"delta 0", .binary = sample_huber_zero, .input = {{1, {3}}, {1, {3}}}, .inputs = 2, .error = "delta"},
        TWO_MISTAKES(sample_huber),
        {0}}};
ATL_COMPOSED(huber_loss_composed);

/* hinge(score, t) = max(0, 1 - t score) */
atl_node *atl_hinge_loss(atl_node *scores, atl_node *targets)
{
    if (!scores || !targets || !same_floats(scores, targets, "hinge_loss"))
        return NULL;
    return atl_relu(atl_sub(atl_scalar(scores, 1), atl_mul(targets, scores)));
}

static const atl_op hinge_loss_composed = {.name = "hinge_loss",
                                           .samples = (const atl_sample[]){{"scores", .binary = atl_hinge_loss,
                                                                            .input = {{2, {5, 3}, -3, 3}, {2, {5, 3}}},
                                                                            .inputs = 2},
                                                                           TWO_MISTAKES(atl_hinge_loss),
                                                                           {0}}};
ATL_COMPOSED(hinge_loss_composed);

/* Fails for scalars, which have no last dimension. */
static int have_last_dimension(atl_node *a, atl_node *b, const char *builder)
{
    if (same_floats(a, b, builder) && a->shape->rank > 0)
        return 1;
    atl_builder_error(a->graph, builder, "'%s' and '%s' are scalars; the last dimension is summed", atl_name_of(a),
                      atl_name_of(b));
    return 0;
}

/* kl_divergence(p, q) = sum of p log(p / q) over the last dimension; an element with p = 0 adds nothing, whatever q
 * is. */
atl_node *atl_kl_divergence(atl_node *p, atl_node *q)
{
    if (!p || !q || !have_last_dimension(p, q, "kl_divergence"))
        return NULL;
    /* Both 1 where p is 0: so that neither value nor gradient is 0 times infinity.  A NaN in p stays. */
    atl_node *absent = atl_less_equal(p, atl_scalar(p, 0)), *one = atl_scalar(p, 1);
    atl_node *kept = atl_select(absent, one, p), *other = atl_select(absent, one, q);
    return atl_reduce_sum(atl_mul(kept, atl_sub(atl_log(kept), atl_log(other))), ATL_AXES(-1));
}

static const atl_op kl_divergence_composed = {
    .name = "kl_divergence",
    .samples = (const atl_sample[]){
        {"rows", .binary = atl_kl_divergence, .input = {{2, {4, 3}, 0.1f, 1}, {2, {4, 3}, 0.1f, 1}}, .inputs = 2},
        {"one row", .binary = atl_kl_divergence, .input = {{1, {5}, 0.1f, 1}, {1, {5}, 0.1f, 1}}, .inputs = 2},
        {"scalars", .binary = atl_kl_divergence, .input = {{0}, {0}}, .inputs = 2, .error = "scalars"},
        TWO_MISTAKES(atl_kl_divergence),
        {0}}};
ATL_COMPOSED(kl_divergence_composed);

/* x over its norm along the last dimension; 0 stays 0.  A norm below 1e-6 counts as 1e-6: its power of -5, which the
 * second derivative contains, is still a float. */
static atl_node *normalised(atl_node *x)
{
    atl_node *square = atl_reduce_sum(atl_square(x), ATL_AXES(-1), .keep = 1);
    return atl_mul(x, atl_rsqrt(atl_maximum(square, atl_scalar(x, 1e-12f))));
}

/* cosine_similarity(a, b) = a . b / (|a| |b|) over the last dimension, in [-1, 1] also where rounding would lead out
 * of it: so that it has an angle */
atl_node *atl_cosine_similarity(atl_node *a, atl_node *b)
{
    if (!a || !b || !have_last_dimension(a, b, "cosine_similarity"))
        return NULL;
    return atl_clip(atl_reduce_sum(atl_mul(normalised(a), normalised(b)), ATL_AXES(-1)), -1, 1);
}

static atl_node *similarity_to_nothing(atl_node *a, atl_node *b) { return atl_cosine_similarity(a, atl_scale(b, 0)); }

static const atl_op cosine_similarity_composed = {
    .name = "cosine_similarity",
    .samples = (const atl_sample[]){
        {"rows", .binary = atl_cosine_similarity, .input = {{2, {4, 3}, 0.2f, 2}, {2, {4, 3}, -2, 2}}, .inputs = 2},
        {"one row", .binary = atl_cosine_similarity, .input = {{1, {5}, 0.2f, 2}, {1, {5}, -2, 2}}, .inputs = 2},
        {"a row of zeros", .binary = similarity_to_nothing, .input = {{1, {5}, 0.2f, 2}, {1, {5}, -2, 2}}, .inputs = 2},
        {"scalars", .binary = atl_cosine_similarity, .input = {{0}, {0}}, .inputs = 2, .error = "scalars"},
        TWO_MISTAKES(atl_cosine_similarity),
        {0}}};
ATL_COMPOSED(cosine_similarity_composed);
