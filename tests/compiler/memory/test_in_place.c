/* Results that overwrite operands, and the variables to which they are assigned. */
#include "passes.h"

#include "lowering/lowering.h"
#include "lowering/op_hooks.h"

Test(in_place, results_take_the_place_of_operands)
{
    counted with, without;
    compare_without(ATL_PASS_IN_PLACE, &with, &without);
    cr_assert_eq(with.always, without.always);
    cr_assert_leq(with.arena, without.arena);
}

/* Op by op: one array if results are in place, otherwise two. */
Test(in_place, a_chain_in_place_needs_one_array)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = x;
    for (int i = 0; i < 5; i++)
        y = atl_sin(y);
    atl_program *with = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE),
                *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE | ATL_PASS_IN_PLACE);
    atl_tensor *value = random_tensor(ATL_SHAPE(1000), -1, 1);
    cr_assert_eq(atl_run(with, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(atl_run(without, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(memcmp(atl_floats(atl_value(with, y)), atl_floats(atl_value(without, y)), 1000 * sizeof(float)), 0);
    cr_assert_lt(atl_program_arena_bytes(with), 5000);
    cr_assert_geq(atl_program_arena_bytes(without), 8000);
    atl_tensor_free(value);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

/* Two steps of gradient descent, with and without overwriting the old weights. */
Test(in_place, assignments_in_place_and_not)
{
    float last[2];
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 8)),
                 *w = atl_variable(g, "w", ATL_SHAPE(8, 3), atl_he());
        atl_node *loss = atl_sum(atl_square(atl_tanh(atl_matmul(x, w))));
        atl_node *step = atl_assign(w, atl_sub(w, atl_scale(atl_gradient(loss, w), 0.1f)));
        atl_program *program = atl_compile(g, ATL_NODES(loss, step), .disabled_passes = i ? ATL_PASS_IN_PLACE : 0);
        atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(4, 8), -1, 1, 3);
        for (int run = 0; run < 3; run++)
            cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        last[i] = atl_scalar_of(program, loss);
        atl_tensor_free(value);
        atl_program_free(program);
        atl_graph_free(g);
    }
    cr_assert_eq(last[0], last[1]);
}

/* ---- an operand that is read through another one, too ------------------------------------------------------------ */

/* y[i] = a[i] + b[n - 1 - i], which may overwrite a. */
static int run_reversed_sum(const atl_plan_step *step, void *const *memory, void *bound)
{
    const float *a = memory[step->read[0]], *b = memory[step->read[1]];
    float *y = memory[step->write[0]];
    int64_t n = atl_shape_count(*((const atl_node *)step->data)->shape);
    (void)bound;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[n - 1 - i];
    return 0;
}

static int lower_reversed_sum(atl_lowering *lowering)
{
    atl_plan_step step = {.implementation = "reversed sum", .run = run_reversed_sum, .cannot_fail = 1, .reads = 2};
    step.data = (void *)atl_lowered_node(lowering);
    step.read[0] = atl_lower_input(lowering, 0);
    step.read[1] = atl_lower_input(lowering, 1);
    step.write[step.writes++] = atl_lower_output(lowering);
    atl_lower_over(lowering, step.write[0], step.read[0]);
    return atl_lower_step(lowering, &step);
}

static bool infer_reversed_sum(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }

static const atl_op reversed_sum_op = {.name = "reversed_sum",
                                       .arity = 2,
                                       .infer = infer_reversed_sum,
                                       .hooks = &(const atl_op_hooks){.lower = lower_reversed_sum}};

/* Compares reversed_sum(sin(x), other(sin(x))) with and without results in place. */
static void compare_reversed_sum(atl_node *(*other)(atl_node *x))
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *a = atl_sin(x);
    atl_node *y = atl_apply(&reversed_sum_op, a, other(a));
    atl_program *with = atl_compile(g, ATL_NODES(y)),
                *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_IN_PLACE);
    cr_assert(with && without, "%s", atl_graph_error(g));
    atl_tensor *value = random_tensor(ATL_SHAPE(1000), -1, 1);
    assert_same_values(with, without, ATL_NODES(y), ATL_FEED(x, value), 0);
    atl_tensor_free(value);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

static atl_node *itself(atl_node *x) { return x; }
static atl_node *reshaped_twice(atl_node *x)
{
    return atl_reshape(atl_reshape(x, ATL_SHAPE(10, 100)), ATL_SHAPE(1000));
}
static atl_node *grouped(atl_node *x) { return atl_group(x); }

Test(in_place, not_where_the_same_memory_is_read_in_another_order) { compare_reversed_sum(itself); }
Test(in_place, not_where_it_is_read_under_another_shape) { compare_reversed_sum(reshaped_twice); }
Test(in_place, not_where_it_is_read_as_a_group) { compare_reversed_sum(grouped); }

/* w becomes w[i] + w[n - 1 - i]: not in place. */
Test(in_place, not_where_an_assigned_variable_is_read_in_another_order)
{
    atl_graph *g = atl_graph_new();
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(100), atl_uniform(-1, 1));
    atl_tensor *before = atl_tensor_copy(atl_variable_value(w));
    atl_program *program = atl_compile(g, ATL_NODES(atl_assign(w, atl_apply(&reversed_sum_op, w, w))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 100; i++)
        cr_assert_eq(atl_floats(atl_variable_value(w))[i], atl_floats(before)[i] + atl_floats(before)[99 - i]);
    atl_tensor_free(before);
    atl_program_free(program);
    atl_graph_free(g);
}

/* A convolution whose residual is its own image, or contains that image as a part, and the gradient of such a block:
 * large enough for our own kernels, which compute tile by tile. */
static void compare_residual_block(int64_t channels, int with_gradient, int concatenated)
{
    atl_graph *g = atl_graph_new();
    atl_node *pixels = atl_input(g, "pixels", ATL_FLOAT32, ATL_SHAPE(1, 40, 40, 3));
    atl_node *x = atl_conv_layer(pixels, "first", .channels = channels, .window = {3, 3}, .activation = atl_relu);
    atl_node *image = x;
    if (concatenated) { /* two convolutions, written into the concat that is the residual */
        atl_node *more = atl_conv_layer(pixels, "more", .channels = channels, .window = {3, 3}, .activation = atl_relu);
        x = atl_concat(3, x, more);
    }
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 3, channels, concatenated ? 2 * channels : channels), atl_he());
    atl_node *y = atl_add(atl_conv2d(image, w), x);
    if (with_gradient)
        y = atl_gradient(atl_sum(atl_square(atl_relu(y))), image);
    atl_program *with = atl_compile(g, ATL_NODES(y)),
                *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_IN_PLACE);
    cr_assert(with && without, "%s", atl_graph_error(g));
    atl_tensor *value = random_tensor(ATL_SHAPE(1, 40, 40, 3), -1, 1);
    assert_same_values(with, without, ATL_NODES(y), ATL_FEED(pixels, value), 1e-6);
    atl_tensor_free(value);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

Test(in_place, residual_blocks_of_one_convolution)
{
    for (int64_t channels = 16; channels <= 64; channels += 16)
        for (int with_gradient = 0; with_gradient < 2; with_gradient++)
            for (int concatenated = 0; concatenated < 2; concatenated++)
                compare_residual_block(channels, with_gradient, concatenated);
}
