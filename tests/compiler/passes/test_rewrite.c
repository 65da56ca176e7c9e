/* The passes together: no set of them changes a result. */
#include "passes.h"

Test(rewrite, every_set_of_passes_gives_the_same)
{
    small_net net = small_net_new(2, 8);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    int64_t with_all = run_without(&net, pixels, 0, NULL);
    for (unsigned without = 1; without < 128; without++)
        cr_assert_geq(run_without(&net, pixels, without, NULL), with_all, "without %u", without);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}

Test(rewrite, the_same_run_gives_the_same_bits)
{
    atl_tensor *first, *second;
    for (int i = 0; i < 2; i++) {
        small_net net = small_net_new(2, 8);
        atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1, 7);
        run_without(&net, pixels, 0, i ? &second : &first);
        atl_tensor_free(pixels);
        atl_graph_free(net.graph);
    }
    cr_assert_eq(memcmp(atl_floats(first), atl_floats(second), 2 * 8 * 8 * 3 * sizeof(float)), 0);
    atl_tensor_free(first);
    atl_tensor_free(second);
}

Test(rewrite, without_any_pass)
{
    counted with, without;
    compare_without(~0u, &with, &without);
    cr_assert_lt(with.always, without.always);
    cr_assert_lt(with.arena, without.arena);
}

/* ---- side effects ------------------------------------------------------------------------------------------------ */

static atl_node *as_it_is(atl_node *step) { return step; }
static atl_node *reshaped(atl_node *step) { return atl_reshape(step, ATL_SHAPE(1)); }
static atl_node *reshaped_back(atl_node *step) { return atl_reshape(atl_reshape(step, ATL_SHAPE(1, 1)), ATL_SCALAR); }
static atl_node *expanded(atl_node *step) { return atl_expand_dims(step, 0); }
static atl_node *squeezed(atl_node *step) { return atl_squeeze(atl_expand_dims(step, 0), 0); }
static atl_node *flattened(atl_node *step) { return atl_flatten(atl_expand_dims(step, 0)); }
static atl_node *stacked(atl_node *step) { return atl_stack(0, step, atl_scalar(step, 7)); }
static atl_node *concatenated(atl_node *step)
{
    return atl_concat(0, atl_expand_dims(step, 0), atl_expand_dims(atl_square(step), 0));
}
static atl_node *sliced_off(atl_node *step) { return atl_slice(stacked(step), .begin = {1}); }
static atl_node *scaled(atl_node *step) { return atl_scale(atl_reshape(step, ATL_SHAPE(1)), 2); }
static atl_node *summed(atl_node *step) { return atl_sum(atl_reshape(step, ATL_SHAPE(1, 1))); }
static atl_node *broadcast(atl_node *step) { return atl_sum(atl_broadcast_to(step, ATL_SHAPE(3, 2))); }
static atl_node *grouped_again(atl_node *step) { return atl_reshape(atl_group(atl_square(step), step), ATL_SHAPE(1)); }
static atl_node *to_no_power(atl_node *step) { return atl_pow(step, atl_scalar(step, 0)); }
static atl_node *not_chosen(atl_node *step) { return atl_select(atl_scalar(step, 1), atl_scalar(step, 5), step); }
static atl_node *asked(atl_node *step) { return atl_select(step, atl_scalar(step, 5), atl_scalar(step, 5)); }
static atl_node *compared_with_itself(atl_node *step) { return atl_maximum(step, step); }
static atl_node *in_a_chain(atl_node *step) { return atl_tanh(atl_add(atl_exp(atl_neg(step)), step)); }

