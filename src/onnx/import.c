/* Nodes of the file, in order: names, versions, functions; each is handed to the importer of its op. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/error.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

/* ---- the report -------------------------------------------------------------------------------------------------- */

static const char *kept(atl_onnx_report *report, const char *text)
{
    const char *copy = onnx_copy_text(&report->arena, text, strlen(text));
    return copy ? copy : "(out of memory)";
}

/* Makes room for one more in an array of the report. */
static int grow(atl_onnx_report *report, void *array_of_pointer, int64_t count, int64_t *capacity, size_t size)
{
    void *old, *larger;
    if (count < *capacity)
        return 1;
    larger = onnx_allocate(&report->arena, (size_t)(2 * count + 16), size);
    if (!larger)
        return 0;
    memcpy(&old, array_of_pointer, sizeof old);
    if (count)
        memcpy(larger, old, (size_t)count * size);
    memcpy(array_of_pointer, &larger, sizeof larger);
    *capacity = 2 * count + 16;
    return 1;
}

void onnx_add_problem(onnx_importer *importer, const char *node, const char *op, int64_t version, const char *why)
{
    atl_onnx_report *report = importer->report;
    onnx_problem_list *list = &report->problems;
    for (int64_t i = 0; i < list->count; i++)
        if (strcmp(list->problem[i].node, node) == 0 && strcmp(list->problem[i].op, op) == 0 &&
            strcmp(list->problem[i].why, why) == 0)
            return;
    if (list->count >= ONNX_MOST_PROBLEMS ||
        !grow(report, &list->problem, list->count, &list->capacity, sizeof *list->problem))
        return;
    list->problem[list->count++] = (atl_onnx_problem){kept(report, node), kept(report, op), version, kept(report, why)};
}

static void count_op(onnx_importer *importer, const onnx_node *node, int64_t version)
{
    atl_onnx_report *report = importer->report;
    for (int64_t i = 0; i < report->op_count; i++)
        if (strcmp(report->op[i].op, node->op) == 0 && strcmp(report->op[i].domain, node->domain) == 0 &&
            report->op[i].version == version) {
            report->op[i].count++;
            return;
        }
    if (report->op_count < ONNX_MOST_PROBLEMS &&
        grow(report, &report->op, report->op_count, &report->op_capacity, sizeof *report->op))
        report->op[report->op_count++] =
            (atl_onnx_op_info){kept(report, node->domain), kept(report, node->op), version, 1};
}

static const char *name_of(const onnx_node *node)
{
    for (int64_t i = 0; !*node->name && i < node->outputs; i++)
        if (*node->output[i])
            return node->output[i];
    return node->name;
}

/* ---- versions, functions ----------------------------------------------------------------------------------------- */

int64_t onnx_opset_version(const onnx_importer *importer, const char *domain)
{
    for (int64_t i = 0; i < importer->opsets; i++)
        if (strcmp(importer->opset[i].domain, domain) == 0)
            return importer->opset[i].version;
    return 0;
}

const onnx_function *onnx_find_function(const onnx_importer *importer, const onnx_node *node)
{
    for (int64_t i = 0; i < importer->model->functions; i++) {
        const onnx_function *function = &importer->model->function[i];
        if (strcmp(function->name, node->op) == 0 && strcmp(function->domain, node->domain) == 0)
            return function;
    }
    return NULL;
}

/* Why no importer can read the node at all; 0 if one may. */
static int is_unknown(const onnx_importer *importer, const onnx_node *node, char *why, size_t size)
{
    int64_t version = onnx_opset_version(importer, node->domain);
    int first = onnx_first_version(node->domain, node->op);
    const char *domain = *node->domain ? node->domain : "ai.onnx";
    if (onnx_find_function(importer, node))
        return 0;
    if (!first && strcmp(domain, "com.microsoft.nchwc") == 0)
        snprintf(why, size,
                 "the op %.100s of %.100s is not read: save the model with onnxruntime's level 'extended', not "
                 "'all'",
                 node->op, domain);
    else if (!first)
        snprintf(why, size, "the op %.100s of %.100s is not read%s", node->op, domain,
                 strcmp(domain, "com.microsoft") == 0 && (*node->op == 'Q' || strstr(node->op, "Quant"))
                     ? ": quantize in the QDQ format"
                     : "");
    else if (!version)
        snprintf(why, size, "the model imports no opset of %.100s", domain);
    else if (!onnx_find_entry(node->domain, node->op, version))
        snprintf(why, size, "%.100s is read from opset %d on, not of %" PRId64, node->op, first, version);
    else
        return 0;
    return 1;
}

void onnx_survey(onnx_importer *importer, int64_t count, const onnx_node *node)
{
    char why[400];
    for (int64_t i = 0; i < count; i++) {
        int64_t version = onnx_opset_version(importer, node[i].domain);
        count_op(importer, &node[i], version);
        if (is_unknown(importer, &node[i], why, sizeof why))
            onnx_add_problem(importer, name_of(&node[i]), node[i].op, version, why);
        for (int64_t k = 0; k < node[i].attributes; k++)
            if (node[i].attribute[k].graph)
                onnx_survey(importer, node[i].attribute[k].graph->nodes, node[i].attribute[k].graph->node);
    }
}

