/* Why is my batch 40, and not 5?  A classifier of spectrograms, [5, 101, 1008, 8] (batch, frequencies, times,
 * microphones), two classes; first as it is often written, with numbers taken from a tutorial, then with every size
 * taken from the data.
 *
 * usage: spectrogram */
#include <atled/atled.h>
#include <stdio.h>
#include <string.h>

enum { FREQUENCIES = 101, TIMES = 1008, MICROPHONES = 8, SIZE = FREQUENCIES * TIMES * MICROPHONES };

/* The layers of the CIFAR-10 tutorial, with its numbers. */
static atl_node *with_numbers_of_a_tutorial(atl_node *spectrogram)
{
    enum { BATCH_SIZE = 40 };
    atl_graph *g = atl_graph_of(spectrogram);
    atl_node *h = spectrogram;
    for (int i = 1; i <= 2; i++) {
        h = atl_conv_layer(h, ATL_NAME("conv%d", i), 64, .window = {5, 5}, .activation = atl_relu);
        h = atl_max_pool2d(h, .window = {3, 3}, .stride = {2, 2});
    }
    atl_enter(g, "local3");
    /* Five examples are silently cut into 40 rows, because 5 * 26 * 252 * 64 is divisible by 40. */
    h = atl_reshape(h, ATL_SHAPE(BATCH_SIZE, -1));
    h = atl_matmul(h, atl_variable(g, "weights", ATL_SHAPE(2304, 384), atl_truncated_normal(0.04f)));
    atl_leave(g);
    return h;
}

/* Sizes from the data: atl_flatten keeps the batch, whatever it is, and a layer's weights fit its input. */
static atl_node *with_sizes_of_the_data(atl_node *spectrogram)
{
    atl_node *h = atl_conv_layer(spectrogram, "conv1", 8, .window = {5, 5}, .stride = {2, 4}, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {3, 3}, .stride = {2, 2}); /* [n, 26, 126, 8] */
    h = atl_conv_layer(h, "conv2", 16, .window = {5, 5}, .stride = {2, 2}, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {3, 3}, .stride = {2, 2}); /* [n, 7, 32, 16] */
    h = atl_dense_layer(atl_flatten(h), "local3", 32, .activation = atl_relu);
    return atl_dense_layer(h, "scores", 2);
}

/* What comes of it, in words. */
static void explain_tutorial(char *message, size_t size)
{
    atl_graph *g = atl_graph_new();
    atl_node *spectrogram = atl_input(g, "spectrogram", ATL_FLOAT32, ATL_SHAPE(5, FREQUENCIES, TIMES, MICROPHONES));
    atl_node *scores = with_numbers_of_a_tutorial(spectrogram);
    snprintf(message, size, "%s", scores ? "" : atl_graph_error(g));
    atl_graph_free(g);
}

/* The other origin of 40: an input for batches of 40, and only 5 examples to feed. */
static void explain_input(char *message, size_t size)
{
    atl_graph *g = atl_graph_new();
    atl_node *spectrogram = atl_input(g, "spectrogram", ATL_FLOAT32, ATL_SHAPE(40, FREQUENCIES, TIMES, MICROPHONES));
    atl_program *program = atl_compile(g, ATL_NODES(atl_mean(spectrogram)));
    atl_tensor *five = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(5, FREQUENCIES, TIMES, MICROPHONES));
    snprintf(message, size, "%s", atl_run(program, ATL_FEED(spectrogram, five)) ? atl_error() : "");
    atl_tensor_free(five);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Noise; every other example has a tone during half the time, in all microphones. */
static atl_dataset *made_up(int count)
{
    atl_tensor *noise = atl_uniform_tensor(ATL_SHAPE(count, FREQUENCIES, TIMES, MICROPHONES), -1, 1, /* seed */ 1);
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(count));
    for (int i = 0; noise && labels && i < count; i++) {
        int tone = i % 2, frequency = 20 + 7 * i % 60;
        atl_ints(labels)[i] = tone;
        float *from = atl_floats(noise) + (int64_t)i * SIZE + (frequency * TIMES + TIMES / 2) * MICROPHONES;
        for (int k = 0; tone && k < 200 * MICROPHONES; k++)
            from[k] += 1;
    }
    atl_dataset *data = atl_dataset_of(noise, labels);
    atl_tensor_free(noise);
    atl_tensor_free(labels);
    return data;
}

/* Trains on 12 examples in batches of 5, 5 and 2; returns the fraction of the last epoch's examples that were
 * classified correctly. */
static float train(int epochs)
{
    atl_dataset *data = made_up(12);
    atl_batches *batches = atl_batches_new(data, .size = 5, .shuffle = 1);
    atl_graph *g = atl_graph_new();
    atl_node *spectrogram =
        atl_input(g, "spectrogram", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, FREQUENCIES, TIMES, MICROPHONES));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *scores = with_sizes_of_the_data(spectrogram);
    atl_node *accuracy = atl_accuracy(scores, labels);
    atl_node *step = atl_minimize(atl_mean(atl_sparse_softmax_cross_entropy(scores, labels)), atl_adam(.rate = 0.003));
    atl_program *program = atl_compile(g, ATL_NODES(step, accuracy));
    float right = 0;
    for (int epoch = 0; program && batches && epoch < epochs; epoch++) {
        const atl_batch *batch = NULL;
        right = 0;
        do {
            batch = atl_batches_next(batches);
            if (atl_run(program, ATL_FEEDS({spectrogram, batch->images}, {labels, batch->labels})))
                break;
            right += atl_scalar_of(program, accuracy) * (float)batch->count;
            printf("epoch %d, a batch of %d: loss %.3f\n", epoch + 1, (int)batch->count,
                   (double)atl_scalar_of(program, step));
        } while (!batch->last);
    }
    if (right == 0)
        fprintf(stderr, "%s\n", atl_error());
    atl_program_free(program);
    atl_graph_free(g);
    atl_batches_free(batches);
    atl_dataset_free(data);
    return right / 12;
}

int main(void)
{
    char tutorial[1000], input[1000];
    explain_tutorial(tutorial, sizeof tutorial);
    explain_input(input, sizeof input);
    printf("With the numbers of a tutorial:\n%s\n\nWith an input for 40:\n%s\n\nWith the sizes of the data:\n",
           tutorial, input);
    float right = train(6);
    printf("%.0f %% of the examples right\n", 100 * (double)right);
    return strstr(tutorial, "40, is not the batch, 5") && strstr(input, "ATL_ANY") && right > 0.9f ? 0 : 1;
}
