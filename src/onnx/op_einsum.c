/* Importer of Einsum: the file's notation is that of atl_einsum. */
#include "onnx/families.h"

static int import_einsum(onnx_op *op)
{
    atl_node **operand = onnx_room(op, op->inputs > 0 ? op->inputs : 1, sizeof(atl_node *));
    if (!operand)
        return 0;
    for (int64_t i = 0; i < op->inputs; i++)
        if (!(operand[i] = onnx_float(op, i)))
            return 0;
    return onnx_give(op, 0, atl_einsum_with(onnx_attr_text(op, "equation", ""), (atl_nodes){op->inputs, operand}));
}

const onnx_entry onnx_einsums[] = {{"Einsum", 12, import_einsum}, {0}};
