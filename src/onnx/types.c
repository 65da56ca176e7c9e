/* Types of inputs that do not agree: https://onnx.ai/onnx/operators says for each op which inputs share a type, and
 * which hold truth values, whole numbers or real ones. */
#include <string.h>

#include "onnx/import.h"
#include "onnx/tensor_data.h"

/* Bit i: input i; the last bit stands for all that follow, too. */
typedef struct type_rule {
    const char *op;
    int since;
    unsigned same, truth, whole, real;
} type_rule;

enum { ALL = 0x7fffffff };

static const type_rule rules[] = {
    {"Add", 7, .same = 3},
    {"And", 7, .truth = 3},
    {"AveragePool", 1, .real = 1},
    {"BatchNormalization", 7, .real = 31},
    {"BitShift", 11, .same = 3, .whole = 3},
    {"Clip", 11, .same = 7},
    {"Concat", 4, .same = ALL},
    {"Conv", 1, .same = 7, .real = 7},
    {"ConvTranspose", 1, .same = 7, .real = 7},
    {"CumSum", 11, .whole = 2},
    {"Div", 7, .same = 3},
    {"Einsum", 12, .same = ALL},
    {"Elu", 6, .real = 1},
    {"Equal", 7, .same = 3},
    {"Exp", 6, .real = 1},
    {"Expand", 8, .whole = 2},
    {"GRU", 7, .same = 47, .whole = 16, .real = 47},
    {"Gather", 1, .whole = 2},
    {"GatherElements", 11, .whole = 2},
    {"GatherND", 11, .whole = 2},
    {"Gemm", 7, .same = 7},
    {"GlobalAveragePool", 1, .real = 1},
    {"Greater", 7, .same = 3},
    {"GreaterOrEqual", 12, .same = 3},
    {"GridSample", 16, .real = 2},
    {"HardSigmoid", 6, .real = 1},
    {"HardSwish", 14, .real = 1},
    {"If", 1, .truth = 1},
    {"InstanceNormalization", 6, .same = 7, .real = 7},
    {"LSTM", 7, .same = 239, .whole = 16, .real = 239},
    {"LayerNormalization", 17, .same = 7, .real = 7},
    {"LeakyRelu", 6, .real = 1},
    {"Less", 7, .same = 3},
    {"LessOrEqual", 12, .same = 3},
    {"Log", 6, .real = 1},
    {"LogSoftmax", 1, .real = 1},
    {"MatMul", 1, .same = 3},
    {"Max", 6, .same = ALL},
    {"MaxUnpool", 9, .whole = 2},
    {"Mean", 6, .same = ALL, .real = ALL},
    {"Min", 6, .same = ALL},
    {"Mod", 10, .same = 3},
    {"Mul", 7, .same = 3},
    {"Not", 1, .truth = 1},
    {"Or", 7, .truth = 3},
    {"PRelu", 7, .same = 3},
    {"Pad", 11, .same = 5, .whole = 2},
    {"Pow", 7, .same = 3},
    {"Pow", 12},
    {"RNN", 7, .same = 47, .whole = 16, .real = 47},
    {"Range", 11, .same = 7},
    {"Reshape", 5, .whole = 2},
    {"Scatter", 9, .same = 5, .whole = 2},
    {"ScatterElements", 11, .same = 5, .whole = 2},
    {"ScatterND", 11, .same = 5, .whole = 2},
    {"Selu", 6, .real = 1},
    {"Sigmoid", 6, .real = 1},
    {"Slice", 10, .whole = 30},
    {"Softmax", 1, .real = 1},
    {"Softplus", 1, .real = 1},
    {"Sqrt", 6, .real = 1},
    {"Squeeze", 13, .whole = 2},
    {"Sub", 7, .same = 3},
    {"Sum", 6, .same = ALL, .real = ALL},
    {"Tanh", 6, .real = 1},
    {"Tile", 6, .whole = 2},
    {"TopK", 10, .whole = 2},
    {"Unsqueeze", 13, .whole = 2},
    {"Where", 9, .same = 6, .truth = 1},
    {"Xor", 7, .truth = 3},
};

/* The rule of the op's version; null: there is none. */
static const type_rule *rule_of(const onnx_op *op)
{
    const type_rule *found = NULL;
    if (*op->node->domain)
        return NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].op, op->node->op) == 0 && rules[i].since <= op->version)
            found = &rules[i];
    return found;
}

static int is_real(onnx_type type)
{
    return type == ONNX_FLOAT || type == ONNX_DOUBLE || type == ONNX_FLOAT16 || type == ONNX_BFLOAT16;
}

static int holds(unsigned mask, int64_t input) { return mask >> (input < 30 ? input : 30) & 1; }

int onnx_check_types(onnx_op *op)
{
    const type_rule *rule = rule_of(op);
    int64_t first = -1; /* of those that share a type */
    for (int64_t i = 0; rule && i < op->inputs; i++) {
        onnx_type type = op->input[i] ? op->input[i]->type : 0;
        if (!type)
            continue;
        const char *name = op->input[i]->name, *wanted = holds(rule->truth, i) && type != ONNX_BOOL ? "BOOL"
                                                         : holds(rule->whole, i) && (is_real(type) || type == ONNX_BOOL)
                                                             ? "whole numbers"
                                                         : holds(rule->real, i) && !is_real(type) ? "real numbers"
                                                                                                  : NULL;
        if (wanted)
            return onnx_reject(op, "its input '%.200s' is of type %s; it takes %s", name, onnx_type_name(type), wanted);
        if (!holds(rule->same, i))
            continue;
        if (first >= 0 && op->input[first]->type != type)
            return onnx_reject(op, "its inputs '%.200s', of type %s, and '%.200s', of type %s, must be of one type",
                               op->input[first]->name, onnx_type_name(op->input[first]->type), name,
                               onnx_type_name(type));
        first = i;
    }
    return 1;
}
