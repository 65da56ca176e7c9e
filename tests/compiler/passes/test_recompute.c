/* Arrays that are computed again where they are read, in place of being stored. */
#include "passes.h"

/* Arrays of that many bytes that the fused steps read and write. */
static int64_t arrays_of_fused_steps(const atl_program *program, int64_t bytes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        if (!strcmp(info.op, "fused"))
            count += info.bytes / bytes;
    }
    return count;
}

static void check_arrays(atl_nodes wanted, const atl_feed *feeds, int64_t bytes, int64_t expected)
{
    atl_program *program = atl_compile(atl_graph_of(wanted.node[0]), wanted);
    cr_assert(program, "%s", atl_error());
    assert_like_references(program, wanted, feeds, 1e-5);
    cr_expect_eq(arrays_of_fused_steps(program, bytes), expected, "%d arrays, not %d",
                 (int)arrays_of_fused_steps(program, bytes), (int)expected);
    atl_program_free(program);
}

/* A batch norm with relu in training: neither the deviations from the mean nor the relu's gradient is stored, and the
 * relu's image is not read for its gradient.  One step reads x and dy, and writes y and sums; then one reads x and dy
 * again, and writes dx. */
Test(recompute, a_batch_norm_stores_its_results_only)
{
    atl_graph *g = atl_graph_new();
    const atl_shape images = ATL_SHAPE(4, 6, 6, 8);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, images), *dy = atl_input(g, "dy", ATL_FLOAT32, images);
    atl_node *scale = atl_input(g, "scale", ATL_FLOAT32, ATL_SHAPE(8)),
             *shift = atl_input(g, "shift", ATL_FLOAT32, ATL_SHAPE(8)), *row[2], *by[3];
    atl_unstack(atl_moments(x), 0, 2, row);
    atl_node *y = atl_relu(atl_batch_norm(x, row[0], row[1], scale, shift));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_mul(y, dy))), .by = ATL_NODES(x, scale, shift),
                               .result_out = by),
                 ATL_OK);
    atl_tensor *u = random_tensor(images, -1, 3), *v = random_tensor(images, -1, 1),
               *w = random_tensor(ATL_SHAPE(8), 0.5f, 2), *z = random_tensor(ATL_SHAPE(8), -1, 1);
    check_arrays(ATL_NODES(y, by[0], by[1], by[2]), ATL_FEEDS({x, u}, {dy, v}, {scale, w}, {shift, z}),
                 atl_shape_count(images) * 4, 3 + 3);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_tensor_free(w);
    atl_tensor_free(z);
    atl_graph_free(g);
}

/* Two arrays would be read in place of one: the product is stored. */
Test(recompute, an_array_made_of_several_is_stored)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(100, 30)),
             *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(100, 30)), *p = atl_mul(a, b),
             *y = atl_square(atl_add(p, atl_reduce_sum(p, ATL_AXES(0), .keep = 1)));
    atl_tensor *u = random_tensor(ATL_SHAPE(100, 30), -1, 1), *v = random_tensor(ATL_SHAPE(100, 30), -1, 1);
    check_arrays(ATL_NODES(y), ATL_FEEDS({a, u}, {b, v}), 100 * 30 * 4, 3 + 2);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_graph_free(g);
}

/* An output is stored, but a step that reads its only operand anyway does not read it, too. */
Test(recompute, an_output_is_stored_but_not_read)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(100, 30)), *p = atl_abs(a),
             *y = atl_mul(a, atl_sub(p, atl_reduce_sum(p, ATL_AXES(0), .keep = 1)));
    atl_tensor *u = random_tensor(ATL_SHAPE(100, 30), -1, 1);
    check_arrays(ATL_NODES(p, y), ATL_FEEDS({a, u}), 100 * 30 * 4, 2 + 2);
    atl_tensor_free(u);
    atl_graph_free(g);
}
