/* Makes a plan, and the contexts that run it. */
#ifndef ATLED_COMPILER_PLAN_PLAN_H
#define ATLED_COMPILER_PLAN_PLAN_H

#include "atled/program.h"
#include "graph/error.h"
#include "compiler/layout/timing.h"
#include "compiler/lower/steps.h"

typedef struct atl_plan_options {
    unsigned disabled_passes;  /* atl_passes */
    int bfloat16;              /* products may round their operands; the processor supports it */
    atl_measure_node *measure; /* times the algorithms of nodes; null: they are estimated */
    int algo;                  /* atl_algo, for all nodes that have a choice; set while that algorithm is measured */
    int64_t micro_batch;       /* images at a time; 0: by estimates */
    int checked;               /* the ops' own code is checked while it runs: see guard.h */
} atl_plan_options;

/* Where Winograd convolution may be used: see lowering.h. */
int atl_winograd_use(atl_plan_options options);

/* The plan that computes the roots; the first `outputs` of them can be fetched.  Takes ownership of the copy, also on
 * failure.  Null with the thread's error set. */
atl_plan *atl_plan_new(atl_copy *copy, atl_nodes roots, int64_t outputs, atl_plan_options options);
void atl_plan_free(atl_plan *plan);

/* Lists the values of the loop that lie elsewhere in each turn.  Returns 0 with the error set. */
int atl_note_turning_values(atl_plan *plan);

/* Allocates the memory of the prepacked values, when all buffers are known.  Returns 0 with the error set. */
int atl_make_prepacked_memory(atl_plan *plan);

/* Runs the prepacking steps whose variables have changed.  Only one thread may call it at a time. */
atl_status atl_plan_refresh(atl_plan *plan, uint64_t version);

/* Call it after each run: makes the assigned variables count as changed for all plans. */
void atl_plan_note_assigned(atl_plan *plan, atl_graph *graph);

/* Binds each step that needs it: bound[s].  Returns 0 with the error set; steps bound before the failure stay bound. */
int atl_bind_steps(const atl_plan_step *steps, int64_t count, void **bound);

/* Memory that a run has read its feed from without a copy. */
typedef struct atl_fed_memory {
    const void *data;
    int64_t bytes;
} atl_fed_memory;

/* One thread's memory for a plan: the arena, addresses of all values, and bound steps. */
typedef struct atl_plan_context {
    atl_plan *plan;
    char *arena;
    void **memory;
    void **bound;
    int64_t turn;                  /* of the loop over the batch */
    atl_tensor **outputs;          /* views of the output values */
    void **fed_copy;               /* of each feed of the plan, memory for a copy of it, or null: see fed_copies.h */
    atl_fed_memory *fed_unwritten; /* of each feed: memory that no step writes */
} atl_plan_context;
atl_status atl_plan_context_open(atl_plan_context *context, atl_plan *plan);
void atl_plan_context_close(atl_plan_context *context);

/* The steps of a run, in order: for (s = atl_first_step(context); s < step_count; s = atl_step_after(context, s)). */
int64_t atl_first_step(atl_plan_context *context);
int64_t atl_next_turn(atl_plan_context *context, int64_t step);
static inline int64_t atl_step_after(atl_plan_context *context, int64_t step)
{
    return step + 1 == context->plan->loop.end ? atl_next_turn(context, step + 1) : step + 1;
}
/* How many times a run runs that step. */
static inline int64_t atl_turns_of(const atl_plan *plan, int64_t step)
{
    return step >= plan->loop.first && step < plan->loop.end ? plan->loop.turns : 1;
}

/* How many plans the program keeps for later runs: never more than KEPT_PLANS of program.c. */
int atl_program_kept_plans(const atl_program *program);
/* The plan that the program itself ran last, or its only one; null if there is none yet. */
atl_plan *atl_program_plan(const atl_program *program);
/* The program's own context of that plan; null before the first run. */
atl_plan_context *atl_program_context(const atl_program *program);

/* What a call returns when something below it has failed, which has set the error; see also atl_status_since. */
static inline atl_status atl_failed_status(void)
{
    atl_status status = atl_error_status();
    return status ? status : ATL_INTERNAL;
}

#endif
