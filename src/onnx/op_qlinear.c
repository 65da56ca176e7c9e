/* Importers of the ops that onnxruntime's quantizer writes in its format QOperator.  Each is an op of ONNX between
 * DequantizeLinear of its operands and QuantizeLinear of its result, and is read as a function of these, so that its
 * gradient passes straight through the rounding. */
#include <stdio.h>
#include <string.h>

#include "onnx/families.h"
#include "onnx/importer.h"

enum {
    PARTS_OPSET = 13, /* whose ops the function is made of */
    MOST_OPERANDS = 1024
};
static const char *const prefix = "QLinear";

/* The function that is being made of an op; its inputs and outputs are those of the op. */
typedef struct parts {
    onnx_op *op;
    onnx_function function;
    onnx_opset opset;
    const char *output; /* what the function gives */
} parts;

/* "operand_3": a name within the function. */
static const char *name_of(onnx_op *op, const char *what, int64_t i)
{
    char text[64];
    snprintf(text, sizeof text, "%s_%lld", what, (long long)i);
    char *name = onnx_room(op, (int64_t)strlen(text) + 1, 1);
    return name ? strcpy(name, text) : "";
}

/* Room for as many nodes and the names of all inputs; 0 with the reason. */
static int begin_parts(parts *p, onnx_op *op, int64_t nodes)
{
    *p = (parts){.op = op, .opset = {"", PARTS_OPSET}, .output = "real"};
    p->function = (onnx_function){.name = op->node->op,
                                  .domain = op->node->domain,
                                  .inputs = op->inputs,
                                  .outputs = 1,
                                  .opsets = 1,
                                  .output = &p->output,
                                  .opset = &p->opset};
    p->function.input = onnx_room(op, op->inputs, sizeof *p->function.input);
    p->function.node = onnx_room(op, nodes, sizeof *p->function.node);
    if (!p->function.input || !p->function.node)
        return 0;
    for (int64_t i = 0; i < op->inputs; i++)
        p->function.input[i] = name_of(op, "input", i);
    return 1;
}

/* "": the op has no such input. */
static const char *input_of(const parts *p, int64_t i) { return onnx_has(p->op, i) ? p->function.input[i] : ""; }

static void add_node(parts *p, const char *name, int64_t inputs, const char *const *input, const char *output,
                     int64_t attributes, const onnx_attribute *attribute)
{
    onnx_op *op = p->op;
    onnx_node node = {.name = op->node->name, .op = name, .domain = "", .scopes = op->node->scopes};
    node.input = onnx_room(op, inputs, sizeof *node.input);
    node.output = onnx_room(op, 1, sizeof *node.output);
    node.attribute = onnx_room(op, attributes, sizeof *node.attribute);
    if (!node.input || !node.output || !node.attribute)
        return;
    memcpy(node.input, input, (size_t)inputs * sizeof *input);
    if (attributes)
        memcpy(node.attribute, attribute, (size_t)attributes * sizeof *attribute);
    node.inputs = inputs;
    node.output[node.outputs++] = output;
    node.attributes = attributes;
    p->function.node[p->function.nodes++] = node;
}

static onnx_attribute whole(const char *name, int64_t value)
{
    return (onnx_attribute){.name = name, .reference = "", .type = ONNX_ATTRIBUTE_INT, .integer = value};
}

/* The real number for the value, scale and zero point of inputs i, i + 1 and i + 2. */
static const char *add_operand(parts *p, int64_t i, int64_t axis)
{
    const char *real = name_of(p->op, "operand", i);
    add_node(p, "DequantizeLinear", 3, (const char *[]){input_of(p, i), input_of(p, i + 1), input_of(p, i + 2)}, real,
             1, (onnx_attribute[]){whole("axis", axis)});
    return real;
}

/* Rounds what the function gives by the scale and zero point of inputs i and i + 1; it has the type of input `like` if
 * there is no zero point. */
static void quantize_result(parts *p, int64_t i, int64_t like)
{
    add_node(p, "QuantizeLinear", 3, (const char *[]){p->output, input_of(p, i), input_of(p, i + 1)}, "result", 1,
             (onnx_attribute[]){whole("output_dtype", onnx_type_of(p->op, like))});
    p->output = "result";
}

static int expand(const parts *p) { return !*p->op->why && onnx_expand_function(p->op, &p->function); }

