/* The layers of random networks.  Each takes images [n, h, w, c], and gives one; where it cannot, it passes its
 * operand on. */
#include "net_layers.h"

#include <stdarg.h>

void net_say(net *n, const char *format, ...)
{
    size_t used = strlen(n->text);
    va_list list;
    va_start(list, format);
    vsnprintf(n->text + used, sizeof n->text - used, format, list);
    va_end(list);
}

atl_node *net_variable(net *n, const char *name, int k, atl_shape shape, atl_initializer initializer)
{
    atl_node *variable = atl_variable(n->graph, ATL_NAME("%s%d", name, k + 1), shape, initializer);
    return n->recipe->option[NET_DECAY] ? atl_variable_set_decay(variable, 0.01f) : variable;
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static atl_node *leaky(atl_node *x) { return atl_leaky_relu(x, 0.1f); }
static atl_node *clipped(atl_node *x) { return atl_clip(x, -0.7f, 0.9f); }

static const struct {
    const char *name;
    atl_activation *apply;
} activations[] = {{"relu", atl_relu},
                   {"tanh", atl_tanh},
                   {"sigmoid", atl_sigmoid},
                   {"leaky_relu", leaky},
                   {"elu", atl_elu},
                   {"swish", atl_swish},
                   {"gelu", atl_gelu},
                   {"relu6", atl_relu6},
                   {"softplus", atl_softplus},
                   {"clip", clipped},
                   {"softsign", atl_softsign},
                   {"gelu_tanh", atl_gelu_tanh},
                   {"hard_sigmoid", atl_hard_sigmoid},
                   {"hard_swish", atl_hard_swish},
                   {"selu", atl_selu},
                   {"abs", atl_abs}};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static atl_node *activation(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)k, (void)y;
    net_say(n, ", %s", activations[p[0]].name);
    return activations[p[0]].apply(x);
}

/* ---- two operands ------------------------------------------------------------------------------------------------ */

static int have_same_shape(const atl_node *x, const atl_node *y)
{
    return atl_shape_equal(atl_shape_of(x), atl_shape_of(y));
}

static atl_node *sum(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)k;
    if (!have_same_shape(x, y))
        return x;
    net_say(n, p[0] ? ", relu" : "");
    return p[0] ? atl_relu(atl_add(x, y)) : atl_add(x, y);
}

static atl_node *pair(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    static const char *names[] = {"times", "gated by sigmoid", "maximum", "difference", "select", "gate"};
    (void)k;
    if (!have_same_shape(x, y))
        return x;
    net_say(n, ", %s", names[p[0]]);
    switch (p[0]) {
    case 0:
        return atl_mul(x, atl_tanh(y));
    case 1:
        return atl_mul(x, atl_sigmoid(y));
    case 2:
        return atl_maximum(x, y);
    case 3:
        return atl_sub(x, y);
    case 4:
        return atl_select(atl_greater(x, y), atl_scale(x, 0.5f), y);
    default:
        return atl_relu_grad(x, y);
    }
}

static atl_node *joined(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)k, (void)n, (void)p;
    int fits = height_of(x) == height_of(y) && width_of(x) == width_of(y) && channels_of(x) + channels_of(y) <= 80;
    return fits ? atl_concat(3, x, y) : x;
}

/* ---- parts, shapes ----------------------------------------------------------------------------------------------- */

static atl_node *part(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int64_t channels = channels_of(x), half = channels / 2, begin = p[0] % 2 ? half : 0,
            end = p[0] % 2 ? channels : half;
    (void)k, (void)y;
    if (p[0] >= 2 && channels > 16) /* a part that begins at a multiple of 16 */
        begin = p[0] == 2 ? 0 : 16, end = p[0] == 2 ? 16 : channels;
    if (begin == end)
        return x;
    net_say(n, ", channels %lld to %lld", (long long)begin, (long long)end);
    return atl_slice(x, .begin = {0, 0, 0, begin}, .end = {0, 0, 0, end});
}

static atl_node *reshaped(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    static const char *names[] = {"reshape and back", "transpose",     "stack and unstack", "expand and squeeze",
                                  "reverse twice",    "tile and half", "pad and crop",      "reverse"};
    atl_node *parts[2] = {NULL};
    (void)k, (void)y;
    net_say(n, ", %s", names[p[0]]);
    switch (p[0]) {
    case 0:
        return atl_reshape_like(atl_tanh(atl_flatten(x)), x);
    case 1:
        return atl_transpose(x, .order = {0, 2, 1, 3});
    case 2:
        atl_unstack(atl_stack(1, x, atl_scale(x, 0.5f)), 1, 2, parts);
        return atl_add(parts[1], atl_relu(parts[0]));
    case 3:
        return atl_squeeze(atl_relu(atl_expand_dims(x, 1)), 1);
    case 4:
        return atl_reverse(atl_reverse(x, 1), 1);
    case 5:
        return atl_slice(atl_tile(x, 1, 2, 1, 1), .end = {0, height_of(x)});
    case 6:
        return atl_slice(atl_pad(x, .before = {0, 1, 2, 0}, .after = {0, 1, 0, 0}, .value = 0.1f),
                         .begin = {0, 0, 1, 0});
    default:
        return atl_reverse(x, 2, 3);
    }
}

