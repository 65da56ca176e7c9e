/* Shared by the tests of the networks: reference values of another framework, and comparison with them. */
#ifndef ATLED_TESTS_MODELS_GOLDEN_H
#define ATLED_TESTS_MODELS_GOLDEN_H

#include "kinks.h"

#define GOLDEN_BOUND 1e-5

static inline atl_npz *open_golden(const char *name)
{
    atl_npz *npz = atl_npz_open(data_file(name));
    cr_assert(npz, "%s", atl_error());
    return npz;
}

static inline atl_tensor *golden_value(const atl_npz *npz, const char *key)
{
    atl_tensor *value = atl_npz_read(npz, key);
    cr_assert(value, "%s: %s", key, atl_error());
    return value;
}

/* The same as float32: images are stored as bytes. */
static inline atl_tensor *golden_floats(const atl_npz *npz, const char *key)
{
    atl_tensor *value = golden_value(npz, key), *floats = atl_tensor_convert(value, ATL_FLOAT32);
    atl_tensor_free(value);
    return floats;
}

static inline void assert_golden(const atl_program *program, const atl_node *node, const atl_npz *npz, const char *key)
{
    atl_tensor *expected = golden_value(npz, key);
    double distance = relative_l2(atl_value(program, node), expected);
    cr_expect(distance <= GOLDEN_BOUND, "%s is %.3g from the golden value (relative L2)", key, distance);
    fprintf(stderr, "%-32s %.2g\n", key, distance);
    atl_tensor_free(expected);
}

/* oneDNN's reference loops are many times slower than its other kernels: no step of these networks may use them. */
static inline void assert_no_reference_steps(const atl_program *program)
{
    cr_expect(atl_program_step_count(program) > 0);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert(atl_program_step(program, i, &info) == ATL_OK);
        cr_expect(strncmp(info.implementation, "ref", 3) != 0, "step %lld, %s of %s, runs %s", (long long)i, info.op,
                  info.node, info.implementation);
    }
}

/* exactly: without Winograd's algorithm. */
static inline atl_program *compiled(atl_graph *graph, atl_nodes wanted, int exactly)
{
    atl_program *program = atl_compile(graph, wanted, .disabled_passes = exactly ? ATL_PASS_WINOGRAD : 0);
    cr_assert(program, "%s", atl_error());
    return program;
}

typedef struct trained_net {
    const atl_model *model;
    atl_graph *graph;
    atl_node *image, *logits;
} trained_net;

/* As published, with its weights. */
static inline trained_net load_net(const char *name, const char *weights, int64_t batch)
{
    const char *path = data_file(weights);
    trained_net net = {.model = atl_model_find(name), .graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, net.model->height, net.model->width, 3));
    net.logits = net.model->build(&(atl_model_args){.image = net.image});
    cr_assert(net.logits, "%s", atl_graph_error(net.graph));
    cr_assert(atl_model_load(net.model, net.graph, path) == ATL_OK, "%s", atl_error());
    return net;
}

/* Runs the network on golden images: its logits, and the gradient of the sum of the highest ones with respect to the
 * node named `input`. */
typedef struct golden_run {
    trained_net net;
    atl_npz *npz;
    atl_program *program;
    atl_node *input, *slope;
} golden_run;

static inline golden_run run_golden(const char *name, const char *weights, const char *golden, const char *input,
                                    unsigned without, int bfloat16)
{
    golden_run run = {.npz = open_golden(golden)};
    atl_tensor *pixels = golden_floats(run.npz, "pixels"), *classes = golden_value(run.npz, "top");
    trained_net net = run.net = load_net(name, weights, atl_tensor_shape(pixels).size[0]);
    atl_node *top = atl_input(net.graph, "top", ATL_INT32, atl_tensor_shape(classes));
    run.input = atl_find(net.graph, input);
    run.slope = atl_gradient(atl_sum(atl_gather_last(net.logits, top)), run.input);
    run.program = atl_compile(net.graph, ATL_NODES(net.logits, run.input, run.slope), .disabled_passes = without,
                              .bfloat16 = bfloat16);
    cr_assert(run.program, "%s", atl_error());
    cr_assert(atl_run(run.program, ATL_FEEDS({net.image, pixels}, {top, classes})) == ATL_OK, "%s", atl_error());
    assert_no_reference_steps(run.program);
    atl_tensor_free(pixels);
    atl_tensor_free(classes);
    return run;
}

static inline void end_golden(golden_run *run)
{
    atl_program_free(run->program);
    atl_npz_close(run->npz);
    atl_graph_free(run->net.graph);
}

/* The golden gradient, or, where a jump at a kink makes it another one, the same with the masks of double precision;
 * under sanitizers such a gradient is only computed. */
static inline void assert_golden_gradient(const golden_run *run, unsigned without)
{
    atl_tensor *expected = golden_value(run->npz, "grad/input");
    double distance = relative_l2(atl_value(run->program, run->slope), expected);
    fprintf(stderr, "%-32s %.2g\n", "grad/input", distance);
    if (distance > GOLDEN_BOUND && !SANITIZED) {
        atl_node *top = atl_find(run->net.graph, "top"), *of = atl_sum(atl_gather_last(run->net.logits, top));
        atl_tensor *pixels = golden_floats(run->npz, "pixels"), *classes = golden_value(run->npz, "top");
        distance = distance_beside_kinks(of, run->input, ATL_FEEDS({run->net.image, pixels}, {top, classes}), without,
                                         GOLDEN_BOUND, expected);
        fprintf(stderr, "%-32s %.2g\n", "with the masks of double", distance);
        atl_tensor_free(pixels);
        atl_tensor_free(classes);
    }
    cr_expect(distance <= GOLDEN_BOUND || SANITIZED, "the gradient is %.3g from the golden value (relative L2)",
              distance);
    atl_tensor_free(expected);
}

static inline void check_trained_network(const char *name, const char *weights, const char *golden, const char *input,
                                         unsigned without)
{
    golden_run run = run_golden(name, weights, golden, input, without, 0);
    assert_golden(run.program, run.input, run.npz, "input");
    assert_golden(run.program, run.net.logits, run.npz, "logits");
    assert_golden_gradient(&run, without);
    end_golden(&run);
}

#endif
