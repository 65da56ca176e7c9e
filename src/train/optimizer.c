/* The optimizers' formulas, each as a rule.  They are plain element-wise nodes: the compiler makes one pass of them. */
#include "atled/train.h"

#include <math.h>

static atl_optimizer with_rule(const atl_optimizer *options, const atl_optimizer_rule *rule)
{
    atl_optimizer o = options ? *options : (atl_optimizer){0};
    o.rule = rule;
    if (o.rate == 0)
        o.rate = 0.01;
    if (o.momentum == 0)
        o.momentum = 0.9;
    if (o.decay == 0)
        o.decay = 0.9;
    if (o.beta1 == 0)
        o.beta1 = 0.9;
    if (o.beta2 == 0)
        o.beta2 = 0.999;
    if (o.epsilon == 0)
        o.epsilon = 1e-8;
    return o;
}

/* from + share * (to - from): (1 - share) from + share to */
static atl_node *towards(atl_node *from, atl_node *to, double share)
{
    return atl_add(from, atl_scale(atl_sub(to, from), (float)share));
}

/* ---- gradient descent ------------------------------------------------------------------------------------------------ */

static atl_node *update_sgd(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                            atl_node **new_slot)
{
    (void)o, (void)slot, (void)new_slot;
    return atl_sub(u->variable, atl_mul(u->rate, u->gradient));
}

static atl_node *update_momentum(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                 atl_node **new_slot)
{
    new_slot[0] = atl_add(atl_scale(slot[0], (float)o->momentum), u->gradient);
    return atl_sub(u->variable, atl_mul(u->rate, new_slot[0]));
}

static atl_node *update_nesterov(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                 atl_node **new_slot)
{
    new_slot[0] = atl_add(atl_scale(slot[0], (float)o->momentum), u->gradient);
    atl_node *ahead = atl_add(u->gradient, atl_scale(new_slot[0], (float)o->momentum));
    return atl_sub(u->variable, atl_mul(u->rate, ahead));
}

static const atl_optimizer_rule sgd = {.name = "sgd", .update = update_sgd};
static const atl_optimizer_rule momentum = {.name = "momentum", .slot = {"m"}, .update = update_momentum};
static const atl_optimizer_rule nesterov = {.name = "nesterov", .slot = {"m"}, .update = update_nesterov};

atl_optimizer atl_sgd_with(const atl_optimizer *options) { return with_rule(options, &sgd); }
atl_optimizer atl_momentum_with(const atl_optimizer *options) { return with_rule(options, &momentum); }
atl_optimizer atl_nesterov_with(const atl_optimizer *options) { return with_rule(options, &nesterov); }

/* ---- rates of its own for each element ------------------------------------------------------------------------------- */

/* x / (sqrt(v) + epsilon) */
static atl_node *over_root(const atl_optimizer *o, atl_node *x, atl_node *v)
{
    return atl_div(x, atl_add_scalar(atl_sqrt(v), (float)o->epsilon));
}

static atl_node *update_rmsprop(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                atl_node **new_slot)
{
    new_slot[0] = towards(slot[0], atl_square(u->gradient), 1 - o->decay);
    return atl_sub(u->variable, atl_mul(u->rate, over_root(o, u->gradient, new_slot[0])));
}

static atl_node *update_rmsprop_momentum(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                         atl_node **new_slot)
{
    new_slot[0] = towards(slot[0], atl_square(u->gradient), 1 - o->decay);
    new_slot[1] = atl_add(atl_scale(slot[1], (float)o->momentum), over_root(o, u->gradient, new_slot[0]));
    return atl_sub(u->variable, atl_mul(u->rate, new_slot[1]));
}

static double start_adagrad(const atl_optimizer *o) { return o->start; }

static atl_node *update_adagrad(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                atl_node **new_slot)
{
    new_slot[0] = atl_add(slot[0], atl_square(u->gradient));
    return atl_sub(u->variable, atl_mul(u->rate, over_root(o, u->gradient, new_slot[0])));
}

static const atl_optimizer_rule rmsprop = {.name = "rmsprop", .slot = {"v"}, .update = update_rmsprop};
static const atl_optimizer_rule rmsprop_momentum = {.name = "rmsprop",
                                                    .slot = {"v", "m"},
                                                    .update = update_rmsprop_momentum};
static const atl_optimizer_rule adagrad = {.name = "adagrad",
                                           .slot = {"v"},
                                           .start = start_adagrad,
                                           .update = update_adagrad};

atl_optimizer atl_rmsprop_with(const atl_optimizer *options)
{
    return with_rule(options, !options || options->momentum == 0 ? &rmsprop : &rmsprop_momentum);
}
atl_optimizer atl_adagrad_with(const atl_optimizer *options) { return with_rule(options, &adagrad); }

/* ---- Adam -------------------------------------------------------------------------------------------------------------- */

/* 1 - beta^t, accurate where it is small */
static atl_node *one_minus_power(double beta, atl_node *t)
{
    return atl_neg(atl_expm1(atl_scale(t, (float)log(beta))));
}

static atl_node *correct_adam(const atl_optimizer *o, atl_node *rate, atl_node *t)
{
    return atl_div(atl_mul(rate, atl_sqrt(one_minus_power(o->beta2, t))), one_minus_power(o->beta1, t));
}

static atl_node *update_adam(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                             atl_node **new_slot)
{
    new_slot[0] = towards(slot[0], u->gradient, 1 - o->beta1);
    new_slot[1] = towards(slot[1], atl_square(u->gradient), 1 - o->beta2);
    return atl_sub(u->variable, atl_mul(u->corrected, over_root(o, new_slot[0], new_slot[1])));
}

static atl_node *update_adamw(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                              atl_node **new_slot)
{
    atl_rule_inputs shrunk = *u;
    if (u->decay != 0)
        shrunk.variable = atl_sub(u->variable, atl_mul(atl_scale(u->rate, (float)u->decay), u->variable));
    return update_adam(o, &shrunk, slot, new_slot);
}

static const atl_optimizer_rule adam = {.name = "adam",
                                        .slot = {"m", "v"},
                                        .correct = correct_adam,
                                        .update = update_adam};
static const atl_optimizer_rule adamw = {.name = "adamw",
                                         .slot = {"m", "v"},
                                         .correct = correct_adam,
                                         .update = update_adamw};

static atl_optimizer adam_with_rule(const atl_optimizer *options, const atl_optimizer_rule *rule)
{
    atl_optimizer o = with_rule(options, rule);
    if (!options || options->rate == 0)
        o.rate = 0.001;
    if (!options || options->decay == 0)
        o.decay = 0.01;
    return o;
}

atl_optimizer atl_adam_with(const atl_optimizer *options) { return adam_with_rule(options, &adam); }
atl_optimizer atl_adamw_with(const atl_optimizer *options) { return adam_with_rule(options, &adamw); }
