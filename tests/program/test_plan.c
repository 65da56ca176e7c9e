/* What is computed once, what is written in place, and how little memory that takes. */
#include "program/plan.h"

#include "nets.h"
#include "program/arena.h"

/* ---- the two choices of plan.c: the same result without them ------------------------------------------------------- */

typedef struct counted {
    int64_t once, always, arena;
} counted;

static counted count_steps(const atl_program *program)
{
    counted c = {.arena = atl_program_arena_bytes(program)};
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        c.once += info.once;
        c.always += !info.once;
    }
    return c;
}

/* A program with all its passes beside one without some: the same values, also after a variable has changed. */
static void compare_without(unsigned without, counted *with_out, counted *without_out)
{
    small_net net = small_net_new(2, 8);
    atl_nodes wanted = ATL_NODES(net.loss, net.by_image, net.by_filter);
    atl_program *a = atl_compile(net.graph, wanted), *b = atl_compile(net.graph, wanted, .without = without);
    cr_assert(a && b, "%s", atl_graph_error(net.graph));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    for (int turn = 0; turn < 3; turn++) {
        cr_assert_eq(atl_run(a, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(b, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < wanted.count; i++)
            cr_assert_close(atl_value(b, wanted.node[i]), atl_value(a, wanted.node[i]), 1e-6);
        atl_tensor *changed = random_tensor(ATL_SHAPE(3, 3, 16, 16), -0.2f, 0.2f);
        cr_assert_eq(atl_variable_assign(atl_find(net.graph, turn ? "third/weights" : "second/weights"), changed),
                     ATL_OK);
        atl_tensor_free(changed);
    }
    *with_out = count_steps(a);
    *without_out = count_steps(b);
    atl_tensor_free(pixels);
    atl_program_free(a);
    atl_program_free(b);
    atl_graph_free(net.graph);
}

Test(plan, what_depends_on_variables_only_is_computed_once)
{
    counted with, without;
    compare_without(ATL_PASS_ONCE, &with, &without);
    cr_assert_gt(with.once, 0);
    cr_assert_eq(without.once, 0);
    cr_assert_lt(with.always, without.always);
}

Test(plan, results_take_the_place_of_operands)
{
    counted with, without;
    compare_without(ATL_PASS_IN_PLACE, &with, &without);
    cr_assert_eq(with.always, without.always);
    cr_assert_leq(with.arena, without.arena);
}

/* Step by step: one array in place, two else. */
Test(plan, a_chain_in_place_needs_one_array)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = x;
    for (int i = 0; i < 5; i++)
        y = atl_sin(y);
    atl_program *with = atl_compile(g, ATL_NODES(y), .without = ATL_PASS_FUSE),
                *without = atl_compile(g, ATL_NODES(y), .without = ATL_PASS_FUSE | ATL_PASS_IN_PLACE);
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

Test(plan, without_both) { compare_without(ATL_PASS_ONCE | ATL_PASS_IN_PLACE, &(counted){0}, &(counted){0}); }

/* Two steps of descent, with the new weights written over the old ones and not. */
Test(plan, assignments_in_place_and_not)
{
    float last[2];
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 8)),
                 *w = atl_variable(g, "w", ATL_SHAPE(8, 3), atl_he());
        atl_node *loss = atl_sum(atl_square(atl_tanh(atl_matmul(x, w))));
        atl_node *step = atl_assign(w, atl_sub(w, atl_scale(atl_gradient(loss, w), 0.1f)));
        atl_program *program = atl_compile(g, ATL_NODES(loss, step), .without = i ? ATL_PASS_IN_PLACE : 0);
        atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(4, 8), -1, 1, 3);
        for (int run = 0; run < 3; run++)
            cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        last[i] = atl_number_of(program, loss);
        atl_tensor_free(value);
        atl_program_free(program);
        atl_graph_free(g);
    }
    cr_assert_eq(last[0], last[1]);
}

/* ---- the arena of real networks ------------------------------------------------------------------------------------ */

static void use(atl_block *blocks, const atl_plan *plan, atl_value_id value, int64_t step)
{
    const atl_plan_value *v = &plan->values[value];
    if (v->space != ATL_IN_ARENA)
        return;
    int64_t bytes = v->bytes;
    while (plan->values[value].shares >= 0)
        value = plan->values[value].shares;
    atl_block *block = &blocks[value];
    block->bytes = bytes > block->bytes ? bytes : block->bytes;
    if (block->first < 0)
        block->first = step;
    block->last = v->pinned ? plan->step_count : step > block->last ? step : block->last;
}

/* The most that is needed at once: bytes of all values that are alive at one step. */
static int64_t largest_live_set(const atl_plan *plan)
{
    atl_block *blocks = calloc((size_t)plan->value_count, sizeof *blocks);
    int64_t count = 0;
    for (int64_t v = 0; v < plan->value_count; v++)
        blocks[v].first = blocks[v].last = -1;
    for (int64_t s = 0; s < plan->step_count; s++) {
        const atl_plan_step *step = &plan->steps[s];
        for (int i = 0; i < step->reads; i++)
            use(blocks, plan, atl_step_reads(step)[i], s);
        for (int i = 0; i < step->writes; i++)
            use(blocks, plan, step->write[i], s);
    }
    for (int64_t v = 0; v < plan->value_count; v++)
        if (blocks[v].first >= 0)
            blocks[count++] = blocks[v];
    int64_t least = atl_largest_live_set(blocks, count);
    free(blocks);
    return least;
}

static void assert_tight(const char *name, int64_t batch)
{
    const atl_model *model = atl_model_find(name);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(batch, model->height, model->width, 3));
    atl_node *logits = model->build(&(atl_model_args){.image = image});
    atl_node *loss = atl_sum(atl_softmax_cross_entropy(logits, .label = 0));
    int64_t count;
    atl_node *const *variable = atl_variables(g, &count);
    atl_program *programs[2] = {atl_compile(g, ATL_NODES(atl_gradient(loss, image))),
                                atl_compile(g, ATL_NODES(atl_gradient(loss, variable[0])))};
    for (int i = 0; i < 2; i++) {
        cr_assert(programs[i], "%s", atl_graph_error(g));
        int64_t least = largest_live_set(atl_program_plan(programs[i])), arena = atl_program_arena_bytes(programs[i]);
        fprintf(stderr, "%s, batch %d, by %s: arena %.2f MB, largest live set %.2f MB\n", name, (int)batch,
                i ? "weights" : "image", (double)arena / 1e6, (double)least / 1e6);
        cr_expect(arena >= least && (double)arena <= 1.1 * (double)least);
        atl_program_free(programs[i]);
    }
    atl_graph_free(g);
}
Test(plan, arena_of_squeezenet) { assert_tight("squeezenet", 1); }
Test(plan, arena_of_cifar10) { assert_tight("cifar10", 16); }
Test(plan, arena_of_resnet20) { assert_tight("resnet20", 16); }
