/* The benchmark's cases. */
#include "cases.h"
#include "networks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const bench_case cases[] = {
    {"vgg16_1", "vgg16", 1, 224, BY_IMAGE},
    {"vgg16_8", "vgg16", 8, 224, BY_IMAGE},
    {"squeezenet_1", "squeezenet", 1, 224, BY_IMAGE},
    {"squeezenet_8", "squeezenet", 8, 224, BY_IMAGE},
    {"squeezenet_32", "squeezenet", 32, 224, BY_IMAGE},
    {"squeezenet_128", "squeezenet", 128, 224, BY_IMAGE},
    {"cifar10_128", "cifar10", 128, 24, BY_WEIGHTS},
    {"resnet20_1", "resnet20", 1, 32, BY_IMAGE},
    {"resnet20_8", "resnet20", 8, 32, BY_IMAGE},
    {"resnet20_32", "resnet20", 32, 32, BY_IMAGE},
    {"resnet20_128", "resnet20", 128, 32, BY_IMAGE},
    {"mobilenet_v2_1", "mobilenet_v2", 1, 224, BY_IMAGE},
    {"mobilenet_v2_8", "mobilenet_v2", 8, 224, BY_IMAGE},
    {"mobilenet_v3_small_1", "mobilenet_v3_small", 1, 224, BY_IMAGE},
    {"efficientnet_b0_1", "efficientnet_b0", 1, 224, BY_IMAGE},
    {"efficientnet_b0_8", "efficientnet_b0", 8, 224, BY_IMAGE},
    {"efficientnet_lite0_1", "efficientnet_lite0", 1, 224, BY_IMAGE},
    {"efficientnet_lite0_8", "efficientnet_lite0", 8, 224, BY_IMAGE},
    {"resnet18_1", "resnet18", 1, 224, BY_IMAGE},
    {"resnet18_8", "resnet18", 8, 224, BY_IMAGE},
    {"densenet121_1", "densenet121", 1, 224, BY_IMAGE},
    {"densenet121_8", "densenet121", 8, 224, BY_IMAGE},
    {"vit_tiny_1", "vit_tiny", 1, 224, BY_IMAGE},
    {"vit_tiny_8", "vit_tiny", 8, 224, BY_IMAGE},
    {"mlp_1", NULL, 1, 0, BY_WEIGHTS, .widths = {8, 16, 1}, .activation = atl_tanh},
    {"cifar10_train", "cifar10", 128, 24, TRAINING, SGD_DECAY},
    {"resnet20_train", "resnet20", 128, 32, TRAINING, SGD_MOMENTUM},
    {"resnet18_train", "resnet18", 16, 112, TRAINING, SGD_MOMENTUM},
    {"mobilenet_v2_train", "mobilenet_v2", 16, 112, TRAINING, SGD_MOMENTUM},
    {"densenet121_train", "densenet121", 8, 112, TRAINING, SGD_MOMENTUM},
    {"vit_tiny_train", "vit_tiny", 8, 224, TRAINING, ADAM},
    {"digits_train_100", "digits", 100, 28, TRAINING, SGD_MOMENTUM, .channels = 1},
    {"digits_train_1", "digits", 1, 28, TRAINING, SGD_MOMENTUM, .channels = 1},
    {"autoencoder_train", "autoencoder", 32, 64, TRAINING, SGD_MOMENTUM},
    {"mlp_512_train_128", "mlp_512", 128, 28, TRAINING, SGD_MOMENTUM, .channels = 1},
    {"mlp_512_train_1", "mlp_512", 1, 28, TRAINING, SGD_MOMENTUM, .channels = 1},
    {"mlp_adam", NULL, 64, 0, TRAINING, ADAM, {784, 256, 10}, atl_relu},
    {"mlp_sgd", NULL, 1, 0, TRAINING, SGD, {8, 16, 1}, atl_tanh},
};
/* clang-format on */

