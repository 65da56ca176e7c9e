/* One training step as a node: gradients, clipping, the optimizer's formulas for each variable, and only then all
 * assignments, so that the compiler can compute the new values of a variable and its slots in one pass and in place. */
#include "atled/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atled/gradient.h"
#include "atled/op.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/option.h"
#include "graph/variables.h"
#include "ops/all_reduce.h"
#include "train/averaging.h"

/* A variable that the step trains. */
typedef struct trained {
    atl_node *variable, *gradient;
    atl_bucket_slot arrival; /* of the gradient's mean, if it is averaged over ranks */
    atl_node *slot[ATL_MAX_SLOTS], *new_slot[ATL_MAX_SLOTS], *new_value;
    atl_node *average, *new_average; /* null: no average is kept */
} trained;

typedef struct step {
    const atl_minimize_args *args;
    atl_graph *graph;
    trained *of;
    int64_t count;
    atl_node *cost;    /* or its mean over ranks */
    atl_node **update; /* the assignments of atl_add_update, or others that assign means */
    atl_node *token;   /* of the last node that sends to other ranks */
    atl_node *rate, *corrected;
    atl_node *norm;        /* of all gradients, or null */
    atl_node **assignment; /* the cost is first */
    int64_t assigned, room;
} step;

static int slots_of(const atl_optimizer *o)
{
    int count = 0;
    while (count < ATL_MAX_SLOTS && o->rule->slot[count])
        count++;
    return count;
}

/* ---- the trained variables --------------------------------------------------------------------------------------- */

static int take_variable(step *s, atl_node *variable)
{
    if (!variable || !(atl_op_of(variable)->flags & ATL_OP_VARIABLE) || atl_dtype_of(variable) != ATL_FLOAT32)
        return atl_builder_error(s->graph, "minimize", "'%s' is not a float32 variable; only those can be trained",
                                 variable ? atl_name_of(variable) : "(null)") != NULL;
    s->of[s->count++].variable = variable;
    return 1;
}

/* The requested variables, or all trainable ones. */
static int list_variables(step *s)
{
    int64_t asked = s->args->variables.count;
    atl_nodes known = atl_variables(s->graph);
    s->of = atl_allocate((size_t)(asked + known.count + 1), sizeof *s->of);
    if (!s->of)
        return atl_graph_out_of_memory(s->graph) != NULL;
    for (int64_t i = 0; i < asked; i++)
        if (!take_variable(s, s->args->variables.node[i]))
            return 0;
    for (int64_t i = 0; !asked && i < known.count; i++)
        if (atl_variable_is_trainable(known.node[i]))
            take_variable(s, known.node[i]);
    return 1;
}

/* Builds the gradients; drops variables on which the cost does not depend, unless they were requested. */
static int find_gradients(step *s)
{
    atl_node **by = atl_allocate((size_t)s->count + 1, sizeof *by),
             **result = atl_allocate((size_t)s->count + 1, sizeof *by);
    int64_t kept = 0;
    int asked = s->args->variables.count > 0, ok = by && result;
    for (int64_t i = 0; ok && i < s->count; i++)
        by[i] = s->of[i].variable;
    if (!ok)
        atl_graph_out_of_memory(s->graph);
    else if (s->count)
        ok = !atl_gradients(.of = ATL_NODES(s->args->cost), .by = {s->count, by}, .result_out = result,
                            .unused = asked ? ATL_UNUSED_ERROR : ATL_UNUSED_NULL);
    for (int64_t i = 0; ok && i < s->count; i++)
        if (result[i]) {
            s->of[kept].variable = by[i];
            s->of[kept++].gradient = result[i];
        }
    s->count = kept;
    atl_release(by);
    atl_release(result);
    if (ok && !kept)
        return atl_builder_error(s->graph, "minimize", "the cost, '%s', depends on no trainable variable",
                                 atl_name_of(s->args->cost)) != NULL;
    return ok;
}

static void add(step *s, atl_node *node) { s->assignment[s->assigned++] = node; }

/* Room for what a step groups, and the updates. */
static int make_lists(step *s)
{
    atl_nodes updates = atl_updates(s->graph);
    s->assignment = atl_allocate((size_t)(s->count * (ATL_MAX_SLOTS + 2) + updates.count + 4), sizeof *s->assignment);
    s->update = atl_allocate((size_t)updates.count + 1, sizeof *s->update);
    if (!s->assignment || !s->update)
        return atl_graph_out_of_memory(s->graph) != NULL;
    for (int64_t i = 0; i < updates.count; i++)
        s->update[i] = updates.node[i];
    return 1;
}

/* ---- means over ranks -------------------------------------------------------------------------------------------- */

static int is_averaged(const atl_node *update)
{
    return atl_op_of(update)->flags & ATL_OP_ASSIGN && atl_dtype_of(update) == ATL_FLOAT32;
}

