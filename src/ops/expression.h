/* Fused element-wise expressions, evaluated block by block in the cache: one pass over memory for any number of ops.
 *
 * An expression is a straight-line program over registers: first the operands, then the constants, then the results of
 * the instructions.  Some of these arrays are results, and so may be sums over arrays, or over products of two: they
 * are summed while the block is in the cache.  The first result array, or else the first sum, is the value of the node;
 * the others are its parts.  The code knows no op by name: an op is its map. */
#ifndef ATLED_OPS_EXPRESSION_H
#define ATLED_OPS_EXPRESSION_H

#include "graph/graph.h"
#include "lowering/lowering.h"
#include "lowering/op_hooks.h"

enum {
    ATL_EXPRESSION_OPERANDS = 16,
    ATL_EXPRESSION_SCALARS = 16,
    ATL_EXPRESSION_LENGTH = 48,
    ATL_EXPRESSION_ARITY = 8,
    ATL_EXPRESSION_ARRAYS = 7,
    ATL_EXPRESSION_SUMS = 4
};

typedef struct atl_instruction {
    const atl_op *op;
    const void *attributes;
    int inputs;
    uint8_t in[ATL_EXPRESSION_ARITY]; /* registers */
} atl_instruction;

typedef struct atl_expression_sum {
    int a, b; /* registers; b: -1 if it is not a product */
    double scale;
    atl_shape shape; /* of the result */
} atl_expression_sum;

typedef struct atl_expression {
    int operands, numbers, length, arrays, sums;
    int64_t outer, reduced, inner; /* the shape as all sums see it: they reduce the middle dimension */
    atl_shape shape;               /* of every instruction's result; the operands are broadcast to it */
    float *number;
    atl_instruction *instruction;
    int *array;         /* instructions whose results are results of the node */
    int product;        /* the operand that is a product of matrices, computed a few rows at a time; -1: none */
    atl_rows_form rows; /* of the product: its first matrix is the input in its place, the second the last input */
    atl_expression_sum *sum;
} atl_expression;

/* Memory for the largest expression, while it is built. */
typedef struct atl_expression_room {
    float number[ATL_EXPRESSION_SCALARS];
    atl_instruction instruction[ATL_EXPRESSION_LENGTH];
    int array[ATL_EXPRESSION_ARRAYS];
    atl_expression_sum sum[ATL_EXPRESSION_SUMS];
} atl_expression_room;

static inline atl_expression atl_expression_in(atl_expression_room *room)
{
    return (atl_expression){.product = -1,
                            .number = room->number,
                            .instruction = room->instruction,
                            .array = room->array,
                            .sum = room->sum};
}

/* Lowers an element-wise node, a sum (atl_op_hooks.as_sum), or a fused node, whose attributes are a pointer to its
 * expression. */
int atl_lower_expression(atl_lowering *lowering);

/* For atl_op_hooks.blocked_benefit: 0 if an element-wise or fused node can work on images in blocks of 16 channels,
 * else -INFINITY.  It can if it reads only images of its own shape, and single numbers. */
double atl_expression_blocked_benefit(const atl_node *y, unsigned *images_out);

/* The op of fused nodes; it exists in compiled copies only. */
extern const atl_op atl_fused_op;
/* On operands of any graph, and the second matrix of a product: copies the expression, with all attributes. */
atl_node *atl_fused(const atl_expression *expression, int count, atl_node *const *operands);
/* Result k of the fused node, arrays before sums; 0 is the node itself. */
atl_node *atl_fused_part(atl_node *fused, int k);
/* The expression of a fused node, or null. */
const atl_expression *atl_expression_of(const atl_node *node);

#endif
