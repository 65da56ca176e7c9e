/* A whole training step: the golden run, clipping, averages, decay, resuming, failing. */
#include "support.h"

#include "graph/memory.h"

/* ---- conv relu conv relu max-pool conv relu, mean squared error, three steps of Adam ----------------------------- */

static atl_npz *golden;

static atl_tensor *golden_value(const char *name)
{
    atl_tensor *value = atl_npz_read(golden, name);
    cr_assert(value, "%s", atl_error());
    return value;
}

static void set_from_golden(atl_node *variable)
{
    atl_tensor *value = golden_value(ATL_NAME("before/%s", atl_name_of(variable)));
    cr_assert_eq(atl_variable_assign(variable, value), ATL_OK, "%s", atl_error());
    atl_tensor_free(value);
}

static atl_node *conv_relu(atl_node *x, int i, int64_t in, int64_t out)
{
    atl_graph *g = atl_graph_of(x);
    atl_node *w = atl_variable(g, ATL_NAME("W%d", i), ATL_SHAPE(3, 3, in, out), atl_he());
    atl_node *b = atl_variable(g, ATL_NAME("b%d", i), ATL_SHAPE(out), atl_zeros());
    set_from_golden(w);
    set_from_golden(b);
    return atl_relu(atl_bias_add(atl_conv2d(x, w), b));
}

static void assert_near(const atl_tensor *value, atl_tensor *expected, double bound, const char *what)
{
    cr_assert_leq(largest_difference(value, expected), bound, "%s: off by %g", what,
                  largest_difference(value, expected));
    atl_tensor_free(expected);
}

Test(minimize, golden_adam)
{
    golden = atl_npz_open(data_file("goldens/conv3_adam.npz"));
    cr_assert(golden);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 1));
    atl_node *target = atl_input(g, "target", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 14, 14, 1));
    atl_node *h = conv_relu(conv_relu(image, 1, 1, 8), 2, 8, 8);
    atl_node *y = conv_relu(atl_max_pool2d(h, .window = {2, 2}), 3, 8, 1);
    atl_node *step = atl_minimize(atl_mean_squared_error(y, target), atl_adam(.rate = 0.01));
    atl_program *program = atl_compile(g, ATL_NODES(step));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *x = golden_value("image"), *t = golden_value("target"), *losses = golden_value("losses");
    for (int n = 0; n < 3; n++) {
        cr_assert_eq(atl_run(program, ATL_FEEDS({image, x}, {target, t})), ATL_OK, "%s", atl_error());
        cr_assert_float_eq(atl_scalar_of(program, step), atl_floats(losses)[n], 1e-5, "loss %d is %.8g, not %.8g", n,
                           atl_scalar_of(program, step), atl_floats(losses)[n]);
    }
    static const char *const names[] = {"W1", "b1", "W2", "b2", "W3", "b3"};
    for (int i = 0; i < 6; i++)
        assert_near(atl_variable_value(atl_find(g, names[i])), golden_value(ATL_NAME("after/%s", names[i])), 1e-5,
                    names[i]);
    cr_assert_eq(atl_ints(atl_variable_value(atl_step_counter(g)))[0], 3);
    atl_tensor_free(x);
    atl_tensor_free(t);
    atl_tensor_free(losses);
    atl_program_free(program);
    atl_npz_close(golden);
    atl_graph_free(g);
}

/* ---- a small problem: cost = sum(a * x) + sum(b * x) ------------------------------------------------------------- */

static atl_graph *g;
static atl_node *x, *a, *b, *cost; /* [4] each; a is 1, b is 2 */
static const float numbers[] = {3, 0, -4, 0}, infinite[] = {1, 2, INFINITY, 3};

static void set_up(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4));
    a = atl_variable(g, "a", ATL_SHAPE(4), atl_fill_with(1));
    b = atl_variable(g, "b", ATL_SHAPE(4), atl_fill_with(2));
    cost = atl_named(atl_sum(atl_mul(atl_add(a, b), x)), "cost");
}

static void tear_down(void) { atl_graph_free(g); }
TestSuite(step, .init = set_up, .fini = tear_down);

static float element(const atl_node *variable, int i) { return atl_floats(atl_variable_value(variable))[i]; }