/* ---- one node ---------------------------------------------------------------------------------------------------- */

/* The values that the node reads; 0 with the reason. */
static int find_inputs(onnx_op *op)
{
    const onnx_node *node = op->node;
    op->inputs = node->inputs;
    op->input = onnx_room(op, node->inputs, sizeof *op->input);
    for (int64_t i = 0; op->input && i < node->inputs; i++) {
        if (!*node->input[i])
            continue;
        op->input[i] = onnx_lookup(op->importer->scope, node->input[i]);
        if (!op->input[i])
            return onnx_reject(
                op, "it reads '%.200s', which nothing before it makes: nodes stand in the order in which they run",
                node->input[i]);
        if (op->input[i]->is_absent)
            op->input[i] = NULL;
    }
    return op->input != NULL;
}

static int make_outputs(onnx_op *op)
{
    const onnx_node *node = op->node;
    op->outputs = node->outputs;
    op->output = onnx_room(op, node->outputs, sizeof *op->output);
    for (int64_t i = 0; op->output && i < node->outputs; i++)
        if (*node->output[i] && !(op->output[i] = onnx_new_value(op->importer, node->output[i])))
            return onnx_reject(op, "%s", atl_error());
    return op->output != NULL;
}

/* A value that could not be made spoils those made of it, which is no problem of theirs. */
static int reads_missing(const onnx_op *op)
{
    for (int64_t i = 0; i < op->inputs; i++)
        if (op->input[i] && op->input[i]->is_missing)
            return 1;
    return 0;
}

static int import_by_entry(onnx_op *op)
{
    const onnx_importer *importer = op->importer;
    char why[400];
    op->version = onnx_opset_version(importer, op->node->domain);
    op->entry = onnx_find_entry(op->node->domain, op->node->op, op->version);
    if (is_unknown(importer, op->node, why, sizeof why) || !op->entry)
        return onnx_reject(op, "%s", why);
    int most = op->entry->most_outputs ? op->entry->most_outputs : 1;
    for (int64_t i = most; i < op->outputs; i++)
        if (op->output[i])
            return onnx_reject(op, "its output %" PRId64 " is used, which is not made here", i);
    for (int64_t i = 0; i < op->inputs && !op->entry->takes_sequences; i++)
        if (op->input[i] && op->input[i]->sequence)
            return onnx_reject(op, "its input '%.200s' is a sequence; it takes tensors", op->input[i]->name);
    if (!onnx_check_types(op))
        return 0;
    int evaluated = onnx_evaluate(op);
    if (evaluated)
        return evaluated > 0;
    op->scope = onnx_scope_of(op);
    const char *before = onnx_name_in(op->importer, op->scope);
    int fine = op->entry->import(op);
    onnx_name_in(op->importer, before);
    return fine;
}

static int import_node(onnx_importer *importer, const onnx_node *node)
{
    onnx_op op = {.importer = importer, .node = node};
    importer->errors = atl_error_count();
    const onnx_function *function = onnx_find_function(importer, node);
    if (++importer->made > ONNX_MOST_NODES)
        return onnx_reject(&op, "the model has more than %d nodes once its functions are expanded", ONNX_MOST_NODES);
    int found = find_inputs(&op), fine = make_outputs(&op) && found;
    int is_victim = fine && reads_missing(&op);
    fine = fine && !is_victim && (function ? onnx_expand_function(&op, function) : import_by_entry(&op)) && !*op.why;
    for (int64_t i = 0; fine && i < op.outputs; i++)
        if (op.output[i] && !op.output[i]->type)
            fine = onnx_reject(&op, "its output %" PRId64 " is used, which is not made here", i);
    if (fine) {
        onnx_name_outputs(&op);
        return 1;
    }
    for (int64_t i = 0; op.output && i < op.outputs; i++)
        if (op.output[i])
            op.output[i]->is_missing = 1;
    if (!is_victim)
        onnx_add_problem(importer, name_of(node), node->op, op.version, *op.why ? op.why : onnx_failure(importer));
    return 0;
}

int onnx_import_nodes(onnx_importer *importer, int64_t count, const onnx_node *node)
{
    int fine = 1;
    for (int64_t i = 0; i < count && !importer->out_of_memory; i++)
        fine &= import_node(importer, &node[i]) && !*atl_graph_error(importer->graph);
    return fine && !importer->out_of_memory;
}

/* "~7": a constant that atl_onnx_write has named (write_nodes.c).  Weights have other names. */
static int is_written_constant(const onnx_importer *importer, const char *name)
{
    size_t signs = strspn(name, "~"), digits = strspn(name + signs, "0123456789");
    return signs && digits && !name[signs + digits] && strcmp(importer->model->producer, "atled") == 0;
}

