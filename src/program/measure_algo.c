/* Measures an algorithm: a program of the node alone, lowered with it, runs a few times. */
#include <math.h>
#include <stdio.h>

#include "graph/memory.h"
#include "lowering/op_hooks.h"
#include "program/program_state.h"

enum { RUNS = 7 };

/* Seconds of the steps that compute, without reorders; negative with the error set. */
static double seconds_of(const atl_program *program)
{
    double microseconds = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        if (atl_program_step(program, i, &info))
            return -1;
        if (!info.prepack && info.flops > 0)
            microseconds += info.microseconds;
    }
    return microseconds * 1e-6;
}

/* A graph of the node alone, with new inputs; feeds[] has room for one more feed than the node has inputs. */
static atl_node *alone(atl_graph *graph, const atl_node *node, atl_node **inputs, atl_feed *feeds)
{
    int count = 0, ok = 1;
    for (int i = 0; ok && i < node->input_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "input_%d", i);
        inputs[i] = atl_input(graph, name, node->inputs[i]->dtype, *node->inputs[i]->shape);
        if (!inputs[i] || !atl_reads_input(node, i))
            continue;
        atl_tensor *values = atl_uniform_tensor(*node->inputs[i]->shape, -1, 1, (uint64_t)i);
        ok = values != NULL;
        if (ok)
            feeds[count++] = (atl_feed){inputs[i], values};
    }
    return ok ? atl_apply_in(graph, node->op, node->attributes, node->input_count, inputs) : NULL;
}

static atl_program *compile_with(atl_node *node, int algo, int bfloat16)
{
    return atl_new_program(node->graph, &(atl_compile_args){.outputs = {1, &node}, .bfloat16 = bfloat16}, algo);
}

double atl_measure_algo(const atl_node *node, int algo, int bfloat16)
{
    enum { MOST_INPUTS = 8 };
    atl_node *inputs[MOST_INPUTS];
    atl_feed feeds[MOST_INPUTS + 1] = {{NULL, NULL}};
    if (node->input_count > MOST_INPUTS)
        return INFINITY;
    atl_graph *graph = atl_graph_new();
    atl_node *only = graph ? alone(graph, node, inputs, feeds) : NULL;
    atl_program *program = only ? compile_with(only, algo, bfloat16) : NULL;
    double seconds = program && !atl_program_profile(program, feeds, RUNS) ? seconds_of(program) : -1;
    if (seconds < 0 && graph && graph->broken)
        atl_set_error(graph->broken, "timing: %s", graph->error);
    atl_program_free(program);
    for (int i = 0; i < MOST_INPUTS; i++)
        atl_tensor_free((atl_tensor *)feeds[i].value);
    atl_graph_free(graph);
    return seconds;
}
