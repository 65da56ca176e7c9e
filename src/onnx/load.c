/* A model file becomes nodes: the public face of reading. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/variables.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

enum { OLDEST_IR = 3, NEWEST_IR = 14, OLDEST_OPSET = 1, NEWEST_OPSET = 28, MOST_BYTES_A_BYTE = 256 };

/* ---- what the file says about itself ----------------------------------------------------------------------------- */

static atl_status check_versions(const onnx_model *model, const char *name)
{
    if (!model->has_graph)
        return atl_set_error(ATL_BAD_FILE, "'%s' holds no graph: it is no ONNX model, or it is cut short", name);
    if (model->ir_version < OLDEST_IR || model->ir_version > NEWEST_IR)
        return atl_set_error(ATL_UNSUPPORTED,
                             "'%s' is of IR version %" PRId64 "; %d to %d are read: export it again, or convert it",
                             name, model->ir_version, OLDEST_IR, NEWEST_IR);
    if (model->opsets == 0)
        return atl_set_error(ATL_BAD_FILE, "'%s' does not say of which opset it is: it is no valid model", name);
    for (int64_t i = 0; i < model->opsets; i++)
        if (!*model->opset[i].domain &&
            (model->opset[i].version < OLDEST_OPSET || model->opset[i].version > NEWEST_OPSET))
            return atl_set_error(ATL_UNSUPPORTED,
                                 "'%s' is of opset %" PRId64 "; %d to %d are read: export it again, or convert it",
                                 name, model->opset[i].version, OLDEST_OPSET, NEWEST_OPSET);
    if (model->graph.has_sparse)
        return atl_set_error(ATL_UNSUPPORTED, "'%s' has sparse initializers, which are not read: make them dense",
                             name);
    return ATL_OK;
}

