/* Compile a graph, then run it. */
#ifndef ATLED_PROGRAM_H
#define ATLED_PROGRAM_H

#include <stdio.h>

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_program atl_program;
typedef struct atl_context atl_context;

/* Passes of the compiler.  None changes a result beyond rounding; each can be left out, for tests and curiosity.
 * What holds for NaN, infinities and numbers at the edge of float's range stands in docs/special-values.md. */
typedef enum atl_passes {
    ATL_PASS_CSE = 1,        /* equal nodes become one */
    ATL_PASS_SIMPLIFY = 2,   /* x * 1, x + 0, transpose of transpose, ... */
    ATL_PASS_FOLD_SCALE = 4, /* a factor for each channel (batch norm) goes into the filter before it */
    ATL_PASS_EPILOGUE = 8,   /* bias, residual and relu are added by the convolution or matrix product itself */
    ATL_PASS_FUSE = 16,      /* chains and trees of element-wise ops run in one pass over memory */
    /* 3x3 and 5x5 convolutions by Winograd's method: error 1e-6 to 2e-6 of the largest number in a tile of 6x6 or
     * 8x8 pixels, not 2e-7 of the result.  A NaN, an infinity or a number above 1e36 makes all results of its tiles
     * NaN; none is lost. */
    ATL_PASS_WINOGRAD = 32,
    ATL_PASS_CONCAT_ELIMINATION =
        64,                    /* the parts of a concat of images are written where they will be, and read there */
    ATL_PASS_ARENA = 128,      /* values that are not alive at the same time lie in the same place */
    ATL_PASS_COMPRESS = 1024,  /* a mask of bits is kept in place of an image that only gates its gradient */
    ATL_PASS_RELU_GRAD = 2048, /* relu's gradient is gated by the gradient of a convolution or LRN that makes it */
    ATL_PASS_PREPACK = 256,    /* what depends on variables only is computed once, and again when one has changed */
    ATL_PASS_IN_PLACE =
        512 /* results are written over operands that nobody needs any more, and over assigned variables */
} atl_passes;

typedef struct atl_compile_args {
    atl_graph *graph;
    atl_nodes outputs;        /* the nodes whose values can be fetched */
    unsigned disabled_passes; /* atl_passes to leave out */
    int threads; /* that share the work of each run, 1 to 1024; 0: as many as OpenMP gives the thread that compiles
                       * (OMP_NUM_THREADS, or else all processors) */
    int bfloat16; /* the operands of convolutions and matrix products are rounded to bfloat16 (8 bits of mantissa; sums stay
                       * float32) where that is faster: about 2e-3 relative error a layer.  Without effect on processors that
                       * have no instructions for it: see atl_has_bfloat16 */
    int check; /* 1: while it runs, each op's own kernel, map or reference is watched: one that writes outside its result, not all
                       * of it, or over its inputs makes the run fail with a message that names the op.  Takes twice the time.  -1: not.
                       * 0 (default): as the library was built, 1 if with assertions (meson setup --buildtype=debug), else -1 */
    int timing; /* the ways in which a convolution can be computed (directly, by Winograd's method, in which layout) are timed, each
                 * once in the life of the process, and the fastest are taken; else they are estimated from the sizes.  Another process
                 * may then choose otherwise, and differ in rounding, unless it reads the same times: see atl_read_timing */
    int end_;
} atl_compile_args;

/* Times measured by .timing, as lines of text.  Reading adds to what the process knows; a missing file is ATL_BAD_FILE; times of
 * other sizes, processors or versions do no harm but to speed.  Writing replaces the file by all that is known. */
ATL_API atl_status atl_read_timing(const char *path);
ATL_API atl_status atl_write_timing(const char *path);

/* Null if the graph holds a mistake (atl_graph_error), or out of memory.  Steps are made at once if every shape is known,
 * else at the first run with a new batch.  The graph must outlive the program; nodes may still be added to it. */
ATL_API atl_program *atl_compile_with(const atl_compile_args *args);
#define atl_compile(...) atl_compile_with(ATL_OPTIONS_(atl_compile_args, __VA_ARGS__))
ATL_API void atl_program_free(atl_program *program); /* after its states and before its graph; null is allowed */
/* Threads of every run, whatever OpenMP is set to by then: the same program, feeds and number of threads give the same bits. */
ATL_API int atl_program_threads(const atl_program *program);

/* True if this processor multiplies bfloat16 numbers (AVX-512 BF16, AMX). */
ATL_API int atl_has_bfloat16(void);
/* True if it was asked for, and this processor has it. */
ATL_API int atl_program_uses_bfloat16(const atl_program *program);

/* What is fed: ATL_FEEDS({image, pixels}, {labels, y}); ATL_FEED(image, pixels) for one; ATL_NO_FEEDS for none. */
typedef struct atl_feed {
    const atl_node *node;
    const atl_tensor *value; /* dtype and shape of the input; may hold more than the program needs */
} atl_feed;
#define ATL_FEEDS(...)        ATL_ARRAY_(atl_feed, __VA_ARGS__, {NULL, NULL})
#define ATL_FEED(node, value) ATL_FEEDS({(node), (value)})
#define ATL_NO_FEEDS          NULL

