/* A program and its execution contexts, as program.c and context.c know them. */
#ifndef ATLED_PROGRAM_STATE_H
#define ATLED_PROGRAM_STATE_H

#include <pthread.h>

#include "compiler/plan/plan.h"
#include "program/sharing.h"

/* The number of plans that the program keeps, and that each context keeps; the least recently used one is dropped. */
enum { KEPT_PLANS = 8, MOST_THREADS = 1024 };

typedef struct output_index {
    const atl_node *node;
    int64_t index; /* index into the program's outputs */
} output_index;

struct atl_program {
    atl_graph *graph;
    atl_nodes outputs;
    atl_nodes roots; /* the outputs, and every node with a side effect that they need: no pass may lose one */
    output_index *output_indices; /* of each output, sorted by node index */
    atl_plan_options options;
    int threads;       /* of every run */
    bool may_share;    /* its threads may all be on one processor */
    atl_node **inputs; /* inputs with unknown sizes: plans depend on them */
    int64_t input_count;
    pthread_mutex_t lock; /* guards plans, their reference counts, and the refresh of prepacked values */
    atl_plan *plans[KEPT_PLANS];
    _Atomic uint64_t clock; /* incremented whenever a context switches to other shapes */
    atl_context *own;
};

struct atl_context {
    atl_program *program;
    atl_plan_context kept[KEPT_PLANS];
    atl_sharing sharing[KEPT_PLANS]; /* how the runs of each went on a crowded machine */
    uint64_t last_used[KEPT_PLANS];
    int current;       /* of kept, or -1 */
    atl_status failed; /* the status of the last run */
};

/* Compares two output_index by their nodes, for qsort and bsearch. */
int atl_by_output_index(const void *a, const void *b);

/* A plan for the shapes of these feeds, with one reference, the program's; null with the error set. */
atl_plan *atl_new_plan(atl_program *program, const atl_feed *feeds);
/* A program for the outputs of these options; `algo`: an atl_algo for all nodes that have a choice, 0: the compiler
 * chooses. */
atl_program *atl_new_program(atl_graph *graph, const atl_compile_args *args, int algo);

/* measure_algo.c: an atl_measure_node (compiler/plan/plan.h). */
double atl_measure_algo(const atl_node *node, int algo, int bfloat16);

/* Null with the error set. */
atl_context *atl_new_context(atl_program *program);

#endif
