/* The example's loop on the golden narrow network, whose image is 64 pixels wide. */
#include "models/golden.h"

int vgg16_fooling(int argc, char **argv);
#define main vgg16_fooling
#include "../../examples/vgg16_fooling.c"
#undef main

/* The probability of the class in the picture that was written. */
static double probability_in(const char *picture, int target)
{
    const char *path = data_file("goldens/vgg16_narrow.npz");
    atl_model_size size;
    cr_assert(atl_model_size_of(atl_model_find("vgg16"), path, &size) == ATL_OK);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(64, 64, 3));
    atl_node *scores = vgg16(atl_expand_dims(image, 0), 1 / 64.0f, size.widths);
    atl_node *probability = atl_index_last(atl_softmax(scores), target);
    cr_assert(atl_load_npz(g, path, .suffixes = {"_W", "_b"}, .allow_missing = 1, .allow_extra = 1) == ATL_OK, "%s",
              atl_error());
    atl_program *program = compiled(g, ATL_NODES(probability), 0);
    atl_tensor *pixels = atl_read_image(picture);
    cr_assert(pixels && atl_run(program, ATL_FEED(image, pixels)) == ATL_OK, "%s", atl_error());
    double p = (double)atl_scalar_of(program, probability);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
    return p;
}

Test(vgg16_fooling, the_probability_of_the_target_rises_to_099)
{
    static const int targets[] = {0, 1, 9, 11, 17}; /* at the start 1e-6 to 0.7 */
    const char *picture = scratch_file("fooled.png");
    for (int i = 0; i < 5; i++) {
        float p = fool(data_file("goldens/vgg16_narrow.npz"), 1 / 64.0f, targets[i], picture);
        cr_expect_geq(p, 0.99f, "class %d: %g; %s", targets[i], (double)p, atl_error());
        cr_expect_geq(probability_in(picture, targets[i]), 0.95, "class %d is lost in the file", targets[i]);
    }
}

/* The example's network equals the golden one, gradient included. */
Test(vgg16_fooling, golden_slope)
{
    const char *path = data_file("goldens/vgg16_narrow.npz");
    atl_npz *npz = open_golden("goldens/vgg16_narrow.npz");
    atl_model_size size;
    cr_assert(atl_model_size_of(atl_model_find("vgg16"), path, &size) == ATL_OK);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 64, 64, 3));
    atl_node *scores = vgg16(image, 1 / 64.0f, size.widths);
    atl_node *gradient = atl_gradient(atl_mean(atl_softmax_cross_entropy(scores, .label = 1)), image);
    cr_assert(atl_load_npz(g, path, .suffixes = {"_W", "_b"}, .allow_missing = 1, .allow_extra = 1) == ATL_OK, "%s",
              atl_error());
    atl_program *program = compiled(g, ATL_NODES(scores, gradient), 0);
    atl_tensor *pixels = golden_value(npz, "image");
    cr_assert(atl_run(program, ATL_FEED(image, pixels)) == ATL_OK, "%s", atl_error());
    assert_golden(program, scores, npz, "logits");
    assert_golden(program, gradient, npz, "grad_cross_entropy/image");
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_npz_close(npz);
    atl_graph_free(g);
}

Test(vgg16_fooling, weights_that_are_not_there)
{
    cr_assert_lt(fool("no/such/weights.npz", 1, 0, NULL), 0);
    cr_assert_mentions(atl_error(), "no/such/weights.npz");
}
