/* Nodes of a graph become an ONNX file: the public face of writing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "atled/onnx.h"
#include "atled/reference.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/variables.h"
#include "files/atomic_file.h"
#include "onnx/importer.h"
#include "onnx/write.h"

enum { FLOAT = 1, INT32 = 6 };
static const int64_t largest_model = ((int64_t)1 << 31) - 1; /* of the wire format */

static int type_of(const atl_node *x) { return atl_dtype_of(x) == ATL_INT32 ? INT32 : FLOAT; }

/* ---- inputs, outputs, weights ------------------------------------------------------------------------------------ */

/* An open first size is the batch; another one has a symbol of its own. */
static void put_dimension(onnx_bytes *shape, const char *name, int axis, int64_t size)
{
    char symbol[ATL_NAME_SIZE + 16];
    onnx_bytes dimension = {0};
    if (size != ATL_ANY)
        onnx_put_int(&dimension, 1, size);
    else {
        snprintf(symbol, sizeof symbol, axis ? "%s_%d" : "batch", name, axis);
        onnx_put_text(&dimension, 2, symbol);
    }
    onnx_put_message(shape, 1, &dimension);
}

/* Of an input or an output of the model that was read, as its file says, unless it is newer than what is written; else
 * that of the node. */
static int type_of_port(const onnx_writer *w, const atl_node *x)
{
    onnx_type type = onnx_type_in_file(w->types_of, x);
    return type && type <= ONNX_BFLOAT16 ? (int)type : type_of(x);
}

static void put_port(onnx_bytes *graph, int field, const char *name, const atl_node *x, int element)
{
    onnx_bytes port = {0}, type = {0}, tensor = {0}, shape = {0};
    atl_shape of = atl_shape_of(x);
    for (int i = 0; i < of.rank; i++)
        put_dimension(&shape, name, i, of.size[i]);
    onnx_put_int(&tensor, 1, element);
    onnx_put_message(&tensor, 2, &shape);
    onnx_put_message(&type, 1, &tensor);
    onnx_put_text(&port, 1, name);
    onnx_put_message(&port, 2, &type);
    onnx_put_message(graph, field, &port);
}

static const char *add_weight(onnx_writer *w, const atl_node *variable)
{
    const atl_tensor *value = atl_variable_value(variable);
    const char *name = atl_name_of(variable);
    if (!value || atl_check_settled(variable))
        return onnx_cannot_write(w, "%s", atl_error());
    if (!ATL_GROW(w->weight, w->weights, w->weight_capacity))
        return onnx_cannot_write(w, "out of memory");
    onnx_weight *weight = &w->weight[w->weights++];
    *weight = (onnx_weight){.data = atl_dtype_of(variable) == ATL_INT32 ? (const void *)atl_ints(value)
                                                                        : (const void *)atl_floats(value),
                            .size = atl_tensor_count(value) * (int64_t)atl_dtype_size(atl_dtype_of(variable))};
    for (int i = 0; i < atl_shape_of(variable).rank; i++)
        onnx_put_int(&weight->head, 1, atl_shape_of(variable).size[i]);
    onnx_put_int(&weight->head, 2, type_of(variable));
    onnx_put_text(&weight->head, 8, name);
    onnx_put_extent(&weight->head, 9, weight->size);
    return weight->head.failed ? onnx_cannot_write(w, "out of memory") : name;
}

static const char *add_constant(onnx_writer *w, atl_node *constant)
{
    atl_reference *run = atl_reference_run(ATL_NODES(constant), ATL_NO_FEEDS);
    const double *x = run ? atl_doubles(atl_reference_value(run, constant)) : NULL;
    atl_shape shape = atl_shape_of(constant);
    int64_t count = atl_shape_count(shape);
    const char *name = NULL;
    void *values = x ? onnx_allocate(&w->arena, (size_t)count + 1, sizeof(float)) : NULL;
    for (int64_t i = 0; values && i < count; i++)
        if (atl_dtype_of(constant) == ATL_INT32)
            ((int32_t *)values)[i] = (int32_t)x[i];
        else
            ((float *)values)[i] = (float)x[i];
    if (values && atl_dtype_of(constant) == ATL_INT32)
        name = onnx_write_reshape(w, onnx_write_int32s(w, (int)count, values), shape.rank, shape.size);
    else if (values)
        name = onnx_write_floats(w, shape, values);
    atl_reference_free(run);
    return name ? name : onnx_cannot_write(w, "%s", atl_error());
}

