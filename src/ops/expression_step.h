/* A step that evaluates a fused expression: how it reads its operands, and its order of traversal. */
#ifndef ATLED_OPS_EXPRESSION_STEP_H
#define ATLED_OPS_EXPRESSION_STEP_H

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/element_code.h"
#include "lowering/lowering.h"
#include "ops/expression.h"

enum {
    BLOCK = ATL_CORE_FLOATS / 16, /* a few registers of this size stay in the first-level cache */
    FLUSH = 64,                   /* float partial sums are added to double sums after this many blocks */
    PIECE = ATL_PIECE_FLOATS,
    MOST_PIECES = 32,
    ATL_SMALL_EXPRESSION = 128, /* elements of a small expression, and temporaries: see expression_small.c */
    ATL_SMALL_SLOTS = 12,
    PRODUCT_ROWS = 24, /* of a product, computed at a time: a multiple of the rows of every tile in registers */
    MOST_TEMPORARIES = ATL_EXPRESSION_OPERANDS + ATL_EXPRESSION_SCALARS + ATL_EXPRESSION_LENGTH
};

/* How an operand is read.  The result's dimensions are coalesced: adjacent ones in which every operand moves alike
 * become one. */
typedef struct operand {
    enum { DENSE, SCALAR, ROW, STRIDED } kind;
    int64_t period;               /* ROW: elements */
    int64_t stride[ATL_MAX_RANK]; /* STRIDED: in the coalesced dimensions; 0 where it is broadcast */
} operand;

/* STRAIGHT: blocks are processed in order of memory; a sum covers at most a block, and is complete at its end.
 * COLUMNS: blocks are processed tile by tile, so that a whole tile contributes to the same results.  A tile is
 * [reduced, width] of [reduced, inner]; a block is some rows of it. */
typedef enum desc { STRAIGHT, COLUMNS } desc;

typedef struct atl_small_call atl_small_call; /* expression_small.c */

/* A part of an expression that runs over a whole block before the next part does: some instructions in registers, or
 * the map of one. */
typedef struct expression_part {
    int first;
    int length;                   /* of the code */
    const atl_element_code *code; /* its arrays are registers of the expression; null: a map */
} expression_part;

typedef struct expression_step {
    const atl_expression *expression;
    int64_t count; /* elements of the result */
    int64_t block; /* elements per block, at most */
    desc desc;
    int64_t tiles, blocks, pieces;  /* blocks and pieces per tile; a piece is one thread's work */
    int64_t width;                  /* results of a sum per tile */
    int64_t across, rows_per_block; /* COLUMNS: adjacent tiles; rows of a block */
    int dimensions;
    int64_t size[ATL_MAX_RANK]; /* coalesced */
    operand *operand;
    int8_t *slot; /* register -> temporary, or -1: read or written in place */
    int slots;
    int checked;           /* every map's result lies between guards */
    int workers;           /* threads that share the rows of a product */
    expression_part *part; /* in order */
    int parts;
    float *filled;         /* of a small expression: its constants, [numbers][count] */
    atl_small_call *calls; /* its instructions */
    int repeats;           /* and whether any of its operands is repeated */
    int8_t *last_use;      /* of each operand: the last instruction that reads it; -1: none */
    int8_t *result;        /* instruction -> index of the step's result, or -1 */
} expression_step;

/* Sets all fields except .checked, .workers and .part, for operands that are these inputs of the node. */
void atl_plan_expression(expression_step *s, const atl_node *node, const int *input);
/* Sets .part, in the graph's memory; the other fields are set.  Returns 0 if memory runs out. */
int atl_plan_parts(expression_step *s, atl_graph *graph);
/* Elements [start, start + n) of a strided operand, which begins at `from`. */
void atl_gather_operand(const expression_step *s, const operand *x, const float *from, int64_t start, int64_t n,
                        float *to);
/* Elements [start, start + n) of a row of `period` numbers that is repeated. */
void atl_repeat_row(const float *row, int64_t period, int64_t start, int64_t n, float *to);
/* Floats of scratch for each thread that computes rows of a product. */
static inline int64_t atl_product_room(const atl_expression *c)
{
    return (c->rows.terms + PRODUCT_ROWS) * c->rows.columns + c->rows.terms * PRODUCT_ROWS;
}
/* For atl_plan_step.run; the step's data is the expression_step. */
int atl_run_expression(const atl_plan_step *step, void *const *memory, void *bound);
/* For atl_plan_step.run_range, if atl_expression_has_ranges: then a range may begin anywhere. */
void atl_run_expression_range(const atl_plan_step *step, void *const *memory, int64_t first, int64_t last);
int atl_expression_has_ranges(const expression_step *s);

/* What runs an expression of a few elements: then its constants are filled, in the graph's memory.  Null for others. */
typedef int atl_step_run(const atl_plan_step *step, void *const *memory, void *bound);
atl_step_run *atl_plan_small_expression(expression_step *s, atl_graph *graph);

/* Writes the sums that are complete within the block of n elements from `start`; address: of every register. */
void atl_write_short_sums(const atl_plan_step *step, void *const *memory, int64_t start, int64_t n,
                          const float *const *address);

#endif
