/* same_bits THREADS: values, gradients and training of three networks by programs with this many threads, each built
 * and run twice; both must agree bit for bit.  Prints a digest of each, which same_bits.sh compares between
 * processes. */
#include <atled/atled.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 4, CLASSES = 10 };

typedef struct digests {
    uint64_t forward, gradient, loss, trained; /* trained: all variables after the last step */
} digests;

/* FNV-1a. */
static uint64_t digest(uint64_t before, const atl_tensor *tensor)
{
    int64_t bytes = 4 * atl_tensor_count(tensor);
    const unsigned char *byte =
        atl_tensor_dtype(tensor) == ATL_INT32 ? (const void *)atl_ints(tensor) : (const void *)atl_floats(tensor);
    for (int64_t i = 0; i < bytes; i++)
        before = (before ^ byte[i]) * 1099511628211u;
    return before;
}

static int report_error(void)
{
    printf("FAILED: %s\n", atl_error());
    return 0;
}

/* Noise in the weights' gradients, from a random op: its seed is part of the graph, so it is the same, too. */
static atl_node *logits_of(const atl_model *model, atl_node *image)
{
    atl_node *logits = model->build(&(atl_model_args){.image = image, .training = 1});
    return atl_dropout(logits, .rate = 0.2f, .seed = 5);
}

static int run_all(const atl_model *model, int64_t batch, const atl_compile_args *how, digests *out)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, model->height, model->width, 3));
    atl_node *label = atl_input(g, "label", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *logits = logits_of(model, image);
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(logits, label));
    atl_node *slope = atl_gradient(loss, image);
    atl_node *step = atl_minimize(loss, atl_momentum(.rate = 0.01f));
    atl_compile_args args = *how;
    args.outputs = ATL_NODES(logits, slope, loss, step);
    atl_program *program = atl_compile_with(&args);
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(batch, model->height, model->width, 3), 0, 255, 3);
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(batch));
    int ok = program && pixels && labels;
    for (int64_t i = 0; ok && i < batch; i++)
        atl_ints(labels)[i] = (int)(i % CLASSES);
    for (int n = 0; ok && n < STEPS; n++) {
        ok = !atl_run(program, ATL_FEEDS({image, pixels}, {label, labels}));
        if (!ok)
            break;
        out->forward = digest(out->forward, atl_value(program, logits));
        out->gradient = digest(out->gradient, atl_value(program, slope));
        out->loss = digest(out->loss, atl_value(program, loss));
    }
    int64_t count = atl_variables(g).count;
    atl_node *const *variables = atl_variables(g).node;
    for (int64_t i = 0; ok && i < count; i++)
        out->trained = digest(out->trained, atl_variable_value(variables[i]));
    ok = ok || report_error();
    atl_tensor_free(pixels);
    atl_tensor_free(labels);
    atl_program_free(program);
    atl_graph_free(g);
    return ok;
}

static int check(const char *name, int64_t batch, const atl_compile_args *how, const char *what)
{
    digests first = {0}, second = {0};
    const atl_model *model = atl_model_find(name);
    if (!run_all(model, batch, how, &first) || !run_all(model, batch, how, &second))
        return 0;
    printf("%s%s: forward %016" PRIx64 " gradient %016" PRIx64 " loss %016" PRIx64 " trained %016" PRIx64 "\n", name,
           what, first.forward, first.gradient, first.loss, first.trained);
    if (!memcmp(&first, &second, sizeof first))
        return 1;
    printf("FAILED: the second time it was otherwise\n");
    return 0;
}

int main(int count, char **argument)
{
    int threads = count == 2 ? atoi(argument[1]) : 0;
    const atl_compile_args plain = {.threads = threads},
                           direct = {.threads = threads, .disabled_passes = ATL_PASS_WINOGRAD},
                           rounded = {.threads = threads, .bfloat16 = 1};
    int ok = check("cifar10", 33, &plain, "") & check("resnet20", 17, &plain, "") & check("mlp", 50, &plain, "") &
             check("resnet20", 17, &direct, ", direct") & check("cifar10", 33, &rounded, ", bfloat16");
    return !ok;
}