/* The op that the name says, on `plain` inputs as they are, and on operands from input `first` on. */
static int import_parts(onnx_op *op, int64_t plain, int64_t first, int64_t operands, int64_t result)
{
    parts p;
    if (operands < 1 || operands > MOST_OPERANDS)
        return onnx_reject(op, "it has %lld operands", (long long)operands);
    const char **input = onnx_room(op, plain + operands, sizeof *input);
    if (!input || !begin_parts(&p, op, operands + 2))
        return 0;
    for (int64_t i = 0; i < plain; i++)
        input[i] = input_of(&p, i);
    for (int64_t i = 0; i < operands; i++)
        input[plain + i] = add_operand(&p, first + 3 * i, 1);
    add_node(&p, op->node->op + strlen(prefix), plain + operands, input, p.output, op->node->attributes,
             op->node->attribute);
    quantize_result(&p, result, first);
    return expand(&p);
}

/* Operands, then the scale and zero point of the result. */
static int import_operands(onnx_op *op)
{
    if (onnx_attr_int(op, "channels_last", 0))
        return onnx_reject(op, "channels_last is not read: quantize in the QDQ format");
    return import_parts(op, 0, 0, op->entry->kind, 3 * op->entry->kind);
}

/* It names the opset whose Softmax it is: before 13, over all dimensions from the axis on. */
static int import_softmax(onnx_op *op)
{
    int64_t opset = onnx_attr_int(op, "opset", PARTS_OPSET), axis = onnx_attr_int(op, "axis", -1);
    if (opset < PARTS_OPSET && axis != -1 && axis != onnx_rank(op, 0) - 1)
        return onnx_reject(op,
                           "a Softmax of opset %lld over several dimensions is not read: quantize in the QDQ format",
                           (long long)opset);
    return import_operands(op);
}

/* Scale and zero point of the result, then operands. */
static int import_concat(onnx_op *op) { return import_parts(op, 0, 2, (op->inputs - 2) / 3, 0); }

/* A condition, two operands, scale and zero point of the result. */
static int import_where(onnx_op *op) { return import_parts(op, 1, 1, 2, 7); }

/* alpha * a b + c, where c is int32 in steps of alpha * the scale of a * that of b; without a scale, the result is
 * real. */
static int import_qgemm(onnx_op *op)
{
    parts p;
    onnx_attribute attribute[] = {whole("transA", onnx_attr_int(op, "transA", 0) != 0),
                                  whole("transB", onnx_attr_int(op, "transB", 0) != 0),
                                  {.name = "alpha", .reference = "", .type = ONNX_ATTRIBUTE_FLOAT},
                                  {.name = "beta", .reference = "", .type = ONNX_ATTRIBUTE_FLOAT}};
    enum { ATTRIBUTES = sizeof attribute / sizeof *attribute };
    attribute[2].number = attribute[3].number = (float)onnx_attr_float(op, "alpha", 1);
    if (!begin_parts(&p, op, 6))
        return 0;
    const char *input[] = {add_operand(&p, 0, 1), add_operand(&p, 3, attribute[1].integer ? 0 : 1), "c"};
    if (onnx_has(op, 6)) {
        add_node(&p, "Mul", 2, (const char *[]){input_of(&p, 1), input_of(&p, 4)}, "step", 0, NULL);
        add_node(&p, "DequantizeLinear", 2, (const char *[]){input_of(&p, 6), "step"}, "c", 0, NULL);
    }
    add_node(&p, "Gemm", onnx_has(op, 6) ? 3 : 2, input, p.output, ATTRIBUTES, attribute);
    if (onnx_has(op, 7))
        quantize_result(&p, 7, 0);
    return expand(&p);
}

const onnx_entry onnx_qlinear[] = {
    {"QGemm", 1, import_qgemm, ONNX_OF_MICROSOFT "QGemm"},
    {"QLinearAdd", 1, import_operands, .kind = 2, ONNX_OF_MICROSOFT "QLinearAdd"},
    {"QLinearAveragePool", 1, import_operands, .kind = 1, ONNX_OF_MICROSOFT "QLinearAveragePool"},
    {"QLinearConcat", 1, import_concat, ONNX_OF_MICROSOFT "QLinearConcat"},
    {"QLinearGlobalAveragePool", 1, import_operands, .kind = 1, ONNX_OF_MICROSOFT "QLinearGlobalAveragePool"},
    {"QLinearLeakyRelu", 1, import_operands, .kind = 1, ONNX_OF_MICROSOFT "QLinearLeakyRelu"},
    {"QLinearMul", 1, import_operands, .kind = 2, ONNX_OF_MICROSOFT "QLinearMul"},
    {"QLinearReduceMean", 1, import_operands, .kind = 1, ONNX_OF_MICROSOFT "QLinearReduceMean"},
    {"QLinearSigmoid", 1, import_operands, .kind = 1, ONNX_OF_MICROSOFT "QLinearSigmoid"},
    {"QLinearSoftmax", 1, import_softmax, .kind = 1, ONNX_OF_MICROSOFT "QLinearSoftmax"},
    {"QLinearWhere", 1, import_where, ONNX_OF_MICROSOFT "QLinearWhere"},
    {0}};