static atl_status run_on(atl_node *node, const float *values, int times)
{
    atl_tensor *fed = atl_tensor_of_floats(ATL_SHAPE(4), values);
    atl_program *p = atl_compile(g, ATL_NODES(node));
    cr_assert(p, "%s", atl_graph_error(g));
    atl_status status = ATL_OK;
    for (int n = 0; !status && n < times; n++)
        status = atl_run(p, ATL_FEED(x, fed));
    atl_program_free(p);
    atl_tensor_free(fed);
    return status;
}

#define assert_step(node, a0, a2)                                                                                      \
    do {                                                                                                               \
        cr_assert_eq(run_on((node), numbers, 1), ATL_OK, "%s", atl_error());                                           \
        cr_assert_float_eq(element(a, 0), (a0), 1e-6, "a[0] is %g", (double)element(a, 0));                            \
        cr_assert_float_eq(element(a, 2), (a2), 1e-6, "a[2] is %g", (double)element(a, 2));                            \
    } while (0)

Test(step, plain) { assert_step(atl_minimize(cost, atl_sgd(.rate = 0.1)), 1 - 0.3, 1 + 0.4); }
Test(step, clipped_by_value) { assert_step(atl_minimize(cost, atl_sgd(.rate = 1), .clip_value = 0.5f), 0.5, 1.5); }
Test(step, clipped_by_norm) { assert_step(atl_minimize(cost, atl_sgd(.rate = 1), .clip_norm = 1), 1 - 0.6, 1 + 0.8); }
Test(step, a_small_gradient_is_not_clipped)
{
    assert_step(atl_minimize(cost, atl_sgd(.rate = 1), .clip_norm = 50), -2, 5);
}
Test(step, clipped_by_global_norm) /* sqrt(2 * 25) */
{
    assert_step(atl_minimize(cost, atl_sgd(.rate = 1), .clip_global_norm = 1), 1 - 3 / sqrt(50), 1 + 4 / sqrt(50));
}
Test(step, by_a_schedule)
{
    assert_step(atl_minimize(cost, atl_sgd(atl_exponential_decay(g, 0.1f, .every = 1000, .factor = 0.9f))), 0.7, 1.4);
}

Test(step, variables_know_their_rate)
{
    atl_variable_set_rate_scale(a, 0.5f);
    atl_variable_set_trainable(b, 0);
    assert_step(atl_minimize(cost, atl_adam(.rate = 0.1)), 1 - 0.05, 1 + 0.05);
    cr_assert_eq(element(b, 0), 2);
    cr_assert_null(atl_find(g, "b/adam/m"));
    cr_assert_not_null(atl_find(g, "a/adam/m"));
}

Test(step, of_the_variables_that_are_named)
{
    assert_step(atl_minimize(cost, atl_sgd(.rate = 0.1), .variables = ATL_NODES(a)), 0.7, 1.4);
    cr_assert_eq(element(b, 0), 2);
}

Test(step, slots_are_no_variables_of_the_model)
{
    cr_assert(atl_minimize(cost, atl_adam(), .average = 0.9f));
    atl_node *m = atl_find(g, "a/adam/m"), *v = atl_find(g, "b/adam/v"), *average = atl_average_of(a);
    cr_assert(m && v && average);
    cr_assert(atl_variable_is_state(m) && atl_variable_is_state(average) && !atl_variable_is_trainable(v));
    cr_assert(atl_variable_is_state(atl_step_counter(g)) && !atl_variable_is_state(a));
}

/* A value that is not finite changes nothing, and the run reports it. */
Test(step, a_bad_cost_changes_nothing)
{
    atl_node *step = atl_minimize(cost, atl_adam(), .average = 0.9f);
    cr_assert_eq(run_on(step, numbers, 2), ATL_OK);
    float before = element(a, 0), average = element(atl_average_of(a), 0), m = element(atl_find(g, "a/adam/m"), 0);
    cr_assert_eq(run_on(step, infinite, 1), ATL_NOT_FINITE);
    cr_assert_mentions(atl_error(), "'cost' is inf");
    cr_assert(element(a, 0) == before && element(atl_average_of(a), 0) == average &&
              element(atl_find(g, "a/adam/m"), 0) == m);
    cr_assert_eq(atl_ints(atl_variable_value(atl_step_counter(g)))[0], 2);
}

