/* The accuracy of a classifier. */
#include "atled/train.h"

#include "atled/op.h"

/* Checks one label per row of scores; sizes that are unknown now are checked when the program runs. */
static int is_one_label_a_row(const atl_node *scores, const atl_node *labels)
{
    atl_shape rows = atl_shape_of(scores), have = atl_shape_of(labels);
    int fits = rows.rank > 0 && have.rank == rows.rank - 1;
    for (int i = 0; fits && i < have.rank; i++)
        fits = rows.size[i] == have.size[i] || rows.size[i] == ATL_ANY || have.size[i] == ATL_ANY;
    return fits;
}

/* mean(argmax(scores) = labels) */
atl_node *atl_accuracy(atl_node *scores, atl_node *labels)
{
    char texts[2][160];
    if (!scores || !labels)
        return NULL;
    if (atl_dtype_of(labels) != ATL_INT32)
        return atl_builder_error(atl_graph_of(scores), "accuracy",
                                 "the labels, '%s', are %s but must be int32: see atl_cast", atl_name_of(labels),
                                 atl_dtype_name(atl_dtype_of(labels)));
    if (!is_one_label_a_row(scores, labels))
        return atl_builder_error(atl_graph_of(scores), "accuracy",
                                 "there must be one label for each row of '%s', %s, but the labels, '%s', are %s",
                                 atl_name_of(scores), atl_shape_text(atl_shape_of(scores), texts[0], sizeof texts[0]),
                                 atl_name_of(labels), atl_shape_text(atl_shape_of(labels), texts[1], sizeof texts[1]));
    atl_node *guess = atl_cast(atl_argmax(scores, -1), ATL_FLOAT32);
    return atl_mean(atl_equal(guess, atl_cast(atl_reshape_like(labels, guess), ATL_FLOAT32)));
}