/* ---- the order of nodes ------------------------------------------------------------------------------------------ */

static const onnx_write_entry *entry_of(const atl_node *x)
{
    const onnx_write_entry *const table[] = {onnx_written_elements, onnx_written_moves, onnx_written_sums,
                                             onnx_written_images, onnx_written_products};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (const onnx_write_entry *e = table[i]; e->op; e++)
            if (strcmp(e->op, atl_op_of(x)->name) == 0)
                return e;
    return NULL;
}

/* Nodes that an op is expanded to are added to the graph: room for the names of all. */
static int know_all_nodes(onnx_writer *w)
{
    int64_t count = atl_graph_node_count(w->graph);
    const char **name = count <= w->nodes_known ? w->name : onnx_allocate(&w->arena, (size_t)count, sizeof *name);
    const char **written =
        count <= w->nodes_known ? w->written : onnx_allocate(&w->arena, (size_t)count, sizeof *written);
    if (!name || !written)
        return onnx_cannot_write(w, "out of memory") != NULL;
    for (int64_t i = 0; i < w->nodes_known && name != w->name; i++) {
        name[i] = w->name[i];
        written[i] = w->written[i];
    }
    w->name = name;
    w->written = written;
    w->nodes_known = count > w->nodes_known ? count : w->nodes_known;
    return 1;
}

/* Whether the value of input i is needed, and not its shape alone, which is known. */
static int is_needed(const atl_node *x, int i)
{
    int shape_only = atl_op_of(x)->shape_inputs >> (i < 31 ? i : 31) & 1;
    return !shape_only || atl_shape_count(atl_shape_of(atl_input_of(x, i))) < 0;
}

typedef struct work {
    atl_node **stack;
    int64_t count, capacity;
    int64_t *expanded; /* what the node at that place of the stack is expanded to, + 1; or 0 */
} work;

static int push(onnx_writer *w, work *k, atl_node *x)
{
    if (!ATL_GROW(k->stack, k->count, k->capacity))
        return onnx_cannot_write(w, "out of memory") != NULL;
    k->stack[k->count++] = x;
    return 1;
}

/* All inputs have names: writes the node. */
static const char *write_node(onnx_writer *w, atl_node *x, const onnx_write_entry *entry)
{
    int inputs = atl_input_count(x);
    const char **in = onnx_allocate(&w->arena, (size_t)inputs + 1, sizeof *in);
    if (!in)
        return onnx_cannot_write(w, "out of memory");
    for (int i = 0; i < inputs; i++)
        in[i] = w->name[atl_index_of(atl_input_of(x, i))];
    const char *name = entry->write(w, x, in);
    return name ? name : onnx_cannot_write(w, "%s (%s): it cannot be written", atl_name_of(x), atl_op_of(x)->name);
}

static const char *write_source(onnx_writer *w, atl_node *x, onnx_bytes *inputs)
{
    unsigned flags = atl_op_of(x)->flags;
    if (flags & ATL_OP_VARIABLE)
        return add_weight(w, x);
    if (flags & ATL_OP_CONSTANT)
        return add_constant(w, x);
    int element = type_of_port(w, x);
    put_port(inputs, 11, atl_name_of(x), x, element);
    return element == type_of(x) ? atl_name_of(x) : onnx_write_cast(w, atl_name_of(x), type_of(x));
}

/* Whether nothing but known shapes decides what the node is. */
static int depends_on_shapes(const atl_node *x)
{
    const atl_op *op = atl_op_of(x);
    int64_t count = atl_shape_count(atl_shape_of(x));
    int fine = op->reference && !(op->flags & (ATL_OP_RANDOM | ATL_OP_ASSIGN)) && count >= 0 && count <= 1 << 20;
    for (int i = 0; i < atl_input_count(x); i++)
        fine &= !is_needed(x, i);
    return fine;
}

