/* Chains of element-wise ops, run block by block in cache: one pass over memory whatever their number.
 *
 * A chain is a straight-line program over registers: first the operands, then the numbers known beforehand, then what the
 * instructions make.  Some of these arrays are wanted, and sums over some, or over products of two, may be: they are added up while
 * the block is still in cache.  The first of the wanted arrays, or else the first sum, is the value of the chain; the others are its
 * parts.  It knows no op by name: an op is its map. */
#ifndef ATLED_OPS_CHAIN_H
#define ATLED_OPS_CHAIN_H

#include "graph/graph.h"
#include "graph/lowering.h"

enum {
    ATL_CHAIN_OPERANDS = 16,
    ATL_CHAIN_NUMBERS = 16,
    ATL_CHAIN_LENGTH = 48,
    ATL_CHAIN_ARITY = 8,
    ATL_CHAIN_ARRAYS = 7,
    ATL_CHAIN_SUMS = 4
};

typedef struct atl_instruction {
    const atl_op *op;
    const void *attributes;
    int inputs;
    uint8_t in[ATL_CHAIN_ARITY]; /* registers */
} atl_instruction;

typedef struct atl_chain_sum {
    int a, b; /* registers; b: -1 if it is no product */
    double scale;
    atl_shape shape; /* of the result */
} atl_chain_sum;

typedef struct atl_chain {
    int operands, numbers, length, arrays, sums;
    int64_t outer, reduced, inner; /* the shape as all sums see it: over the middle one */
    atl_shape shape;               /* of every instruction's result; the operands broadcast to it */
    float *number;
    atl_instruction *instruction;
    int *array; /* instructions whose results are wanted */
    atl_chain_sum *sum;
} atl_chain;

/* Room for the largest chain, while it is made. */
typedef struct atl_chain_room {
    float number[ATL_CHAIN_NUMBERS];
    atl_instruction instruction[ATL_CHAIN_LENGTH];
    int array[ATL_CHAIN_ARRAYS];
    atl_chain_sum sum[ATL_CHAIN_SUMS];
} atl_chain_room;

static inline atl_chain atl_chain_in(atl_chain_room *room)
{
    return (
        atl_chain){.number = room->number, .instruction = room->instruction, .array = room->array, .sum = room->sum};
}

/* Lowers an element-wise node, a sum (atl_op.as_sum), or a fused one, whose attributes are a pointer to its chain. */
int atl_lower_chain(atl_lowering *lowering);

/* For atl_op.blocked_gain: 0 if an element-wise or fused node can work on images in blocks of 16 channels, else -INFINITY. It can
 * if it reads images of its own shape, and single numbers. */
double atl_chain_blocked_gain(const atl_node *y, unsigned *images_out);

/* The op of fused nodes; it lives in compiled copies only. */
extern const atl_op atl_fused_op;
/* On operands of whatever graph: it takes a copy of the chain, with all attributes. */
atl_node *atl_fused(const atl_chain *chain, int count, atl_node *const *operands);
/* Result k of the chain, arrays before sums; 0 is the node itself. */
atl_node *atl_fused_part(atl_node *fused, int k);
/* The chain of a fused node, or null. */
const atl_chain *atl_chain_of(const atl_node *node);

#endif