/* Runs every step once.  A run allocates nothing once these shapes have been seen.  What is fed may be the program's own value
 * (a recurrence), or the value of a variable that it assigns: such a feed is copied first, to memory allocated the first time.
 * Of unknown sizes, the plans for the 8 sets of shapes used last are kept; others are made again when they come back.
 * ATL_INVALID if an input that is needed is not fed, or what is fed is of another type, shape or graph, or is no input;
 * ATL_UNSUPPORTED within an OpenMP parallel region, but for a program of one thread; ATL_NOT_FINITE by atl_check_finite. Whatever
 * the failure, no variable has changed, and the program can be run again. */
ATL_API atl_status atl_run(atl_program *program, const atl_feed *feeds);
/* The value of a wanted node after the last run: owned by the program, overwritten by the next run.  That of an input or a
 * variable is a copy of what the run has read; that of an atl_assign is the variable's own, and changes with it. Null if the node is not
 * wanted by this program, nothing has been run, or the last run failed, whose error then stays in atl_error(). */
ATL_API const atl_tensor *atl_value(const atl_program *program, const atl_node *node);
/* The first element of that value; NaN if there is none. */
ATL_API float atl_scalar_of(const atl_program *program, const atl_node *node);

/* For several threads at once: each thread runs the same program in a state of its own, with threads of its own to help it: with as
 * many states as processors, or in an OpenMP parallel region, compile with .threads = 1.  Each state keeps the memory of up
 * to 8 sets of shapes.  No variable may be written meanwhile, be it by atl_variable_assign or by the program itself.  Null if the
 * program is, or out of memory.  What is said of atl_run and atl_value holds for atl_context_run and atl_context_value. */
ATL_API atl_context *atl_context_new(atl_program *program);
ATL_API void atl_context_free(atl_context *context); /* before the program; null is allowed */
ATL_API atl_status atl_context_run(atl_context *context, const atl_feed *feeds);
ATL_API const atl_tensor *atl_context_value(const atl_context *context, const atl_node *node);

/* About the plan of the shapes last run. */
#define ATL_LAYOUT_SIZE 48
typedef struct atl_step_info {
    const char *op;               /* name of the op */
    const char *node;             /* name of the node that asked for it */
    const char *implementation;   /* "brgconv:avx512_core", "chain", ... */
    atl_shape shape;              /* of the result */
    char layout[ATL_LAYOUT_SIZE]; /* of the result in memory: "plain", "nChw16c", ... */
    int64_t bytes;                /* read and written */
    double flops;                 /* multiply and add are two; 0 where memory is what counts */
    double microseconds;          /* median of the last profile; 0: not profiled, or once */
    int prepack;                  /* runs only when variables have changed */
} atl_step_info;
/* The steps in the order in which they run, first those that run once; info_out's texts live until the next run.  0 steps, and
 * ATL_INVALID, before there is a plan (the first run, if a size was unknown), ATL_INVALID also if the index is out of range. */
ATL_API int64_t atl_program_step_count(const atl_program *program);
ATL_API atl_status atl_program_step(const atl_program *program, int64_t index, atl_step_info *info_out);
ATL_API int64_t atl_program_arena_bytes(const atl_program *program);    /* of one state: activations and scratch */
ATL_API int64_t atl_program_prepared_bytes(const atl_program *program); /* shared by all: packed weights and the like */
/* A table of the steps, one a line.  ATL_INVALID before there is a plan. */
ATL_API atl_status atl_program_write_plan(const atl_program *program, FILE *file);

/* Runs the program `runs` times (0: 10), timing every step.  atl_program_step then has the medians. */
ATL_API atl_status atl_program_profile(atl_program *program, const atl_feed *feeds, int runs);

typedef enum atl_profile_format { ATL_PROFILE_TABLE = 0, ATL_PROFILE_JSON } atl_profile_format;
/* What this machine does at best with so many threads (0: all), measured now, which takes a tenth of a second: the peaks that a profile
 * is compared with.  The best of ten float32 products of [1024, 1024] matrices, and of ten negations of 2^23 floats: 32 MB read, 32 MB
 * written.  Steps whose arrays stay in the caches, products of bfloat16 numbers, and Winograd's method, whose flops are counted as those of
 * the direct one, can be beyond 100 %. */
typedef struct atl_machine_peak {
    double flops_per_second; /* of a large matrix product */
    double bytes_per_second; /* read and written, of arrays beyond the caches */
} atl_machine_peak;
ATL_API atl_machine_peak atl_measure_peak(int threads);
/* Adds up the last profile by nodes: microseconds_out[i] is what node i of the program's graph took, of the `count` that it has.  What was
 * made of several nodes counts for the last of them; what runs only after variables have changed counts nothing.  Such an array colours a
 * drawing: see atl_dot_args. */
ATL_API atl_status atl_program_node_times(const atl_program *program, int64_t count, double *microseconds_out);
/* Every step with its implementation, layout, bytes, flops, microseconds, share of the run and percentage of the peak, be it of
 * arithmetic or of memory. ATL_INVALID before atl_program_profile. */
ATL_API atl_status atl_program_write_profile(const atl_program *program, FILE *file, atl_profile_format format,
                                             const atl_machine_peak *peak);

#ifdef __cplusplus
}
#endif
#endif