static const char *write_by_shapes(onnx_writer *w, const atl_node *x)
{
    const double *no_values[ATL_MAX_RULES] = {NULL};
    atl_shape shape = atl_shape_of(x);
    int64_t count = atl_shape_count(shape);
    int is_whole = atl_dtype_of(x) == ATL_INT32;
    double *value = onnx_allocate(&w->arena, (size_t)count + 1, sizeof *value);
    float *number = onnx_allocate(&w->arena, (size_t)count + 1, sizeof *number);
    if (!value || !number || atl_input_count(x) > ATL_MAX_RULES)
        return onnx_cannot_write(w, "out of memory");
    atl_op_of(x)->reference(x, no_values, value);
    for (int64_t i = 0; i < count; i++)
        number[i] = (float)value[i]; /* exact: these are indices of pixels */
    const char *floats = onnx_write_floats(w, shape, number);
    return is_whole ? onnx_write_cast(w, floats, 6) : floats;
}

/* One step: the node on top is written if what it needs is there; else that goes on top of it.  An op without a writer
 * is that which it is expanded to: the last node of its expansion. */
static int advance(onnx_writer *w, work *k, onnx_bytes *inputs)
{
    atl_node *x = k->stack[k->count - 1];
    int64_t index = atl_index_of(x), before = k->count;
    const atl_op *op = atl_op_of(x);
    if (w->name[index])
        return k->count--, 1;
    if (op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return (w->name[index] = write_source(w, x, inputs)) != NULL;
    const onnx_write_entry *entry = entry_of(x);
    if (!entry && !op->expand && depends_on_shapes(x))
        return (w->name[index] = write_by_shapes(w, x)) != NULL;
    if (!entry && !op->expand)
        return onnx_cannot_write(w, "'%s' is a %s, which is not written", atl_name_of(x), op->name) != NULL;
    if (!entry) {
        atl_node *same = op->expand(x);
        if (!same || !know_all_nodes(w))
            return onnx_cannot_write(w, "'%s' cannot be expanded", atl_name_of(x)) != NULL;
        /* It is written with the expansion's name as soon as that has one. */
        k->count--;
        work inner = {0};
        int fine = push(w, &inner, same);
        while (fine && inner.count)
            fine = advance(w, &inner, inputs);
        atl_release(inner.stack);
        return fine && (w->name[index] = w->name[atl_index_of(same)]) != NULL;
    }
    for (int i = 0; i < atl_input_count(x); i++)
        if (is_needed(x, i) && !w->name[atl_index_of(atl_input_of(x, i))] && !push(w, k, atl_input_of(x, i)))
            return 0;
    return k->count > before || (w->name[index] = write_node(w, x, entry)) != NULL;
}

static int write_all(onnx_writer *w, atl_nodes outputs, onnx_bytes *ports)
{
    work k = {0};
    int fine = know_all_nodes(w);
    for (int64_t i = 0; fine && i < outputs.count; i++) {
        fine = push(w, &k, outputs.node[i]);
        while (fine && k.count)
            fine = advance(w, &k, ports);
    }
    atl_release(k.stack);
    for (int64_t i = 0; fine && i < outputs.count; i++) {
        onnx_bytes node = {0};
        char name[ATL_NAME_SIZE + 40];
        int64_t before = 0; /* outputs that are the same node */
        for (int64_t j = 0; j < i; j++)
            before += outputs.node[j] == outputs.node[i];
        /* An input or a variable that is an output, too, needs a name of its own there. */
        int is_source = atl_input_count(outputs.node[i]) == 0;
        snprintf(name, sizeof name, is_source ? "%s:value" : "%s", atl_name_of(outputs.node[i]));
        if (before)
            snprintf(name + strlen(name), 24, ":%" PRId64, before + 1);
        int element = type_of_port(w, outputs.node[i]);
        const char *value = w->name[atl_index_of(outputs.node[i])];
        value = element == type_of(outputs.node[i]) ? value : onnx_write_cast(w, value, element);
        fine &= value != NULL;
        onnx_put_text(&node, 1, value ? value : "");
        onnx_put_text(&node, 2, name);
        onnx_put_text(&node, 4, "Identity");
        onnx_put_message(&w->nodes, 1, &node);
        put_port(ports, 12, name, outputs.node[i], element);
    }
    return fine && !w->nodes.failed && !ports->failed;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int64_t varint_size(int64_t value)
{
    int64_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static int64_t weights_size(const onnx_writer *w)
{
    int64_t size = 0;
    for (int64_t i = 0; i < w->weights; i++) {
        int64_t tensor = w->weight[i].head.size + w->weight[i].size;
        size += 1 + varint_size(tensor) + tensor;
    }
    return size;
}

static void put_head(onnx_bytes *to, int64_t graph_size)
{
    onnx_bytes opset = {0};
    onnx_put_int(to, 1, ONNX_WRITTEN_IR);
    onnx_put_text(to, 2, "atled");
    onnx_put_text(to, 3, atl_version());
    onnx_put_text(&opset, 1, "");
    onnx_put_int(&opset, 2, ONNX_WRITTEN_OPSET);
    onnx_put_message(to, 8, &opset);
    onnx_put_extent(to, 7, graph_size);
}

/* Weights go from their variables to the file, without a copy. */
static atl_status write_file(const onnx_writer *w, const char *path, const onnx_bytes *ports)
{
    onnx_bytes head = {0}, name = {0};
    atl_atomic_file *file = NULL;
    onnx_put_text(&name, 2, "atled");
    int64_t size = name.size + w->nodes.size + ports->size + weights_size(w);
    put_head(&head, size);
    atl_status status =
        name.failed || head.failed ? atl_out_of_memory()
        : size > largest_model
            ? atl_set_error(ATL_UNSUPPORTED, "'%s' would have %" PRId64 " bytes; the format ends at 2 GiB", path, size)
            : atl_atomic_open(&file, path);
    if (!status) {
        FILE *stream = atl_atomic_stream(file);
        fwrite(head.at, 1, (size_t)head.size, stream);
        fwrite(name.at, 1, (size_t)name.size, stream);
        fwrite(w->nodes.at, 1, (size_t)w->nodes.size, stream);
        if (ports->size)
            fwrite(ports->at, 1, (size_t)ports->size, stream);
        for (int64_t i = 0; i < w->weights; i++) {
            onnx_bytes tag = {0};
            onnx_put_extent(&tag, 5, w->weight[i].head.size + w->weight[i].size);
            if (tag.failed) {
                atl_atomic_abandon(file);
                atl_release(tag.at);
                atl_release(head.at);
                atl_release(name.at);
                return atl_out_of_memory();
            }
            fwrite(tag.at, 1, (size_t)tag.size, stream);
            fwrite(w->weight[i].head.at, 1, (size_t)w->weight[i].head.size, stream);
            if (w->weight[i].size)
                fwrite(w->weight[i].data, 1, (size_t)w->weight[i].size, stream);
            atl_release(tag.at);
        }
        status = atl_atomic_commit(file);
    }
    atl_release(head.at);
    atl_release(name.at);
    return status;
}

/* How many "~" the names of nodes begin with, at most: a file that was written, read, and is written again has some. */
static int most_signs(const atl_graph *graph)
{
    int most = 0;
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++) {
        int signs = (int)strspn(atl_name_of(atl_graph_node(graph, i)), "~");
        most = signs > most ? signs : most;
    }
    return most;
}

atl_status atl_onnx_write_with(const atl_onnx_write_args *args)
{
    const char *path = args ? args->path : NULL;
    atl_nodes outputs = args ? args->outputs : (atl_nodes){0};
    onnx_bytes ports = {0};
    if (!path || !*path || outputs.count < 1 || !outputs.node)
        return atl_set_error(ATL_INVALID, "onnx_write: it takes a path and at least one node");
    for (int64_t i = 0; i < outputs.count; i++)
        if (!outputs.node[i] || atl_graph_of(outputs.node[i]) != atl_graph_of(outputs.node[0]))
            return atl_set_error(ATL_INVALID, "onnx_write: node %" PRId64 " is null, or of another graph", i);
    onnx_writer w = {.graph = atl_graph_of(outputs.node[0]), .types_of = args->types_of};
    w.signs = 1 + most_signs(w.graph);
    atl_status status = write_all(&w, outputs, &ports) ? write_file(&w, path, &ports)
                        : strcmp(w.why, "out of memory") == 0 || !*w.why
                            ? atl_out_of_memory()
                            : atl_set_error(ATL_UNSUPPORTED, "'%s' cannot be written: %s", path, w.why);
    for (int64_t i = 0; i < w.weights; i++)
        atl_release(w.weight[i].head.at);
    atl_release(w.weight);
    atl_release(w.nodes.at);
    atl_release(ports.at);
    onnx_arena_free(&w.arena);
    return status ? atl_graph_note_failure(w.graph, status) : ATL_OK;
}
