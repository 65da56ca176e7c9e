/* Ops that change variables: assignments, groups of them, the check that prevents them, and the step counter. */
#include "ops/ops.h"

#include "graph/memory.h"
#include "lowering/lowering.h"

/* assign(variable, value) = value; the variable gets it at the end of the run.  d/dvalue = 1.  The plan does the
 * assignment. */
static bool infer_assign(atl_node *y)
{
    const atl_node *variable = y->inputs[0], *value = y->inputs[1];
    if (!(variable->op->flags & ATL_OP_VARIABLE))
        return atl_fail(y, "'%s' is the result of %s; only a variable can be assigned to", atl_name_of(variable),
                        variable->op->name);
    if (variable->dtype != value->dtype || !atl_shapes_agree(*variable->shape, *value->shape))
        return atl_fail(y, "the variable '%s' is %s %s, but the value, '%s', is %s %s", atl_name_of(variable),
                        atl_dtype_name(variable->dtype), SHAPE_OF(variable), atl_name_of(value),
                        atl_dtype_name(value->dtype), SHAPE_OF(value));
    return atl_set_type(y, variable->dtype, *variable->shape);
}

static void reference_assign(const atl_node *y, const double *const *x, double *result)
{
    memcpy(result, x[1], (size_t)atl_shape_count(*y->shape) * sizeof *result);
}

static atl_node *assign_gradient(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}

/* A variable of that shape for a sample. */
static atl_node *sample_variable(atl_node *x, atl_shape shape)
{
    return x ? atl_variable(x->graph, ATL_NAME("assigned%lld", (long long)x->graph->count), shape, atl_zeros()) : NULL;
}

static atl_node *sample_assign(atl_node *x)
{
    atl_node *sum = atl_sum(atl_square(x));
    return atl_mul(x, atl_assign(sample_variable(x, ATL_SCALAR), sum));
}
static atl_node *assign_three(atl_node *x) { return atl_assign(sample_variable(x, ATL_SHAPE(3)), x); }

static const atl_op assign_op = {
    .name = "assign",
    .arity = 2,
    .flags = ATL_OP_ASSIGN | ATL_OP_SIDE_EFFECT,
    .shape_inputs = 1,
    .infer = infer_assign,
    .gradient = {NULL, assign_gradient},
    .reference = reference_assign,
    .samples = (const atl_sample[]){
        {"a sum", .unary = sample_assign, .input = {{2, {2, 3}}}, .inputs = 1},
        {"no variable", .binary = atl_assign, .input = {{1, {3}}, {1, {3}}}, .inputs = 2, .error = "only a variable"},
        {"another shape", .unary = assign_three, .input = {{1, {4}}}, .inputs = 1,
         .error = "[3], but the value, 'x0', is float32 [4]"},
        {"another type", .unary = assign_three, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .error = "int32 [3]"},
        {0}}};
ATL_BUILTIN(assign_op);

atl_node *atl_assign(atl_node *variable, atl_node *value) { return ATL_APPLY(&assign_op, NULL, variable, value); }

/* group(x0, x1, ...) = x0.  d/dx0 = 1; the others get no gradient. */
static bool infer_group(atl_node *y)
{
    if (!y->input_count)
        return atl_fail(y, "a group needs at least one node");
    return atl_infer_same(y);
}

static void reference_group(const atl_node *y, const double *const *x, double *result)
{
    memcpy(result, x[0], (size_t)atl_shape_count(*y->shape) * sizeof *result);
}

static atl_node *group_gradient(atl_node *y, atl_node *dy, int input)
{
    (void)y;
    return input == 0 ? dy : NULL;
}

static atl_node *sample_group(atl_node *a, atl_node *b) { return atl_square(atl_group(a, b)); }

static const atl_op group_op = {.name = "group",
                                .arity = ATL_VARIADIC,
                                .flags = ATL_OP_ALIAS | ATL_OP_SIDE_EFFECT,
                                .infer = infer_group,
                                .gradient_of = group_gradient,
                                .reference = reference_group,
                                .samples = (const atl_sample[]){{"two", .binary = sample_group,
                                                                 .input = {{2, {2, 3}}, {1, {4}}}, .inputs = 2},
                                                                {0}}};
ATL_BUILTIN(group_op);

atl_node *atl_group_with(atl_nodes nodes) { return atl_apply_with(&group_op, NULL, nodes); }

/* check_finite(x) = x, or the run fails.  d/dx = 1 */
static int run_check(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const float *x = memory[step->read[0]];
    float *result = memory[step->write[0]];
    int64_t count = atl_shape_count(*y->shape);
    (void)bound;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i])) {
            char element[40] = "";
            if (count > 1)
                snprintf(element, sizeof element, ", element %lld,", (long long)i);
            atl_set_error(ATL_NOT_FINITE,
                          "'%s'%s is %g: nothing was assigned; atl_find_non_finite tells where it began",
                          atl_name_of(y->inputs[0]), element, (double)x[i]);
            return 1;
        }
        result[i] = x[i];
    }
    return 0;
}

