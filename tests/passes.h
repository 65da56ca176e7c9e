/* Programs with and without a pass of the compiler: the values are the same, and the pass has its effect. */
#ifndef ATLED_TESTS_PROGRAM_PASSES_H
#define ATLED_TESTS_PROGRAM_PASSES_H

#include "nets.h"

/* The passes that rewrite the graph: each leaves fewer nodes. */
enum { REWRITING = ATL_PASS_CSE | ATL_PASS_SIMPLIFY | ATL_PASS_FOLD_SCALE | ATL_PASS_EPILOGUE | ATL_PASS_FUSE };

typedef struct counted {
    int64_t prepack, always; /* steps */
    int64_t arena;           /* bytes */
} counted;

static inline counted count_steps(const atl_program *program)
{
    counted c = {.arena = atl_program_arena_bytes(program)};
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        c.prepack += info.prepack;
        c.always += !info.prepack && !copies_a_source(&info);
    }
    return c;
}

/* Compares all values that the two programs have in common, after a run of each. */
static inline void assert_same_values(atl_program *a, atl_program *b, atl_nodes wanted, const atl_feed *feeds,
                                      double bound)
{
    cr_assert_eq(atl_run(a, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(b, feeds), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < wanted.count; i++)
        cr_assert_close(atl_value(b, wanted.node[i]), atl_value(a, wanted.node[i]), bound);
}

static inline counted steps_without(const small_net *net, atl_nodes wanted, unsigned without)
{
    atl_program *program = atl_compile(net->graph, wanted, .disabled_passes = without);
    cr_assert(program, "%s", atl_graph_error(net->graph));
    counted c = count_steps(program);
    atl_program_free(program);
    return c;
}

/* A program with all its passes beside one without some: the same values, also after a variable has changed.  Values
 * are compared without Winograd's method, whose rounding is larger than other passes' (test_conv_winograd.c). */
static inline void compare_without(unsigned without, counted *with_out, counted *without_out)
{
    small_net net = small_net_new(2, 8);
    atl_nodes wanted = ATL_NODES(net.loss, net.by_image, net.by_filter);
    atl_program *a = atl_compile(net.graph, wanted, .disabled_passes = ATL_PASS_WINOGRAD),
                *b = atl_compile(net.graph, wanted, .disabled_passes = without | ATL_PASS_WINOGRAD);
    cr_assert(a && b, "%s", atl_graph_error(net.graph));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    for (int turn = 0; turn < 3; turn++) {
        assert_same_values(a, b, wanted, ATL_FEED(net.image, pixels), 1e-6);
        atl_tensor *changed = random_tensor(ATL_SHAPE(3, 3, 16, 16), -0.2f, 0.2f);
        cr_assert_eq(atl_variable_assign(atl_find(net.graph, turn ? "third/weights" : "second/weights"), changed),
                     ATL_OK);
        atl_tensor_free(changed);
    }
    *with_out = steps_without(&net, wanted, 0);
    *without_out = steps_without(&net, wanted, without);
    atl_tensor_free(pixels);
    atl_program_free(a);
    atl_program_free(b);
    atl_graph_free(net.graph);
}

/* Compares the network's loss and gradients with the reference; returns the number of steps in every run. */
static inline int64_t run_without(const small_net *net, const atl_tensor *pixels, unsigned without,
                                  atl_tensor **by_image)
{
    atl_nodes wanted = ATL_NODES(net->loss, net->by_image, net->by_filter);
    atl_program *program = atl_compile(net->graph, wanted, .disabled_passes = without);
    assert_like_references(program, wanted, ATL_FEED(net->image, pixels), 1e-5);
    if (by_image)
        *by_image = atl_tensor_copy(atl_value(program, net->by_image));
    int64_t steps = count_steps(program).always;
    atl_program_free(program);
    return steps;
}

/* With the pass, fewer steps run each time; all other passes that rewrite the graph are disabled. */
static inline void assert_pass_shortens(unsigned pass)
{
    small_net net = small_net_new(2, 8);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    int64_t without = run_without(&net, pixels, REWRITING, NULL),
            with = run_without(&net, pixels, REWRITING & ~pass, NULL);
    cr_assert_lt(with, without, "%lld steps with the pass, %lld without", (long long)with, (long long)without);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}

/* One graph compiled with and without the pass: the values are within `bound` of each other.  Returns the number of
 * steps per run that the pass saves. */
static inline int64_t steps_saved(unsigned pass, unsigned without, atl_nodes wanted, const atl_feed *feeds,
                                  double bound)
{
    atl_graph *g = atl_graph_of(wanted.node[0]);
    atl_program *with = atl_compile(g, wanted, .disabled_passes = without),
                *plain = atl_compile(g, wanted, .disabled_passes = without | pass);
    cr_assert(with && plain, "%s", atl_graph_error(g));
    assert_same_values(with, plain, wanted, feeds, bound);
    int64_t saved = count_steps(plain).always - count_steps(with).always;
    atl_program_free(with);
    atl_program_free(plain);
    return saved;
}

#endif
