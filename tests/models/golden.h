/* What the tests of the networks share: reference values of another framework, and how they are compared. */
#ifndef ATLED_TESTS_MODELS_GOLDEN_H
#define ATLED_TESTS_MODELS_GOLDEN_H

#include "support.h"

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

/* The same as float32: pictures are kept as bytes. */
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

/* oneDNN's plain loops are many times slower than the rest: no step of these networks may land there. */
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

/* exactly: without Winograd's method. */
static inline atl_program *compiled(atl_graph *graph, atl_nodes wanted, int exactly)
{
    atl_program *program = atl_compile(graph, wanted, .without = exactly ? ATL_PASS_WINOGRAD : 0);
    cr_assert(program, "%s", atl_graph_error(graph) ? atl_graph_error(graph) : atl_error());
    return program;
}

#endif
