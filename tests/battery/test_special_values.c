/* Every op's samples, their gradients, and the fused forms, on NaN, infinities, zeros of both signs, denormals and
 * numbers near the limit of float's range: with all passes, without each pass, and without any.  NaN matches NaN, an
 * infinity the same infinity.  A table below lists the allowed differences; docs/special-values.md has the reasons.
 * Minutes: 5 */
#include "battery.h"

#include <stdlib.h>

/* ---- the values -------------------------------------------------------------------------------------------------- */

typedef enum kind { NANS, INFINITIES, ZEROS, DENORMALS, LARGE, KINDS } kind;

static const struct {
    const char *name;
    float value[4];
} kinds[KINDS] = {[NANS] = {"NaN", {NAN, NAN, NAN, NAN}},
                  [INFINITIES] = {"an infinity", {INFINITY, -INFINITY, INFINITY, -INFINITY}},
                  [ZEROS] = {"zeros", {0, -0.0f, 0, -0.0f}},
                  [DENORMALS] = {"denormals", {1e-40f, -1e-40f, 1e-45f, -1e-38f}},
                  [LARGE] = {"3e38", {3e38f, -3e38f, 1e38f, -2e38f}}};

/* Changes about one element in six of the feeds, and at least one. */
static atl_tensor *with_special(const atl_tensor *plain, kind k)
{
    atl_tensor *t = atl_tensor_copy(plain);
    int64_t count = atl_tensor_count(t);
    for (int64_t i = 0; atl_floats(t) && i < count; i++)
        if (random_below(6) == 0 || i == count / 2)
            atl_floats(t)[i] = kinds[k].value[random_below(4)];
    return t;
}

/* ---- what may differ, and why: see docs/special-values.md -------------------------------------------------------- */

static int is_overflow(float a, float b)
{
    float finite = isfinite(a) ? a : b;
    return !isfinite(a) + !isfinite(b) == 1 ? fabsf(finite) > 1e30f || isnan(a) || isnan(b) : 1;
}

/* a with passes, b without any.  `size`: the largest finite magnitude involved. */
static int same(float a, float b, kind k, double size)
{
    if (isnan(a) || isnan(b))
        return (isnan(a) && isnan(b)) ||
               k == LARGE; /* "overflow": inf - inf, of sums that leave the range on the way */
    if (isinf(a) || isinf(b))
        return a == b || (k == LARGE && is_overflow(a, b)) ||
               ((k == ZEROS || k == DENORMALS) && isinf(a) && isinf(b)) || /* "sign of zero": 1 / 0 and 1 / -0 */
               (k == DENORMALS && is_overflow(a, b));
    double off = fabs((double)a - (double)b);
    return off <= 1e-4 * fmax(fabs((double)a), fabs((double)b)) + 1e-5 * size;
}

