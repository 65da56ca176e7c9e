/* Trains a convolutional and a fully connected network on the same images, in one graph and one training step.
 *
 * Each image shows one of four small patterns, somewhere, in noise.  The convolutional network wins: a pattern that it
 * has learned in one place it recognises everywhere.  The dense network has ten times the weights, and must see every
 * pattern in every place.
 *
 * If your convolutional network loses, look for these mistakes; `conv_or_dense MISTAKE` shows the effect of each:
 *   scrambled  The order of the pixels.  An image [channels, height, width] that was reshaped, not transposed, to
 *              [height, width, channels] is scrambled.  A dense layer is not affected; a convolution needs neighbours.
 *   raw        Pixels 0..255 as they are.  Scale them to mean 0 and standard deviation 1.
 *   wild       Initial weights with standard deviation 1, as in old tutorials.  The default of atl_conv_layer is that
 *              of He et al., sqrt(2 / fan-in).
 *   hasty      A learning rate that is too high.  The dense network may tolerate it; the relus of the convolutional
 *              network die, all scores become equal, and the loss stays at log(classes).
 *   early      Training stopped too soon: a convolutional network starts more slowly.
 * Convolutions do not help with data whose columns have no order, because neighbours mean nothing there.
 * usage: conv_or_dense [MISTAKE] */
#include <atled/atled.h>
#include <stdio.h>
#include <string.h>

typedef enum mistake { NONE, SCRAMBLED, RAW, WILD, HASTY, EARLY, MISTAKES } mistake;
static const char *const mistakes[] = {"none", "scrambled", "raw", "wild", "hasty", "early"};

enum { SIDE = 16, PIXELS = SIDE * SIDE, TRAINING = 400, TEST = 400, BATCH = 50, STEPS = 160 };

/* [n, 16, 16, 1] -> [n, 4], 1,700 weights */
static atl_node *convolutional(atl_node *image, atl_initializer weights)
{
    atl_node *h = atl_conv_layer(image, "conv/1", 12, .window = {5, 5}, .initializer = weights, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {2, 2});
    h = atl_conv_layer(h, "conv/2", 12, .window = {3, 3}, .initializer = weights, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {0, 0}); /* of the whole map: the position does not matter */
    return atl_dense_layer(atl_flatten(h), "conv/scores", 4);
}

/* The same, 16,700 weights */
static atl_node *fully_connected(atl_node *image, atl_initializer weights)
{
    atl_node *h = atl_dense_layer(atl_flatten(image), "dense/1", 64, .initializer = weights, .activation = atl_relu);
    return atl_dense_layer(h, "dense/scores", 4);
}

static const char *const patterns[4][5] = {{"#...#", ".#.#.", "..#..", ".#.#.", "#...#"},
                                           {"..#..", "..#..", "#####", "..#..", "..#.."},
                                           {"#####", "#...#", "#...#", "#...#", "#####"},
                                           {"..#..", ".#.#.", "#...#", ".#.#.", "..#.."}};

/* Images [count, 16, 16, 1] with their labels [count]. */
static atl_tensor *draw(int count, uint64_t seed, mistake made, atl_tensor *labels)
{
    atl_tensor *pictures = atl_uniform_tensor(ATL_SHAPE(count, SIDE, SIDE, 1), -1, 1, seed);
    atl_tensor *places = atl_uniform_tensor(ATL_SHAPE(count, 2), 0, SIDE - 4, seed + 1);
    for (int i = 0; i < count; i++) {
        float *picture = atl_floats(pictures) + i * PIXELS, before[PIXELS];
        int top = (int)atl_floats(places)[2 * i], left = (int)atl_floats(places)[2 * i + 1];
        atl_ints(labels)[i] = i % 4;
        for (int k = 0; k < 25; k++)
            if (patterns[i % 4][k / 5][k % 5] == '#')
                picture[(top + k / 5) * SIDE + left + k % 5] += 1.5f;
        memcpy(before, picture, sizeof before);
        for (int k = 0; made == SCRAMBLED && k < PIXELS; k++)
            picture[k * 37 % PIXELS] = before[k]; /* the same for all pictures */
        for (int k = 0; made == RAW && k < PIXELS; k++)
            picture[k] = 128 + 50 * picture[k];
    }
    atl_tensor_free(places);
    return pictures;
}

typedef struct contest {
    float convolutional, dense; /* the fraction of test images that each network classifies correctly */
} contest;

static contest compete(mistake made)
{
    contest result = {0, 0};
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(TRAINING)),
               *truth = atl_tensor_new(ATL_INT32, ATL_SHAPE(TEST));
    atl_tensor *pictures = draw(TRAINING, 1, made, labels), *unseen = draw(TEST, 3, made, truth);
    atl_dataset *data = atl_dataset_of(pictures, labels);
    atl_batches *batches = atl_batches_new(data, .size = BATCH, .shuffle = 1);

    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 1));
    atl_node *label = atl_input(g, "label", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_initializer weights = made == WILD ? atl_normal(1) : atl_he();
    atl_node *scores[] = {convolutional(image, weights), fully_connected(image, weights)}, *loss[2], *accuracy[2];
    for (int i = 0; i < 2; i++) {
        loss[i] = atl_mean(atl_sparse_softmax_cross_entropy(scores[i], label));
        accuracy[i] = atl_accuracy(scores[i], label);
    }
    /* No variable belongs to both networks, so the gradient of the sum is that of each. */
    atl_node *step = atl_minimize(atl_add(loss[0], loss[1]), atl_adam(.rate = made == HASTY ? 0.2 : 0.02));
    atl_program *train = atl_compile(g, ATL_NODES(step, loss[0], loss[1]));
    atl_program *test = atl_compile(g, ATL_NODES(accuracy[0], accuracy[1]));

    for (int i = 1; train && i <= (made == EARLY ? 20 : STEPS); i++) {
        const atl_batch *batch = atl_batches_next(batches);
        if (atl_run(train, ATL_FEEDS({image, batch->images}, {label, batch->labels})))
            break;
        if (i % 20 == 0)
            printf("step %3d: loss %.3f convolutional, %.3f dense\n", i, (double)atl_scalar_of(train, loss[0]),
                   (double)atl_scalar_of(train, loss[1]));
    }
    if (test && atl_run(test, ATL_FEEDS({image, unseen}, {label, truth})) == ATL_OK)
        result = (contest){atl_scalar_of(test, accuracy[0]), atl_scalar_of(test, accuracy[1])};
    else
        fprintf(stderr, "%s\n", atl_error());
    atl_program_free(train);
    atl_program_free(test);
    atl_graph_free(g);
    atl_batches_free(batches);
    atl_dataset_free(data);
    atl_tensor_free(pictures);
    atl_tensor_free(unseen);
    atl_tensor_free(labels);
    atl_tensor_free(truth);
    return result;
}

int main(int argc, char **argv)
{
    mistake made = NONE;
    while (argc > 1 && made < MISTAKES && strcmp(argv[1], mistakes[made]) != 0)
        made++;
    if (made == MISTAKES) {
        fprintf(stderr, "usage: conv_or_dense [scrambled | raw | wild | hasty | early]\n");
        return 2;
    }
    contest result = compete(made);
    printf("of %d pictures that neither has seen: convolutional %.1f %% right, dense %.1f %%\n", TEST,
           100 * (double)result.convolutional, 100 * (double)result.dense);
    return made || result.convolutional > result.dense + 0.5f ? 0 : 1;
}
