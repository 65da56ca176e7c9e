/* How an op asks the compiler for its steps.
 *
 * The compiler calls atl_hooks_of(op)->lower once for each node that is wanted, in order, when all shapes are known.  The function names the
 * memory it reads and writes as values (small numbers), and emits one step or several.  A step is a ready kernel; running it
 * looks nothing up: memory[value] is the address.  From what the steps read and write the compiler knows every value's
 * lifetime, and packs them into one arena. */
#ifndef ATLED_LOWERING_LOWERING_H
#define ATLED_LOWERING_LOWERING_H

#include "graph/graph.h"

typedef struct atl_lowering atl_lowering;

typedef int32_t atl_value_id; /* -1: none, or out of memory (the lowering is then marked as failed) */

/* How a value lies in memory.  Null is the plain order: dense, row-major.  Others are made by src/onednn and compared by it. */
typedef struct atl_memory_layout atl_memory_layout;

enum { ATL_STEP_VALUES = 20 };

typedef struct atl_plan_step atl_plan_step;
struct atl_plan_step {
    const char
        *implementation; /* "brgconv:avx512_core", "map", ...; must outlive the step (the step's data may hold it) */
    /* Runs the step; returns 0, or not 0 with the thread's error set.  `bound` is what bind returned for this state. */
    int (*run)(const atl_plan_step *step, void *const *memory, void *bound);
    /* Optional: what a step needs for each state (oneDNN memory objects). Null on failure. */
    void *(*bind)(const atl_plan_step *step);
    void (*unbind)(void *bound);
    void (*release)(void *data); /* frees data; optional */
    void *data;
    int reads, writes; /* counts */
    atl_value_id read[ATL_STEP_VALUES], write[ATL_STEP_VALUES];
    atl_value_id *more_reads; /* used in place of read[] when there are more of them; owned by data */
    double flops;             /* multiply and add are two; 0: bound by memory */
    int cannot_fail;          /* run always returns 0: from such steps on, variables may be written */
    const atl_node *node;     /* set by the compiler */
    int prepack;              /* set by the compiler: runs only after variables have changed */
};

const atl_node *atl_lowered_node(const atl_lowering *lowering);

/* The value of input i, in plain order; a reorder step is emitted if it lies otherwise. */
atl_value_id atl_lower_input(atl_lowering *lowering, int i);
/* The value of input i in the given layout.  The reorder is made once for all who want the same, and, if the input depends on
 * variables only, is run again only after they change. The layout is copied. */
atl_value_id atl_lower_input_in(atl_lowering *lowering, int i, const atl_memory_layout *layout);
/* As it lies now: null for plain. */
const atl_memory_layout *atl_lower_layout_of(const atl_lowering *lowering, int i);

/* Something that a step of its own makes of input i alone: a transformed filter.  Made once, if the input depends on variables only. The
 * step is given without its values. */
atl_value_id atl_lower_prepared(atl_lowering *lowering, int i, int64_t bytes, const atl_plan_step *step);

/* Where Winograd's method may be used, whose kernels are float32 only. */
enum {
    ATL_NO_WINOGRAD = 0,
    ATL_WINOGRAD = 1,
    ATL_WINOGRAD_OVER_BFLOAT16 = 2 /* where it is faster even than bfloat16 */
};
int atl_lower_winograd_use(const atl_lowering *lowering);

/* In which way the node is to be lowered: ATL_ALGO_ANY if nobody has measured. */
typedef enum atl_algo {
    ATL_ALGO_ANY = 0,
    ATL_ALGO_DIRECT,           /* oneDNN, in NHWC */
    ATL_ALGO_WINOGRAD,         /* our own kernel, in NHWC */
    ATL_ALGO_BLOCKED,          /* oneDNN, in blocks of 16 channels */
    ATL_ALGO_BLOCKED_WINOGRAD, /* the same by Winograd's method */
    ATL_ALGO_COUNT
} atl_algo;
atl_algo atl_lower_algo(const atl_lowering *lowering);

/* True if the layout pass wants the images of this node in blocks of 16 channels. */
int atl_lower_is_blocked(const atl_lowering *lowering);

/* True if the operands of products may be rounded to bfloat16. */
int atl_lower_uses_bfloat16(const atl_lowering *lowering);

/* True if the op's own code is to be checked for writing outside its result. */
int atl_lower_is_checked(const atl_lowering *lowering);

/* The value of the result, in plain order, or in the given layout. Once for each node. */
atl_value_id atl_lower_output(atl_lowering *lowering);
atl_value_id atl_lower_output_in(atl_lowering *lowering, const atl_memory_layout *layout);
/* Images whose pixels lie apart: parts of a concat.  Input i in plain order, or so; *pixel_stride_out: floats from pixel to pixel. */
atl_value_id atl_lower_input_strided(atl_lowering *lowering, int i, int64_t *pixel_stride_out);
int atl_lower_input_is_strided(const atl_lowering *lowering, int i);
/* The result, where the compiler wants it: only for ops that have said so with atl_hooks_of(op)->writes_strided. */
atl_value_id atl_lower_output_strided(atl_lowering *lowering, int64_t *pixel_stride_out);
int atl_lower_output_is_strided(const atl_lowering *lowering);
/* The node's value is the channels `first`, first + 1, ... of input 0, in place.  1, 0 with the error set, or -1 if the parts of
 * concats are to be copied. */
int atl_lower_part_in_place(atl_lowering *lowering, int64_t first);
/* Of a node that joins its inputs: true if input i has been made in its place. */
int atl_lower_is_in_place(const atl_lowering *lowering, int i);
/* The result may be written over input i (of the same size), if nobody needs that input any more: the step reads each element of it before it
 * writes the one in its place.  To be called before the step is emitted, once for each operand of which this is so.  The compiler sees to it that
 * the step reads the same memory through no other operand. */
void atl_lower_in_place(atl_lowering *lowering, int i);
/* The same of any value that the next step writes and one that it reads. */
void atl_lower_over(atl_lowering *lowering, atl_value_id result, atl_value_id input);

/* More results of the node beside the first, for nodes that stand for one of them each (see atl_lower_as): of so many bytes in
 * plain order, or with 0 as large as the first and in its layout.  To be asked for in order: k = 0, 1, ...; the values of a node are
 * neighbours. */
atl_value_id atl_lower_part(atl_lowering *lowering, int k, int64_t bytes);
/* Part k of input i. */
atl_value_id atl_lower_part_of(const atl_lowering *lowering, int i, int k);
/* The node's value is that one, which is made already. Returns 1, or 0 if there is none. */
int atl_lower_as(atl_lowering *lowering, atl_value_id value);

/* Memory for this step alone. */
atl_value_id atl_lower_scratch(atl_lowering *lowering, int64_t bytes);

/* What a forward op leaves for its gradient ops beside its value (max-pool's positions).  A gradient op names its forward node
 * as input i with bit i set in atl_hooks_of(op)->workspace_inputs. */
int atl_lower_wants_workspace(const atl_lowering *lowering);
atl_value_id atl_lower_workspace(atl_lowering *lowering, int64_t bytes);
atl_value_id atl_lower_workspace_of(const atl_lowering *lowering, int i); /* -1: the forward op left none */

/* Emits the step (copied).  On failure the step's data is released. Returns 1, or 0 when the lowering has failed. */
int atl_lower_step(atl_lowering *lowering, const atl_plan_step *step);

/* Emits the step that calls the op's own kernel (or else its reference): for a lowering that has nothing better here. */
int atl_lower_kernel(atl_lowering *lowering);

#endif
