/* What the explorer's page shows of a run and of plans. */
#include "explore.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "photograph.h"

int is_page(const char *path)
{
    size_t length = path ? strlen(path) : 0;
    return length > 5 && strcasecmp(path + length - 5, ".html") == 0;
}

static int is_source(const atl_node *node)
{
    return (atl_op_of(node)->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT)) != 0;
}

/* Marks every node that the outputs need; returns how many of them are computed. */
static int64_t mark_needed(const atl_graph *graph, atl_nodes outputs, char *mark)
{
    int64_t computed = 0;
    for (int64_t i = 0; i < outputs.count; i++)
        mark[atl_index_of(outputs.node[i])] = 1;
    for (int64_t i = atl_graph_node_count(graph) - 1; i >= 0; i--) {
        const atl_node *node = atl_graph_node(graph, i);
        for (int k = 0; mark[i] && k < atl_input_count(node); k++)
            mark[atl_index_of(atl_input_of(node, k))] = 1;
        computed += mark[i] && !is_source(node);
    }
    return computed;
}

static atl_tensor *fed_picture(const loaded_network *network, const char *path)
{
    atl_tensor *picture = read_photograph(network, path, 0), *fed = NULL;
    atl_shape shape = atl_shape_of(network->image), own = atl_tensor_shape(picture);
    if (!picture)
        return NULL;
    if (shape.rank == 4 && own.rank == 3)
        for (int i = 1; i < 4; i++)
            shape.size[i] = shape.size[i] == ATL_ANY ? own.size[i - 1] : shape.size[i];
    if (shape.rank > 0 && shape.size[0] == ATL_ANY)
        shape.size[0] = 1;
    if (atl_shape_count(shape) == atl_tensor_count(picture))
        fed = atl_tensor_of_floats(shape, atl_floats(picture));
    else
        atl_set_error(ATL_INVALID, "%s: the network takes no such picture", path);
    atl_tensor_free(picture);
    return fed;
}

static atl_status run(const loaded_network *network, const char *mark, int64_t computed, const compile_options *set,
                      run_values *values)
{
    atl_graph *graph = network->graph;
    atl_node **node = calloc((size_t)computed + 1, sizeof *node);
    if (!node)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
    int64_t count = 0;
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        if (mark[i] && !is_source(atl_graph_node(graph, i)))
            node[count++] = atl_graph_node(graph, i);
    atl_compile_args args = compile_args_of(set);
    args.graph = graph;
    args.outputs = (atl_nodes){count, node};
    values->program = atl_compile_with(&args);
    atl_status status = values->program ? atl_run(values->program, ATL_FEED(network->image, values->fed)) : ATL_INVALID;
    for (int64_t i = 0; !status && i < count; i++)
        values->value[atl_index_of(node[i])] = atl_value(values->program, node[i]);
    free(node);
    return status;
}

int compute_values(const char *command, const loaded_network *network, const char *picture, atl_nodes outputs,
                   const compile_options *set, run_values *values)
{
    int64_t nodes = atl_graph_node_count(network->graph);
    char *mark = calloc((size_t)nodes + 1, 1);
    *values = (run_values){.value = calloc((size_t)nodes + 1, sizeof *values->value)};
    if (!mark || !values->value) {
        free(mark);
        return report_no_memory(command);
    }
    int64_t computed = mark_needed(network->graph, outputs, mark);
    values->fed = fed_picture(network, picture);
    int failed = !values->fed || run(network, mark, computed, set, values);
    values->value[atl_index_of(network->image)] = values->fed;
    for (int64_t i = 0; !failed && i < nodes; i++)
        if (mark[i] && atl_op_of(atl_graph_node(network->graph, i))->flags & ATL_OP_VARIABLE)
            values->value[i] = atl_variable_value(atl_graph_node(network->graph, i));
    free(mark);
    return failed ? report_failure(command) : 0;
}

void free_run_values(run_values *values)
{
    atl_program_free(values->program);
    atl_tensor_free(values->fed);
    free(values->value);
    *values = (run_values){0};
}

atl_program *compile_with_all_passes(const compile_options *set, atl_nodes outputs)
{
    atl_compile_args args = compile_args_of(set);
    if (!args.disabled_passes)
        return NULL;
    args.disabled_passes = 0;
    args.outputs = outputs;
    return atl_compile_with(&args);
}

const char *passes_text(const compile_options *set, char *text, size_t size)
{
    int64_t count;
    const atl_named_pass *passes = atl_pass_table(&count);
    snprintf(text, size, "without");
    for (int i = 0, written = 0; i < count; i++)
        if (set->disabled_passes >> i & 1) {
            size_t length = strlen(text);
            snprintf(text + length, size - length, "%s %s", written++ ? "," : "", passes[i].name);
        }
    return text;
}