/* ---- pooling, normalising ---------------------------------------------------------------------------------------- */

static atl_node *pool(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int window = p[1] ? 3 : 2, stride = p[2] ? 1 : 2;
    (void)k, (void)y;
    if (smaller_side(x) < window)
        return x;
    net_say(n, ", %s %dx%d, stride %d%s", p[0] ? "average" : "maximum", window, window, stride, p[3] ? ", valid" : "");
    atl_pool2d_args args = {.image = x,
                            .window = {window, window},
                            .stride = {stride, stride},
                            .padding = p[3] ? ATL_VALID : ATL_SAME};
    return p[0] ? atl_avg_pool2d_with(&args) : atl_max_pool2d_with(&args);
}

static atl_node *lrn(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)k, (void)y;
    net_say(n, ", radius %d", p[0] + 1);
    return atl_lrn(x, .radius = p[0] + 1, .alpha = 0.1f, .bias = 1, .beta = p[1] ? 0.75f : 0.5f);
}

static atl_node *batch_norm(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)y;
    net_say(n, "%s%s", p[0] ? ", training" : "", p[1] ? ", relu" : "");
    x = atl_batch_norm_layer(x, ATL_NAME("norm%d", k + 1), .training = p[0]);
    return p[1] ? atl_relu(x) : x;
}

static atl_node *layer_norm(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)y, (void)p;
    return atl_layer_norm(x, net_variable(n, "scale", k, ATL_SHAPE(channels_of(x)), atl_uniform(0.5f, 1.5f)),
                          net_variable(n, "shift", k, ATL_SHAPE(channels_of(x)), atl_uniform(-0.5f, 0.5f)));
}

/* A factor and an offset for each channel, as variables: what is folded into the filter before. */
static atl_node *channel_scale(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)y;
    net_say(n, ", %s", (const char *[]){"factor", "factor and offset", "a number", "divided"}[p[0]]);
    if (p[0] == 2)
        return atl_add_scalar(atl_scale(x, 0.75f), 0.125f);
    atl_node *factor = net_variable(n, "factor", k, ATL_SHAPE(channels_of(x)), atl_uniform(0.5f, 1.5f));
    x = p[0] == 3 ? atl_div(x, factor) : atl_mul(x, factor);
    return p[0] == 1 ? atl_add(x, net_variable(n, "offset", k, ATL_SHAPE(channels_of(x)), atl_uniform(-0.5f, 0.5f)))
                     : x;
}

/* Squeeze and excite: a factor for each image and channel, computed from the means. */
static atl_node *excite(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)y;
    int64_t channels = channels_of(x);
    atl_node *mean = atl_reduce_mean(x, ATL_AXES(1, 2), .keep = p[0]);
    atl_node *weights =
        net_variable(n, "excite", k, p[0] ? ATL_SHAPE(1, 1, channels, channels) : ATL_SHAPE(channels, channels),
                     atl_glorot());
    atl_node *factor =
        p[0] ? atl_conv2d(mean, weights) : atl_expand_dims(atl_expand_dims(atl_matmul(mean, weights), 1), 1);
    return atl_mul(x, atl_sigmoid(factor));
}

static atl_node *dropout(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)n, (void)y, (void)p;
    return atl_dropout(x, .rate = 0.3f, .seed = (uint64_t)k + 1);
}

static atl_node *resize(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int height = (int)height_of(x) + (p[1] ? 2 : -1), width = (int)width_of(x) + (p[1] ? 1 : -1);
    (void)k, (void)y;
    if (height < 1 || width < 1 || height > 24 || width > 24)
        return x;
    net_say(n, ", %s, %dx%d", p[0] ? "nearest" : "bilinear", height, width);
    return p[0] ? atl_resize_nearest(x, .height = height, .width = width)
                : atl_resize_bilinear(x, .height = height, .width = width);
}

