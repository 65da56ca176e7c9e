/* A chain at work: how its operands are read, and the order in which it goes through memory. */
#ifndef ATLED_OPS_EXPRESSION_STEP_H
#define ATLED_OPS_EXPRESSION_STEP_H

#include "lowering/lowering.h"
#include "ops/expression.h"

enum {
    BLOCK = 512,   /* floats: a few registers of this size stay in the first-level cache */
    FLUSH = 64,    /* floats are added up over so many blocks, then doubles */
    PIECE = 16384, /* elements that are worth a thread's while */
    MOST_PIECES = 32,
    MOST_TEMPORARIES = ATL_EXPRESSION_OPERANDS + ATL_EXPRESSION_SCALARS + ATL_EXPRESSION_LENGTH
};

/* How an operand is read.  The result's dimensions are coalesced: neighbours in which every operand moves alike are one. */
typedef struct operand {
    enum { DENSE, SCALAR, ROW, STRIDED } kind;
    int64_t period;               /* ROW: elements */
    int64_t stride[ATL_MAX_RANK]; /* STRIDED: in the coalesced dimensions; 0 where it is spread */
} operand;

/* STRAIGHT: blocks are taken in order of memory; sums run over no more than a block, and are complete at its end.
 * COLUMNS: they are taken tile by tile, so that the same results are summed up all over a tile. It is [reduced, width] of one
 * [reduced, inner]; a block is some rows of it. */
typedef enum desc { STRAIGHT, COLUMNS } desc;

typedef struct expression_step {
    const atl_expression *expression;
    int64_t count; /* elements of the result */
    int64_t block; /* elements at a time, at most */
    desc desc;
    int64_t tiles, blocks, pieces;  /* blocks and pieces of each tile; a piece is one thread's */
    int64_t width;                  /* results of a sum in each tile */
    int64_t across, rows_per_block; /* COLUMNS: tiles side by side; rows of a block */
    int dimensions;
    int64_t size[ATL_MAX_RANK]; /* coalesced */
    operand *operand;
    int8_t *slot; /* register -> temporary, or -1: read or written where it is */
    int slots;
    int checked;      /* every map's result stands between guards */
    int8_t *last_use; /* of each operand: the last instruction that reads it; -1: none */
    int8_t *result;   /* instruction -> which of the step's results it is, or -1 */
} expression_step;

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Finds out all of it but .checked, for operands that are these inputs of the node. */
void atl_plan_expression(expression_step *s, const atl_node *node, const int *input);
/* For atl_plan_step.run; the step's data is the expression_step. */
int atl_run_expression(const atl_plan_step *step, void *const *memory, void *bound);

#endif
