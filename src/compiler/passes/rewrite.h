/* Passes of the compiler: each rebuilds the graph node by node, and replaces some nodes by something better.
 *
 * A pass analyses the old graph, in which uses[] and needed[] are known, and builds the new one.  Nodes that it leaves
 * unused are simply not needed any more. */
#ifndef ATLED_COMPILER_PASSES_REWRITE_H
#define ATLED_COMPILER_PASSES_REWRITE_H

#include "compiler/passes/cse.h"
#include "compiler/passes/copy.h"
#include "lowering/op_hooks.h"

typedef struct atl_rewrite {
    const atl_graph *from;
    atl_graph *to;
    atl_node **of; /* the new node of each old one; null: not built */
    char *
        needed; /* of each old node: its value is needed; this and the next two only for a pass with needs_use_counts */
    int32_t *uses; /* of each old node: by needed nodes, plus one if it is an output */
    char *prepack; /* of each old node: it depends on variables and constants only */
    void *context; /* owned by the pass */
    atl_cse_table merging;
    int winograd;        /* where Winograd convolution is certain to be used: see lowering.h */
    int fuses;           /* the pass fuse is not disabled */
    int packs_weights;   /* products may have a weight packed for them */
    int64_t micro_batch; /* images at a time; 0: by estimates */
    int is_unchanged;    /* set by `begin`: the graph stays as it is */
} atl_rewrite;

/* Returns the new node for `old`, whose inputs have been rebuilt; null: `old` itself, on the new inputs. */
typedef atl_node *atl_rewrite_rule(atl_rewrite *r, const atl_node *old, atl_node *const *inputs);
typedef int atl_rewrite_begin(atl_rewrite *r); /* 0: out of memory */

typedef struct atl_pass {
    int (*is_candidate)(const atl_node *node); /* optional: a graph without such a node stays as it is */
    atl_rewrite_rule *rule;
    atl_rewrite_begin *begin; /* optional: analyses the whole graph first; sets context */
    void (*end)(atl_rewrite *r);
    int needs_use_counts; /* sets needed, uses and prepack */
    int merges;           /* equal nodes become one while building, unless ATL_PASS_CSE is disabled */
} atl_pass;

/* The old node on the new inputs; null: the new graph has an error. */
atl_node *atl_rebuilt(atl_rewrite *r, const atl_node *old, atl_node *const *inputs);

/* True for a vector along the last dimension of `of`; and the node as a vector [channels]. */
int atl_is_channel_vector(const atl_node *node, const atl_node *of);
atl_node *atl_as_channel_vector(const atl_rewrite *r, const atl_node *old);

/* True if the graph has a node for which is_so returns true. */
int atl_any_node(const atl_graph *graph, int (*is_so)(const atl_node *node));

/* What a caller of the passes chooses. */
typedef struct atl_pass_options {
    unsigned disabled;   /* atl_passes */
    int winograd;        /* see atl_rewrite */
    int packs_weights;   /* see atl_rewrite */
    int64_t micro_batch; /* see atl_rewrite */
} atl_pass_options;

/* Rebuilds copy->graph; copy->of and the roots then are the new nodes. */
atl_status atl_run_pass(atl_copy *copy, int64_t count, atl_node **roots, const atl_pass *pass,
                        const atl_pass_options *options);

#endif
