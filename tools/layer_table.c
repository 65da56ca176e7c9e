/* The layers of a network as a table: weights and operations of each. */
#include "layer_table.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

typedef struct layer {
    const char *name; /* of its first weights, or of its node */
    int name_length;
    const atl_node *node;
    int64_t weights, trained;
    double operations;
} layer;

typedef struct table {
    atl_graph *graph;
    int64_t nodes;
    char *is_needed, *from_weights; /* by node: an output depends on it; it depends on variables and constants only */
    char *is_counted;               /* by node: its weights are counted */
    const atl_node **stack;         /* of nodes to look at: room for every input of every node */
    int64_t most;
    double *operations; /* by node */
    layer *row;
    int64_t rows;
} table;

static const char *op_name(const atl_node *node) { return atl_op_of(node)->name; }

static int is_variable(const atl_node *node) { return (atl_op_of(node)->flags & ATL_OP_VARIABLE) != 0; }

static void mark_needed(table *t, atl_nodes outputs)
{
    for (int64_t i = 0; i < outputs.count; i++)
        t->is_needed[atl_index_of(outputs.node[i])] = 1;
    for (int64_t i = t->nodes - 1; i >= 0; i--) {
        const atl_node *node = atl_graph_node(t->graph, i);
        int only_weights = atl_input_count(node) > 0 || (atl_op_of(node)->flags & (ATL_OP_VARIABLE | ATL_OP_CONSTANT));
        for (int64_t k = 0; k < atl_input_count(node) && t->is_needed[i]; k++)
            t->is_needed[atl_index_of(atl_input_of(node, k))] = 1;
        t->from_weights[i] = only_weights != 0;
    }
    for (int64_t i = 0; i < t->nodes; i++) /* inputs come before their users */
        for (int64_t k = 0; k < atl_input_count(atl_graph_node(t->graph, i)); k++)
            t->from_weights[i] &= t->from_weights[atl_index_of(atl_input_of(atl_graph_node(t->graph, i), k))];
}

/* What each node computes, without passes: every step belongs to one node. */
static int count_operations(table *t, const char *command, atl_nodes outputs)
{
    atl_program *program = atl_compile(t->graph, outputs, .disabled_passes = ~0u);
    if (!program)
        return report_graph_failure(command, t->graph);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        const atl_node *node = atl_program_step(program, i, &info) ? NULL : atl_find(t->graph, info.node);
        if (node)
            t->operations[atl_index_of(node)] += info.flops;
    }
    atl_program_free(program);
    return 0;
}

/* The length of a name without its last part: of "conv1/weights", 5. Of one without parts, all. */
static int stem_length(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.'), *end = slash > dot ? slash : dot;
    return end ? (int)(end - name) : (int)strlen(name);
}

/* "onnx::Conv_402": PyTorch's exporter has no better name for weights that it has folded. */
static int is_made_up(const char *name) { return strstr(name, "::") != NULL; }

static void take_variable(const atl_node *variable, layer *to)
{
    int64_t count = atl_shape_count(atl_shape_of(variable));
    to->weights += count;
    to->trained += atl_variable_is_trainable(variable) ? count : 0;
    if (!to->name && !(is_made_up(atl_name_of(variable)) && strchr(atl_name_of(to->node), '/'))) {
        to->name = atl_name_of(variable);
        to->name_length = stem_length(to->name);
    }
}

/* The variables behind a node that depends on nothing else, each counted once.  No recursion: a chain may be long. */
static void take_weights(table *t, const atl_node *node, layer *to)
{
    int64_t depth = 0;
    t->stack[depth++] = node;
    while (depth > 0) {
        const atl_node *next = t->stack[--depth];
        if (t->is_counted[atl_index_of(next)])
            continue;
        t->is_counted[atl_index_of(next)] = 1;
        if (is_variable(next))
            take_variable(next, to);
        for (int64_t k = atl_input_count(next) - 1; k >= 0; k--)
            if (!t->is_counted[atl_index_of(atl_input_of(next, k))] && depth < t->most)
                t->stack[depth++] = atl_input_of(next, k);
    }
}

