/* Graphs and their nodes. */
#include "support.h"

#include "graph/graph.h"

static atl_graph *g;

static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(graph, .init = set_up, .fini = tear_down);

Test(graph, keeps_nodes_in_order_of_creation)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(2)), *b = atl_relu(a), *c = atl_mul(a, b);
    cr_assert_eq(atl_graph_node_count(g), 3);
    cr_assert_eq(atl_graph_node(g, 0), a);
    cr_assert_eq(atl_graph_node(g, 2), c);
    cr_assert_eq(atl_index_of(c), 2);
    cr_assert_null(atl_graph_node(g, 3));
    cr_assert_null(atl_graph_node(g, -1));
    cr_assert_eq(atl_graph_of(c), g);
    cr_assert_eq(atl_input_count(c), 2);
    cr_assert_eq(atl_input_of(c, 1), b);
    cr_assert_null(atl_input_of(c, 2));
    cr_assert_null(atl_input_of(c, -1));
    cr_assert_str_eq(atl_op_of(c)->name, "mul");
}

Test(graph, a_good_graph_has_no_error)
{
    atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(2));
    cr_assert_str_empty(atl_graph_error(g));
}

Test(graph, keeps_the_first_mistake)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(2)), *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(3));
    cr_assert_null(atl_add(a, b));
    char first[2048];
    snprintf(first, sizeof first, "%s", atl_graph_error(g));
    cr_assert_mentions(first, "[2]");
    cr_assert_mentions(first, "[3]");
    cr_assert_null(atl_reshape(a, ATL_SHAPE(17)));
    cr_assert_str_eq(atl_graph_error(g), first);
    cr_assert_null(atl_compile(g, ATL_NODES(a)));
    cr_assert_str_eq(atl_error(), first);
}

Test(graph, null_flows_through_builders)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(2));
    cr_assert_null(atl_relu(atl_add(a, atl_neg(NULL))));
    cr_assert_str_empty(atl_graph_error(g));
}

Test(graph, nodes_of_two_graphs_do_not_mix)
{
    atl_graph *other = atl_graph_new();
    atl_node *a = atl_input(g, "here", ATL_FLOAT32, ATL_SHAPE(2)),
             *b = atl_input(other, "there", ATL_FLOAT32, ATL_SHAPE(2));
    cr_assert_null(atl_add(a, b));
    cr_assert_mentions(atl_graph_error(g), "'there'");
    atl_graph_free(other);
}

Test(graph, everything_answers_null)
{
    atl_graph_free(NULL);
    cr_assert_eq(atl_graph_node_count(NULL), 0);
    cr_assert_null(atl_graph_node(NULL, 0));
    cr_assert_mentions(atl_graph_error(NULL), "null");
    cr_assert_null(atl_graph_of(NULL));
    cr_assert_null(atl_op_of(NULL));
    cr_assert_null(atl_input_of(NULL, 0));
    cr_assert_null(atl_forward_of(NULL));
    cr_assert_eq(atl_input_count(NULL), 0);
    cr_assert_eq(atl_index_of(NULL), 0);
    cr_assert_eq(atl_shape_of(NULL).rank, 0);
}

/* A later failure of another call is reported, too, but never hides the error of a builder. */
Test(graph, failures_of_other_calls)
{
    atl_set_error(ATL_BAD_FILE, "no such file");
    cr_assert_eq(atl_graph_note_failure(g, ATL_BAD_FILE), ATL_BAD_FILE);
    cr_assert_str_eq(atl_graph_error(g), "no such file");
    atl_graph_fail(g, "a mistake");
    cr_assert_str_eq(atl_graph_error(g), "a mistake");
    cr_assert_eq(atl_graph_note_failure(NULL, ATL_BAD_FILE), ATL_BAD_FILE);
}

Test(graph, memory_is_zeroed_and_aligned)
{
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        char *memory = atl_graph_allocate(g, size);
        cr_assert_eq((uintptr_t)memory % 16, 0u);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(memory[i], 0);
        memset(memory, 1, size);
    }
}

Test(graph, a_long_chain_is_built_and_freed)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
    for (int i = 0; i < 200000; i++)
        x = atl_neg(x);
    cr_assert_eq(atl_index_of(x), 200000);
}
