/* Importers of losses, and of the gradient and the optimizers of ai.onnx.preview.training. */
#include <math.h>
#include <string.h>

#include "atled/gradient.h"
#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

/* ---- classification losses --------------------------------------------------------------------------------------- */

/* One weight for each target: of its class, 0 for the one that is ignored; null: all 1. */
static atl_node *weights_of(onnx_op *op, atl_node *targets)
{
    atl_node *weights = onnx_has(op, 2) ? atl_gather(onnx_float(op, 2), targets, 0) : NULL;
    const onnx_attribute *ignored = onnx_attribute_of(op, "ignore_index", ONNX_ATTRIBUTE_INT);
    if (!ignored)
        return weights;
    if (ignored->integer < INT32_MIN || ignored->integer > INT32_MAX)
        return weights; /* no target is that */
    atl_node *index = atl_reshape(onnx_int_vector(op, 1, &(int32_t){(int32_t)ignored->integer}), ATL_SCALAR);
    atl_node *counts = atl_logical_not(atl_cast(atl_int_binary(ATL_INT_EQUAL, targets, index), ATL_FLOAT32));
    return weights ? atl_mul(weights, counts) : counts;
}

/* -w log p of each target, as the reduction wants it. */
static int give_loss(onnx_op *op, atl_node *log_p, atl_node *targets)
{
    const char *reduction = onnx_attr_text(op, "reduction", "mean");
    atl_node *weights = weights_of(op, targets), *loss = atl_neg(atl_gather_last(log_p, targets));
    loss = weights ? atl_mul(loss, weights) : loss;
    if (strcmp(reduction, "none") == 0)
        return onnx_give(op, 0, loss);
    if (strcmp(reduction, "sum") == 0)
        return onnx_give(op, 0, atl_sum(loss));
    if (strcmp(reduction, "mean") != 0)
        return onnx_reject(op, "its reduction is '%.40s'", reduction);
    return onnx_give(op, 0, weights ? atl_div(atl_sum(loss), atl_sum(weights)) : atl_mean(loss));
}