/* The output depends on a training step, in several ways. */
static const struct {
    const char *about;
    atl_node *(*build)(atl_node *step);
} uses[] = {{"as it is", as_it_is},
            {"reshaped", reshaped},
            {"reshaped there and back", reshaped_back},
            {"expanded", expanded},
            {"squeezed", squeezed},
            {"flattened", flattened},
            {"stacked", stacked},
            {"concatenated", concatenated},
            {"stacked, and the other part taken", sliced_off},
            {"scaled", scaled},
            {"summed", summed},
            {"broadcast", broadcast},
            {"in another group", grouped_again},
            {"to the power 0", to_no_power},
            {"not chosen", not_chosen},
            {"a condition that does not matter", asked},
            {"the larger of itself", compared_with_itself},
            {"in a chain", in_a_chain}};
enum { USES = sizeof uses / sizeof *uses };

/* The value, and the weight after one step. */
static void train_once(int use, unsigned disabled, float *value_out, float *weight_out)
{
    atl_graph *g = atl_graph_new();
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3), atl_fill_with(1));
    atl_node *y = uses[use].build(atl_minimize(atl_sum(atl_square(w)), atl_sgd(.rate = 0.1f)));
    atl_program *p = atl_compile(g, ATL_NODES(y), .disabled_passes = disabled);
    cr_assert(p, "%s: %s", uses[use].about, atl_error());
    cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK, "%s: %s", uses[use].about, atl_error());
    *value_out = atl_scalar_of(p, y);
    *weight_out = atl_floats(atl_variable_value(w))[0];
    atl_program_free(p);
    atl_graph_free(g);
}

Test(rewrite, no_pass_loses_an_assignment)
{
    for (int use = 0; use < USES; use++) {
        float value, expected, weight;
        train_once(use, ~0u, &expected, &weight);
        cr_expect_float_eq(weight, 0.8f, 1e-6f, "%s, without any pass: w is %g", uses[use].about, (double)weight);
        for (int k = -1; k < 12; k++) {
            unsigned disabled = k < 0 ? 0 : 1u << k;
            train_once(use, disabled, &value, &weight);
            cr_expect_float_eq(value, expected, 1e-6f, "%s, without %u: %g, not %g", uses[use].about, disabled,
                               (double)value, (double)expected);
            cr_expect_float_eq(weight, 0.8f, 1e-6f, "%s, without %u: w is %g", uses[use].about, disabled,
                               (double)weight);
        }
    }
}

static int calls;
static double counting(double x)
{
    calls++;
    return 2 * x;
}
static const atl_op counting_op = {.name = "counting", .arity = 1, .flags = ATL_OP_SIDE_EFFECT, .function = counting};

/* Each of these uses the node: it runs once per run, and never while compiling. */
static atl_node *of_a_number(atl_node *x) { return atl_add(x, atl_apply(&counting_op, atl_scalar(x, 3))); }
static atl_node *power_of_it(atl_node *x) { return atl_add(x, to_no_power(atl_apply(&counting_op, atl_scalar(x, 3)))); }
static atl_node *of_the_repeated(atl_node *x)
{
    return atl_sum(atl_apply(&counting_op, atl_broadcast_to(atl_sum(x), ATL_SHAPE(1))));
}

Test(rewrite, an_op_with_a_side_effect_runs_in_each_run)
{
    atl_node *(*const builds[])(atl_node *) = {of_a_number, power_of_it, of_the_repeated};
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++)
        for (int k = -1; k < 12; k++) {
            atl_graph *g = atl_graph_new();
            atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2)), *y = builds[i](x);
            atl_tensor *value = random_tensor(ATL_SHAPE(2), -1, 1);
            calls = 0;
            atl_program *p = atl_compile(g, ATL_NODES(y), .disabled_passes = k < 0 ? 0 : 1u << k);
            cr_assert(p, "%s", atl_graph_error(g));
            cr_expect_eq(calls, 0, "build %zu without pass %d: called while compiling", i, k);
            for (int run = 0; run < 5; run++)
                cr_assert_eq(atl_run(p, ATL_FEED(x, value)), ATL_OK);
            cr_expect_eq(calls, 5, "build %zu without pass %d: called %d times in five runs", i, k, calls);
            atl_program_free(p);
            atl_tensor_free(value);
            atl_graph_free(g);
        }
}
