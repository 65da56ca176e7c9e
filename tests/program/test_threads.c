/* Threads that share one run, and contexts that share one program. */
#include <omp.h>

#include "nets.h"
#include "compiler/plan/plan.h"

/* ---- threads of one run ------------------------------------------------------------------------------------------ */

/* Loss and both gradients of a net, one after the other, as one vector. */
static atl_tensor *results_with(const small_net *net, const atl_tensor *pixels, int threads)
{
    atl_program *program =
        atl_compile(net->graph, ATL_NODES(net->loss, net->by_image, net->by_filter), .threads = threads);
    cr_assert(program, "%s", atl_graph_error(net->graph));
    cr_assert_eq(atl_program_threads(program), threads);
    cr_assert_eq(atl_run(program, ATL_FEED(net->image, pixels)), ATL_OK, "%s", atl_error());
    const atl_tensor *of[] = {atl_value(program, net->loss), atl_value(program, net->by_image),
                              atl_value(program, net->by_filter)};
    int64_t count = 0, at = 0;
    for (int i = 0; i < 3; i++)
        count += atl_tensor_count(of[i]);
    atl_tensor *all = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(count));
    for (int i = 0; i < 3; at += atl_tensor_count(of[i++]))
        memcpy(atl_floats(all) + at, atl_floats(of[i]), (size_t)atl_tensor_count(of[i]) * sizeof(float));
    atl_program_free(program);
    return all;
}

Test(threads, the_same_number_gives_the_same_bits)
{
    small_net net = small_net_new(5, 32); /* large enough for loops to be divided */
    atl_tensor *pixels = random_tensor(ATL_SHAPE(5, 32, 32, 3), -1, 1), *of[4] = {0};
    for (int threads = 1; threads <= 3; threads++) {
        atl_tensor *first = results_with(&net, pixels, threads), *second = results_with(&net, pixels, threads);
        cr_assert_eq(memcmp(atl_floats(first), atl_floats(second), (size_t)atl_tensor_count(first) * sizeof(float)), 0,
                     "%d threads", threads);
        of[threads] = first;
        cr_assert_close(first, of[1], 1e-5);
        atl_tensor_free(second);
    }
    for (int i = 1; i < 4; i++)
        atl_tensor_free(of[i]);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}

/* A user's op that reports the number of threads that its loops would use. */
static void count_threads(const atl_node *y, const void *const *x, void *result)
{
    (void)y;
    (void)x;
    *(float *)result = (float)omp_get_max_threads();
}
static bool infer_scalar(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SCALAR); }
static const atl_op count_op = {.name = "threads", .arity = 1, .infer = infer_scalar, .kernel = count_threads};

Test(threads, a_run_has_its_own_and_leaves_the_callers)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *y = atl_apply(&count_op, x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SCALAR, (float[]){1});
    int before = omp_get_max_threads();
    atl_program *three = atl_compile(g, ATL_NODES(y), .threads = 3), *all = atl_compile(g, ATL_NODES(y));
    cr_assert(three && all, "%s", atl_graph_error(g));
    cr_assert_eq(omp_get_max_threads(), before);
    cr_assert_eq(atl_run(three, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(omp_get_max_threads(), before);
    cr_assert_eq(atl_scalar_of(three, y), 3);
    omp_set_num_threads(before + 1); /* has no effect on a compiled program */
    cr_assert_eq(atl_run(all, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(atl_scalar_of(all, y), (float)before);
    cr_assert_eq(atl_program_threads(all), before);
    cr_assert_eq(omp_get_max_threads(), before + 1);
    cr_assert_eq(atl_program_profile(three, ATL_FEED(x, value), 2), ATL_OK);
    cr_assert_eq(atl_scalar_of(three, y), 3);
    atl_program_free(three);
    atl_program_free(all);
    atl_tensor_free(value);
    atl_graph_free(g);
}

Test(threads, numbers_of_no_sense_are_refused)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *y = atl_neg(x);
    cr_assert_null(atl_compile(g, ATL_NODES(y), .threads = -1));
    cr_assert_mentions(atl_graph_error(g), "-1 threads");
    cr_assert_null(atl_compile(g, ATL_NODES(y), .threads = 100000));
    cr_assert_eq(atl_program_threads(NULL), 0);
    atl_graph_free(g);
}

/* oneDNN would silently compute only a part. */
Test(threads, a_parallel_region_has_one_thread_only)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *y = atl_neg(x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3), (float[]){1, 2, 3});
    atl_program *one = atl_compile(g, ATL_NODES(y), .threads = 1), *two = atl_compile(g, ATL_NODES(y), .threads = 2);
    int refused = 0, right = 0;
#pragma omp parallel num_threads(2) reduction(+ : refused, right)
    {
        atl_context *a = atl_context_new(one), *b = atl_context_new(two);
        right = !atl_context_run(a, ATL_FEED(x, value)) && atl_floats(atl_context_value(a, y))[2] == -3;
        refused = atl_context_run(b, ATL_FEED(x, value)) == ATL_UNSUPPORTED && strstr(atl_error(), ".threads = 1");
        atl_context_free(a);
        atl_context_free(b);
    }
    cr_assert_eq(right, 2);
    cr_assert_eq(refused, 2);
    atl_program_free(one);
    atl_program_free(two);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* ---- many states: see also many_contexts.c, where they run at once ----------------------------------------------- */

/* Every context may use other shapes than all others: that is not an error. */
Test(threads, more_states_than_plans_are_kept)
{
    enum { CONTEXTS = 12 };
    small_net net = small_net_new(ATL_ANY, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss));
    atl_context *contexts[CONTEXTS];
    float first[CONTEXTS];
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < CONTEXTS; i++) {
            atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(i + 1, 8, 8, 3), -1, 1, 5);
            if (!turn)
                contexts[i] = atl_context_new(program);
            cr_assert_eq(atl_context_run(contexts[i], ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
            float loss = atl_floats(atl_context_value(contexts[i], net.loss))[0];
            if (turn)
                cr_assert_eq(loss, first[i], "state %d, whose plan the program has dropped", i);
            first[i] = loss;
            cr_assert_leq(atl_program_kept_plans(program), 8 /* program.c: KEPT_PLANS */);
            atl_tensor_free(pixels);
        }
    for (int i = 0; i < CONTEXTS; i++)
        atl_context_free(contexts[i]);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* A program sets the number of threads, and really uses so many; afterwards the caller's setting is restored. */
Test(threads, the_settings_of_the_caller_stay)
{
    small_net net = small_net_new(1, 8);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, 8, 8, 3), -1, 1);
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        omp_set_dynamic(dynamic);
        omp_set_num_threads(3);
        atl_program *program = atl_compile(net.graph, ATL_NODES(net.loss), .threads = 2);
        cr_assert_eq(omp_get_dynamic(), dynamic);
        cr_assert_eq(atl_run(program, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_program_profile(program, ATL_FEED(net.image, pixels), 2), ATL_OK, "%s", atl_error());
        cr_assert_neq(atl_run(program, ATL_NO_FEEDS), ATL_OK);
        cr_assert_null(atl_compile(net.graph, ATL_NODES(NULL)));
        cr_assert_eq(omp_get_dynamic(), dynamic);
        omp_set_dynamic(0);
        cr_assert_eq(omp_get_max_threads(), 3);
        atl_program_free(program);
    }
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}
