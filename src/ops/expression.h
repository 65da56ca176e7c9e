/* Chains of element-wise ops, run block by block in cache: one pass over memory whatever their number.
 *
 * A chain is a straight-line program over registers: first the operands, then the numbers known beforehand, then what the
 * instructions make.  Some of these arrays are wanted, and sums over some, or over products of two, may be: they are added up while
 * the block is still in cache.  The first of the wanted arrays, or else the first sum, is the value of the chain; the others are its
 * parts.  It knows no op by name: an op is its map. */
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
    int a, b; /* registers; b: -1 if it is no product */
    double scale;
    atl_shape shape; /* of the result */
} atl_expression_sum;

typedef struct atl_expression {
    int operands, numbers, length, arrays, sums;
    int64_t outer, reduced, inner; /* the shape as all sums see it: over the middle one */
    atl_shape shape;               /* of every instruction's result; the operands broadcast to it */
    float *number;
    atl_instruction *instruction;
    int *array; /* instructions whose results are wanted */
    atl_expression_sum *sum;
} atl_expression;

/* Room for the largest chain, while it is made. */
typedef struct atl_expression_room {
    float number[ATL_EXPRESSION_SCALARS];
    atl_instruction instruction[ATL_EXPRESSION_LENGTH];
    int array[ATL_EXPRESSION_ARRAYS];
    atl_expression_sum sum[ATL_EXPRESSION_SUMS];
} atl_expression_room;

static inline atl_expression atl_expression_in(atl_expression_room *room)
{
    return (atl_expression){.number = room->number,
                            .instruction = room->instruction,
                            .array = room->array,
                            .sum = room->sum};
}

/* Lowers an element-wise node, a sum (atl_op_hooks.as_sum), or a fused one, whose attributes are a pointer to its chain. */
int atl_lower_expression(atl_lowering *lowering);

/* For atl_op_hooks.blocked_benefit: 0 if an element-wise or fused node can work on images in blocks of 16 channels, else -INFINITY. It can
 * if it reads images of its own shape, and single numbers. */
double atl_expression_blocked_benefit(const atl_node *y, unsigned *images_out);

/* The op of fused nodes; it lives in compiled copies only. */
extern const atl_op atl_fused_op;
/* On operands of whatever graph: it takes a copy of the chain, with all attributes. */
atl_node *atl_fused(const atl_expression *expression, int count, atl_node *const *operands);
/* Result k of the chain, arrays before sums; 0 is the node itself. */
atl_node *atl_fused_part(atl_node *fused, int k);
/* The chain of a fused node, or null. */
const atl_expression *atl_expression_of(const atl_node *node);

#endif
