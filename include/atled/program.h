/* Compiles a graph and runs it. */
#ifndef ATLED_PROGRAM_H
#define ATLED_PROGRAM_H

#include <stdio.h>

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_program atl_program;
typedef struct atl_context atl_context;

/* The compiler's passes.  None changes a result beyond rounding; you can disable each.  docs/special-values.md tells
 * what holds for NaN, infinities and values at the limits of float. */
typedef enum atl_passes {
    ATL_PASS_CSE = 1,        /* equal nodes become one */
    ATL_PASS_SIMPLIFY = 2,   /* x * 1, x + 0, transpose of transpose, ... */
    ATL_PASS_FOLD_SCALE = 4, /* folds a factor per channel (batch norm) into the preceding filter */
    ATL_PASS_EPILOGUE = 8,   /* convolutions and matrix products apply bias, residual and relu */
    ATL_PASS_FUSE = 16,      /* fuses chains and trees of element-wise ops into one pass over memory */
    /* Winograd algorithm for 3x3 and 5x5 convolutions.  Relative error (2-norm of a result of 16 to 128 channels): 1e-6
     * to 2.5e-6 for 3x3, 2e-6 to 4.5e-6 for 5x5, not 2e-7 to 1e-6; it scales with the largest number in a tile of 6x6
     * or 8x8 pixels.  A NaN, an infinity or a number above 1e36 makes all results of its tiles NaN; none is lost. */
    ATL_PASS_WINOGRAD = 32,
    /* Writes the parts of a concat of images directly into its result, and reads them there. */
    ATL_PASS_CONCAT_ELIMINATION = 64,
    ATL_PASS_ARENA = 128,      /* values with disjoint lifetimes share memory */
    ATL_PASS_COMPRESS = 1024,  /* stores an image that only a relu's gradient needs as a bit mask */
    ATL_PASS_RELU_GRAD = 2048, /* the gradient of a convolution or LRN applies the relu's gradient to its result */
    ATL_PASS_PREPACK = 256,  /* computes what depends on variables only once, and again after a variable has changed */
    ATL_PASS_IN_PLACE = 512, /* results overwrite operands that no later step reads, and assigned variables */
    /* One relu gradient in place of those of all parts of a concat: only with ATL_PASS_CONCAT_ELIMINATION. */
    ATL_PASS_HOIST_RELU_GRAD = 4096,
    ATL_PASS_ATTENTION = 8192, /* attention and its gradients: one step each; above 384 keys no array of all scores */
    /* What works image by image runs for some images of a batch at a time, which stay in the caches and share memory;
     * not in a program that assigns to variables. */
    ATL_PASS_MICRO_BATCH = 16384,
    /* Computes only those rows of an array that are read, or that are not zero: of what is sliced later. */
    ATL_PASS_NARROW = 32768,
    /* The step that computes gelu keeps its slope where the gradient is computed, too: that is then a product. */
    ATL_PASS_KEEP_SLOPE = 65536,
    /* An element-wise step, as an activation, that reads the large result of one of our own 1x1 convolutions or
     * products runs on each part of that while the caches hold it. */
    ATL_PASS_POST_OP = 131072
} atl_passes;

/* The passes by name, in the order in which the compiler applies them: "cse", ATL_PASS_CSE.  A static array. */
typedef struct atl_named_pass {
    const char *name;
    unsigned flag; /* of atl_passes */
} atl_named_pass;
ATL_API const atl_named_pass *atl_pass_table(int64_t *count_out);

typedef struct atl_compile_args {
    atl_graph *graph;         /* null: that of the outputs */
    atl_nodes outputs;        /* the nodes whose values you can fetch */
    unsigned disabled_passes; /* atl_passes to disable */
    /* Threads that share the work of each run, 1 to 1024; 0: OpenMP's number for the compiling thread
     * (OMP_NUM_THREADS, or else all processors) */
    int threads;
    /* Rounds the operands of convolutions and matrix products to bfloat16 (8 bits of mantissa; sums stay float32)
     * where that is faster: about 2e-3 relative error per layer.  No effect on processors without instructions for it:
     * see atl_has_bfloat16. */
    bool bfloat16;
    /* 1: checks each op's own kernel, map or reference while it runs: if one writes outside its result, leaves a
     * part of it unwritten, or changes its inputs, the run fails with a message that names the op.  Takes twice the
     * time.  -1: no checks.  0 (default): 1 in a library built with assertions (meson setup --buildtype=debug),
     * otherwise -1. */
    int check;
    /* Times the algorithms for a convolution (direct or Winograd, in each layout), each once per process, and uses
     * the fastest; otherwise estimates from the sizes decide.  Another process may then choose differently, and differ
     * in rounding, unless it reads the same times: see atl_read_timing. */
    bool timing;
    /* Images that ATL_PASS_MICRO_BATCH runs at a time: the largest divisor of the batch that is no larger.  1 takes the
     * least memory.  0 (default): a number that is estimated from the sizes, perhaps the whole batch. */
    int micro_batch;
    int end_;
} atl_compile_args;