/* A bias whose name tells nothing belongs to the layer whose result it is added to. */
static int continues(const table *t, const layer *last, const layer *next)
{
    if (last->name_length == next->name_length && strncmp(last->name, next->name, (size_t)next->name_length) == 0)
        return 1;
    int has_own_name = next->name_length < (int)strlen(next->name), reads_last = 0;
    for (int64_t k = 0; k < atl_input_count(next->node); k++)
        reads_last |= atl_input_of(next->node, k) == last->node;
    return reads_last && !has_own_name && next->operations == 0 && t->rows > 0;
}

static void add_row(table *t, layer next)
{
    layer *last = t->rows > 0 ? &t->row[t->rows - 1] : NULL;
    if (!last || !continues(t, last, &next)) {
        t->row[t->rows++] = next;
        return;
    }
    last->weights += next.weights;
    last->trained += next.trained;
    last->operations += next.operations;
    if (next.operations > 0 || atl_shape_equal(atl_shape_of(next.node), atl_shape_of(last->node)))
        last->node = next.operations > 0 || last->operations == 0 ? next.node : last->node;
}

static void find_layers(table *t)
{
    for (int64_t i = 0; i < t->nodes; i++) {
        const atl_node *node = atl_graph_node(t->graph, i);
        layer next = {.node = node, .operations = t->operations[i]};
        if (!t->is_needed[i] || t->from_weights[i])
            continue;
        for (int64_t k = 0; k < atl_input_count(node); k++)
            if (t->from_weights[atl_index_of(atl_input_of(node, k))])
                take_weights(t, atl_input_of(node, k), &next);
        if (!next.name) {
            next.name = atl_name_of(node);
            next.name_length = next.weights > 0 ? stem_length(next.name) : (int)strlen(next.name);
        }
        if (next.weights > 0 || next.operations > 0)
            add_row(t, next);
    }
}

static void print_rows(const table *t)
{
    layer sum = {0};
    char shape[160], text[300], shown[300];
    printf("%-32s %-18s %-20s %12s %14s\n", "layer", "op", "result", "weights", "operations");
    for (int64_t i = 0; i < t->rows; i++) {
        const layer *row = &t->row[i];
        snprintf(text, sizeof text, "%.*s", row->name_length, row->name);
        printf("%-32s %-18s %-20s %12lld %14.0f\n", clean_text(text, shown, sizeof shown), op_name(row->node),
               atl_shape_text(atl_shape_of(row->node), shape, sizeof shape), (long long)row->weights, row->operations);
        sum.weights += row->weights;
        sum.trained += row->trained;
        sum.operations += row->operations;
    }
    printf("%-32s %-18s %-20s %12lld %14.0f\n", "sum", "", "", (long long)sum.weights, sum.operations);
    if (sum.trained != sum.weights)
        printf("%lld of the weights are trained; the others are statistics or single numbers\n",
               (long long)sum.trained);
}

int print_layers(const char *command, atl_graph *graph, atl_nodes outputs)
{
    table t = {.graph = graph, .nodes = atl_graph_node_count(graph)};
    size_t room = (size_t)t.nodes + 1;
    t.is_needed = calloc(room, 1);
    t.from_weights = calloc(room, 1);
    t.is_counted = calloc(room, 1);
    t.operations = calloc(room, sizeof *t.operations);
    t.row = calloc(room, sizeof *t.row);
    for (int64_t i = 0; i < t.nodes; i++)
        t.most += 1 + atl_input_count(atl_graph_node(graph, i));
    t.stack = calloc((size_t)t.most + 1, sizeof(atl_node *));
    int code = 0;
    if (!t.is_needed || !t.from_weights || !t.is_counted || !t.operations || !t.row || !t.stack)
        code = report_no_memory(command);
    if (!code)
        code = count_operations(&t, command, outputs);
    if (!code) {
        mark_needed(&t, outputs);
        find_layers(&t);
        print_rows(&t);
    }
    free(t.is_needed);
    free(t.from_weights);
    free(t.is_counted);
    free(t.operations);
    free(t.row);
    free((void *)t.stack);
    return code;
}
