/* Fools VGG16: changes an image of noise along the gradient until the network classifies it as the given class with a
 * probability of 0.99.  This is the loop of `atled fool`, written out. usage: vgg16_fooling [WEIGHTS.npz [CLASS
 * [FILE.png]]]; keys conv1_1_W, conv1_1_b, ..., fc8_b.  Without weights, it uses a narrow network with random
 * weights. */
#include <atled/atled.h>
#include <stdio.h>
#include <stdlib.h>

/* [n, h, w, 3], RGB 0..255 -> [n, classes] scores.  The published weights expect pixels minus their mean, with a
 * scale of 1. widths: those of the 13 convolutions and the three dense layers. */
static atl_node *vgg16(atl_node *image, float scale, const int *widths)
{
    static const int depth[] = {2, 2, 3, 3, 3};
    atl_node *h = atl_scale(atl_sub(image, ATL_CONSTANT(image, 123.68f, 116.779f, 103.939f)), scale);
    for (int block = 1; block <= 5; block++) {
        for (int i = 1; i <= depth[block - 1]; i++)
            h = atl_conv_layer(h, ATL_NAME("conv%d_%d", block, i), *widths++, .window = {3, 3}, .activation = atl_relu);
        h = atl_max_pool2d(h, .window = {2, 2}, .stride = {2, 2});
    }
    h = atl_dense_layer(atl_flatten(h), "fc6", *widths++, .activation = atl_relu);
    h = atl_dense_layer(h, "fc7", *widths++, .activation = atl_relu);
    return atl_dense_layer(h, "fc8", *widths);
}

/* Returns the final probability; negative after an error. */
static float fool(const char *weights, float scale, int target, const char *picture)
{
    /* Sizes from the archive: the published network is 224 x 224, 64 to 4096 wide. */
    atl_model_size size = {64, 64, 10, {16, 16, 16, 16, 32, 32, 32, 32, 32, 32, 32, 32, 32, 64, 64, 10}};
    if (weights && atl_model_size_of(atl_model_find("vgg16"), weights, &size))
        return -1;

    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, size.height, size.width, 3));
    atl_node *scores = vgg16(image, scale, size.widths);
    atl_node *target_probability = atl_index_last(atl_softmax(scores), target);
    /* The gradient of cross entropy is largest while the target is improbable.  That of the mean squared error of
     * the softmax vanishes there, because the softmax is flat: the probability never begins to rise. */
    atl_node *loss = atl_softmax_cross_entropy(scores, .label = ATL_EXACTLY(target));
    atl_node *gradient = atl_gradient(loss, image);
    atl_program *step = atl_compile(g, ATL_NODES(gradient, target_probability));
    float probability = -1;
    if (!step ||
        (weights && atl_load_npz(g, weights, .suffixes = {"_W", "_b"}, .allow_missing = 1, .allow_extra = 1))) {
        atl_program_free(step);
        atl_graph_free(g);
        return probability;
    }
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(1, size.height, size.width, 3), 0, 255, /* seed */ 1);
    for (int i = 0; i <= 500; i++) {
        if (atl_run(step, ATL_FEED(image, pixels)))
            break;
        probability = atl_scalar_of(step, target_probability);
        if (i % 5 == 0 || probability >= 0.99f)
            printf("step %3d: probability of class %d is %.6f\n", i, target, (double)probability);
        if (probability >= 0.99f)
            break;
        /* Four grey levels, on average over the pixels: the image changes however small the gradient is. */
        atl_descend(pixels, atl_value(step, gradient), .rate = 4, .lowest = 0, .highest = 255);
    }
    if (picture && atl_write_png(picture, pixels))
        probability = -1;
    atl_tensor_free(pixels);
    atl_program_free(step);
    atl_graph_free(g);
    return probability;
}

int main(int argc, char **argv)
{
    const char *weights = argc > 1 ? argv[1] : NULL;
    float scale = weights ? 1 : 1 / 64.0f; /* random weights expect numbers around 1 */
    float probability = fool(weights, scale, argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? argv[3] : NULL);
    if (probability < 0)
        fprintf(stderr, "%s\n", atl_error());
    return probability >= 0.99f ? 0 : 1;
}