static int lower_check(atl_lowering *lowering)
{
    atl_plan_step step = {.implementation = "check", .run = run_check, .data = (void *)atl_lowered_node(lowering)};
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.write[step.writes++] = atl_lower_output(lowering);
    atl_lower_in_place(lowering, 0);
    return atl_lower_step(lowering, &step);
}

static bool infer_check(atl_node *y) { return atl_require_float(y, 0, "what is to be finite") && atl_infer_same(y); }

static void reference_check(const atl_node *y, const double *const *x, double *result)
{
    memcpy(result, x[0], (size_t)atl_shape_count(*y->shape) * sizeof *result);
}

static atl_node *check_gradient(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}

static atl_node *sample_check(atl_node *x) { return atl_square(atl_check_finite(x)); }

static const atl_op check_op = {
    .name = "check_finite",
    .arity = 1,
    .flags = ATL_OP_SIDE_EFFECT,
    .infer = infer_check,
    .gradient = {check_gradient},
    .reference = reference_check,
    .samples = (const atl_sample[]){{"finite", .unary = sample_check, .input = {{2, {2, 3}}}, .inputs = 1},
                                    {"integers", .unary = atl_check_finite, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1,
                                     .error = "must be float32"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.lower = lower_check}};
ATL_BUILTIN(check_op);

atl_node *atl_check_finite(atl_node *x) { return ATL_APPLY(&check_op, NULL, x); }

/* increment(x) = x + 1, int32; the largest int32 stays. */
static bool infer_increment(atl_node *y) { return atl_require_int(y, 0, "what is to be counted") && atl_infer_same(y); }

static void reference_increment(const atl_node *y, const double *const *x, double *result)
{
    int64_t count = atl_shape_count(*y->shape);
    for (int64_t i = 0; i < count; i++)
        result[i] = x[0][i] < INT32_MAX ? x[0][i] + 1 : x[0][i];
}

static void kernel_increment(const atl_node *y, const void *const *x, void *result)
{
    int64_t count = atl_shape_count(*y->shape);
    const int32_t *from = x[0];
    for (int64_t i = 0; i < count; i++)
        ((int32_t *)result)[i] = from[i] < INT32_MAX ? from[i] + 1 : from[i];
}

static int lower_increment(atl_lowering *lowering)
{
    atl_lower_output(lowering);
    atl_lower_in_place(lowering, 0);
    return atl_lower_kernel(lowering);
}

static atl_node *sample_increment(atl_node *x) { return atl_increment(x); }

static const atl_op increment_op = {.name = "increment",
                                    .arity = 1,
                                    .infer = infer_increment,
                                    .reference = reference_increment,
                                    .kernel = kernel_increment,
                                    .samples =
                                        (const atl_sample[]){{"integers", .unary = sample_increment,
                                                              .input = {{2, {2, 3}, -9, 9, 1}}, .inputs = 1,
                                                              .no_gradient = 1},
                                                             {"floats", .unary = sample_increment, .input = {{1, {3}}},
                                                              .inputs = 1, .error = "must be int32"},
                                                             {0}},
                                    .hooks = &(const atl_op_hooks){.lower = lower_increment}};
ATL_BUILTIN(increment_op);

atl_node *atl_increment(atl_node *x) { return ATL_APPLY(&increment_op, NULL, x); }

atl_node *atl_step_counter(atl_graph *graph)
{
    if (!graph || graph->steps)
        return graph ? graph->steps : NULL;
    const char *scope = graph->scope;
    graph->scope = ""; /* one for the whole graph */
    graph->steps = atl_int_variable(graph, "steps", ATL_SCALAR, 0);
    if (graph->steps)
        graph->steps->storage->is_state = 1;
    graph->scope = scope;
    return graph->steps;
}

atl_node *atl_count_step(atl_graph *graph)
{
    if (!graph || graph->count_step)
        return graph ? graph->count_step : NULL;
    atl_node *steps = atl_step_counter(graph);
    return graph->count_step = atl_assign(steps, atl_increment(steps));
}

atl_node *atl_add_update(atl_node *assignment)
{
    if (!assignment)
        return NULL;
    atl_graph *graph = assignment->graph;
    if (!ATL_GROW(graph->updates, graph->update_count, graph->update_capacity))
        return atl_graph_out_of_memory(graph);
    return graph->updates[graph->update_count++] = assignment;
}

atl_nodes atl_updates(const atl_graph *graph)
{
    return graph ? (atl_nodes){graph->update_count, graph->updates} : (atl_nodes){0, NULL};
}
