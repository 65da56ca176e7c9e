/* What the compiler knows while it lowers nodes to steps.  Ops see it through lowering.h only. */
#ifndef ATLED_COMPILER_LOWER_LOWER_STATE_H
#define ATLED_COMPILER_LOWER_LOWER_STATE_H

#include "compiler/lower/calls.h"
#include "compiler/memory/concat_elimination.h"
#include "compiler/plan/plan.h"

/* The result of that step may be written over one of its inputs. */
typedef struct atl_in_place {
    atl_value_id result, input;
    int64_t step;
    int is_so; /* it is: see atl_share_buffers */
} atl_in_place;

typedef struct atl_assignment {
    const atl_node *node;
    atl_value_id value; /* the new one; -1: it is made in the variable's memory */
} atl_assignment;

struct atl_lowering {
    const atl_lowering_calls *calls; /* first: see lowering_calls.h */
    atl_plan *plan;
    const atl_node *node;
    char *prepack; /* of each node of the copy: see atl_mark_prepackable */
    char *wants_workspace;
    char *blocked;               /* by the layout pass */
    char *algo;                  /* of each node, atl_algo; null: all as estimated */
    atl_sub_buffer *sub_buffers; /* of concats; null: all are copied */
    atl_value_id *value;         /* of each node, as it was made; -1: none yet */
    atl_value_id *workspace;
    atl_in_place *in_places;
    int64_t in_place_count, in_place_capacity;
    atl_assignment *assignments;
    int64_t assignment_count, assignment_capacity;
    int bfloat16; /* may be used */
    int winograd; /* ATL_WINOGRAD, ... */
    int in_place; /* results may be written over operands */
    int packs;    /* what is not alive at the same time shares memory */
    int now_once; /* what is being emitted runs once */
    int checked;  /* results stand between guards */
    int failed;
};

/* Before any node is lowered. */
void atl_begin_lowering(atl_lowering *lowering, const char *needed);
/* Lowers every node with that mark, in order: first those marked 2, then those marked 1 (see atl_mark_early). 0: failed, with the error set. */
int atl_lower_marked(atl_lowering *lowering, const char *needed, char mark);
/* A step that copies the value, of the node being lowered, into memory of this program. -1: failed, with the error set. */
atl_value_id atl_lower_copy(atl_lowering *lowering, atl_value_id value);

/* -1 if the lowering has failed. */
atl_value_id atl_new_value(atl_lowering *lowering, const atl_node *node, int64_t bytes, atl_space space);
/* The node's value in that layout: one of the forms it is already in, or a new one with the reorder that makes it. */
atl_value_id atl_value_in_layout(atl_lowering *lowering, const atl_node *node, const atl_memory_layout *layout);

static inline atl_value_id atl_fail_lowering(atl_lowering *lowering)
{
    lowering->failed = 1;
    return -1;
}

/* So many times that size; INT64_MAX if it is more. */
static inline int64_t atl_times_bytes(int64_t count, int64_t bytes)
{
    int64_t product;
    return __builtin_mul_overflow(count, bytes, &product) ? INT64_MAX : product;
}

static inline int64_t atl_plain_bytes(const atl_node *node)
{
    return atl_times_bytes(atl_shape_count(*node->shape), 4);
}

#endif