static double largest_of(const atl_tensor *t)
{
    double largest = 0;
    for (int64_t i = 0; i < atl_tensor_count(t); i++)
        largest = isfinite(element_of(t, i)) ? fmax(largest, fabs(element_of(t, i))) : largest;
    return largest;
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

enum { MOST_PROGRAMS = 34, MOST_FED = 32 }; /* a bit each, all, none */

static int programs(void)
{
    int64_t passes;
    atl_pass_table(&passes);
    return (int)passes + 2;
}

/* Under sanitizers each graph leaves out one pass of four, in turn; none and all it always leaves out. */
static int is_tried(int p)
{
    static int graphs;
    graphs += p == 0;
    return p == 0 || p == programs() - 1 || (p + graphs) % FEWER(1, 4) == 0;
}

/* What program p leaves out: nothing, each pass, everything. */
static unsigned left_out(int p) { return p == 0 ? 0 : p == programs() - 1 ? ~0u : atl_pass_table(NULL)[p - 1].flag; }

/* A convolution or one of its gradients: y's image, and its filter [height, width, in of a group, out]. */
static int is_convolution(const atl_node *y, atl_shape *image, atl_shape *filter)
{
    static const struct {
        const char *op;
        int image, filter;
    } inputs[] = {{"conv2d", 0, 1}, {"conv2d_input_grad", 2, 1}, {"conv2d_filter_grad", 0, 2}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (!strcmp(atl_op_of(y)->name, inputs[i].op)) {
            *image = atl_shape_of(atl_input_of(y, inputs[i].image));
            *filter = atl_shape_of(atl_input_of(y, inputs[i].filter));
            return 1;
        }
    return 0;
}

static int has_op(const atl_graph *g, const char *name)
{
    for (int64_t i = 0; i < atl_graph_node_count(g); i++)
        if (!strcmp(atl_op_of(atl_graph_node(g, i))->name, name))
            return 1;
    return 0;
}

/* Some convolution may be computed by Winograd's method: a window of 3x3 or 5x5, no groups. */
static int may_use_winograd(const atl_graph *g)
{
    atl_shape image, filter;
    for (int64_t i = 0; i < atl_graph_node_count(g); i++)
        if (is_convolution(atl_graph_node(g, i), &image, &filter) && filter.size[0] == filter.size[1] &&
            (filter.size[0] == 3 || filter.size[0] == 5) && image.size[3] == filter.size[2])
            return 1;
    return 0;
}

/* "Sums": some convolution may add its terms in another order, and one sum leaves float's range: the elements of a
 * window apart, or the even and the odd terms of a 1x1 convolution. */
static int may_add_apart(const atl_graph *g)
{
    atl_shape image, filter;
    for (int64_t i = 0; i < atl_graph_node_count(g); i++) {
        if (!is_convolution(atl_graph_node(g, i), &image, &filter))
            continue;
        if (filter.size[0] * filter.size[1] > 1)
            return 1;
        for (int side = 2; atl_isa_in_use() == ATL_ISA_AVX512 && side < 4; side++)
            if (filter.size[side] == 16 || filter.size[side] == 24 || filter.size[side] == 40)
                return 1;
    }
    return 0;
}

/* True if a has a NaN where b has none. */
static int has_more_nans(const atl_tensor *a, const atl_tensor *b)
{
    for (int64_t i = 0; i < atl_tensor_count(b); i++)
        if (isnan(element_of(a, i)) && !isnan(element_of(b, i)))
            return 1;
    return 0;
}

/* Compares one value of two programs; 0 with the reason.  `winograd`: the first may have more NaNs where Winograd's
 * method spoils pixels that are computed together; `spoilt`: it has, and what follows lacks what would flow through a
 * relu at these. */
static int values_agree(const atl_tensor *a, const atl_tensor *b, kind k, unsigned without, int winograd, int spoilt,
                        char *text, size_t size)
{
    double largest = fmax(largest_of(b), 1);
    for (int64_t i = 0; i < atl_tensor_count(b); i++) {
        float x = (float)element_of(a, i), y = (float)element_of(b, i);
        if (same(x, y, k, largest) || (winograd && isnan(x)) || spoilt)
            continue;
        snprintf(text, size, "%s, element %lld: %.9g without passes 0x%x, %.9g without any (seed %llu)", kinds[k].name,
                 (long long)i, (double)x, without, (double)y, (unsigned long long)test_seed());
        return 0;
    }
    return 1;
}

/* "Infinity made NaN": where the double result is finite or infinite, these ops have NaN in float next to an
 * infinity. The converse never occurs. */
static const char *const nan_of_infinity[] = {"conv2d", "conv2d_input_grad", "conv2d_filter_grad", "lrn", "lrn_grad"};

static int may_make_nan(const atl_graph *g)
{
    for (size_t i = 0; i < sizeof nan_of_infinity / sizeof *nan_of_infinity; i++)
        if (has_op(g, nan_of_infinity[i]))
            return 1;
    return 0;
}

/* "A NaN nearby": below AVX-512 oneDNN's convolutions multiply neighbours by the zeros that fill their blocks, where
 * the channels of an image, of a group or of a result fill none. */
static int may_spread_nan(const atl_graph *g)
{
    atl_shape image, filter;
    for (int64_t i = 0; atl_isa_in_use() < ATL_ISA_AVX512 && i < atl_graph_node_count(g); i++)
        if (is_convolution(atl_graph_node(g, i), &image, &filter) &&
            (filter.size[2] % 8 || filter.size[3] % 8 || image.size[3] != filter.size[2]))
            return 1;
    return 0;
}

/* Where the double reference has NaN, and no value exceeds float's range, the float result has NaN, and nowhere
 * else. */
static int nans_agree(const atl_graph *g, const atl_tensor *b, const atl_tensor *exact, kind k, char *text, size_t size)
{
    int more = (k == INFINITIES && may_make_nan(g)) || may_spread_nan(g);
    for (int64_t i = 0; i < atl_tensor_count(b); i++) {
        double is = element_of(b, i), should = element_of(exact, i);
        if (k > INFINITIES || isnan(is) == isnan(should) || (more && isnan(is)))
            continue;
        snprintf(text, size, "%s, element %lld: %.9g, but %.9g in double (seed %llu)", kinds[k].name, (long long)i, is,
                 should, (unsigned long long)test_seed());
        return 0;
    }
    return 1;
}

/* The output nodes on all kinds of special values, placed among the feeds.  Returns 0 with the reason. */
static int all_agree(atl_nodes wanted, const atl_feed *plain, char *text, size_t size)
{
    atl_graph *g = atl_graph_of(wanted.node[0]);
    const int last = programs() - 1;
    int ok = 1;
    atl_program *program[MOST_PROGRAMS] = {NULL}; /* null: it is not tried */
    for (int p = 0; ok && p <= last; p++) {
        if (!is_tried(p))
            continue;
        program[p] = atl_compile(g, wanted, .disabled_passes = left_out(p), .threads = 2);
        ok = program[p] != NULL;
        if (!ok)
            snprintf(text, size, "%s", atl_error());
    }
    for (int k = 0; ok && k < KINDS; k++) {
        atl_status without_any = ATL_OK;
        atl_feed feeds[MOST_FED + 1] = {{0}};
        for (int i = 0; plain[i].node && i < MOST_FED; i++)
            feeds[i] = (atl_feed){plain[i].node, with_special(plain[i].value, (kind)k)};
        for (int p = last; ok && p >= 0; p--) {
            if (!program[p])
                continue;
            atl_status status = atl_run(program[p], feeds);
            if (p == last)
                without_any = status;
            ok = status == without_any && (!status || status == ATL_NOT_FINITE); /* which check_finite is for */
            if (!ok)
                snprintf(text, size, "%s: without passes 0x%x: %s", kinds[k].name, left_out(p), atl_error());
            int winograd = k != ZEROS && k != DENORMALS && !(left_out(p) & ATL_PASS_WINOGRAD) && may_use_winograd(g);
            int hidden = k == LARGE && has_op(g, "relu") && may_add_apart(g); /* a relu makes 0 of -infinity */
            for (int64_t w = 0, spoilt = hidden; ok && !status && w < wanted.count; w++) {
                const atl_tensor *a = atl_value(program[p], wanted.node[w]),
                                 *b = atl_value(program[last], wanted.node[w]);
                ok = values_agree(a, b, (kind)k, left_out(p), winograd, (int)spoilt, text, size);
                spoilt |= winograd && has_op(g, "relu") && has_more_nans(a, b);
            }
        }
        atl_reference *exact = ok && !without_any ? atl_reference_run(wanted, feeds) : NULL;
        for (int64_t w = 0; exact && ok && w < wanted.count; w++)
            ok = nans_agree(g, atl_value(program[last], wanted.node[w]), atl_reference_value(exact, wanted.node[w]),
                            (kind)k, text, size);
        atl_reference_free(exact);
        for (int i = 0; feeds[i].node; i++)
            atl_tensor_free((atl_tensor *)feeds[i].value);
    }
    for (int p = 0; p <= last; p++)
        atl_program_free(program[p]);
    return ok;
}

/* ---- every op ---------------------------------------------------------------------------------------------------- */

FOR_EVERY_OP(special_values, every_sample_and_its_gradient)
{
    char text[600];
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        functional f;
        atl_node *wanted[1 + ATL_MAX_RULES] = {t->y};
        int64_t count = 1;
        if (t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && !s->no_gradient && trial_differentiate(t, &f))
            for (int i = 0; i < t->count; i++)
                wanted[count++] = t->last[i];
        cr_expect(t->y && all_agree((atl_nodes){count, wanted}, t->feeds, text, sizeof text), "%s, %s: %s", op->name,
                  s->about, t->y ? text : atl_graph_error(t->graph));
        trial_free(t);
    }
}

/* ---- chains of every element-wise op ----------------------------------------------------------------------------- */

/* The op within a fused expression, and with a sum, a maximum and a mean at the end of the expression. */
FOR_EVERY_OP(special_values, chains_with_every_elementwise_op)
{
    char text[600];
    if (!op->map)
        return;
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        cr_assert(t->y, "%s, %s: %s", op->name, s->about, atl_graph_error(t->graph));
        if (atl_dtype_of(t->y) == ATL_FLOAT32 && atl_shape_of(t->y).rank > 0) {
            atl_node *chain = atl_add(atl_scale(t->y, 0.5f), atl_relu(t->y));
            atl_nodes wanted = ATL_NODES(chain, atl_reduce_sum(chain, ATL_AXES(-1)), atl_reduce_max(chain, ATL_AXES(0)),
                                         atl_mean(atl_sigmoid(chain)));
            cr_expect(all_agree(wanted, t->feeds, text, sizeof text), "%s, %s: %s", op->name, s->about, text);
        }
        trial_free(t);
    }
}

