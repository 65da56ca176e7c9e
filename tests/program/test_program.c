/* Programs: feeds and outputs, unknown batches, contexts, changing variables, and runs that allocate nothing. */
#include "graph/error.h"
#include "graph/memory.h"
#include "lowering/lowering.h"
#include "lowering/op_hooks.h"
#include "nets.h"

Test(program, a_run_allocates_nothing)
{
    small_net net = small_net_new(ATL_ANY, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss, net.by_image, net.by_filter));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(3, 8, 8, 3), -1, 1);
    cr_assert_eq(atl_run(program, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
    cr_assert(atl_value(program, net.by_image));
    int64_t before = atl_allocation_count();
    for (int i = 0; i < 5; i++)
        cr_assert_eq(atl_run(program, ATL_FEED(net.image, pixels)), ATL_OK);
    cr_assert(atl_value(program, net.by_image));
    cr_assert_eq(atl_allocation_count(), before);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

Test(program, batches_of_many_sizes_in_one_program)
{
    small_net net = small_net_new(ATL_ANY, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss, net.by_image));
    for (int i = 0; i < 25; i++) { /* more than are kept, and some again */
        int64_t batch = 1 + (int64_t)random_below(12);
        atl_tensor *pixels = random_tensor(ATL_SHAPE(batch, 8, 8, 3), -1, 1);
        assert_like_references(program, ATL_NODES(net.loss, net.by_image), ATL_FEED(net.image, pixels), 1e-5);
        atl_tensor_free(pixels);
    }
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* 1 if a run with this batch has its plan, and allocates nothing. */
static int is_kept(atl_program *program, const atl_node *image, int64_t batch)
{
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(batch, 8, 8, 3), -1, 1, 1);
    int64_t before = atl_allocation_count();
    cr_assert_eq(atl_run(program, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
    int kept = atl_allocation_count() == before;
    atl_tensor_free(pixels);
    return kept;
}

Test(program, the_shapes_used_last_are_kept)
{
    enum { KEPT = 8 /* program.c: KEPT_PLANS */ };
    small_net net = small_net_new(ATL_ANY, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    for (int64_t batch = 1; batch <= KEPT; batch++)
        cr_assert(!is_kept(program, net.image, batch));
    cr_assert(is_kept(program, net.image, 1));
    for (int64_t batch = KEPT + 1; batch <= KEPT + 3; batch++) /* 2, 3 and 4 are dropped, each for a new one */
        cr_assert(!is_kept(program, net.image, batch));
    for (int64_t batch = KEPT + 3; batch > 4; batch--)
        cr_expect(is_kept(program, net.image, batch), "batch %d", (int)batch);
    cr_expect(is_kept(program, net.image, 1));
    for (int64_t batch = 2; batch <= 4; batch++)
        cr_expect(!is_kept(program, net.image, batch), "batch %d", (int)batch);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

Test(program, a_changed_variable_counts)
{
    small_net net = small_net_new(1, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, 8, 8, 3), -1, 1);
    atl_node *filter = atl_find(net.graph, "third/weights");
    for (int i = 0; i < 3; i++) {
        atl_tensor *value = random_tensor(ATL_SHAPE(3, 3, 16, 16), -0.2f, 0.2f);
        cr_assert_eq(atl_variable_assign(filter, value), ATL_OK);
        assert_like_references(program, ATL_NODES(net.loss), ATL_FEED(net.image, pixels), 1e-5);
        atl_tensor_free(value);
    }
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

Test(program, states_are_independent)
{
    small_net net = small_net_new(ATL_ANY, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    atl_context *a = atl_context_new(program), *b = atl_context_new(program);
    atl_tensor *one = random_tensor(ATL_SHAPE(1, 8, 8, 3), -1, 1), *two = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    cr_assert_eq(atl_context_run(a, ATL_FEED(net.image, one)), ATL_OK);
    float before = atl_floats(atl_context_value(a, net.loss))[0];
    cr_assert_eq(atl_context_run(b, ATL_FEED(net.image, two)), ATL_OK);
    cr_assert_eq(atl_floats(atl_context_value(a, net.loss))[0], before);
    cr_assert_neq(atl_floats(atl_context_value(b, net.loss))[0], before);
    atl_context_free(a);
    atl_context_free(b);
    atl_tensor_free(one);
    atl_tensor_free(two);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

Test(program, wanted_inputs_variables_and_constants)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2)),
             *v = atl_variable(g, "v", ATL_SHAPE(2), atl_fill_with(3));
    atl_node *c = ATL_CONSTANT(x, 5, 6), *y = atl_reshape(x, ATL_SHAPE(2, 1));
    atl_program *program = atl_compile(g, ATL_NODES(x, v, c, y));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2), (float[]){1, 2});
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_floats(atl_value(program, x))[1], 2);
    cr_assert_eq(atl_scalar_of(program, v), 3);
    cr_assert_eq(atl_floats(atl_value(program, c))[1], 6);
    cr_assert_eq(atl_tensor_shape(atl_value(program, y)).rank, 2);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* ---- what bad input gets ----------------------------------------------------------------------------------------- */

static atl_graph *graph;
static atl_node *image, *result;
static atl_program *program;
static void open_program(void)
{
    graph = atl_graph_new();
    image = atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    result = atl_relu(image);
    program = atl_compile(graph, ATL_NODES(result));
}
static void close_program(void)
{
    atl_program_free(program);
    atl_graph_free(graph);
}
TestSuite(mistakes, .init = open_program, .fini = close_program);

static void assert_refused(const atl_feed *feeds, const char *text)
{
    cr_assert_neq(atl_run(program, feeds), ATL_OK);
    cr_assert_mentions(atl_error(), text);
    cr_assert_mentions(atl_graph_error(graph), text);
}

Test(mistakes, missing_feed) { assert_refused(ATL_NO_FEEDS, "input 'image' float32 [?, 4] is needed but not fed"); }
Test(mistakes, missing_feed_is_told_before_the_run)
{
    atl_node *other = atl_input(graph, "other", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4));
    atl_program *sum = atl_compile(graph, ATL_NODES(atl_add(image, other)));
    cr_assert_eq(atl_missing_feed(sum, ATL_NO_FEEDS), image, "the first of two");
    cr_assert_eq(atl_missing_feed(sum, ATL_FEED(image, value)), other);
    cr_assert_null(atl_missing_feed(sum, ATL_FEEDS({image, value}, {other, value})));
    cr_assert_null(atl_missing_feed(program, ATL_FEED(image, value)), "this program does not need the other one");
    cr_assert_null(atl_missing_feed(NULL, ATL_NO_FEEDS));
    atl_program_free(sum);
    atl_tensor_free(value);
}
Test(mistakes, wrong_shape)
{
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 5));
    assert_refused(ATL_FEED(image, value), "takes [?, 4], but the tensor is [2, 5]");
    atl_tensor_free(value);
}
Test(mistakes, wrong_type)
{
    atl_tensor *value = atl_tensor_new(ATL_INT32, ATL_SHAPE(2, 4));
    assert_refused(ATL_FEED(image, value), "takes float32, but the tensor is int32");
    atl_tensor_free(value);
}
Test(mistakes, fed_node_is_no_input)
{
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4));
    assert_refused(ATL_FEEDS({image, value}, {result, value}), "'relu' is not an input");
    atl_tensor_free(value);
}
Test(mistakes, null_tensor) { assert_refused(ATL_FEED(image, NULL), "is null"); }
Test(mistakes, fetch_of_another_graph)
{
    atl_graph *other = atl_graph_new();
    atl_node *stranger = atl_input(other, "stranger", ATL_FLOAT32, ATL_SCALAR);
    cr_assert_null(atl_value(program, stranger));
    cr_assert_mentions(atl_error(), "another graph");
    cr_assert_null(atl_compile(graph, ATL_NODES(stranger)));
    cr_assert_mentions(atl_graph_error(graph), "another graph");
    atl_graph_free(other);
}
Test(mistakes, fetch_of_what_is_not_wanted)
{
    cr_assert_null(atl_value(program, image));
    cr_assert_mentions(atl_error(), "not an output of this program");
}
/* The message is that of the run. */
Test(mistakes, fetch_after_a_failed_run)
{
    atl_tensor *good = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4)),
               *bad = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 5));
    for (int turn = 0; turn < 2; turn++) {
        assert_refused(ATL_FEED(image, bad), "takes [?, 4], but the tensor is [2, 5]");
        cr_assert(isnan(atl_scalar_of(program, result)));
        cr_assert_null(atl_value(program, image)); /* which is not wanted */
        cr_assert_mentions(atl_error(), "takes [?, 4], but the tensor is [2, 5]");
        atl_out_of_memory(); /* another failure since then */
        cr_assert_null(atl_value(program, result));
        cr_assert_mentions(atl_error(), "'relu' has none: the last run failed");
        cr_assert_eq(atl_run(program, ATL_FEED(image, good)), ATL_OK);
        cr_assert_eq(atl_scalar_of(program, result), 0);
    }
    atl_tensor_free(good);
    atl_tensor_free(bad);
}
Test(mistakes, fetch_before_the_first_run)
{
    cr_assert_null(atl_value(program, result));
    cr_assert_mentions(atl_error(), "has not run");
}
Test(mistakes, compile_tells_the_first_mistake)
{
    atl_node *bad =
        atl_add(atl_input(graph, "a", ATL_FLOAT32, ATL_SHAPE(3)), atl_input(graph, "b", ATL_FLOAT32, ATL_SHAPE(4)));
    cr_assert_null(bad);
    cr_assert_null(atl_relu(bad));
    cr_assert_null(atl_compile(graph, ATL_NODES(result)));
    cr_assert_mentions(atl_graph_error(graph), "[3]");
    cr_assert_mentions(atl_graph_error(graph), "[4]");
}
Test(mistakes, null_program)
{
    cr_assert_neq(atl_run(NULL, ATL_NO_FEEDS), ATL_OK);
    cr_assert_mentions(atl_error(), "atl_compile");
}

