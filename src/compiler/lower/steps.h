/* What lowering makes: the steps that compute the outputs for one set of input shapes, and the values that they read
 * and write.  memory/ then gives each value its memory, and plan/ keeps the result. */
#ifndef ATLED_COMPILER_LOWER_STEPS_H
#define ATLED_COMPILER_LOWER_STEPS_H

#include "compiler/passes/copy.h"
#include "lowering/lowering.h"

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
    int64_t turn_bytes;        /* of which its place in that buffer grows with each turn of the loop; 0: it stays */
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

/* Where a value lies in turn t of the loop: `within` + t * `turn_bytes` after the beginning of `buffer`. */
typedef struct atl_turning_value {
    atl_value_id value, buffer;
    int64_t within, turn_bytes;
} atl_turning_value;

/* The steps first .. end - 1 run `turns` times, each time for other images of the batch; 0, 0 and 0: there is none. */
typedef struct atl_step_loop {
    int64_t first, end, turns;
    atl_turning_value *values; /* owned */
    int64_t value_count;
} atl_step_loop;

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
    atl_step_loop loop;
    atl_plan_step *prepack; /* run only after variables have changed */
    int64_t prepack_count, prepack_capacity;
    atl_dependency_set *dependency_sets;
    int64_t dependency_set_count, dependency_set_capacity;
    atl_plan_feed *feeds;
    int64_t feed_count, feed_capacity;
    atl_storage **assigned; /* variables that each run changes */
    int64_t assigned_count;
    int64_t first_assigned; /* the first step that writes one of them */
    atl_value_id *outputs;  /* values of the program's outputs, in their order */
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

void atl_release_step(atl_plan_step *step);

/* The value whose buffer it uses. */
static inline atl_value_id atl_root_of(const atl_plan *plan, atl_value_id value)
{
    while (plan->values[value].shares >= 0)
        value = plan->values[value].shares;
    return value;
}

static inline const atl_value_id *atl_step_reads(const atl_plan_step *step)
{
    return step->more_reads ? step->more_reads : step->read;
}

#endif
