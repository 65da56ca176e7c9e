/* Inputs, variables, constants. */
#include "support.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(source, .init = set_up, .fini = tear_down);

Test(source, inputs_may_have_unknown_sizes)
{
    atl_node *x = atl_input(g, "x", ATL_INT32, ATL_SHAPE(ATL_ANY, 28));
    cr_assert_eq(atl_dtype_of(x), ATL_INT32);
    cr_assert(atl_shape_equal(atl_shape_of(x), ATL_SHAPE(ATL_ANY, 28)));
}

Test(source, inputs_need_a_name) { cr_assert_null(atl_input(g, "", ATL_FLOAT32, ATL_SCALAR)); }

Test(source, impossible_inputs_are_refused)
{
    static const struct {
        int dtype, rank;
        int64_t first, second;
        const char *says;
    } row[] = {{ATL_FLOAT64, 1, 3, 0, "float64"},        {9, 1, 3, 0, "unknown type"},
               {ATL_FLOAT32, 2, 3, -5, "negative"},      {ATL_FLOAT32, 9, 1, 1, "9 dimensions"},
               {ATL_FLOAT32, -1, 1, 1, "-1 dimensions"}, {ATL_FLOAT32, 2, 1ll << 40, 1ll << 40, "2^60"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        atl_graph *graph = atl_graph_new();
        atl_shape shape = {.rank = row[i].rank, .size = {row[i].first, row[i].second, 1, 1, 1, 1, 1, 1}};
        cr_assert_null(atl_input(graph, "x", (atl_dtype)row[i].dtype, shape));
        cr_expect(strstr(atl_graph_error(graph), row[i].says), "row %zu: %s", i, atl_graph_error(graph));
        atl_graph_free(graph);
    }
}

Test(source, variables_must_be_fully_known)
{
    cr_assert_null(atl_variable(g, "w", ATL_SHAPE(ATL_ANY, 2), atl_zeros()));
    cr_assert_mentions(atl_graph_error(g), "'w'");
    cr_assert_mentions(atl_graph_error(g), "[?, 2]");
}

Test(source, constants_copy_their_value)
{
    atl_tensor *t = random_tensor(ATL_SHAPE(2, 3), -1, 1), *kept = atl_tensor_copy(t);
    atl_node *c = atl_constant(g, t);
    atl_floats(t)[0] = 77;
    atl_reference *r = atl_reference_run(ATL_NODES(c), ATL_NO_FEEDS);
    cr_assert_eq(largest_difference(atl_reference_value(r, c), kept), 0);
    atl_reference_free(r);
    atl_tensor_free(t);
    atl_tensor_free(kept);
}

Test(source, constants_of_nothing_are_mistakes)
{
    cr_assert_null(atl_constant(g, NULL));
    cr_assert_mentions(atl_graph_error(g), "null");
    cr_assert_null(atl_constant(NULL, NULL));
}

Test(source, vectors_and_numbers)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *v = ATL_CONSTANT(x, 1.5f, 2, 3), *n = atl_scalar(x, 4);
    cr_assert(atl_shape_equal(atl_shape_of(v), ATL_SHAPE(3)));
    cr_assert_eq(atl_shape_of(n).rank, 0);
    atl_reference *r = atl_reference_run(ATL_NODES(v, n), ATL_NO_FEEDS);
    cr_assert_eq(element_of(atl_reference_value(r, v), 0), 1.5);
    cr_assert_eq(element_of(atl_reference_value(r, n), 0), 4);
    atl_reference_free(r);
    cr_assert_null(atl_scalar(NULL, 1));
    cr_assert_null(atl_vector(NULL, 1, (float[]){1}));
}

Test(source, everything_accepts_a_null_graph)
{
    cr_assert_null(atl_input(NULL, "x", ATL_FLOAT32, ATL_SCALAR));
    cr_assert_null(atl_variable(NULL, "x", ATL_SCALAR, atl_zeros()));
    atl_set_seed(NULL, 1);
}
