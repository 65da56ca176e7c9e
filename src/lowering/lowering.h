/* The interface through which an op emits its steps.
 *
 * The compiler calls atl_hooks_of(op)->lower once for each needed node, in order, when all shapes are known.  The
 * function names the memory that it reads and writes as values (small numbers), and emits one or more steps.  A step is
 * a ready kernel that looks nothing up when it runs: memory[value] is the address.  From the values that steps read and
 * write, the compiler knows every value's lifetime, and packs them into one arena. */
#ifndef ATLED_LOWERING_LOWERING_H
#define ATLED_LOWERING_LOWERING_H

#include "graph/graph.h"

typedef struct atl_lowering atl_lowering;

typedef int32_t atl_value_id; /* -1: none, or out of memory (the lowering is then marked as failed) */

/* How a value lies in memory.  Null is the plain layout: dense, row-major.  src/onednn creates and compares the
 * others. */
typedef struct atl_memory_layout atl_memory_layout;

enum { ATL_STEP_VALUES = 20 };

typedef struct atl_plan_step atl_plan_step;
struct atl_plan_step {
    const char
        *implementation; /* "brgconv:avx512_core", "map", ...; must outlive the step (the step's data may hold it) */
    /* Runs the step; returns 0, or not 0 with the thread's error set.  `bound` is what bind returned for this
     * context. */
    int (*run)(const atl_plan_step *step, void *const *memory, void *bound);
    /* Optional: creates what a step needs for each context (oneDNN memory objects).  Null on failure. */
    void *(*bind)(const atl_plan_step *step);
    void (*unbind)(void *bound);
    void (*release)(void *data); /* frees data; optional */
    void *data;
    int reads, writes; /* numbers of values */
    atl_value_id read[ATL_STEP_VALUES], write[ATL_STEP_VALUES];
    atl_value_id *more_reads; /* used in place of read[] if the step reads more values; owned by data */
    double flops;             /* a multiply-add counts as two; 0: the step is bound by memory */
    int cannot_fail;          /* run always returns 0: from such steps on, variables may be written */
    int waits_for_ranks;      /* if it fails, so do all later runs: variables may be written before it, too */
    /* Of an element-wise step whose results are dense and of one shape: computes the elements first..last-1 of each.
     * Null: it has none. */
    void (*run_range)(const atl_plan_step *step, void *const *memory, int64_t first, int64_t last);
    /* True if the step's kernel can have a post-op, on write[0]: see atl_epilogue.  Then the compiler may set: */
    int takes_post_op;
    struct atl_post_op_step *post_op; /* the step that it runs range by range; owned; null: none */
    const atl_node *node;             /* set by the compiler */
    int prepack;                      /* set by the compiler: runs only after variables have changed */
};

/* An element-wise step that runs within another one; the values that it reads and writes are also the other one's. */
typedef struct atl_post_op_step {
    atl_plan_step step;
    char implementation[64]; /* of both together: "pointwise, swish" */
} atl_post_op_step;

const atl_node *atl_lowered_node(const atl_lowering *lowering);

/* The value of input i in the plain layout; emits a reorder if it has another one. */
atl_value_id atl_lower_input(atl_lowering *lowering, int i);
/* The value of input i in the given layout.  All readers of the same layout share one reorder.  If the input depends on
 * variables only, the reorder runs again only after they change.  The layout is copied. */
atl_value_id atl_lower_input_in(atl_lowering *lowering, int i, const atl_memory_layout *layout);
/* The current layout of input i: null for plain. */
const atl_memory_layout *atl_lower_layout_of(const atl_lowering *lowering, int i);

/* A value computed from input i by a step of its own: a transformed filter, for example.  It is prepacked if the input
 * depends on variables only.  Pass the step without its values. */
atl_value_id atl_lower_prepared(atl_lowering *lowering, int i, int64_t bytes, const atl_plan_step *step);

/* True if input i changes only with a variable to which this program does not assign: what is prepared of it is made
 * once, not in each run. */
int atl_lower_input_lasts(const atl_lowering *lowering, int i);

/* Where Winograd convolution may be used.  Its kernels are float32 only. */
enum {
    ATL_NO_WINOGRAD = 0,
    ATL_WINOGRAD = 1,
    ATL_WINOGRAD_OVER_BFLOAT16 = 2 /* where it is faster even than bfloat16 */
};
int atl_lower_winograd_use(const atl_lowering *lowering);