/* ---- failures that leave no message: mistakes of ours, which must not pass for a success ------------------------- */

static bool infer_like_input(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
static int fail_lowering(atl_lowering *lowering)
{
    (void)lowering;
    return 0;
}
static int fail_step(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)step, (void)memory, (void)bound;
    return 1;
}
static void *fail_binding(const atl_plan_step *step)
{
    (void)step;
    return NULL;
}
static int lower_step(atl_lowering *lowering, int binds)
{
    atl_plan_step step = {.implementation = "fails", .run = fail_step, .reads = 1, .bind = binds ? fail_binding : NULL};
    step.read[0] = atl_lower_input(lowering, 0);
    step.write[step.writes++] = atl_lower_output(lowering);
    return atl_lower_step(lowering, &step);
}
static int lower_failing_run(atl_lowering *lowering) { return lower_step(lowering, 0); }
static int lower_failing_binding(atl_lowering *lowering) { return lower_step(lowering, 1); }

static const atl_op mute_ops[] = {{.name = "mute_lowering",
                                   .arity = 1,
                                   .infer = infer_like_input,
                                   .hooks = &(const atl_op_hooks){.lower = fail_lowering}},
                                  {.name = "mute_step",
                                   .arity = 1,
                                   .infer = infer_like_input,
                                   .hooks = &(const atl_op_hooks){.lower = lower_failing_run}},
                                  {.name = "mute_binding",
                                   .arity = 1,
                                   .infer = infer_like_input,
                                   .hooks = &(const atl_op_hooks){.lower = lower_failing_binding}}};

Test(failures, without_a_message_say_so)
{
    for (int known = 0; known < 2; known++)
        for (int i = 0; i < 3; i++) {
            atl_graph *g = atl_graph_new();
            atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(known ? 2 : ATL_ANY)),
                     *y = atl_apply(&mute_ops[i], x);
            atl_tensor *value = random_tensor(ATL_SHAPE(2), -1, 1);
            for (int stale = 0; stale < 2; stale++) {
                if (stale)
                    atl_set_error(ATL_BAD_FILE, "an error of an earlier call");
                atl_program *p = atl_compile(g, ATL_NODES(y));
                cr_assert(!p || atl_run(p, ATL_FEED(x, value)) == ATL_INTERNAL);
                cr_assert_eq(atl_error_status(), ATL_INTERNAL);
                cr_assert_mentions(atl_error(), "without a reason");
                cr_assert_mentions(atl_graph_error(g), "without a reason");
                if (p)
                    cr_assert_null(atl_value(p, y));
                atl_program_free(p);
            }
            atl_tensor_free(value);
            atl_graph_free(g);
        }
}
