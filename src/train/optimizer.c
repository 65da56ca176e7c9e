/* The optimizers' formulas, each as a rule.  They are plain element-wise nodes, which the compiler fuses into one pass
 * over memory. */
#include "atled/train.h"

#include <math.h>

#include "graph/option.h"

/* Options beside the rate, as bits of what an optimizer has. */
enum { MOMENTUM = 1, RHO = 2, BETAS = 4, EPSILON = 8, START = 16, WEIGHT_DECAY = 32 };

/* With the defaults filled in.  An option that the optimizer does not have is noted, for atl_minimize to refuse. */
static atl_optimizer with_rule(const atl_optimizer *options, const atl_optimizer_rule *rule, double rate, unsigned has)
{
    atl_optimizer o = options ? *options : (atl_optimizer){0};
    const struct {
        const char *name;
        double *value, usual;
        unsigned bit;
    } fields[] = {{".momentum", &o.momentum, 0.9, MOMENTUM},
                  {".rho", &o.rho, 0.9, RHO},
                  {".beta1", &o.beta1, 0.9, BETAS},
                  {".beta2", &o.beta2, 0.999, BETAS},
                  {".epsilon", &o.epsilon, 1e-8, EPSILON},
                  {".start", &o.start, 0, START},
                  {".weight_decay", &o.weight_decay, 0.01, WEIGHT_DECAY}};
    o.rule = rule;
    o.unused = o.schedule && o.rate != 0 ? ".rate beside .schedule" : NULL;
    o.rate = atl_option(o.rate, rate);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].bit & has)
            *fields[i].value = atl_option(*fields[i].value, fields[i].usual);
        else if (*fields[i].value != 0 && !o.unused)
            o.unused = fields[i].name;
    }
    return o;
}

/* from + share * (to - from): (1 - share) from + share to */
static atl_node *towards(atl_node *from, atl_node *to, double share)
{
    return atl_add(from, atl_scale(atl_sub(to, from), (float)share));
}

/* ---- gradient descent -------------------------------------------------------------------------------------------- */

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

atl_optimizer atl_sgd_with(const atl_optimizer *options) { return with_rule(options, &sgd, 0.01, 0); }
atl_optimizer atl_momentum_with(const atl_optimizer *options) { return with_rule(options, &momentum, 0.01, MOMENTUM); }
atl_optimizer atl_nesterov_with(const atl_optimizer *options) { return with_rule(options, &nesterov, 0.01, MOMENTUM); }

/* ---- adaptive rates per element ---------------------------------------------------------------------------------- */

/* x / (sqrt(v) + epsilon) */
static atl_node *over_root(const atl_optimizer *o, atl_node *x, atl_node *v)
{
    return atl_div(x, atl_add_scalar(atl_sqrt(v), (float)o->epsilon));
}

static atl_node *update_rmsprop(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                atl_node **new_slot)
{
    new_slot[0] = towards(slot[0], atl_square(u->gradient), 1 - o->rho);
    return atl_sub(u->variable, atl_mul(u->rate, over_root(o, u->gradient, new_slot[0])));
}

static atl_node *update_rmsprop_momentum(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                                         atl_node **new_slot)
{
    new_slot[0] = towards(slot[0], atl_square(u->gradient), 1 - o->rho);
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
    int plain = !options || options->momentum == 0 || options->momentum == ATL_ZERO;
    return with_rule(options, plain ? &rmsprop : &rmsprop_momentum, 0.01, RHO | EPSILON | MOMENTUM);
}
atl_optimizer atl_adagrad_with(const atl_optimizer *options)
{
    return with_rule(options, &adagrad, 0.01, EPSILON | START);
}

/* ---- Adam -------------------------------------------------------------------------------------------------------- */

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

atl_optimizer atl_adam_with(const atl_optimizer *options) { return with_rule(options, &adam, 0.001, BETAS | EPSILON); }
atl_optimizer atl_adamw_with(const atl_optimizer *options)
{
    return with_rule(options, &adamw, 0.001, BETAS | EPSILON | WEIGHT_DECAY);
}
