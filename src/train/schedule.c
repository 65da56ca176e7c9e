/* Learning rate schedules that follow the step counter, and the sum of weight decays: scalars built from graph
 * nodes. */
#include "atled/train.h"

#include <math.h>

#include "atled/op.h"
#include "common/plural.h"
#include "graph/error.h"
#include "graph/option.h"

/* The number of steps run so far, as a float: exact up to 2^24. */
static atl_node *step_of(atl_graph *graph) { return atl_cast(atl_step_counter(graph), ATL_FLOAT32); }

atl_node *atl_constant_rate(atl_graph *graph, float rate) { return atl_scalar(atl_step_counter(graph), rate); }

/* Options that a schedule may have of its own, as bits. */
enum { EVERY = 1, FACTOR = 2, STAIRCASE = 4, AT = 8, STEPS = 16, LOWEST = 32 };

/* 0, with the mistake recorded, if an option is given that the schedule does not have. */
static int check_options(const atl_rate_args *args, const char *schedule, unsigned has)
{
    const struct {
        const char *name;
        int given;
        unsigned bit;
    } options[] = {{".every", args->every != 0, EVERY},
                   {".factor", args->factor != 0, FACTOR},
                   {".staircase", args->staircase != 0, STAIRCASE},
                   {".at", args->at[0] != 0, AT},
                   {".steps", args->steps != 0, STEPS},
                   {".lowest", args->lowest != 0, LOWEST}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given && !(options[i].bit & has)) {
            atl_builder_error(args->graph, schedule, "it has no %s: leave it out", options[i].name);
            return 0;
        }
    return 1;
}

atl_node *atl_exponential_decay_with(const atl_rate_args *args)
{
    if (!args)
        return atl_null_argument("atl_exponential_decay", "the options are"), NULL;
    if (!check_options(args, "exponential_decay", EVERY | FACTOR | STAIRCASE))
        return NULL;
    int64_t every = args->every > 0 ? args->every : 1;
    if (args->every < 0 || !(args->factor > 0))
        return atl_builder_error(args->graph, "exponential_decay",
                                 "every %lld step%s by a factor of %g: both must be positive", (long long)args->every,
                                 atl_plural(args->every), (double)args->factor);
    atl_enter(args->graph, "exponential_decay");
    atl_node *step = step_of(args->graph), *exponent = atl_div(step, atl_scalar(step, (float)every));
    if (args->staircase)
        exponent = atl_floor(exponent);
    atl_node *rate = atl_scale(atl_pow(atl_scalar(step, args->factor), exponent), args->rate);
    atl_leave(args->graph);
    return rate;
}

atl_node *atl_step_decay_with(const atl_rate_args *args)
{
    if (!args)
        return atl_null_argument("atl_step_decay", "the options are"), NULL;
    if (!check_options(args, "step_decay", FACTOR | AT))
        return NULL;
    enum { MOST = sizeof args->at / sizeof *args->at };
    if (!(args->factor > 0))
        return atl_builder_error(args->graph, "step_decay", "the factor is %g; it must be positive",
                                 (double)args->factor);
    atl_enter(args->graph, "step_decay");
    atl_node *step = step_of(args->graph), *reached = atl_scalar(step, 0);
    for (int i = 0; i < MOST; i++)
        if (args->at[i])
            reached = atl_add(reached, atl_greater_equal(step, atl_scalar(step, (float)args->at[i])));
    atl_node *rate = atl_scale(atl_pow(atl_scalar(step, args->factor), reached), args->rate);
    atl_leave(args->graph);
    return rate;
}

atl_node *atl_cosine_decay_with(const atl_rate_args *args)
{
    if (!args)
        return atl_null_argument("atl_cosine_decay", "the options are"), NULL;
    if (!check_options(args, "cosine_decay", STEPS | LOWEST))
        return NULL;
    if (args->steps <= 0)
        return atl_builder_error(args->graph, "cosine_decay", ".steps is %lld; say how many steps it takes",
                                 (long long)args->steps);
    atl_enter(args->graph, "cosine_decay");
    atl_node *step = step_of(args->graph), *all = atl_scalar(step, (float)args->steps);
    atl_node *angle = atl_scale(atl_div(atl_minimum(step, all), all), (float)acos(-1));
    atl_node *rate =
        atl_add_scalar(atl_scale(atl_add_scalar(atl_cos(angle), 1), (args->rate - args->lowest) / 2), args->lowest);
    atl_leave(args->graph);
    return rate;
}

atl_node *atl_warm_up(atl_node *rate, int64_t steps)
{
    atl_graph *graph = atl_graph_of(rate);
    if (steps <= 0)
        return atl_builder_error(graph, "warm_up", "it takes %lld steps; it must be at least one", (long long)steps);
    if (!rate)
        return NULL;
    atl_enter(graph, "warm_up");
    atl_node *share = atl_div(atl_add_scalar(step_of(graph), 1), atl_scalar(rate, (float)steps));
    atl_node *warmed = atl_mul(rate, atl_minimum(share, atl_scalar(rate, 1)));
    atl_leave(graph);
    return warmed;
}

atl_node *atl_weight_decay(atl_graph *graph)
{
    atl_node *sum = NULL;
    int64_t count = atl_variables(graph).count;
    atl_enter(graph, "weight_decay");
    for (int64_t i = 0; i < count; i++) {
        atl_node *variable = atl_variables(graph).node[i];
        float decay = atl_variable_is_trainable(variable) ? (float)atl_option(atl_variable_decay(variable), 0) : 0;
        if (decay == 0)
            continue;
        atl_node *term = atl_scale(atl_l2_loss(variable), decay);
        sum = sum ? atl_add(sum, term) : term;
    }
    if (!sum) {
        atl_tensor *zero = atl_tensor_new(ATL_FLOAT32, ATL_SCALAR);
        sum = zero ? atl_constant(graph, zero) : atl_builder_error(graph, "weight_decay", "%s", atl_error());
        atl_tensor_free(zero);
    }
    atl_leave(graph);
    return sum;
}