/* The new values of updates are averaged, and then assigned. */
static int average_updates(step *s, atl_averaging *a, atl_node **value)
{
    atl_nodes updates = atl_updates(s->graph);
    for (int64_t i = 0; i < updates.count; i++) {
        value[i] = is_averaged(updates.node[i]) ? atl_input_of(updates.node[i], 1) : NULL;
        if (value[i] && !atl_average_later(a, &value[i], NULL))
            return 0;
    }
    return 1;
}

/* What a part runs: it sends, and makes the updates that are not averaged. */
static void make_part(step *s)
{
    atl_nodes updates = atl_updates(s->graph);
    add(s, s->token);
    for (int64_t i = 0; i < updates.count; i++)
        if (!is_averaged(updates.node[i]))
            add(s, updates.node[i]);
    *s->args->part_out = atl_named(atl_group_with((atl_nodes){s->assigned, s->assignment}), "part");
    s->assigned = 0;
}

static int take_means(step *s, atl_averaging *a, atl_node **value)
{
    const atl_minimize_args *args = s->args;
    atl_nodes updates = atl_updates(s->graph);
    int ok = atl_average_later(a, &s->cost, NULL) && average_updates(s, a, value);
    for (int64_t i = 0; i < s->count && ok; i++)
        ok = atl_average_later(a, &s->of[i].gradient, &s->of[i].arrival);
    for (int64_t i = 0; i < args->reported.count && ok; i++) {
        if (!args->reported.node[i])
            return 0; /* its error is on the graph */
        args->reported_out[i] = args->reported.node[i];
        ok = atl_average_later(a, &args->reported_out[i], NULL);
    }
    atl_enter(s->graph, "all_reduce");
    s->token = ok ? atl_average_now(a, args->all_reduce, args->part_out != NULL) : NULL;
    if (s->token && args->part_out)
        make_part(s);
    for (int64_t i = 0; i < updates.count && s->token; i++) {
        if (value[i])
            s->update[i] = atl_assign(atl_input_of(updates.node[i], 0), value[i]);
        else if (args->part_out)
            s->update[i] = NULL; /* the part makes it */
    }
    atl_leave(s->graph);
    return s->token != NULL;
}

