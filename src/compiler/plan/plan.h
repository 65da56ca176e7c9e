/* A plan: the steps that compute the outputs for one set of input shapes, and the memory of their values. */
#ifndef ATLED_COMPILER_PLAN_PLAN_H
#define ATLED_COMPILER_PLAN_PLAN_H

#include "atled/program.h"
#include "graph/error.h"
#include "compiler/memory/arena.h"
#include "lowering/lowering.h"
#include "compiler/passes/specialize_shapes.h"
#include "lowering/op_hooks.h"
#include "compiler/layout/timing.h"

typedef enum atl_space {
    ATL_IN_ARENA,  /* of a context; every run writes it */
    ATL_PREPACKED, /* of the plan; written after variables have changed */
    ATL_FED,       /* the caller's */
    ATL_STORED     /* a variable's or a constant's */
} atl_space;

typedef struct atl_plan_value {
    int64_t bytes, offset;
    atl_space space;
    int pinned;                /* lives to the end: an output, or prepacked and read by every run */
    atl_value_id shares;       /* uses the buffer of that value; -1: it has its own */
    const atl_node *node;      /* of the copy; null for scratch memory */
    atl_memory_layout *layout; /* owned */
    int64_t within;            /* byte offset into the buffer of `shares`: a part of a concat */
    int64_t pixel_stride;      /* floats from pixel to pixel of such a part; 0: it is none */
    void *stored;
    int64_t depends;        /* index of its dependency set in plan->dependency_sets; 0: the empty set */
    atl_value_id next_form; /* the same value in another layout; -1: none */
} atl_plan_value;

/* The variables that a prepacked value depends on: one variable, or the union of earlier sets. */
typedef struct atl_dependency_set {
    const atl_storage *variable; /* or null */
    int64_t *part;               /* indices in plan->dependency_sets; owned */
    int64_t part_count;
    uint64_t newest; /* their newest version at the last refresh */
} atl_dependency_set;

typedef struct atl_plan_feed {
    const atl_node *input; /* the user's */
    atl_value_id value;
} atl_plan_feed;

typedef struct atl_plan {
    atl_copy copy;
    atl_plan_value *values;
    int64_t value_count, value_capacity;
    atl_plan_step *steps; /* run every time */
    int64_t step_count, step_capacity;
    atl_plan_step *prepack; /* run only after variables have changed */
    int64_t prepack_count, prepack_capacity;
    atl_dependency_set *dependency_sets;
    int64_t dependency_set_count, dependency_set_capacity;
    atl_plan_feed *feeds;
    int64_t feed_count, feed_capacity;
    atl_storage **assigned; /* variables that each run changes */
    int64_t assigned_count;
    atl_value_id *outputs; /* values of the program's outputs, in their order */
    int64_t output_count;
    int64_t arena_bytes, prepacked_bytes;
    char *prepacked_memory;
    void **prepack_table; /* addresses of the values for the prepacking steps */
    void **prepack_bound;
    uint64_t *prepack_version; /* the newest variable version that each prepacking step has seen */
    _Atomic uint64_t seen;     /* the graph's version at the last refresh */
    atl_shape
        *input_shape; /* of the program's inputs with unknown sizes: the shapes for which the plan was made; owned */
    double *microseconds;       /* of each step of every run, from the last profile; null before; owned */
    int references;             /* by the program, and by contexts that run it; guarded by the program's lock */
    _Atomic uint64_t last_used; /* by the program's run counter */
} atl_plan;

typedef struct atl_plan_options {
    unsigned disabled_passes;  /* atl_passes */
    int bfloat16;              /* products may round their operands; the processor supports it */
    atl_measure_node *measure; /* times the algorithms of nodes; null: they are estimated */
    int algo;                  /* atl_algo, for all nodes that have a choice; set while that algorithm is measured */
    int checked;               /* the ops' own code is checked while it runs: see guard.h */
} atl_plan_options;

/* Where Winograd convolution may be used: see lowering.h. */
int atl_winograd_use(atl_plan_options options);

/* The plan that computes the roots; the first `outputs` of them can be fetched.  Takes ownership of the copy, also on
 * failure.  Null with the thread's error set. */
atl_plan *atl_plan_new(atl_copy *copy, atl_nodes roots, int64_t outputs, atl_plan_options options);
void atl_plan_free(atl_plan *plan);

/* Runs the prepacking steps whose variables have changed.  Only one thread may call it at a time. */
atl_status atl_plan_refresh(atl_plan *plan, uint64_t version);

/* Call it after each run: makes the assigned variables count as changed for all plans. */
void atl_plan_note_assigned(atl_plan *plan, atl_graph *graph);

/* Binds each step that needs it: bound[s].  Returns 0 with the error set; steps bound before the failure stay bound. */
int atl_bind_steps(const atl_plan_step *steps, int64_t count, void **bound);

/* One thread's memory for a plan: the arena, addresses of all values, and bound steps. */
typedef struct atl_plan_context {
    atl_plan *plan;
    char *arena;
    void **memory;
    void **bound;
    atl_tensor **outputs; /* views of the output values */
    void **fed_copy;      /* of each feed of the plan, memory for a copy of it, or null: see fed_copies.h */
} atl_plan_context;
atl_status atl_plan_context_open(atl_plan_context *context, atl_plan *plan);
void atl_plan_context_close(atl_plan_context *context);

/* How many plans the program keeps for later runs: never more than KEPT_PLANS of program.c. */
int atl_program_kept_plans(const atl_program *program);
/* The plan that the program itself ran last, or its only one; null if there is none yet. */
atl_plan *atl_program_plan(const atl_program *program);
/* The program's own context of that plan; null before the first run. */
atl_plan_context *atl_program_context(const atl_program *program);

static inline void atl_release_step(atl_plan_step *step)
{
    if (step->release)
        step->release(step->data);
}

/* What a call returns when something below it has failed, which has set the error; see also atl_status_since. */
static inline atl_status atl_failed_status(void)
{
    atl_status status = atl_error_status();
    return status ? status : ATL_INTERNAL;
}

static inline const atl_value_id *atl_step_reads(const atl_plan_step *step)
{
    return step->more_reads ? step->more_reads : step->read;
}

#endif