/* sqrt at 0: the cost is finite, its gradient is not. */
Test(step, gradients_can_be_checked)
{
    atl_node *zero = atl_variable(g, "zero", ATL_SHAPE(4), atl_zeros());
    atl_node *step = atl_minimize(atl_add(cost, atl_sum(atl_sqrt(zero))), atl_sgd(), .check_gradients = 1);
    cr_assert_eq(run_on(step, numbers, 1), ATL_NOT_FINITE);
    cr_assert_mentions(atl_error(), "gradients");
    cr_assert(element(zero, 0) == 0 && element(a, 0) == 1);
}

Test(step, mistakes_are_named)
{
    cr_assert_null(atl_minimize(NULL, atl_sgd()));
    cr_assert_null(atl_minimize(a, atl_sgd()));
    cr_assert_mentions(atl_error(), "'a', is [4], but must be a single number");
    cr_assert_null(atl_minimize(cost));
    cr_assert_mentions(atl_error(), "no optimizer");
    cr_assert_null(atl_minimize(cost, atl_sgd(x)));
    cr_assert_mentions(atl_error(), "learning rate, 'x', is [4]");
    cr_assert_null(atl_minimize(cost, atl_sgd(), .variables = ATL_NODES(x)));
    cr_assert_mentions(atl_error(), "'x' is not a float32 variable");
    cr_assert_mentions(atl_graph_error(g), "'a', is [4]");
}

Test(step, there_must_be_something_to_train)
{
    cr_assert_null(atl_minimize(atl_sum(x), atl_sgd()));
    cr_assert_mentions(atl_error(), "no trainable variable");
}

/* Two optimizers in one program: one for a, one for b; the step counts once. */
Test(step, two_optimizers_count_once)
{
    atl_node *first = atl_minimize(cost, atl_sgd(.rate = 0.1), .variables = ATL_NODES(a));
    atl_node *second = atl_minimize(atl_neg(cost), atl_adam(.rate = 0.1), .variables = ATL_NODES(b));
    cr_assert_eq(run_on(atl_group(first, second), numbers, 2), ATL_OK, "%s", atl_error());
    cr_assert_float_eq(element(a, 0), 1 - 0.6, 1e-6);
    cr_assert_float_eq(element(b, 0), 2.2, 1e-5);
    cr_assert_eq(atl_ints(atl_variable_value(atl_step_counter(g)))[0], 2);
}

Test(step, updates_of_layers_are_part_of_it)
{
    atl_node *seen = atl_variable_set_trainable(atl_variable(g, "seen", ATL_SHAPE(4), atl_zeros()), 0);
    atl_add_update(atl_assign(seen, x));
    cr_assert_eq(run_on(atl_minimize(cost, atl_sgd()), numbers, 1), ATL_OK);
    cr_assert_eq(element(seen, 2), -4);
}

/* ---- resuming ---------------------------------------------------------------------------------------------------- */

typedef struct session {
    atl_graph *graph;
    atl_node *image, *label, *step;
    atl_program *program;
} session;

static session new_session(void)
{
    session s = {.graph = atl_graph_new()};
    atl_set_seed(s.graph, 5);
    s.image = atl_input(s.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 6, 6, 2));
    s.label = atl_input(s.graph, "label", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *h = atl_conv_layer(s.image, "conv", 4, .window = {3, 3}, .activation = atl_relu);
    h = atl_dropout(atl_flatten(h), .rate = 0.3f);
    h = atl_dense_layer(h, "out", 3);
    atl_variable_set_decay(atl_find(s.graph, "out/weights"), 0.01f);
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(h, s.label));
    atl_node *rate = atl_warm_up(atl_exponential_decay(s.graph, 0.1f, .every = 4, .factor = 0.9f, .staircase = 1), 3);
    s.step =
        atl_minimize(atl_add(loss, atl_weight_decay(s.graph)), atl_adam(rate), .average = 0.9f, .clip_global_norm = 1);
    s.program = atl_compile(s.graph, ATL_NODES(s.step));
    cr_assert(s.program, "%s", atl_graph_error(s.graph));
    return s;
}

static void end_session(session s)
{
    atl_program_free(s.program);
    atl_graph_free(s.graph);
}

/* Steps first, first + 1, ... before last, each with data of its own. */
static void train(session s, int first, int last)
{
    for (int n = first; n < last; n++) {
        atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(5, 6, 6, 2), -1, 1, (uint64_t)n + 1);
        atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(5));
        for (int i = 0; i < 5; i++)
            atl_ints(labels)[i] = (n + i) % 3;
        cr_assert_eq(atl_run(s.program, ATL_FEEDS({s.image, pixels}, {s.label, labels})), ATL_OK, "%s", atl_error());
        atl_tensor_free(pixels);
        atl_tensor_free(labels);
    }
}