/* ---- what becomes one step --------------------------------------------------------------------------------------- */

#define WEIGHTS(name, ...) atl_variable(g, name, ATL_SHAPE(__VA_ARGS__), atl_he())

/* Of x [2, 8, 8, 16]; null after the last. */
static atl_node *fused_form(int which, atl_graph *g, atl_node *x, const char **name_out)
{
#define FORM(number, text, ...)                                                                                        \
    case number:                                                                                                       \
        *name_out = text;                                                                                              \
        return __VA_ARGS__;
    switch (which) {
        FORM(0, "conv relu", atl_relu(atl_conv2d(x, WEIGHTS("w", 3, 3, 16, 16))))
        FORM(1, "conv bias relu", atl_conv_layer(x, "c", .channels = 16, .window = {3, 3}, .activation = atl_relu))
        FORM(2, "conv residual relu", atl_relu(atl_add(atl_conv2d(x, WEIGHTS("w", 3, 3, 16, 16)), x)))
        FORM(3, "strided conv bias relu",
             atl_conv_layer(x, "c", .channels = 7, .window = {5, 5}, .stride = {2, 2}, .activation = atl_relu))
        FORM(4, "1x1 conv relu", atl_relu(atl_conv2d(x, WEIGHTS("w", 1, 1, 16, 32))))
        FORM(5, "1x1 conv residual relu", atl_relu(atl_add(atl_conv2d(x, WEIGHTS("w", 1, 1, 16, 16)), x)))
        FORM(6, "depthwise relu", atl_relu(atl_depthwise_conv2d(x, WEIGHTS("w", 3, 3, 16, 1))))
        FORM(7, "conv relu conv relu",
             atl_relu(atl_conv2d(atl_relu(atl_conv2d(x, WEIGHTS("v", 3, 3, 16, 16))), WEIGHTS("w", 3, 3, 16, 16))))
        FORM(8, "dense bias relu", atl_dense_layer(atl_flatten(x), "d", 100, .activation = atl_relu))
        FORM(9, "product relu", atl_relu(atl_matmul(atl_reshape(x, ATL_SHAPE(128, 16)), WEIGHTS("w", 16, 70))))
        FORM(10, "conv batch norm relu",
             atl_relu(atl_batch_norm_layer(atl_conv2d(x, WEIGHTS("w", 3, 3, 16, 16)), "bn")))
        FORM(11, "batch norm of a batch", atl_relu(atl_batch_norm_layer(x, "bn", .training = 1)))
        FORM(12, "conv relu max-pool",
             atl_max_pool2d(atl_relu(atl_conv2d(x, WEIGHTS("w", 3, 3, 16, 16))), .window = {2, 2}))
        FORM(13, "overlapping max-pool", atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}))
        FORM(14, "max-pool relu", atl_relu(atl_max_pool2d(x, .window = {2, 2})))
        FORM(15, "average pool", atl_relu(atl_avg_pool2d(x, .window = {2, 2})))
        FORM(16, "LRN of relu", atl_lrn(atl_relu(x), .radius = 2))
        FORM(17, "concat of relus, 1x1 conv",
             atl_conv2d(atl_concat(3, atl_relu(atl_conv2d(x, WEIGHTS("v", 1, 1, 16, 16))),
                                   atl_relu(atl_conv2d(x, WEIGHTS("u", 3, 3, 16, 16)))),
                        WEIGHTS("w", 1, 1, 32, 16)))
        FORM(18, "max-pool of a concat",
             atl_max_pool2d(atl_concat(3, atl_relu(x), atl_relu(atl_neg(x))), .window = {2, 2}))
        FORM(19, "sum of a chain", atl_reduce_sum(atl_mul(atl_sigmoid(x), atl_relu(x)), ATL_AXES(3)))
        FORM(20, "mean of a chain", atl_reduce_mean(atl_square(atl_sub(x, atl_scalar(x, 0.5f))), ATL_AXES(0, 1, 2)))
        FORM(21, "largest of a chain", atl_reduce_max(atl_tanh(atl_scale(x, 2)), ATL_AXES(1, 2)))
        FORM(22, "log-sum-exp", atl_reduce_log_sum_exp(x, ATL_AXES(3)))
        FORM(23, "softmax", atl_softmax(atl_scale(x, 2)))
        FORM(24, "cross-entropy", atl_softmax_cross_entropy(atl_flatten(atl_relu(x)), .label = 3))
        FORM(25, "layer norm", atl_relu(atl_layer_norm(x)))
        FORM(26, "relu6 conv", atl_relu6(atl_conv2d(atl_relu6(x), WEIGHTS("w", 3, 3, 16, 16))))
        FORM(27, "length", atl_reduce_l2_norm(x, ATL_AXES(3)))
        FORM(28, "product of all", atl_reduce_prod(atl_slice(x, .end = {1, 2, 2, 5}), ATL_AXES(3)))
        FORM(29, "resize", atl_resize_bilinear(atl_relu(x), .height = 5, .width = 5))
        FORM(30, "few rows", atl_relu(atl_matmul(atl_reshape(x, ATL_SHAPE(2, 1024)), WEIGHTS("w", 1024, 40))))
    }
    return NULL;
