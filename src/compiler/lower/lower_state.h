/* The compiler's state while it lowers nodes to steps.  Ops use it only through lowering.h. */
#ifndef ATLED_COMPILER_LOWER_LOWER_STATE_H
#define ATLED_COMPILER_LOWER_LOWER_STATE_H

#include "compiler/lower/calls.h"
#include "compiler/layout/concat_elimination.h"
#include "compiler/lower/steps.h"

/* The result of that step may overwrite one of its inputs. */
typedef struct atl_in_place {
    atl_value_id result, input;
    int64_t step;
    int is_so; /* it does: see atl_share_buffers */
} atl_in_place;

typedef struct atl_assignment {
    const atl_node *node;
    atl_value_id value; /* the new value; -1: it is computed in the variable's memory */
} atl_assignment;

/* When a node's steps run, in a program with a loop over the batch. */
enum { ATL_BEFORE_LOOP, ATL_IN_LOOP, ATL_AFTER_LOOP };

struct atl_lowering {
    const atl_lowering_calls *calls; /* first member: see lowering_calls.h */
    atl_plan *plan;
    const atl_node *node;
    uint64_t errors; /* atl_error_count() before the node */
    char *prepack;   /* of each node of the copy: see atl_mark_prepackable */
    char *wants_workspace;
    char *blocked;               /* set by the layout pass */
    char *algo;                  /* of each node, atl_algo; null: estimates decide */
    char *phase;                 /* of each node: ATL_BEFORE_LOOP, ... */
    atl_sub_buffer *sub_buffers; /* of concats; null: every concat copies its inputs */
    atl_value_id *value;         /* of each node, in the layout in which it is computed; -1: none yet */
    atl_value_id *workspace;
    atl_in_place *in_places;
    int64_t in_place_count, in_place_capacity;
    atl_assignment *assignments;
    int64_t assignment_count, assignment_capacity;
    int bfloat16;           /* may be used */
    int winograd;           /* ATL_WINOGRAD, ... */
    int in_place;           /* results may overwrite operands */
    int packs;              /* values with disjoint lifetimes share memory */
    int post_ops;           /* element-wise steps may become post-ops */
    int64_t first_of_phase; /* the first step of the phase that is being lowered */
    int now_once;           /* the steps being emitted prepack */
    int checked;            /* each result lies between guards */
    int failed;
};

/* Sets the phase of each node.  Returns 0 with the error set. */
int atl_find_phases(atl_lowering *lowering, const char *needed);
/* Before any node is lowered. */
void atl_begin_lowering(atl_lowering *lowering, const char *needed);
/* Lowers every node with that mark, in order: first those marked 2, then those marked 1 (see atl_mark_early).  Returns
 * 0 with the error set. */
int atl_lower_marked(atl_lowering *lowering, const char *needed, char mark);
/* Returns -1 if the lowering has failed. */
atl_value_id atl_new_value(atl_lowering *lowering, const atl_node *node, int64_t bytes, atl_space space);
/* The node's value in that layout: an existing form of it, or a new one with the reorder that computes it. */
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
