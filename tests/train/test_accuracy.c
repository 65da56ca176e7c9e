#include "support.h"

static atl_graph *g;
static atl_node *scores, *labels;
static void set_up(void)
{
    g = atl_graph_new();
    scores = atl_input(g, "scores", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
}
static void tear_down(void) { atl_graph_free(g); }
TestSuite(accuracy, .init = set_up, .fini = tear_down);

static atl_status measure(int rows, const float *x, int many, const int32_t *truth, float *accuracy_out)
{
    atl_node *accuracy = atl_accuracy(scores, labels);
    atl_program *program = atl_compile(g, ATL_NODES(accuracy));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *fed = atl_tensor_of_floats(ATL_SHAPE(rows, 3), x), *right = atl_tensor_of_ints(ATL_SHAPE(many), truth);
    atl_status status = atl_run(program, ATL_FEEDS({scores, fed}, {labels, right}));
    *accuracy_out = atl_scalar_of(program, accuracy);
    atl_tensor_free(fed);
    atl_tensor_free(right);
    atl_program_free(program);
    return status;
}

static const float rows[] = {1, 2, 3, 3, 2, 1, 0, 5, 0, -3, -2, -1}; /* 2, 0, 1, 2 */

Test(accuracy, is_the_share_of_rows_that_are_right)
{
    float accuracy;
    cr_assert_eq(measure(4, rows, 4, (const int32_t[]){2, 0, 1, 0}, &accuracy), ATL_OK, "%s", atl_error());
    cr_assert_eq(accuracy, 0.75f);
    cr_assert_eq(measure(2, rows, 2, (const int32_t[]){7, -1}, &accuracy), ATL_OK, "%s", atl_error());
    cr_assert_eq(accuracy, 0);
}

/* A single label for many rows would be compared with all of them. */
Test(accuracy, does_not_broadcast)
{
    float accuracy;
    cr_assert_neq(measure(4, rows, 1, (const int32_t[]){2}, &accuracy), ATL_OK);
    cr_assert_mentions(atl_graph_error(g), "reshape");
}

Test(accuracy, labels_of_another_type_or_shape)
{
    cr_assert_null(atl_accuracy(scores, NULL));
    cr_assert_str_empty(atl_graph_error(g));
    cr_assert_null(atl_accuracy(scores, scores));
    cr_assert_mentions(atl_graph_error(g), "accuracy: the labels, 'scores', are float32 but must be int32");
}

Test(accuracy, labels_of_another_shape)
{
    cr_assert_null(atl_accuracy(scores, atl_reshape(labels, ATL_SHAPE(-1, 1))));
    cr_assert_mentions(atl_graph_error(g), "accuracy: there must be one label for each row of 'scores', [?, 3]");
}
