/* The example's network with the golden weights: scores, losses and every gradient. */
#include "models/golden.h"

int cifar10_multiscale(int argc, char **argv);
#define main cifar10_multiscale
#include "../../examples/cifar10_multiscale.c"
#undef main

Test(cifar10_multiscale, golden_values_and_gradients)
{
    enum { VARIABLES = 10 };
    atl_npz *npz = open_golden("goldens/cifar10_multiscale.npz");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 24, 24, 3));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *scores = multiscale(image, 64, 48, 24);
    atl_node *cross_entropy = atl_mean(atl_sparse_softmax_cross_entropy(scores, labels));
    atl_node *loss = atl_add(cross_entropy, atl_weight_decay(g));
    int64_t count = atl_variables(g).count;
    atl_node *const *variables = atl_variables(g).node;
    cr_assert_eq(count, VARIABLES);
    atl_node *by[VARIABLES + 1], *gradient[VARIABLES + 1], *wanted[VARIABLES + 4] = {scores, cross_entropy, loss};
    memcpy(by, variables, sizeof(atl_node *) * VARIABLES);
    by[VARIABLES] = image;
    cr_assert(atl_gradients(ATL_NODES(loss), {VARIABLES + 1, by}, gradient) == ATL_OK, "%s", atl_graph_error(g));
    memcpy(wanted + 3, gradient, sizeof gradient);
    cr_assert(atl_load_npz(g, data_file("goldens/cifar10_multiscale.npz"), .allow_missing = 1, .allow_extra = 1) ==
                  ATL_OK,
              "%s", atl_error());
    atl_program *program = compiled(g, (atl_nodes){VARIABLES + 4, wanted}, 0);
    atl_tensor *pixels = golden_value(npz, "image"), *truth = golden_value(npz, "labels");
    cr_assert(atl_run(program, ATL_FEEDS({image, pixels}, {labels, truth})) == ATL_OK, "%s", atl_error());
    assert_golden(program, scores, npz, "logits");
    assert_golden(program, cross_entropy, npz, "cross_entropy");
    assert_golden(program, loss, npz, "loss");
    for (int i = 0; i <= VARIABLES; i++)
        assert_golden(program, gradient[i], npz, ATL_NAME("grad/%s", atl_name_of(by[i])));
    atl_tensor_free(pixels);
    atl_tensor_free(truth);
    atl_program_free(program);
    atl_npz_close(npz);
    atl_graph_free(g);
}

/* A frequent question: feature maps of two scales that were not yet pooled to one size. */
Test(cifar10_multiscale, maps_of_different_sizes_are_told_apart)
{
    atl_graph *g = atl_graph_new();
    atl_node *fine = atl_input(g, "fine", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 24, 24, 64));
    cr_assert_null(atl_concat(3, fine, atl_named(pool(fine), "coarse")));
    cr_assert_mentions(atl_graph_error(g), "[?, 24, 24, 64]");
    cr_assert_mentions(atl_graph_error(g), "[?, 12, 12, 64]");
    cr_assert_mentions(atl_graph_error(g), "axis 3");
    atl_graph_free(g);
}