/* The folder of a path, in the arena. */
static const char *folder_of(onnx_arena *arena, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path)
        return NULL;
    return slash ? onnx_copy_text(arena, path, slash == path ? 1 : (size_t)(slash - path))
                 : onnx_copy_text(arena, ".", 1);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static const atl_tensor *known_tensor(const atl_onnx_args *args, const char *name)
{
    for (const atl_onnx_value *v = args->known; v && v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

static atl_node *bound_node(const atl_onnx_args *args, const char *name, int is_first)
{
    for (const atl_onnx_binding *b = args->bindings; b && b->name; b++)
        if (strcmp(b->name, name) == 0 || (!*b->name && is_first))
            return b->node;
    return NULL;
}

/* The size of a symbol, or ATL_ANY. */
static int64_t size_of(const onnx_importer *importer, const onnx_port *port, int axis)
{
    const atl_onnx_args *args = importer->args;
    const char *symbol = port->symbol[axis];
    for (const atl_onnx_size *s = args->sizes; s && s->symbol; s++)
        if (*symbol && strcmp(s->symbol, symbol) == 0)
            return s->size;
    /* A value that is known for another input with that symbol. */
    const onnx_graph *graph = &importer->model->graph;
    for (int64_t i = 0; *symbol && i < graph->inputs; i++) {
        const onnx_port *other = &graph->input[i];
        const atl_tensor *known = known_tensor(args, other->name);
        for (int k = 0; known && k < other->rank && atl_tensor_shape(known).rank == other->rank; k++)
            if (strcmp(other->symbol[k], symbol) == 0)
                return atl_tensor_shape(known).size[k];
    }
    return axis == 0 && args->batch > 0 ? args->batch : ATL_ANY;
}

static int input_problem(onnx_importer *importer, const onnx_port *port, const char *format, ...) ATL_PRINTF(3, 4);
static int input_problem(onnx_importer *importer, const onnx_port *port, const char *format, ...)
{
    char why[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    onnx_add_problem(importer, port->name, "input", 0, why);
    return 0;
}

/* The shape for the graph's input: the file's, with what the caller says about open sizes. */
static int shape_of_port(onnx_importer *importer, const onnx_port *port, const atl_tensor *known, atl_shape *shape_out)
{
    atl_shape shape = {.rank = port->rank};
    if (port->rank > ATL_MAX_RANK)
        return input_problem(importer, port, "it has %d dimensions; the limit is %d", port->rank, ATL_MAX_RANK);
    if (port->rank < 0 && !known)
        return input_problem(importer, port, "the file does not say its shape: give a value for it");
    for (int i = 0; i < port->rank; i++)
        shape.size[i] = port->size[i] != ATL_ANY ? port->size[i] : size_of(importer, port, i);
    if (known && port->rank < 0)
        shape = atl_tensor_shape(known);
    for (int i = 0; known && i < port->rank && atl_tensor_shape(known).rank == port->rank; i++)
        if (shape.size[i] == ATL_ANY)
            shape.size[i] = atl_tensor_shape(known).size[i];
    *shape_out = shape;
    return 1;
}

/* The first symbol is N, the batch, with which shape arithmetic is done. */
static void note_batch(onnx_importer *importer, const onnx_port *port, onnx_value *value)
{
    for (int i = 0; i < value->shape.rank; i++) {
        if (value->shape.size[i] != ATL_ANY)
            continue;
        const char *symbol = port->rank > i ? port->symbol[i] : "";
        if (!importer->batch_node && i == 0) {
            importer->batch_node = value->node;
            importer->batch_axis = 0;
            importer->batch_symbol = symbol;
        }
        value->batch[i] = importer->batch_node && ((*symbol && strcmp(symbol, importer->batch_symbol) == 0) ||
                                                   (importer->batch_node == value->node && i == importer->batch_axis));
    }
}

static int import_input(onnx_importer *importer, const onnx_port *port, int is_first, onnx_value **value_out)
{
    const atl_tensor *known = known_tensor(importer->args, port->name);
    atl_node *bound = bound_node(importer->args, port->name, is_first);
    onnx_value *value = onnx_new_value(importer, port->name);
    const char *name = port->name;
    *value_out = value;
    if (!value)
        return input_problem(importer, port, "%s", atl_error());
    value->is_missing = 1;
    if (port->kind)
        return input_problem(importer, port, "it is %s, which is not read", port->kind);
    if (!onnx_type_size(port->type))
        return input_problem(importer, port, "it is of type %s, which is not read", onnx_type_name(port->type));
    if (!bound && !shape_of_port(importer, port, known, &value->shape))
        return 0;
    while (*name == '/')
        name++;
    atl_dtype dtype = onnx_is_integer(port->type) ? ATL_INT32 : ATL_FLOAT32;
    value->node = bound ? bound : atl_input(importer->graph, *name ? name : NULL, dtype, value->shape);
    if (!value->node)
        return input_problem(importer, port, "%s", atl_graph_error(importer->graph));
    if (bound && (atl_dtype_of(bound) != dtype || (port->rank >= 0 && atl_shape_of(bound).rank != port->rank)))
        return input_problem(importer, port, "the node that takes its place is of another type or rank");
    value->shape = atl_shape_of(value->node);
    value->type = port->type;
    value->fed = known && atl_shape_equal(atl_tensor_shape(known), value->shape) ? known : NULL;
    if (value->fed)
        importer->feed[importer->feeds++] = (atl_feed){value->node, known};
    value->is_missing = 0;
    note_batch(importer, port, value);
    return 1;
}

/* Inputs that are no initializers: before IR 4 the file lists those, too. */
static int import_inputs(atl_onnx *net)
{
    onnx_importer *importer = &net->importer;
    const onnx_graph *graph = &importer->model->graph;
    int fine = 1;
    net->input = onnx_allocate(&net->arena, (size_t)graph->inputs + 1, sizeof *net->input);
    importer->feed = onnx_allocate(&net->arena, (size_t)graph->inputs + 1, sizeof *importer->feed);
    if (!net->input || !importer->feed)
        return importer->out_of_memory = 1, 0;
    for (int64_t i = 0; i < graph->inputs; i++)
        if (!onnx_lookup(importer->scope, graph->input[i].name)) {
            fine &= import_input(importer, &graph->input[i], net->inputs == 0, &net->input[net->inputs]);
            net->inputs += net->input[net->inputs] != NULL;
        }
    return fine;
}

static int find_outputs(atl_onnx *net)
{
    onnx_importer *importer = &net->importer;
    const onnx_graph *graph = &importer->model->graph;
    int fine = 1;
    net->output = onnx_allocate(&net->arena, (size_t)graph->outputs + 1, sizeof *net->output);
    if (!net->output)
        return importer->out_of_memory = 1, 0;
    for (int64_t i = 0; i < graph->outputs; i++) {
        const onnx_port *port = &graph->output[i];
        onnx_value *value = onnx_lookup(importer->scope, port->name);
        if (value && value->type && port->type && !port->kind && value->type != port->type) {
            char why[160];
            snprintf(why, sizeof why, "the file says that this output is of type %s, but it is of type %s",
                     onnx_type_name(port->type), onnx_type_name(value->type));
            onnx_add_problem(importer, port->name, "output", 0, why);
            fine = 0;
            continue;
        }
        if (value && value->sequence) {
            onnx_add_problem(importer, port->name, "output", 0, "it is a sequence; outputs of a graph are tensors");
            fine = 0;
            continue;
        }
        if (value && (value->is_missing || onnx_node_in(importer, value, ONNX_AS_WRITTEN))) {
            net->output[net->outputs++] = value;
            continue;
        }
        onnx_add_problem(importer, port->name, "output", 0,
                         value ? atl_error() : "it is an output of the model, and nothing makes it");
        fine = 0;
    }
    return fine;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static int import_model(atl_onnx *net)
{
    onnx_importer *importer = &net->importer;
    const onnx_graph *graph = &importer->model->graph;
    onnx_survey(importer, graph->nodes, graph->node);
    if (!graph->outputs)
        onnx_add_problem(importer, graph->name, "graph", 0, "it names no output");
    /* All problems at once: a node that reads what could not be made has none of its own. */
    int fine = onnx_import_initializers(importer, graph);
    fine &= import_inputs(net);
    fine &= onnx_import_nodes(importer, graph->nodes, graph->node);
    fine = fine && !importer->report->problems.count && find_outputs(net);
    return fine && !*atl_graph_error(importer->graph);
}

/* The first few problems in words. */
static atl_status tell_problems(const onnx_importer *importer, const char *name)
{
    const onnx_problem_list *list = &importer->report->problems;
    char text[1500];
    size_t at = 0;
    if (importer->out_of_memory)
        return atl_out_of_memory();
    for (int64_t i = 0; i < list->count && i < 5 && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s'%.80s' (%.40s): %.300s", i ? "; " : "",
                               list->problem[i].node, list->problem[i].op, list->problem[i].why);
    if (!list->count)
        return atl_set_error(ATL_INVALID, "'%s': %s", name,
                             *atl_graph_error(importer->graph) ? atl_graph_error(importer->graph)
                                                               : "it could not be read");
    return atl_set_error(ATL_UNSUPPORTED, "'%s': %" PRId64 " of its nodes cannot be read: %s%s", name, list->count,
                         text, list->count > 5 ? "; ..." : "");
}

static atl_status load(atl_onnx *net, onnx_source *source, const atl_onnx_args *args, atl_onnx_report *report)
{
    onnx_model *model = onnx_allocate(&net->arena, 1, sizeof *model);
    onnx_scope *scope = onnx_allocate(&net->arena, 1, sizeof *scope);
    if (!model || !scope)
        return atl_out_of_memory();
    const char *name = source->name;
    if (!onnx_parse_model(source, &net->arena, model))
        return atl_error_status();
    atl_status status = check_versions(model, name);
    if (status)
        return status;
    if (!onnx_describe_model(report, model))
        return atl_out_of_memory();
    net->importer = (onnx_importer){.graph = args->graph,
                                    .arena = &net->arena,
                                    .model = model,
                                    .args = args,
                                    .folder = folder_of(&net->arena, args->path),
                                    .scope = scope,
                                    .report = report,
                                    .opset = model->opset,
                                    .opsets = model->opsets};
    return import_model(net) ? ATL_OK : tell_problems(&net->importer, name);
}

static atl_status check_args(const atl_onnx_args *args)
{
    if (!args || !args->graph)
        return atl_set_error(ATL_INVALID, "onnx_load: the graph is null");
    if (!args->path == !args->bytes)
        return atl_set_error(ATL_INVALID, "onnx_load: give either the path of a model or its bytes");
    if (args->bytes && args->byte_count == 0)
        return atl_set_error(ATL_BAD_FILE, "onnx_load: the model in memory is empty");
    if (args->batch < ATL_ANY)
        return atl_set_error(ATL_INVALID, "onnx_load: a batch of %" PRId64, args->batch);
    return *atl_graph_error(args->graph)
               ? atl_set_error(ATL_INVALID, "onnx_load: the graph holds a mistake: %s", atl_graph_error(args->graph))
               : ATL_OK;
}

atl_onnx *atl_onnx_load_with(const atl_onnx_args *args)
{
    onnx_source source = {0};
    if (args && args->report_out)
        *args->report_out = NULL;
    atl_status status = check_args(args);
    if (status)
        return NULL;
    atl_onnx *net = atl_allocate(1, sizeof *net);
    atl_onnx_report *report = atl_allocate(1, sizeof *report);
    if (!net || !report)
        status = atl_out_of_memory();
    else if (args->path)
        status = onnx_source_open(&source, args->path, "an ONNX model");
    else
        onnx_source_of_memory(&source, args->bytes, args->byte_count, "the model in memory");
    if (!status) {
        /* What is kept of a byte of the file is bounded, so that a small file cannot ask for much. */
        net->arena.limit =
            ((size_t)source.size < SIZE_MAX / (2 * MOST_BYTES_A_BYTE) ? (size_t)source.size * MOST_BYTES_A_BYTE
                                                                      : SIZE_MAX / 2) +
            (64u << 20);
        status = load(net, &source, args, report);
        onnx_source_close(&source);
    }
    if (net) {
        net->importer.args = NULL; /* the caller's, as is the source */
        net->importer.report = NULL;
    }
    if (status) {
        atl_graph_note_failure(args->graph, status);
        atl_onnx_free(net);
        net = NULL;
    }
    if (args->report_out)
        *args->report_out = report;
    else
        atl_onnx_report_free(report);
    return net;
}

void atl_onnx_free(atl_onnx *net)
{
    if (!net)
        return;
    onnx_arena_free(&net->arena);
    atl_release(net);
}