#undef FORM
}
enum { FORMS = 31 };

ParameterizedTestParameters(special_values, fused_forms)
{
    static int all[FORMS];
    for (int i = 0; i < FORMS; i++)
        all[i] = i;
    return cr_make_param_array(int, all, FORMS);
}

ParameterizedTest(int *which, special_values, fused_forms)
{
    char text[600];
    const char *name = "?";
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 8, 8, 16)), *y = fused_form(*which, g, x, &name);
    atl_node *dx = atl_gradient(atl_sum(y), x);
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 8, 8, 16), -1, 1);
    cr_assert(y && dx, "%s: %s", name, atl_graph_error(g));
    cr_expect(all_agree(ATL_NODES(y, dx), ATL_FEED(x, value), text, sizeof text), "%s: %s", name, text);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* The page lists, op by op, every difference that the table above allows. */
Test(special_values, what_may_differ_is_documented)
{
    static char page[20000];
    FILE *file = fopen(source_file("docs/special-values.md"), "r");
    cr_assert(file);
    size_t length = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[length] = 0;
    const char *const needed[] = {"conv2d and its gradients",
                                  "lrn and its gradient",
                                  "Winograd",
                                  "sign of a zero",
                                  "max-pooling",
                                  "simplify",
                                  "fold_scale"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        cr_expect(strstr(page, needed[i]), "the page does not mention '%s'", needed[i]);
}
