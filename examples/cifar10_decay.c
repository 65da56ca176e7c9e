/* The training of TensorFlow's CIFAR-10 tutorial, written out: weight decay on the dense layers only, and a learning
 * rate that falls exponentially.  usage: cifar10_decay [FOLDER of CIFAR-10 binary]; without one, on a few synthetic
 * images. */
#include <stdio.h>

#include <atled/atled.h>

/* Ten classes, each with its own brightness and noise added. */
static atl_dataset *made_up(void)
{
    atl_tensor *images = atl_uniform_tensor(ATL_SHAPE(64, 32, 32, 3), 0, 20, 1);
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(64));
    for (int i = 0; i < 64; i++) {
        atl_ints(labels)[i] = i % 10;
        for (int k = 0; k < 32 * 32 * (i % 10); k++)
            atl_floats(images)[i * 32 * 32 * 3 + k % (32 * 32 * 3)] += 20;
    }
    atl_dataset *data = atl_dataset_of(images, labels);
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return data;
}

int main(int argc, char **argv)
{
    atl_dataset *data = argc > 1 ? atl_dataset_open(argv[1], ATL_TRAINING) : made_up();
    atl_batches *batches =
        atl_batches_new(data, .size = 32, .height = 24, .width = 24, .shuffle = 1, .random_crop = 1, .flip = 1);
    if (!batches) {
        fprintf(stderr, "%s\n", atl_error());
        return 1;
    }
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 24, 24, 3));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *logits = atl_cifar10(image, .widths = {16, 16, 32, 32, 10});
    atl_node *cost = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels));

    /* adds 0.004 * |w|^2 / 2 for these two variables, and for no other */
    atl_node *decayed[] = {atl_find(g, "local3/weights"), atl_find(g, "local4/weights")};
    for (int i = 0; i < 2; i++)
        cost = atl_add(cost, atl_scale(atl_l2_loss(decayed[i]), 0.004f));

    /* 0.1 * 0.1^(step / (350 epochs)) */
    atl_node *counter = atl_step_counter(g), *step = atl_cast(counter, ATL_FLOAT32);
    atl_node *epochs = atl_scale(step, 1 / (float)atl_batches_per_epoch(batches));
    atl_node *rate = atl_scale(atl_pow(atl_scalar(step, 0.1f), atl_scale(epochs, 1 / 350.0f)), 0.1f);

    /* The whole step is one node: every variable takes its new value when the run ends. */
    enum { MOST = 32 };
    atl_nodes variables = atl_variables(g);
    atl_node *weights[MOST], *gradients[MOST], *steps[MOST + 1];
    int64_t trained = 0;
    for (int64_t i = 0; i < variables.count; i++)
        if (atl_variable_is_trainable(variables.node[i]))
            weights[trained++] = variables.node[i];
    atl_gradients(.of = ATL_NODES(cost), .by = {trained, weights}, .result_out = gradients);
    for (int64_t i = 0; i < trained; i++)
        steps[i] = atl_assign(weights[i], atl_sub(weights[i], atl_mul(gradients[i], rate)));
    steps[trained] = atl_assign(counter, atl_increment(counter));
    atl_program *program = atl_compile(g, ATL_NODES(atl_group_with((atl_nodes){trained + 1, steps}), cost));

    float first = 0, last = 0;
    for (int i = 0; program && i < 200; i++) {
        const atl_batch *batch = atl_batches_next(batches);
        if (atl_run(program, ATL_FEEDS({image, batch->images}, {labels, batch->labels})))
            break;
        last = atl_scalar_of(program, cost);
        first = i ? first : last;
        if (i % 20 == 0)
            printf("step %d: cost %.4f\n", i, last);
    }
    if (!program || !(last < first))
        fprintf(stderr, "the cost went from %g to %g: %s\n", first, last, atl_error());
    atl_program_free(program);
    atl_graph_free(g);
    atl_batches_free(batches);
    atl_dataset_free(data);
    return last < first ? 0 : 1;
}
