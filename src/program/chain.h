/* Chains of element-wise ops, run block by block in cache: one pass over memory whatever their number.
 *
 * A chain is a straight-line program over registers: first the operands, then the numbers known beforehand, then the results of
 * the instructions, of which the last one's is the chain's, and others may be wanted beside it.  It knows no op by name: an op is
 * its map. */
#ifndef ATLED_PROGRAM_CHAIN_H
#define ATLED_PROGRAM_CHAIN_H

#include "graph/graph.h"
#include "program/lowering.h"

enum {
    ATL_CHAIN_OPERANDS = 16,
    ATL_CHAIN_NUMBERS = 16,
    ATL_CHAIN_LENGTH = 48,
    ATL_CHAIN_ARITY = 8,
    ATL_CHAIN_PARTS = 6
};

typedef struct atl_instruction {
    const atl_op *op;
    const void *attributes;
    int inputs;
    int in[ATL_CHAIN_ARITY]; /* registers */
} atl_instruction;

typedef struct atl_chain {
    int operands, numbers, length, parts;
    float number[ATL_CHAIN_NUMBERS];
    atl_instruction instruction[ATL_CHAIN_LENGTH];
    int part[ATL_CHAIN_PARTS]; /* instructions whose results are wanted beside the last one's */
} atl_chain;

/* Lowers an element-wise node, or a fused one (whose attributes are a pointer to its chain). */
int atl_lower_chain(atl_lowering *lowering);

/* The op of fused nodes; it lives in compiled copies only. */
extern const atl_op atl_fused_op;
atl_node *atl_fused(const atl_chain *chain, int count, atl_node *const *operands);
/* The same chain on other operands, in another graph. */
atl_node *atl_fused_again(atl_graph *graph, const atl_node *fused, atl_node *const *operands);
/* The result of the k-th of the chain's parts. */
atl_node *atl_fused_part(atl_node *fused, int k);
/* The chain of a fused node, or null. */
const atl_chain *atl_chain_of(const atl_node *node);

#endif