/* The times measured by .timing, as lines of text.  Reading adds them to those that the process knows; a missing file
 * is ATL_BAD_FILE; times for other sizes, processors or versions cannot make results wrong.  Writing replaces the file
 * by all known times. */
ATL_API atl_status atl_read_timing(const char *path);
ATL_API atl_status atl_write_timing(const char *path);

/* Returns null if the graph has an error (atl_graph_error), or if memory runs out.  The plan is made immediately if
 * every shape is known, otherwise at the first run with a new batch size.  The graph must outlive the program; you may
 * still add nodes to it. */
ATL_API atl_program *atl_compile_with(const atl_compile_args *args);
#define atl_compile(...) atl_compile_with(ATL_OPTIONS_(atl_compile_args, __VA_ARGS__))
ATL_API void atl_program_free(atl_program *program); /* after its contexts and before its graph; null is allowed */
/* The threads of every run, whatever OpenMP's current setting: the same program, feeds and number of threads give the
 * same bits. */
ATL_API int atl_program_threads(const atl_program *program);

/* True if this processor has bfloat16 instructions (AVX-512 BF16, AMX). */
ATL_API bool atl_has_bfloat16(void);
/* True if .bfloat16 was set, and this processor has it. */
ATL_API bool atl_program_uses_bfloat16(const atl_program *program);

/* Feeds: ATL_FEEDS({image, pixels}, {labels, y}); ATL_FEED(image, pixels) for one; ATL_NO_FEEDS for none. */
typedef struct atl_feed {
    const atl_node *node;
    const atl_tensor *value; /* dtype and shape of the input; feeds that the program does not need are allowed */
} atl_feed;
#define ATL_FEEDS(...)        ATL_ARRAY_(atl_feed, __VA_ARGS__, {NULL, NULL})
#define ATL_FEED(node, value) ATL_FEEDS({(node), (value)})
#define ATL_NO_FEEDS          NULL
/* The first input, in the graph's order, that a run with these feeds would lack; null if none is missing, if the
 * program is null, or if memory runs out (see atl_error).  The node belongs to the graph. */
ATL_API const atl_node *atl_missing_feed(const atl_program *program, const atl_feed *feeds);

/* Runs every step once.  A run allocates nothing if the program has run with these shapes before.  You may feed the
 * program's own value (a recurrence), or the value of a variable that it assigns: such a feed is copied first, to
 * memory allocated at the first run.  For unknown sizes, the program keeps the plans of the last 8 sets of shapes, and
 * makes others again when needed.  Returns ATL_INVALID if a needed input is not fed, an input is fed twice, a feed has
 * a wrong type, shape or graph, or its node is not an input; ATL_UNSUPPORTED inside an OpenMP parallel region, unless
 * the program has one thread; ATL_NOT_FINITE from atl_check_finite.  After any failure, no variable has changed, and
 * the program can run again. */
ATL_API atl_status atl_run(atl_program *program, const atl_feed *feeds);
/* The value of an output after the last run, in the shape of that run: owned by the program, overwritten by the next
 * run.  The value of an input or a variable is a copy of what the run has read; that of an atl_assign is the variable's
 * own, and changes with it.  Null if the node is not an output of this program, if nothing has been run, or if the
 * last run failed, whose message then stays in atl_error(). */
ATL_API const atl_tensor *atl_value(const atl_program *program, const atl_node *node);
/* The first element of that value; NaN if there is none. */
ATL_API float atl_scalar_of(const atl_program *program, const atl_node *node);

/* An execution context, for several threads at once: each thread runs the same program in its own context, and each run
 * uses the program's number of threads.  With as many contexts as processors, or in an OpenMP parallel region, compile
 * with .threads = 1.  Each context keeps the memory of up to 8 sets of shapes.  While contexts run, do not change a
 * variable, neither with atl_variable_assign nor by the program itself.  Returns null if the program is null or memory
 * runs out.  The rules of atl_run and atl_value apply to atl_context_run and atl_context_value. */
ATL_API atl_context *atl_context_new(atl_program *program);
ATL_API void atl_context_free(atl_context *context); /* before the program; null is allowed */
ATL_API atl_status atl_context_run(atl_context *context, const atl_feed *feeds);
ATL_API const atl_tensor *atl_context_value(const atl_context *context, const atl_node *node);

