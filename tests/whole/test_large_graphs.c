/* Minutes: 8.  Plain only: graphs of a million nodes.
 *
 * Building, differentiating, compiling, drawing, checking and freeing take work in proportion to the number of
 * nodes, and no stack in proportion to the depth: all of it runs in a thread with a small stack.  bench/run measures
 * the time; a quadratic algorithm, with 10^12 operations, would exceed the time limit of its test here. */
#include <pthread.h>
#include <stdlib.h>

#include "graph/memory.h"
#include "support.h"

enum { STACK = 256 << 10, SMALL = 10000, LARGE = 1000000 };

typedef enum graph_kind { CHAIN, TREE } graph_kind;
typedef enum derivative_kind { GRADIENT, GRADIENT_RECOMPUTED, JVP, HVP } derivative_kind;

/* Products and element-wise ops in turn, so that some steps fuse and some do not; the gradient of a deep chain stays
 * above 0. */
static atl_node *expression_of(atl_node *x, int64_t length, int recompute)
{
    atl_node *w = atl_variable(atl_graph_of(x), "w", ATL_SHAPE(4, 4), atl_orthogonal(1));
    for (int64_t i = 0; i < length; i++) {
        x = i % 4 == 0   ? atl_matmul(x, w)
            : i % 4 == 1 ? atl_sin(x)
            : i % 4 == 2 ? atl_scale(x, 1.000001f)
                         : atl_tanh(x);
        if (recompute && i % 16)
            atl_recompute(x);
    }
    return x;
}

/* All leaves are different, and every second combination is a product, so that little can be merged. */
static atl_node *tree_of(atl_node *x, int64_t leaves)
{
    atl_node **level = malloc((size_t)leaves * sizeof *level);
    for (int64_t i = 0; i < leaves; i++)
        level[i] = atl_scale(x, 0.5f + (float)i / (float)leaves);
    for (; leaves > 1; leaves /= 2)
        for (int64_t i = 0; i < leaves / 2; i++)
            level[i] =
                i % 2 ? atl_sin(atl_mul(level[2 * i], level[2 * i + 1])) : atl_add(level[2 * i], level[2 * i + 1]);
    x = level[0];
    free(level);
    return x;
}

/* The whole life of one graph, from the first node to freeing it. */
typedef struct work {
    graph_kind kind;
    derivative_kind derivative;
    int64_t nodes;   /* requested number of nodes, with the gradient */
    int with_checks; /* draw it, and check the gradient */
    int64_t made;
    int64_t allocations;
    const char *failure;
} work;

static atl_node *derive(const work *w, atl_node *y, atl_node *x)
{
    atl_node *ones = atl_fill(x, 1);
    return w->derivative == JVP   ? atl_jvp(y, x, ones)
           : w->derivative == HVP ? atl_hvp(y, x, ones)
                                  : atl_gradient(atl_sum(y), x);
}

static const char *draw_and_check(atl_graph *g, atl_node *y, atl_node *x, const atl_tensor *value)
{
    atl_gradient_check check;
    FILE *file = fopen("/dev/null", "w");
    if (atl_write_dot(g, .file = file) || atl_write_dot(g, .file = file, .depth = 1))
        return atl_error();
    fclose(file);
    if (atl_check_gradient(y, ATL_NODES(x), .feeds = ATL_FEED(x, value), .most = 2, .result_out = &check))
        return atl_error();
    return check.worst < 1e-4 ? NULL : "the gradient is wrong";
}

static const char *make_and_run(work *w, atl_graph *g, const atl_tensor *value)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 4));
    int64_t leaves = 1;
    while (w->kind == TREE && 15 * leaves <= w->nodes)
        leaves *= 2;
    atl_node *y = w->kind == TREE ? tree_of(x, leaves)
                                  : expression_of(x, w->nodes * 4 / 13, w->derivative == GRADIENT_RECOMPUTED);
    atl_node *derivative = derive(w, y, x);
    if (!derivative)
        return atl_graph_error(g);
    w->made = atl_graph_node_count(g);
    atl_program *program = atl_compile(g, ATL_NODES(y, derivative), .threads = 1);
    if (!program)
        return atl_graph_error(g);
    const char *failure = atl_run(program, ATL_FEED(x, value)) ? atl_error() : NULL;
    if (!failure && !isfinite(atl_scalar_of(program, derivative)))
        failure = "the derivative is no number";
    atl_program_free(program);
    return !failure && w->with_checks ? draw_and_check(g, y, x, value) : failure;
}

static void *do_work(void *of)
{
    work *w = of;
    int64_t before = atl_allocation_count(); /* this thread's */
    atl_graph *g = atl_graph_new();
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(2, 4), -1, 1, 1);
    const char *failure = make_and_run(w, g, value);
    if (failure)
        w->failure = strdup(failure);
    atl_tensor_free(value);
    atl_graph_free(g);
    w->allocations = atl_allocation_count() - before;
    return NULL;
}

static void work_in_thread(work *w)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, STACK), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, do_work, w), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    cr_assert(!w->failure, "%s", w->failure);
}

static void assert_linear(graph_kind kind)
{
    work small = {kind, .nodes = SMALL}, large = {kind, .nodes = LARGE};
    work_in_thread(&small);
    work_in_thread(&large);
    cr_assert(large.made > LARGE * 0.6 && large.made < LARGE * 1.4, "%lld nodes", (long long)large.made);
    double few = (double)small.allocations / (double)small.made, many = (double)large.allocations / (double)large.made;
    cr_assert_lt(many, 1.1 * few, "%g allocations a node, but %g in a small graph", many, few);
}
Test(large_graphs, a_chain_of_a_million_nodes, .timeout = 480) { assert_linear(CHAIN); }
Test(large_graphs, a_tree_of_a_million_nodes, .timeout = 480) { assert_linear(TREE); }

static void assert_deep(derivative_kind derivative, int with_checks)
{
    work w = {CHAIN, derivative, .nodes = LARGE / 5, .with_checks = with_checks};
    work_in_thread(&w);
}
Test(large_graphs, drawing_and_checking_a_deep_chain, .timeout = 240) { assert_deep(GRADIENT, 1); }
Test(large_graphs, recomputing_in_a_deep_chain, .timeout = 240) { assert_deep(GRADIENT_RECOMPUTED, 0); }
Test(large_graphs, jacobian_times_vector_of_a_deep_chain, .timeout = 240) { assert_deep(JVP, 0); }
Test(large_graphs, hessian_times_vector_of_a_deep_chain, .timeout = 240) { assert_deep(HVP, 0); }
