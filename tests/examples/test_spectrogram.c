/* Why is my batch 40, and not 5? */
#include "support.h"

int spectrogram(void);
#define main spectrogram
#include "../../examples/spectrogram.c"
#undef main

Test(spectrogram, a_reshape_to_40_rows_is_named)
{
    char message[1000];
    explain_tutorial(message, sizeof message);
    cr_assert_str_eq(
        message, "local3/matmul: cannot multiply [40, 52416] by [2304, 384]: the inner sizes 52416 and 2304 differ.\n"
                 "  [40, 52416] comes from local3/reshape ([5, 26, 252, 64] -> [40, -1]): the first size, 40, is not "
                 "the batch, 5.");
}

Test(spectrogram, an_input_for_40_says_what_it_was_given_and_what_to_do)
{
    char message[1000];
    explain_input(message, sizeof message);
    cr_assert_str_eq(message,
                     "feed: input 'spectrogram' takes [40, 101, 1008, 8], but the tensor is [5, 101, 1008, 8]; an "
                     "input whose first size is ATL_ANY takes batches of any size");
}

Test(spectrogram, sizes_in_the_comments_are_true)
{
    atl_graph *g = atl_graph_new();
    atl_node *scores = with_sizes_of_the_data(
        atl_input(g, "spectrogram", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, FREQUENCIES, TIMES, MICROPHONES)));
    cr_assert(atl_shape_equal(atl_shape_of(scores), ATL_SHAPE(ATL_ANY, 2)), "%s", atl_graph_error(g));
    cr_assert(atl_shape_equal(atl_shape_of(atl_find(g, "max_pool2d")), ATL_SHAPE(ATL_ANY, 26, 126, 8)));
    cr_assert(atl_shape_equal(atl_shape_of(atl_find(g, "local3/weights")), ATL_SHAPE(7 * 32 * 16, 32)));
    atl_graph_free(g);
}