const bench_case *bench_cases(int *count)
{
    *count = (int)(sizeof cases / sizeof cases[0]);
    return cases;
}

const bench_case *bench_case_find(const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}

double seconds_now(void)
{
    static int clock = -1;
    struct timespec t;
    if (clock < 0) {
        const char *name = getenv("BENCH_CLOCK");
        clock = name && strcmp(name, "processor") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    }
    clock_gettime((clockid_t)clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, ascending);
    return count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
}

static atl_node *mean_cross_entropy(const bench_case *c, built_case *b, atl_node *logits)
{
    atl_tensor *zeros = atl_tensor_new(ATL_INT32, ATL_SHAPE(c->batch));
    atl_node *labels = zeros ? atl_constant(b->graph, zeros) : NULL;
    atl_tensor_free(zeros);
    return atl_reduce_mean(atl_sparse_softmax_cross_entropy(logits, labels));
}

/* One hidden layer; the loss of a single output is its squared difference from 1. */
static atl_node *mlp_loss(const bench_case *c, built_case *b)
{
    b->image = atl_input(b->graph, "x", ATL_FLOAT32, ATL_SHAPE(c->batch, c->widths[0]));
    atl_node *h = atl_dense_layer(b->image, "hidden", c->widths[1], .activation = c->activation);
    atl_node *y = atl_dense_layer(h, "out", c->widths[2]);
    return c->widths[2] == 1 ? atl_reduce_mean(atl_square(atl_add_scalar(y, -1))) : mean_cross_entropy(c, b, y);
}

static atl_node *network_loss(const bench_case *c, built_case *b)
{
    b->image =
        atl_input(b->graph, "image", ATL_FLOAT32, ATL_SHAPE(c->batch, c->side, c->side, c->channels ? c->channels : 3));
    const atl_model *model = atl_model_find(c->model);
    atl_node *y = model ? model->build(&(atl_model_args){.image = b->image, .training = c->want == TRAINING})
                  : c->want == TRAINING ? bench_network_to_train(c->model, b->image)
                                        : bench_network(c->model, b->image);
    if (atl_shape_of(y).rank == 4) /* an image */
        return atl_reduce_mean(atl_square(atl_sub(y, b->image)));
    return mean_cross_entropy(c, b, y);
}

static int want_gradients(const bench_case *c, built_case *b)
{
    atl_nodes by = c->want == BY_WEIGHTS ? atl_variables(b->graph) : ATL_NODES(b->image);
    b->outputs[0] = b->loss;
    b->count = by.count + 1;
    return by.count < 255 && atl_gradients(.of = ATL_NODES(b->loss), .by = by, .result_out = b->outputs + 1) == ATL_OK;
}

/* Sets the decay of dense layers, or of convolutions too; never of biases or normalisation layers. */
static void set_decays(const bench_case *c, built_case *b)
{
    int64_t count = atl_variables(b->graph).count;
    atl_node *const *variable = atl_variables(b->graph).node;
    for (int64_t i = 0; i < count; i++) {
        int rank = atl_shape_of(variable[i]).rank;
        if (c->optimizer == SGD_DECAY && rank == 2)
            atl_variable_set_decay(variable[i], 0.004f);
        if (c->optimizer == SGD_MOMENTUM && rank >= 2)
            atl_variable_set_decay(variable[i], 1e-4f);
    }
}

/* The rates are so small that the weights, and with them the work, do not change during the measurement. */
static atl_optimizer optimizer_of(const bench_case *c, built_case *b)
{
    switch (c->optimizer) {
    case ADAM:
        return atl_adam(.rate = 1e-7);
    case SGD_MOMENTUM:
        return atl_momentum(.rate = 1e-7);
    case SGD_DECAY:
        return atl_sgd(.schedule = atl_exponential_decay(b->graph, .rate = 1e-7f, .every = 1000, .factor = 0.9f));
    default:
        return atl_sgd(.rate = 1e-7);
    }
}