/* Replaces cost and updates by their means, and sends the gradients, whose means take_gradient receives. */
static int average_over_ranks(step *s)
{
    atl_averaging averaging = {NULL, 0, 0};
    atl_node **value = atl_allocate((size_t)atl_updates(s->graph).count + 1, sizeof *value);
    int ok = value ? take_means(s, &averaging, value) : atl_graph_out_of_memory(s->graph) != NULL;
    atl_averaging_end(&averaging);
    atl_release(value);
    return ok;
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

atl_node *atl_clip_by_norm(atl_node *x, float limit)
{
    atl_node *most = atl_scalar(x, limit);
    return atl_mul(x, atl_div(most, atl_maximum(atl_l2_norm(x), most)));
}

atl_node *atl_global_norm(atl_nodes nodes)
{
    if (ATL_LIST_IS_NULL(nodes))
        return atl_null_argument("atl_global_norm", "the list of nodes is"), NULL;
    if (nodes.count == 1)
        return atl_l2_norm(nodes.node[0]);
    atl_node *sum = NULL;
    for (int64_t i = 0; i < nodes.count; i++) {
        atl_node *square = atl_square(atl_l2_norm(nodes.node[i]));
        sum = i ? atl_add(sum, square) : square;
    }
    return atl_sqrt(sum);
}

static atl_node *norm_of_all(const step *s)
{
    atl_node **gradient = atl_allocate((size_t)s->count, sizeof *gradient);
    for (int64_t i = 0; gradient && i < s->count; i++)
        gradient[i] = s->of[i].gradient;
    atl_node *norm = gradient ? atl_global_norm((atl_nodes){s->count, gradient}) : NULL;
    atl_release(gradient);
    return norm;
}

/* The gradient of one variable, or its mean over ranks; clipped by itself. */
static void take_gradient(const step *s, trained *v)
{
    const atl_minimize_args *args = s->args;
    if (args->all_reduce)
        v->gradient = atl_receive(s->graph, &v->arrival, atl_shape_of(v->gradient), args->part_out ? NULL : s->token);
    if (args->clip_value > 0)
        v->gradient = atl_clip(v->gradient, -args->clip_value, args->clip_value);
    if (args->clip_norm > 0)
        v->gradient = atl_clip_by_norm(v->gradient, args->clip_norm);
}

static int needs_norm(const step *s) { return s->args->clip_global_norm > 0 || s->args->check_gradients; }

/* All gradients, and what concerns all of them together. */
static void take_all_gradients(step *s)
{
    const atl_minimize_args *args = s->args;
    for (int64_t i = 0; i < s->count; i++)
        take_gradient(s, &s->of[i]);
    s->norm = norm_of_all(s);
    if (args->check_gradients)
        s->norm = atl_check_finite(atl_named(s->norm, "gradients"));
    if (args->clip_global_norm > 0) {
        atl_node *most = atl_scalar(args->cost, args->clip_global_norm);
        atl_node *factor = atl_div(most, atl_maximum(s->norm, most));
        for (int64_t i = 0; i < s->count; i++)
            s->of[i].gradient = atl_mul(s->of[i].gradient, factor);
    }
}

/* The order in which gradients arrive from other ranks. */
static int compare_arrivals(const void *a, const void *b)
{
    const atl_bucket_slot *one = &((const trained *)a)->arrival, *other = &((const trained *)b)->arrival;
    return one->bucket != other->bucket ? (one->bucket > other->bucket) - (one->bucket < other->bucket)
                                        : (one->tensor > other->tensor) - (one->tensor < other->tensor);
}

/* ---- the optimizer ----------------------------------------------------------------------------------------------- */

/* A companion variable: NAME/part, of the same shape. */
static atl_node *companion(atl_node *variable, const char *part, float start)
{
    atl_graph *graph = atl_graph_of(variable);
    const char *name = atl_graph_format(graph, "%s/%s", atl_name_of(variable), part);
    atl_node *made =
        name ? atl_variable(graph, name, atl_shape_of(variable), start == 0 ? atl_zeros() : atl_fill_with(start))
             : NULL;
    return atl_variable_set_state(atl_variable_set_trainable(made, 0), 1);
}

/* Creates slots and averages, before it enters the scope of the formulas. */
static void make_companions(step *s)
{
    const atl_optimizer *o = &s->args->optimizer;
    float start = o->rule->start ? (float)o->rule->start(o) : 0;
    for (int64_t i = 0; i < s->count; i++) {
        trained *v = &s->of[i];
        for (int k = 0; k < slots_of(o); k++)
            v->slot[k] = companion(v->variable, ATL_NAME("%s/%s", o->rule->name, o->rule->slot[k]), start);
        if (s->args->average > 0 || atl_variable_average(v->variable) > 0)
            v->average = companion(v->variable, "average", 0);
    }
}

static double decay_of(const step *s, const atl_node *variable)
{
    double usual = atl_shape_of(variable).rank > 1 ? s->args->optimizer.weight_decay : 0;
    return atl_option(atl_variable_decay(variable), usual);
}

static void update_variable(const step *s, trained *v)
{
    const atl_optimizer *o = &s->args->optimizer;
    float scale = atl_variable_rate_scale(v->variable);
    atl_rule_inputs at = {.variable = v->variable,
                          .gradient = v->gradient,
                          .rate = scale == 1 ? s->rate : atl_scale(s->rate, scale),
                          .corrected = scale == 1 ? s->corrected : atl_scale(s->corrected, scale),
                          .decay = decay_of(s, v->variable)};
    v->new_value = o->rule->update(o, &at, v->slot, v->new_slot);
}

/* average + (1 - d) (w' - average), with d = min(decay, t / (t + 1)) after t steps: the plain mean at first. */
static void update_average(const step *s, trained *v, atl_node *t)
{
    float own = atl_variable_average(v->variable), decay = own > 0 ? own : s->args->average;
    if (!v->average)
        return;
    atl_node *seen = atl_add_scalar(t, -1), *d = atl_minimum(atl_scalar(t, decay), atl_div(seen, t));
    atl_node *share = atl_sub(atl_scalar(t, 1), d);
    v->new_average = atl_add(v->average, atl_mul(share, atl_sub(v->new_value, v->average)));
}

/* A variable is updated as soon as its gradient is there, while other gradients travel. */
static void update_all(step *s)
{
    const atl_optimizer *o = &s->args->optimizer;
    if (needs_norm(s))
        take_all_gradients(s);
    else if (s->args->all_reduce)
        qsort(s->of, (size_t)s->count, sizeof *s->of, compare_arrivals);
    atl_node *t = atl_add_scalar(atl_cast(atl_step_counter(s->graph), ATL_FLOAT32), 1);
    s->rate = o->schedule ? o->schedule : atl_constant_rate(s->graph, (float)o->rate);
    s->corrected = o->rule->correct ? o->rule->correct(o, s->rate, t) : s->rate;
    for (int64_t i = 0; i < s->count; i++) {
        if (!needs_norm(s))
            take_gradient(s, &s->of[i]);
        update_variable(s, &s->of[i]);
        update_average(s, &s->of[i], t);
    }
}

/* ---- assignments ------------------------------------------------------------------------------------------------- */

/* Groups all assignments, after all formulas; null if anything failed. */
static atl_node *assign_all(step *s)
{
    int64_t updates = atl_updates(s->graph).count;
    add(s, s->args->unchecked ? s->cost : atl_check_finite(s->cost));
    if (s->token && !s->args->part_out)
        add(s, s->token);
    if (s->norm)
        add(s, s->norm);
    for (int64_t i = 0; i < s->count; i++) {
        const trained *v = &s->of[i];
        for (int k = 0; k < slots_of(&s->args->optimizer); k++)
            add(s, atl_assign(v->slot[k], v->new_slot[k]));
        add(s, atl_assign(v->variable, v->new_value));
        if (v->average)
            add(s, atl_assign(v->average, v->new_average));
    }
    for (int64_t i = 0; i < updates; i++)
        if (s->update[i])
            add(s, s->update[i]);
    add(s, atl_count_step(s->graph));
    return atl_group_with((atl_nodes){s->assigned, s->assignment});
}

/* Returns the name of the first number out of range, or null. */
static const char *option_out_of_range(const atl_minimize_args *args)
{
    const atl_optimizer *o = &args->optimizer;
    const struct {
        const char *name;
        double value, end; /* it must be in [0, end) */
    } options[] = {{".rate", o->rate, INFINITY},
                   {".momentum", o->momentum, INFINITY},
                   {".rho", o->rho, 1},
                   {".beta1", o->beta1, 1},
                   {".beta2", o->beta2, 1},
                   {".epsilon", o->epsilon, INFINITY},
                   {".weight_decay", o->weight_decay, INFINITY},
                   {".start", o->start, INFINITY},
                   {".clip_value", args->clip_value, INFINITY},
                   {".clip_norm", args->clip_norm, INFINITY},
                   {".clip_global_norm", args->clip_global_norm, INFINITY},
                   {".average", args->average, 1}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!(options[i].value >= 0 && options[i].value < options[i].end))
            return options[i].name;
    return NULL;
}

static int check_args(const atl_minimize_args *args)
{
    if (ATL_LIST_IS_NULL(args->variables))
        return atl_builder_error(atl_graph_of(args->cost), "minimize", "the list of variables is null") != NULL;
    char text[160];
    atl_graph *graph = atl_graph_of(args->cost);
    if (ATL_LIST_IS_NULL(args->reported) || (args->reported.count > 0 && !args->reported_out))
        return atl_builder_error(graph, "minimize", "the list of reported nodes, or .reported_out, is null") != NULL;
    if (!args->all_reduce && (args->part_out || args->reported.count))
        return atl_builder_error(graph, "minimize", ".part_out and .reported need .all_reduce") != NULL;
    atl_shape shape = atl_shape_of(args->cost);
    if (!args->optimizer.rule)
        return atl_builder_error(graph, "minimize",
                                 "no optimizer is given: atl_minimize(cost, atl_adam(.rate = 0.001f))") != NULL;
    if (args->optimizer.unused)
        return atl_builder_error(graph, "minimize", "%s has no %s: leave it out", args->optimizer.rule->name,
                                 args->optimizer.unused) != NULL;
    const char *wrong = option_out_of_range(args);
    if (wrong)
        return atl_builder_error(graph, "minimize",
                                 "%s is out of range: rates and limits are not negative, decays are in [0, 1)",
                                 wrong) != NULL;
    if (shape.rank)
        return atl_builder_error(graph, "minimize",
                                 "the cost, '%s', is %s, but must be a single number: take atl_mean of it",
                                 atl_name_of(args->cost), atl_shape_text(shape, text, sizeof text)) != NULL;
    if (args->optimizer.schedule && atl_shape_of(args->optimizer.schedule).rank)
        return atl_builder_error(graph, "minimize", "the learning rate, '%s', is %s, but must be a single number",
                                 atl_name_of(args->optimizer.schedule),
                                 atl_shape_text(atl_shape_of(args->optimizer.schedule), text, sizeof text)) != NULL;
    return 1;
}

atl_node *atl_minimize_with(const atl_minimize_args *args)
{
    if (!args)
        return atl_null_argument("atl_minimize", "the options are"), NULL;
    step s = {.args = args, .graph = atl_graph_of(args->cost), .cost = args->cost};
    if (!s.graph || !check_args(args))
        return NULL;
    atl_node *all = NULL;
    if (list_variables(&s) && find_gradients(&s) && make_lists(&s) && (!args->all_reduce || average_over_ranks(&s))) {
        make_companions(&s);
        atl_enter(s.graph, args->optimizer.rule->name);
        update_all(&s);
        all = atl_named(assign_all(&s), "step");
        atl_leave(s.graph);
    }
    atl_release(s.of);
    atl_release(s.assignment);
    atl_release(s.update);
    return all;
}