Test(minimize, ten_steps_are_five_saved_loaded_and_five_more)
{
    session whole = new_session(), first = new_session(), second = new_session();
    const char *path = scratch_file("checkpoint.npz");
    train(whole, 0, 10);
    train(first, 0, 5);
    cr_assert_eq(atl_save_npz(first.graph, path), ATL_OK, "%s", atl_error());
    train(first, 5, 7); /* unsaved values do not matter */
    cr_assert_eq(atl_load_npz(second.graph, path), ATL_OK, "%s", atl_error());
    train(second, 5, 10);
    int64_t count = atl_variables(whole.graph).count;
    atl_node *const *variable = atl_variables(whole.graph).node;
    cr_assert_eq(count, 4 * 4 + 1);
    for (int64_t i = 0; i < count; i++) {
        const atl_tensor *want = atl_variable_value(variable[i]);
        const atl_tensor *have = atl_variable_value(atl_find(second.graph, atl_name_of(variable[i])));
        size_t bytes = (size_t)atl_tensor_count(want) * 4;
        const void *p = atl_tensor_dtype(want) == ATL_INT32 ? (const void *)atl_ints(want) : atl_floats(want);
        const void *q = atl_tensor_dtype(have) == ATL_INT32 ? (const void *)atl_ints(have) : atl_floats(have);
        cr_assert(memcmp(p, q, bytes) == 0, "'%s' differs after resuming", atl_name_of(variable[i]));
    }
    end_session(whole);
    end_session(first);
    end_session(second);
}

Test(minimize, a_step_allocates_nothing)
{
    session s = new_session();
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(5, 6, 6, 2), -1, 1, 1),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(5));
    cr_assert_eq(atl_run(s.program, ATL_FEEDS({s.image, pixels}, {s.label, labels})), ATL_OK);
    int64_t before = atl_allocation_count();
    for (int n = 0; n < 5; n++)
        cr_assert_eq(atl_run(s.program, ATL_FEEDS({s.image, pixels}, {s.label, labels})), ATL_OK);
    cr_assert_eq(atl_allocation_count(), before);
    atl_tensor_free(pixels);
    atl_tensor_free(labels);
    end_session(s);
}

/* One step computes the new values of a variable and of all its slots, in place: it reads the gradient, the variable
 * and the slots, and writes the latter two. */
static void assert_one_pass(atl_optimizer optimizer, int slots)
{
    enum { ROWS = 300, COLUMNS = 200, BYTES = ROWS * COLUMNS * 4 };
    atl_graph *graph = atl_graph_new();
    atl_node *batch = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(8, ROWS));
    atl_node *w = atl_variable(graph, "w", ATL_SHAPE(ROWS, COLUMNS), atl_glorot());
    atl_variable_set_decay(w, 0.1f);
    atl_node *loss = atl_add(atl_mean(atl_square(atl_matmul(batch, w))), atl_weight_decay(graph));
    atl_program *program = atl_compile(graph, ATL_NODES(atl_minimize(loss, optimizer)), .check = -1);
    cr_assert(program, "%s", atl_graph_error(graph));
    int passes = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        if (info.shape.rank != 2 || info.shape.size[0] != ROWS || strcmp(info.op, "matmul") == 0)
            continue;
        passes++;
        cr_assert_str_eq(info.implementation, "fused");
        cr_assert_leq(info.bytes, (3 + 2 * slots) * (int64_t)BYTES + 100, "%s: %lld bytes", optimizer.rule->name,
                      (long long)info.bytes);
    }
    cr_assert_eq(passes, 1, "%s: %d passes over a variable", optimizer.rule->name, passes);
    atl_program_free(program);
    atl_graph_free(graph);
}

Test(minimize, a_variable_is_updated_in_one_pass)
{
    assert_one_pass(atl_sgd(), 0);
    assert_one_pass(atl_momentum(), 1);
    assert_one_pass(atl_nesterov(), 1);
    assert_one_pass(atl_rmsprop(), 1);
    assert_one_pass(atl_rmsprop(.momentum = 0.9), 2);
    assert_one_pass(atl_adagrad(), 1);
    assert_one_pass(atl_adam(), 2);
}