/* Attention between all pixels. */
static atl_node *attention(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int64_t pixels = height_of(x) * width_of(x), channels = channels_of(x);
    (void)k, (void)y;
    if (pixels > 64)
        return x;
    n->products += 2.0 * (double)(pixels * pixels * channels);
    atl_node *rows = atl_reshape(x, ATL_SHAPE(-1, pixels, channels));
    atl_node *scores = atl_scale(atl_matmul(rows, rows, .transpose_b = 1), 0.25f);
    if (p[0])
        scores = atl_tril(scores, 0);
    return atl_reshape_like(atl_matmul(atl_softmax(scores), rows), x);
}

/* An expression of one operand, in several variants. */
static atl_node *expression(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)n, (void)k, (void)y;
    atl_node *a = atl_tanh(x), *b = atl_square(a);
    switch (p[0]) {
    case 0:
        return atl_mul(a, atl_add_scalar(atl_neg(b), 1));
    case 1:
        return atl_add(atl_mul(x, 0 ? a : atl_sigmoid(x)), atl_scale(x, 0.1f));
    case 2:
        return atl_div(x, atl_add_scalar(atl_exp(atl_neg(b)), 0.5f));
    case 3:
        return atl_sub(x, atl_reduce_mean(x, ATL_AXES(3), .keep = 1));
    case 4:
        return atl_mul(x, atl_rsqrt(atl_add_scalar(atl_reduce_sum_square(x, ATL_AXES(1, 2), .keep = 1), 1)));
    default:
        return atl_sub(x, atl_reduce_max(x, ATL_AXES(3), .keep = 1));
    }
}

static atl_node *gradient_mark(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    (void)k, (void)y;
    net_say(n, ", %s", (const char *[]){"recompute", "scale_gradient", "clip_gradient", "stop_gradient"}[p[0]]);
    switch (p[0]) {
    case 0:
        return atl_recompute(atl_tanh(x));
    case 1:
        return atl_scale_gradient(x, -0.5f);
    case 2:
        return atl_clip_gradient(x, -0.01f, 0.01f);
    default:
        return atl_add(x, atl_stop_gradient(atl_tanh(x)));
    }
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    net_layer_builder *build;
    int weight, second; /* net_weight, net_second_operand */
    int settings[LAYER_PARAMETERS];
} kinds[] = {
    {"pass", NULL, 0, 0, {0}},
    {"conv", net_convolution, 12, 0, {6, 9, 7, 6, 4}},
    {"residual", net_residual, 5, 0, {4, 2, 2, 2}},
    {"depthwise", net_depthwise, 2, 0, {3, 2, 6}},
    {"conv_transpose", net_transposed_convolution, 1, 0, {9, 2, 6}},
    {"add", sum, 7, 1, {2}},
    {"pair", pair, 3, 1, {6}},
    {"concat", joined, 5, 2, {0}},
    {"part", part, 3, 0, {4}},
    {"branches", net_branches, 2, 0, {3, 2}},
    {"fire", net_fire, 3, 0, {9, 2, 2}},
    {"reshape", reshaped, 2, 0, {8}},
    {"pool", pool, 4, 0, {2, 2, 2, 2}},
    {"lrn", lrn, 2, 0, {3, 2}},
    {"batch_norm", batch_norm, 4, 0, {2, 2}},
    {"layer_norm", layer_norm, 1, 0, {0}},
    {"activation", activation, 4, 0, {ACTIVATIONS}},
    {"channel_scale", channel_scale, 3, 0, {4}},
    {"excite", excite, 1, 0, {2}},
    {"dropout", dropout, 1, 0, {0}},
    {"resize", resize, 1, 0, {2, 2}},
    {"attention", attention, 1, 0, {2}},
    {"expression", expression, 2, 0, {6}},
    {"gradient_mark", gradient_mark, 1, 0, {4}},
};

int net_kinds(void) { return sizeof kinds / sizeof *kinds; }
int net_settings(int kind, int i) { return kinds[kind].settings[i]; }
int net_second_operand(int kind) { return kinds[kind].second; }
int net_weight(int kind) { return kinds[kind].weight; }

void net_add_layer(net *n, int k)
{
    const net_layer *l = &n->recipe->layer[k];
    if (!l->kind) {
        n->value[k + 1] = n->value[l->a];
        return;
    }
    net_say(n, "  %d = %s(%d", k + 1, kinds[l->kind].name, l->a);
    if (kinds[l->kind].second)
        net_say(n, ", %d", l->b);
    net_say(n, ")");
    n->value[k + 1] = kinds[l->kind].build(n, k, n->value[l->a], n->value[l->b], l->p);
    n->used[l->a] = 1;
    if (kinds[l->kind].second)
        n->used[l->b] = 1;
    if (n->value[k + 1] == n->value[l->a])
        net_say(n, ": its operand");
    char text[160];
    net_say(n, ": %s\n", atl_shape_text(atl_shape_of(n->value[k + 1]), text, sizeof text));
}