int onnx_import_initializers(onnx_importer *importer, const onnx_graph *graph)
{
    int fine = 1;
    for (int64_t i = 0; i < graph->initializers; i++) {
        const onnx_tensor *tensor = &graph->initializer[i];
        onnx_value *value = onnx_new_value(importer, tensor->name);
        int bad = !value || onnx_tensor_count(tensor) < 0 || !onnx_check_elements(tensor, importer->folder);
        if (bad)
            onnx_add_problem(importer, tensor->name, "initializer", 0, atl_error());
        fine &= !bad;
        if (!value)
            continue;
        value->type = tensor->type;
        value->shape = atl_shape_from(tensor->rank, tensor->size);
        value->tensor = tensor;
        value->is_initializer = !is_written_constant(importer, tensor->name);
        value->is_constant = 1;
        value->is_missing = bad;
    }
    return fine;
}

/* ---- graphs within, functions ------------------------------------------------------------------------------------ */

/* Runs the nodes in a scope of their own, and gives their outputs to those of the op. */
static int import_inside(onnx_op *op, onnx_scope *scope, const onnx_graph *initializers, int64_t nodes,
                         const onnx_node *node, int64_t outputs, const char *const *output)
{
    onnx_importer *importer = op->importer;
    onnx_scope *before = importer->scope;
    importer->scope = scope;
    int fine =
        (!initializers || onnx_import_initializers(importer, initializers)) && onnx_import_nodes(importer, nodes, node);
    for (int64_t i = 0; fine && i < outputs && i < op->outputs; i++) {
        onnx_value *value = onnx_lookup(scope, output[i]);
        if (!value && op->output[i])
            fine = onnx_reject(op, "nothing within it makes its output '%.200s'", output[i]);
        else if (op->output[i])
            onnx_give_value(op, i, value);
    }
    importer->scope = before;
    return fine ? 1 : onnx_reject(op, "a node within it cannot be read");
}

int onnx_import_subgraph(onnx_op *op, const onnx_graph *graph, onnx_value *const *given)
{
    onnx_scope scope = {.parent = op->importer->scope}, *before = op->importer->scope;
    op->importer->scope = &scope;
    for (int64_t i = 0; given && i < graph->inputs; i++) {
        onnx_value *value = onnx_new_value(op->importer, graph->input[i].name);
        if (value)
            onnx_copy_value(value, given[i]);
        else
            onnx_reject(op, "%s", atl_error());
    }
    op->importer->scope = before;
    if (*op->why)
        return 0;
    const char **output = onnx_room(op, graph->outputs, sizeof *output);
    for (int64_t i = 0; output && i < graph->outputs; i++)
        output[i] = graph->output[i].name;
    return output && import_inside(op, &scope, graph, graph->nodes, graph->node, graph->outputs, output);
}

/* What the caller's attribute, or else the function's own, says for a reference. */
static const onnx_attribute *referred(const onnx_op *op, const onnx_function *function, const char *name)
{
    for (int64_t i = 0; i < op->node->attributes; i++)
        if (strcmp(op->node->attribute[i].name, name) == 0)
            return &op->node->attribute[i];
    for (int64_t i = 0; i < function->defaults; i++)
        if (strcmp(function->default_value[i].name, name) == 0)
            return &function->default_value[i];
    return NULL;
}

/* A copy of the function's node with its references to attributes resolved. */
static int resolve_attributes(onnx_op *op, const onnx_function *function, onnx_node *node)
{
    onnx_attribute *resolved = onnx_room(op, node->attributes, sizeof *resolved);
    int64_t count = 0;
    for (int64_t i = 0; resolved && i < node->attributes; i++) {
        onnx_attribute own = node->attribute[i];
        const onnx_attribute *from = *own.reference ? referred(op, function, own.reference) : &own;
        if (!from)
            continue; /* not given: as if the node did not have it */
        resolved[count] = *from;
        resolved[count++].name = own.name;
    }
    node->attribute = resolved;
    node->attributes = count;
    return resolved != NULL;
}

int onnx_expand_function(onnx_op *op, const onnx_function *function)
{
    onnx_importer *importer = op->importer;
    onnx_scope scope = {0}, *before = importer->scope;
    const onnx_opset *opset = importer->opset;
    int64_t opsets = importer->opsets;
    onnx_node *node = onnx_room(op, function->nodes, sizeof *node);
    if (importer->depth >= ONNX_DEEPEST_FUNCTION)
        return onnx_reject(op, "functions within functions, more than %d deep", ONNX_DEEPEST_FUNCTION);
    importer->scope = &scope;
    int fine = node != NULL;
    for (int64_t i = 0; fine && i < function->inputs; i++) {
        onnx_value *value = onnx_new_value(importer, function->input[i]);
        if (!value)
            fine = onnx_reject(op, "%s", atl_error());
        else if (onnx_has(op, i))
            onnx_copy_value(value, op->input[i]);
        else
            value->is_absent = 1;
    }
    for (int64_t i = 0; fine && i < function->nodes; i++) {
        node[i] = function->node[i];
        fine = resolve_attributes(op, function, &node[i]);
    }
    importer->scope = before;
    importer->depth++;
    if (function->opsets) {
        importer->opset = function->opset;
        importer->opsets = function->opsets;
    }
    fine = fine && import_inside(op, &scope, NULL, function->nodes, node, function->outputs, function->output);
    importer->opset = opset;
    importer->opsets = opsets;
    importer->depth--;
    return fine;
}