/* Properties of the plan for the shapes of the last run. */
#define ATL_LAYOUT_SIZE 48
typedef struct atl_step_info {
    const char *op;               /* name of the op */
    const char *node;             /* name of the node for which it works: of a convolution or matrix product with bias,
                                   * residual or relu the convolution or product itself */
    const char *implementation;   /* "brgconv:avx512_core", "map", ... */
    atl_shape shape;              /* of the result */
    char layout[ATL_LAYOUT_SIZE]; /* of the result in memory: "plain", "nChw16c", ... */
    int64_t turns;                /* of a loop over the batch: see atl_passes, ATL_PASS_MICRO_BATCH; else 1 */
    int64_t bytes;                /* read and written, in all turns together; so are the next two */
    double flops;                 /* a multiply-add counts as two; 0 if bound by memory */
    double microseconds;          /* median of the last profile; 0: not profiled, or prepacked */
    bool prepack;                 /* runs only after variables have changed */
    const atl_node *origin;       /* the node of the program's graph for which it was emitted */
} atl_step_info;
/* The steps in order of execution, prepacking steps first; the texts in info_out live until the next run.  0 steps, and
 * ATL_INVALID, before there is a plan (before the first run, if a size is unknown); ATL_INVALID also if the index is
 * out of range. */
ATL_API int64_t atl_program_step_count(const atl_program *program);
/* How many of them, the first ones, are prepacking steps: they run once, and again after variables have changed. */
ATL_API int64_t atl_program_prepack_count(const atl_program *program);
ATL_API atl_status atl_program_step(const atl_program *program, int64_t index, atl_step_info *info_out);
/* A value in the arena.  Step 0 is the first of those that every run executes; a value that lives to the end has their
 * number as its last step. */
typedef struct atl_value_info {
    const atl_node *node; /* of the program's graph; null: scratch memory of a step */
    int64_t bytes, offset;
    int64_t first_step, last_step;
} atl_value_info;
/* Fills in the first `room` values, and returns how many there are.  0 and ATL_INVALID before there is a plan; 0 if
 * memory runs out. */
ATL_API int64_t atl_program_values(const atl_program *program, int64_t room, atl_value_info *values_out);
/* The memory of one context: activations and scratch memory. */
ATL_API int64_t atl_program_arena_bytes(const atl_program *program);
/* The memory that all contexts share: packed weights and other prepacked values. */
ATL_API int64_t atl_program_prepared_bytes(const atl_program *program);
/* Writes a table of the steps, one per line.  ATL_INVALID before there is a plan. */
ATL_API atl_status atl_program_write_plan(const atl_program *program, FILE *file);

/* Runs the program `runs` times (0: 10) and times every step.  atl_program_step then returns the medians.  Of a part of
 * a batch (.part_out of atl_minimize): the means of these runs are dropped, and so are those of parts that were run
 * before. */
ATL_API atl_status atl_program_profile(atl_program *program, const atl_feed *feeds, int runs);

typedef enum atl_profile_format { ATL_PROFILE_TABLE = 0, ATL_PROFILE_JSON } atl_profile_format;
/* The peak performance of this machine with that many threads (0: all), measured now, in a tenth of a second; a profile
 * is compared with it.  The best of ten float32 products of [1024, 1024] matrices, and of ten negations of 2^23 floats:
 * 32 MB read, 32 MB written.  Steps can exceed 100 % if their arrays stay in the caches, if they multiply bfloat16
 * numbers, or if they use Winograd's algorithm, whose flops are counted as those of a direct convolution. */
typedef struct atl_machine_peak {
    double flops_per_second; /* of a large matrix product */
    double bytes_per_second; /* read and written, for arrays larger than the caches */
} atl_machine_peak;
ATL_API atl_machine_peak atl_measure_peak(int threads);
/* atl_program_profile, with the peak measured in turn with the steps: at most ten times, between runs; the best is
 * peak_out.  So both see the same machine, whatever else it does and however warm it is. */
ATL_API atl_status atl_program_profile_with_peak(atl_program *program, const atl_feed *feeds, int runs,
                                                 atl_machine_peak *peak_out);
/* Sums the last profile by nodes: microseconds_out[i] is the time of node i of the program's graph, which has `count`
 * nodes.  The time of a step counts for the node that atl_step_info names; if it computes several element-wise nodes,
 * for the last of them; prepacking counts nothing.  Use the array to colour a drawing: see atl_dot_args. */
ATL_API atl_status atl_program_node_times(const atl_program *program, int64_t count, double *microseconds_out);
/* Every step with its implementation, layout, bytes, flops, microseconds, share of the run and percentage of the peak
 * (of arithmetic or of memory, whichever is larger).  ATL_INVALID before atl_program_profile. */
ATL_API atl_status atl_program_write_profile(const atl_program *program, FILE *file, atl_profile_format format,
                                             const atl_machine_peak *peak);

#ifdef __cplusplus
}
#endif
#endif