static int want_step(const bench_case *c, built_case *b)
{
    set_decays(c, b);
    int decays = c->optimizer == SGD_DECAY || c->optimizer == SGD_MOMENTUM;
    atl_node *cost = decays ? atl_add(b->loss, atl_weight_decay(b->graph)) : b->loss;
    b->outputs[0] = atl_minimize(cost, optimizer_of(c, b));
    b->count = 1;
    return b->outputs[0] != NULL;
}

static int reads_bytes(const char *network) { return network && atl_model_find(network); }

/* The library's networks read bytes, and the others numbers as bench/frameworks.py makes them. */
atl_tensor *random_pixels(const char *network, atl_shape shape)
{
    int bytes = reads_bytes(network);
    return atl_uniform_tensor(shape, network && !bytes ? -1 : 0, bytes ? 255 : 1, 1);
}

/* Makes the first filter of a network that reads bytes so small that all behind it is as large as in the frameworks,
 * which read numbers from -1 to 1.  With results of bytes, probabilities and swish's results would be as small as
 * e^-90, which is denormal: some processors take a hundred times as long for an instruction on such a number. */
static int expect_bytes(const bench_case *c, built_case *b)
{
    if (!reads_bytes(c->model))
        return 1;
    atl_node *filter = atl_variables(b->graph).node[0];
    atl_tensor *small = atl_tensor_copy(atl_variable_value(filter));
    for (int64_t i = 0; small && i < atl_tensor_count(small); i++)
        atl_floats(small)[i] /= 128;
    int done = small && atl_variable_assign(filter, small) == ATL_OK;
    atl_tensor_free(small);
    return done;
}

/* Does what BENCH_CHOICE says: disables a pass, or "timing", or "images=N": a loop over the batch, N images at a time;
 * nothing without it.  Returns 0 for another text. */
static int force_choice(atl_compile_args *args)
{
    const char *choice = getenv("BENCH_CHOICE");
    int64_t count;
    const atl_named_pass *passes = atl_pass_table(&count);
    args->timing = choice && strcmp(choice, "timing") == 0;
    if (choice && sscanf(choice, "images=%d", &args->micro_batch) == 1)
        return 1;
    for (int64_t i = 0; choice && i < count; i++)
        if (strcmp(passes[i].name, choice) == 0)
            args->disabled_passes = passes[i].flag;
    int known = !choice || !*choice || args->timing || args->disabled_passes;
    if (!known)
        fprintf(stderr, "BENCH_CHOICE: there is no pass %s\n", choice);
    return known;
}

static int fail(const bench_case *c, const built_case *b)
{
    (void)b;
    fprintf(stderr, "%s: %s\n", c->name, atl_error());
    return 0;
}

int open_case(const bench_case *c, built_case *built_out)
{
    built_case *b = built_out;
    *b = (built_case){.graph = atl_graph_new()};
    if (!b->graph)
        return fail(c, b);
    b->loss = c->model ? network_loss(c, b) : mlp_loss(c, b);
    atl_nodes variables = atl_variables(b->graph);
    for (int64_t i = 0; i < variables.count; i++) /* creates the weights now: compile time does not include them */
        atl_variable_value(variables.node[i]);
    if (!b->loss || !expect_bytes(c, b))
        return fail(c, b);
    atl_compile_args args = {0};
    if (!force_choice(&args))
        return 0;
    double start = seconds_now();
    if (!(c->want == TRAINING ? want_step(c, b) : want_gradients(c, b)))
        return fail(c, b);
    args.outputs = (atl_nodes){b->count, b->outputs};
    b->program = atl_compile_with(&args);
    b->compile_seconds = seconds_now() - start;
    b->pixels = random_pixels(c->model, atl_shape_of(b->image));
    return b->program && b->pixels ? 1 : fail(c, b);
}

void close_case(built_case *b)
{
    atl_program_free(b->program);
    atl_tensor_free(b->pixels);
    atl_graph_free(b->graph);
}
