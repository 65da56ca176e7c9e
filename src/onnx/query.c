/* What a loaded model and a report answer; tensors of test data. */
#include <stdlib.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/unset_tensor.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

static atl_node *by_name(onnx_value *const *value, int64_t count, const char *name)
{
    for (int64_t i = 0; name && i < count; i++)
        if (strcmp(value[i]->name, name) == 0)
            return value[i]->node;
    return NULL;
}

atl_node *atl_onnx_input(const atl_onnx *net, const char *name)
{
    return net ? by_name(net->input, net->inputs, name) : NULL;
}
atl_node *atl_onnx_output(const atl_onnx *net, const char *name)
{
    return net ? by_name(net->output, net->outputs, name) : NULL;
}

static onnx_type type_among(onnx_value *const *list, int64_t count, const atl_node *node)
{
    for (int64_t i = 0; i < count; i++)
        if (list[i]->node == node)
            return list[i]->type;
    return ONNX_UNDEFINED;
}

onnx_type onnx_type_in_file(const atl_onnx *net, const atl_node *node)
{
    onnx_type type = net ? type_among(net->input, net->inputs, node) : ONNX_UNDEFINED;
    return type || !net ? type : type_among(net->output, net->outputs, node);
}

int64_t atl_onnx_input_count(const atl_onnx *net) { return net ? net->inputs : 0; }
int64_t atl_onnx_output_count(const atl_onnx *net) { return net ? net->outputs : 0; }

const char *atl_onnx_input_name(const atl_onnx *net, int64_t index)
{
    return net && index >= 0 && index < net->inputs ? net->input[index]->name : NULL;
}

const char *atl_onnx_output_name(const atl_onnx *net, int64_t index)
{
    return net && index >= 0 && index < net->outputs ? net->output[index]->name : NULL;
}

atl_node *atl_onnx_value_node(atl_onnx *net, const char *name)
{
    onnx_value *value = net && name ? onnx_lookup(net->importer.scope, name) : NULL;
    if (!value || !onnx_made_node(value)) /* what nobody has asked for is still in the file, which is closed */
        return NULL;
    return onnx_node_in(&net->importer, value, ONNX_AS_WRITTEN);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static int describe_port(atl_onnx_report *report, const onnx_port *port, atl_onnx_port *to)
{
    *to = (atl_onnx_port){.name = onnx_copy_text(&report->arena, port->name, strlen(port->name)),
                          .type = port->kind ? port->kind : onnx_type_name(port->type),
                          .has_shape = port->rank >= 0 && port->rank <= ATL_MAX_RANK};
    if (to->has_shape)
        to->shape = atl_shape_from(port->rank, port->size);
    return to->name != NULL;
}

static int order_of_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Inputs that are no initializers: one that is both has its value from the file. */
static int describe_inputs(atl_onnx_report *report, const onnx_graph *graph)
{
    const char **name = onnx_allocate(&report->arena, (size_t)graph->initializers + 1, sizeof *name);
    report->input = onnx_allocate(&report->arena, (size_t)graph->inputs + 1, sizeof *report->input);
    if (!name || !report->input)
        return 0;
    for (int64_t i = 0; i < graph->initializers; i++)
        name[i] = graph->initializer[i].name;
    qsort(name, (size_t)graph->initializers, sizeof *name, order_of_names);
    for (int64_t i = 0; i < graph->inputs; i++)
        if (!bsearch(&graph->input[i].name, name, (size_t)graph->initializers, sizeof *name, order_of_names) &&
            !describe_port(report, &graph->input[i], &report->input[report->inputs++]))
            return 0;
    return 1;
}

int onnx_describe_model(atl_onnx_report *report, const onnx_model *model)
{
    const onnx_graph *graph = &model->graph;
    report->ir_version = model->ir_version;
    report->producer = onnx_copy_text(&report->arena, model->producer, strlen(model->producer));
    report->output = onnx_allocate(&report->arena, (size_t)graph->outputs + 1, sizeof *report->output);
    if (!report->output || !describe_inputs(report, graph))
        return 0;
    for (int64_t i = 0; i < graph->outputs; i++)
        if (!describe_port(report, &graph->output[i], &report->output[report->outputs++]))
            return 0;
    for (int64_t i = 0; i < graph->initializers; i++) {
        int64_t count = graph->initializer[i].rank <= ATL_MAX_RANK
                            ? atl_shape_count(atl_shape_from(graph->initializer[i].rank, graph->initializer[i].size))
                            : 0;
        if (count > 0 && report->weights <= INT64_MAX - count)
            report->weights += count;
    }
    return 1;
}

static atl_onnx_port port_at(const atl_onnx_port *port, int64_t count, int64_t index)
{
    return index >= 0 && index < count ? port[index] : (atl_onnx_port){"", "", 0, ATL_SCALAR};
}

int64_t atl_onnx_report_input_count(const atl_onnx_report *report) { return report ? report->inputs : 0; }
int64_t atl_onnx_report_output_count(const atl_onnx_report *report) { return report ? report->outputs : 0; }
int64_t atl_onnx_report_weight_count(const atl_onnx_report *report) { return report ? report->weights : 0; }
atl_onnx_port atl_onnx_report_input(const atl_onnx_report *report, int64_t index)
{
    return port_at(report ? report->input : NULL, report ? report->inputs : 0, index);
}
atl_onnx_port atl_onnx_report_output(const atl_onnx_report *report, int64_t index)
{
    return port_at(report ? report->output : NULL, report ? report->outputs : 0, index);
}

void atl_onnx_report_free(atl_onnx_report *report)
{
    if (!report)
        return;
    onnx_arena_free(&report->arena);
    atl_release(report);
}

int64_t atl_onnx_report_ir_version(const atl_onnx_report *report) { return report ? report->ir_version : 0; }
const char *atl_onnx_report_producer(const atl_onnx_report *report)
{
    return report && report->producer ? report->producer : "";
}
int64_t atl_onnx_report_op_count(const atl_onnx_report *report) { return report ? report->op_count : 0; }
int64_t atl_onnx_report_problem_count(const atl_onnx_report *report) { return report ? report->problems.count : 0; }

atl_onnx_op_info atl_onnx_report_op(const atl_onnx_report *report, int64_t index)
{
    return report && index >= 0 && index < report->op_count ? report->op[index] : (atl_onnx_op_info){"", "", 0, 0};
}

atl_onnx_problem atl_onnx_report_problem(const atl_onnx_report *report, int64_t index)
{
    return report && index >= 0 && index < report->problems.count ? report->problems.problem[index]
                                                                  : (atl_onnx_problem){"", "", 0, ""};
}

atl_tensor *atl_read_onnx_tensor(const char *path)
{
    onnx_source source;
    onnx_arena arena = {0};
    onnx_tensor tensor;
    atl_tensor *values = NULL;
    if (onnx_source_open(&source, path, "a tensor of ONNX test data"))
        return NULL;
    if (onnx_parse_tensor(&source, &arena, &tensor) && onnx_check_elements(&tensor, NULL)) {
        int whole = onnx_is_integer(tensor.type);
        values = atl_tensor_unset(whole ? ATL_INT32 : ATL_FLOAT32, atl_shape_from(tensor.rank, tensor.size));
        void *to = whole ? (void *)atl_ints(values) : (void *)atl_floats(values);
        if (values && !onnx_read_elements(&tensor, NULL, whole ? ONNX_TO_INT : ONNX_TO_FLOAT, to)) {
            atl_tensor_free(values);
            values = NULL;
        }
    }
    onnx_arena_free(&arena);
    onnx_source_close(&source);
    return values;
}