/* Inputs [n, classes, ...], targets [n, ...]. */
static int import_class_loss(onnx_op *op)
{
    int last = onnx_rank(op, 0) >= 3;
    atl_node *x = last ? onnx_channels_last(op, 0) : onnx_float(op, 0), *targets = x ? onnx_int(op, 1) : NULL;
    if (!targets)
        return 0;
    if (onnx_rank(op, 0) < 2 || onnx_rank(op, 1) != onnx_rank(op, 0) - 1)
        return onnx_reject(op, "it takes [batch, classes, ...] and targets [batch, ...]");
    if (op->entry->kind) {
        x = atl_log_softmax(x);
        if (!onnx_give_in(op, 1, x, last ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN))
            return 0;
    }
    return give_loss(op, x, targets);
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

#define TRAINING "ai.onnx.preview.training"

/* The gradient of the value named y with respect to those named xs, which are also its inputs. */
static int import_gradient(onnx_op *op)
{
    const onnx_attribute *xs = onnx_attribute_of(op, "xs", ONNX_ATTRIBUTE_STRINGS);
    onnx_value *y = onnx_lookup(op->importer->scope, onnx_attr_text(op, "y", ""));
    atl_node *of = y && !y->is_missing ? onnx_node_in(op->importer, y, ONNX_AS_WRITTEN) : NULL;
    if (!xs || !of || xs->count > op->inputs || xs->count < op->outputs)
        return onnx_reject(op, "it needs the names xs and y of values");
    for (int64_t i = 0; i < op->outputs; i++) {
        if (strcmp(op->node->input[i], xs->texts[i]) != 0)
            return onnx_reject(
                op, "its input '%.100s' is not the value '%.100s' itself: gradients at another place are not read",
                op->node->input[i], xs->texts[i]);
        atl_node *x = onnx_any(op, i), *gradient = NULL;
        if (!x)
            return 0;
        if (atl_gradients(.of = ATL_NODES(of), .by = ATL_NODES(x), .result_out = &gradient, .unused = ATL_UNUSED_ZEROS))
            return onnx_reject(op, "%s", atl_graph_error(onnx_graph_of(op)));
        if (!onnx_give(op, i, gradient))
            return 0;
    }
    return 1;
}

/* Inputs: rate, count, then `kinds` groups of as many tensors: X, G, and the optimizer's memory. */
typedef struct optimizer {
    atl_node *rate, *count;
    int64_t tensors;
} optimizer;

static int read_optimizer(onnx_op *op, int kinds, optimizer *o)
{
    o->tensors = (op->inputs - 2) / kinds;
    if (op->inputs < 2 + kinds || (op->inputs - 2) % kinds || op->outputs > (kinds - 1) * o->tensors)
        return onnx_reject(op, "it has %lld input%s", (long long)op->inputs, atl_plural(op->inputs));
    o->rate = onnx_float(op, 0);
    o->count = onnx_float(op, 1);
    return o->rate && o->count;
}

/* Tensor i of a group, the first of which is X. */
static atl_node *member(onnx_op *op, const optimizer *o, int group, int64_t i)
{
    return onnx_float(op, 2 + group * o->tensors + i);
}

/* G + norm_coefficient * X */
static atl_node *regularized(onnx_op *op, const optimizer *o, int64_t i)
{
    float norm = (float)onnx_attr_float(op, "norm_coefficient", 0);
    atl_node *g = member(op, o, 1, i), *x = member(op, o, 0, i);
    return !g || !x || norm == 0 ? g : atl_add(g, atl_scale(x, norm));
}

/* Duchi et al. 2011 */
static int import_adagrad(onnx_op *op)
{
    optimizer o = {0};
    float epsilon = (float)onnx_attr_float(op, "epsilon", 1e-6), decay = (float)onnx_attr_float(op, "decay_factor", 0);
    if (!read_optimizer(op, 3, &o))
        return 0;
    atl_node *rate = atl_div(o.rate, atl_add_scalar(atl_scale(o.count, decay), 1));
    for (int64_t i = 0; i < o.tensors; i++) {
        atl_node *x = member(op, &o, 0, i), *g = regularized(op, &o, i), *h = member(op, &o, 2, i);
        if (!x || !g || !h)
            return 0;
        h = atl_add(h, atl_square(g));
        atl_node *step = atl_div(atl_mul(rate, g), atl_add_scalar(atl_sqrt(h), epsilon));
        if (!onnx_give_type(op, i, atl_sub(x, step), ONNX_FLOAT) || !onnx_give_type(op, o.tensors + i, h, ONNX_FLOAT))
            return 0;
    }
    return 1;
}

/* Kingma & Ba 2014 */
static int import_adam(onnx_op *op)
{
    optimizer o = {0};
    float alpha = (float)onnx_attr_float(op, "alpha", 0.9), beta = (float)onnx_attr_float(op, "beta", 0.999),
          epsilon = (float)onnx_attr_float(op, "epsilon", 1e-6);
    float after = (float)onnx_attr_float(op, "norm_coefficient_post", 0);
    if (!read_optimizer(op, 4, &o))
        return 0;
    atl_node *one = onnx_scalar(op, 1), *started = atl_greater(o.count, onnx_scalar(op, 0));
    atl_node *correction = atl_div(atl_sqrt(atl_sub(one, atl_pow(onnx_scalar(op, (double)beta), o.count))),
                                   atl_sub(one, atl_pow(onnx_scalar(op, (double)alpha), o.count)));
    atl_node *rate = atl_mul(o.rate, atl_select(started, correction, one));
    for (int64_t i = 0; i < o.tensors; i++) {
        atl_node *x = member(op, &o, 0, i), *g = regularized(op, &o, i), *v = member(op, &o, 2, i),
                 *h = member(op, &o, 3, i);
        if (!x || !g || !v || !h)
            return 0;
        v = atl_add(atl_scale(v, alpha), atl_scale(g, 1 - alpha));
        h = atl_add(atl_scale(h, beta), atl_scale(atl_square(g), 1 - beta));
        atl_node *next = atl_sub(x, atl_div(atl_mul(rate, v), atl_add_scalar(atl_sqrt(h), epsilon)));
        if (!onnx_give_type(op, i, after == 0 ? next : atl_scale(next, 1 - after), ONNX_FLOAT) ||
            !onnx_give_type(op, o.tensors + i, v, ONNX_FLOAT) || !onnx_give_type(op, 2 * o.tensors + i, h, ONNX_FLOAT))
            return 0;
    }
    return 1;
}

/* The first step takes the gradient whole. */
static int import_momentum(onnx_op *op)
{
    optimizer o = {0};
    float alpha = (float)onnx_attr_float(op, "alpha", 0), beta = (float)onnx_attr_float(op, "beta", 0);
    int nesterov = strcmp(onnx_attr_text(op, "mode", "standard"), "nesterov") == 0;
    if (!read_optimizer(op, 3, &o))
        return 0;
    atl_node *share =
        atl_select(atl_greater(o.count, onnx_scalar(op, 0)), onnx_scalar(op, (double)beta), onnx_scalar(op, 1));
    for (int64_t i = 0; i < o.tensors; i++) {
        atl_node *x = member(op, &o, 0, i), *g = regularized(op, &o, i), *v = member(op, &o, 2, i);
        if (!x || !g || !v)
            return 0;
        v = atl_add(atl_scale(v, alpha), atl_mul(share, g));
        atl_node *step = nesterov ? atl_add(g, atl_scale(v, alpha)) : v;
        if (!onnx_give_type(op, i, atl_sub(x, atl_mul(o.rate, step)), ONNX_FLOAT) ||
            !onnx_give_type(op, o.tensors + i, v, ONNX_FLOAT))
            return 0;
    }
    return 1;
}

const onnx_entry onnx_losses[] = {{"Adagrad", 1, import_adagrad, .most_outputs = 10000, .domain = TRAINING},
                                  {"Adam", 1, import_adam, .most_outputs = 10000, .domain = TRAINING},
                                  {"Gradient", 1, import_gradient, .most_outputs = 10000, .domain = TRAINING},
                                  {"Momentum", 1, import_momentum, .most_outputs = 10000, .domain = TRAINING},
                                  {"NegativeLogLikelihoodLoss", 12, import_class_loss},
                                  {"SoftmaxCrossEntropyLoss", 12, import_class_loss, .kind = 1, .most_outputs = 2},
                                  {0}};
