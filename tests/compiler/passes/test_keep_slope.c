/* Gelu keeps its slope where its gradient is computed: the same values, without a second look at its input. */
#include "support.h"

enum { ROWS = 12, COLUMNS = 37 };

/* y = gelu(x w) v, whose gradient by x is wanted, too. */
typedef struct layer {
    atl_graph *graph;
    atl_node *x, *before, *gelu, *y, *dx;
    atl_tensor *feed;
} layer;

static layer layer_new(void)
{
    layer l = {.graph = atl_graph_new(), .feed = random_tensor(ATL_SHAPE(ROWS, COLUMNS), -2, 2)};
    l.x = atl_input(l.graph, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, COLUMNS));
    l.before = atl_matmul(l.x, atl_variable(l.graph, "w", ATL_SHAPE(COLUMNS, COLUMNS), atl_normal(0.3f)));
    l.gelu = atl_gelu(l.before);
    l.y = atl_matmul(l.gelu, atl_variable(l.graph, "v", ATL_SHAPE(COLUMNS, COLUMNS), atl_normal(0.3f)));
    l.dx = atl_gradient(atl_sum(atl_square(l.y)), l.x);
    cr_assert(l.dx, "%s", atl_graph_error(l.graph));
    return l;
}

static void layer_free(layer *l)
{
    atl_tensor_free(l->feed);
    atl_graph_free(l->graph);
}

static atl_program *compiled(const layer *l, atl_nodes wanted, unsigned without, int micro_batch)
{
    atl_program *program =
        atl_compile(l->graph, wanted, .disabled_passes = without, .micro_batch = micro_batch, .threads = 2);
    cr_assert(program && !atl_run(program, ATL_FEED(l->x, l->feed)), "%s", atl_error());
    return program;
}

/* The program beside one without the pass, and the reference in double; it has so many steps that keep a slope. */
static void expect_same_values(const layer *l, atl_nodes wanted, unsigned without, int micro_batch, int64_t kept)
{
    atl_program *program = compiled(l, wanted, without, micro_batch),
                *plain = compiled(l, wanted, without | ATL_PASS_KEEP_SLOPE, micro_batch);
    cr_expect_eq(steps_by(program, "gelu_with_slope", NULL), kept);
    cr_expect_eq(steps_by(program, "gelu_grad", NULL), 0);
    cr_expect_eq(steps_by(plain, "gelu_with_slope", NULL), 0);
    for (int64_t i = 0; i < wanted.count; i++)
        cr_assert_close(atl_value(program, wanted.node[i]), atl_value(plain, wanted.node[i]), 2e-6);
    assert_like_references(program, wanted, ATL_FEED(l->x, l->feed), 1e-5);
    cr_expect_leq(atl_program_arena_bytes(program), atl_program_arena_bytes(plain));
    atl_program_free(program);
    atl_program_free(plain);
}

Test(keep_slope, the_gradient_is_a_product)
{
    layer l = layer_new();
    const unsigned without[] = {0, ATL_PASS_FUSE, ATL_PASS_IN_PLACE, ATL_PASS_ARENA, ATL_PASS_CSE};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        expect_same_values(&l, ATL_NODES(l.dx), without[i], 0, 1);
    layer_free(&l);
}

/* The turns of the step that keeps a slope; 0: there is none. */
static int64_t turns_of(const layer *l, int micro_batch)
{
    int64_t turns = 0;
    atl_program *program = compiled(l, ATL_NODES(l->dx), 0, micro_batch);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        turns += strcmp(info.op, "gelu_with_slope") ? 0 : info.turns;
    }
    atl_program_free(program);
    return turns;
}

/* The slope is not written over an input that others read later. */
Test(keep_slope, the_input_and_the_value_are_outputs)
{
    layer l = layer_new();
    atl_node *later = atl_add(l.dx, l.before);
    atl_program *program = compiled(&l, ATL_NODES(l.dx, l.gelu, l.before, later), 0, 0);
    cr_expect_eq(steps_by(program, "gelu_with_slope", NULL), 1);
    assert_like_references(program, ATL_NODES(l.dx, l.gelu, l.before, later), ATL_FEED(l.x, l.feed), 1e-5);
    atl_program_free(program);
    layer_free(&l);
}

Test(keep_slope, in_a_loop_over_the_batch)
{
    layer l = layer_new();
    expect_same_values(&l, ATL_NODES(l.dx), 0, 3, 1);
    cr_expect_eq(turns_of(&l, 3), ROWS / 3);
    layer_free(&l);
}

Test(keep_slope, without_a_gradient_nothing_is_kept)
{
    layer l = layer_new();
    atl_program *program = compiled(&l, ATL_NODES(l.y), 0, 0);
    cr_expect_eq(steps_by(program, "gelu_with_slope", NULL), 0);
    atl_program_free(program);
    layer_free(&l);
}

/* The second derivative needs x itself. */
Test(keep_slope, derivatives_of_the_gradient)
{
    layer l = layer_new();
    atl_node *second = atl_gradient(atl_sum(atl_square(l.dx)), l.x);
    atl_program *program = compiled(&l, ATL_NODES(l.dx, second), 0, 0);
    cr_expect_eq(steps_by(program, "gelu_with_slope", NULL), 1);
    assert_like_references(program, ATL_NODES(l.dx, second), ATL_FEED(l.x, l.feed), 1e-5);
    atl_program_free(program);
    layer_free(&l);
}

/* Behind a product with a weight the slope multiplies before the result leaves the registers. */
Test(keep_slope, in_the_product_before)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(70, 48));
    atl_node *y = atl_matmul(atl_gelu(x), atl_variable(g, "v", ATL_SHAPE(48, 48), atl_normal(0.3f)));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *values = random_tensor(ATL_SHAPE(70, 48), -2, 2);
    atl_program *program = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_POST_OP);
    cr_assert(program && !atl_run(program, ATL_FEED(x, values)), "%s", atl_error());
    cr_expect_eq(steps_by(program, "gelu_with_slope", NULL), 1);
    cr_expect_eq(steps_by(program, "matmul_fused", "packed"), 1);
    cr_expect_eq(steps_by(program, "mul", NULL), 1); /* the derivative of the square */
    assert_like_references(program, ATL_NODES(dx), ATL_FEED(x, values), 1e-5);
    atl_tensor_free(values);
    atl_program_free(program);
    atl_graph_free(g);
}