/* The algorithm that computes the node: ATL_ALGO_ANY if nothing has been measured. */
typedef enum atl_algo {
    ATL_ALGO_ANY = 0,
    ATL_ALGO_DIRECT,           /* oneDNN, NHWC */
    ATL_ALGO_WINOGRAD,         /* our own Winograd kernel, NHWC */
    ATL_ALGO_BLOCKED,          /* oneDNN, blocks of 16 channels */
    ATL_ALGO_BLOCKED_WINOGRAD, /* oneDNN's Winograd, blocks of 16 channels */
    ATL_ALGO_FEW_CHANNELS,     /* our own kernels for an image of few channels, NHWC */
    ATL_ALGO_COUNT
} atl_algo;
static inline int atl_algo_is_blocked(int algo)
{
    return algo == ATL_ALGO_BLOCKED || algo == ATL_ALGO_BLOCKED_WINOGRAD;
}
atl_algo atl_lower_algo(const atl_lowering *lowering);

/* True if the layout pass wants the images of this node in blocks of 16 channels. */
int atl_lower_is_blocked(const atl_lowering *lowering);

/* True if the operands of products may be rounded to bfloat16. */
int atl_lower_uses_bfloat16(const atl_lowering *lowering);

/* True if the op's own code must be checked for writes outside its result. */
int atl_lower_is_checked(const atl_lowering *lowering);

/* The value of the result, in the plain layout, or in the given one.  Call it once for each node. */
atl_value_id atl_lower_output(atl_lowering *lowering);
atl_value_id atl_lower_output_in(atl_lowering *lowering, const atl_memory_layout *layout);
/* Images with a pixel stride: parts of a concat.  Returns input i in the plain layout or with a pixel stride;
 * *pixel_stride_out: floats from pixel to pixel. */
atl_value_id atl_lower_input_strided(atl_lowering *lowering, int i, int64_t *pixel_stride_out);
int atl_lower_input_is_strided(const atl_lowering *lowering, int i);
/* The result, with the pixel stride that the compiler chooses: only for ops that allow it with
 * atl_hooks_of(op)->writes_strided. */
atl_value_id atl_lower_output_strided(atl_lowering *lowering, int64_t *pixel_stride_out);
int atl_lower_output_is_strided(const atl_lowering *lowering);
/* Makes the node's value the channels `first`, first + 1, ... of input 0, in place.  Returns 1, 0 with the error set,
 * or -1 if the parts of concats must be copied. */
int atl_lower_part_in_place(atl_lowering *lowering, int64_t first);
/* For a node that concatenates its inputs: true if input i has been computed directly into its result. */
int atl_lower_is_in_place(const atl_lowering *lowering, int i);
/* Allows the result to overwrite input i (of the same size), if no later step reads that input.  The step must read
 * each element of the input before it writes the one in its place.  Call it before the step is emitted, once for each
 * such operand.  The compiler ensures that the step reads the same memory through no other operand. */
void atl_lower_in_place(atl_lowering *lowering, int i);
/* The same for any value that the next step writes and one that it reads. */
void atl_lower_over(atl_lowering *lowering, atl_value_id result, atl_value_id input);

/* More results of the node beside the first, for nodes that stand for one of them each (see atl_lower_as): of that many
 * bytes in the plain layout, or with 0 of the first result's size and layout.  Ask for them in order, k = 0, 1, ...;
 * the values of a node have consecutive numbers. */
atl_value_id atl_lower_part(atl_lowering *lowering, int k, int64_t bytes);
/* Result k of input i. */
atl_value_id atl_lower_part_of(const atl_lowering *lowering, int i, int k);
/* Makes the node's value that one, which exists already.  Returns 1, or 0 if there is none. */
int atl_lower_as(atl_lowering *lowering, atl_value_id value);

/* Memory for this step alone. */
atl_value_id atl_lower_scratch(atl_lowering *lowering, int64_t bytes);

/* What a forward op keeps for its gradient ops beside its value (max-pool's positions).  A gradient op refers to its
 * forward node as input i and sets bit i in atl_hooks_of(op)->workspace_inputs. */
int atl_lower_wants_workspace(const atl_lowering *lowering);
atl_value_id atl_lower_workspace(atl_lowering *lowering, int64_t bytes);
atl_value_id atl_lower_workspace_of(const atl_lowering *lowering, int i); /* -1: the forward op kept none */

/* For the ops of the pass "micro_batch": the node's value is, in each turn of the loop, the next images of input 0; and
 * all images of input 0, of which each turn computes some.  Return 1, or 0 with the error set. */
int atl_lower_micro_batch(atl_lowering *lowering);
int atl_lower_whole_batch(atl_lowering *lowering);

/* Emits the step (copied).  On failure the step's data is released.  Returns 1, or 0 if the lowering has failed. */
int atl_lower_step(atl_lowering *lowering, const atl_plan_step *step);

/* Emits the step that calls the op's own kernel (or else its reference), for a lowering without a better kernel. */
int atl_lower_kernel(atl_lowering *lowering);

#endif
