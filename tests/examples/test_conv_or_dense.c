/* The convolutional network wins, and each mistake that the comments describe makes it lose its lead. */
#include "support.h"

int conv_or_dense(int argc, char **argv);
#define main conv_or_dense
#include "../../examples/conv_or_dense.c"
#undef main

Test(conv_or_dense, wins_unless_a_mistake_is_made)
{
    for (mistake made = NONE; made < MISTAKES; made++) {
        contest result = compete(made);
        float lead = result.convolutional - result.dense;
        fprintf(stderr, "%s: %.3f and %.3f\n", mistakes[made], (double)result.convolutional, (double)result.dense);
        if (made == NONE)
            cr_expect(lead > 0.5f && result.convolutional > 0.9f);
        else
            cr_expect_lt(lead, 0.2f, "%s does no harm", mistakes[made]);
    }
}

Test(conv_or_dense, weights_are_as_many_as_the_comments_say)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 1));
    int64_t conv = 0, dense = 0;
    cr_assert(convolutional(image, atl_he()) && fully_connected(image, atl_he()), "%s", atl_graph_error(g));
    atl_nodes all = atl_variables(g);
    for (int64_t i = 0; i < all.count; i++)
        *(strncmp(atl_name_of(all.node[i]), "conv/", 5) ? &dense : &conv) += atl_shape_count(atl_shape_of(all.node[i]));
    fprintf(stderr, "%lld and %lld\n", (long long)conv, (long long)dense);
    cr_assert_eq((conv + 50) / 100, 17);
    cr_assert_eq((dense + 50) / 100, 167);
    atl_graph_free(g);
}
