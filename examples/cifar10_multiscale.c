/* The multi-scale variant of the CIFAR-10 tutorial's network: its dense layers see the fine map of the first
 * convolution and the coarse map of the second.  usage: cifar10_multiscale [FOLDER of CIFAR-10 binary]; without one,
 * on a few synthetic images. */
#include <atled/atled.h>
#include <stdio.h>

static atl_node *conv_norm(atl_node *x, const char *name, int channels)
{
    x = atl_conv_layer(x, name, channels, .window = {5, 5}, .initializer = atl_truncated_normal(0.05f),
                       .activation = atl_relu);
    return atl_lrn(x, .radius = 4, .alpha = 0.001f / 9, .beta = 0.75f);
}

static atl_node *pool(atl_node *x) { return atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}); }

static atl_node *dense(atl_node *x, const char *name, int width)
{
    return atl_dense_layer(x, name, width, .initializer = atl_truncated_normal(0.04f), .decay = 0.004f,
                           .activation = atl_relu);
}

/* [n, 24, 24, 3] -> [n, 10] */
static atl_node *multiscale(atl_node *image, int channels, int local3, int local4)
{
    atl_node *fine = conv_norm(image, "conv1", channels); /* [n, 24, 24, channels] */
    atl_node *coarse = conv_norm(fine, "conv2", channels);
    /* Two maps can be concatenated along an axis if all their other sizes agree.  Here both are [n, 12, 12,
     * channels], and the result is [n, 12, 24, channels].  For the dense layers it does not matter which axis it is. */
    atl_node *scales = atl_concat(2, pool(fine), pool(coarse));
    atl_node *h = dense(dense(atl_flatten(scales), "local3", local3), "local4", local4);
    return atl_dense_layer(h, "softmax_linear", 10, .initializer = atl_truncated_normal(1 / 192.0f));
}

/* Four classes: with or without stripes, which the fine scale sees, and brighter at the top or not, which the coarse
 * scale sees. */
static atl_dataset *made_up(void)
{
    enum { COUNT = 64, SIDE = 32, SIZE = SIDE * SIDE * 3 };
    atl_tensor *images = atl_uniform_tensor(ATL_SHAPE(COUNT, SIDE, SIDE, 3), 0, 100, /* seed */ 1);
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(COUNT));
    for (int i = 0; images && labels && i < COUNT * SIZE; i++) {
        int label = i / SIZE % 4, row = i % SIZE / (SIDE * 3), column = i / 3 % SIDE;
        int striped = label & 1, bright_above = label & 2;
        atl_ints(labels)[i / SIZE] = label;
        atl_floats(images)[i] += (float)(60 * (striped && column % 2) + 60 * (bright_above && row < SIDE / 2));
    }
    atl_dataset *data = atl_dataset_of(images, labels);
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return data;
}

int main(int argc, char **argv)
{
    atl_dataset *data = argc > 1 ? atl_dataset_open(argv[1], ATL_TRAINING) : made_up();
    atl_batches *batches = atl_batches_new(data, .size = 32, .height = 24, .width = 24, .shuffle = 1, .random_crop = 1);
    if (!batches) {
        fprintf(stderr, "%s\n", atl_error());
        return 1;
    }
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 24, 24, 3));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *pixels =
        atl_scale(atl_add_scalar(image, -128), 1 / 64.0f); /* networks learn better from small numbers around 0 */
    atl_node *scores = argc > 1 ? multiscale(pixels, 64, 384, 192) : multiscale(pixels, 16, 48, 24);
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(scores, labels));
    atl_node *accuracy = atl_accuracy(scores, labels);
    atl_node *step = atl_minimize(atl_add(loss, atl_weight_decay(g)), atl_adam());
    atl_program *program = atl_compile(g, ATL_NODES(step, loss, accuracy));
    float right = 0;
    for (int i = 0; i < 60; i++) {
        const atl_batch *batch = atl_batches_next(batches);
        if (!program || atl_run(program, ATL_FEEDS({image, batch->images}, {labels, batch->labels}))) {
            fprintf(stderr, "%s\n", atl_error());
            return 1;
        }
        right = atl_scalar_of(program, accuracy);
        if (i % 10 == 9)
            printf("step %2d: loss %.3f, %.0f %% of the batch right\n", i + 1, (double)atl_scalar_of(program, loss),
                   100 * (double)right);
    }
    atl_program_free(program);
    atl_graph_free(g);
    atl_batches_free(batches);
    atl_dataset_free(data);
    return argc > 1 || right > 0.9f ? 0 : 1;
}
