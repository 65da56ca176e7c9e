/* Bare oneDNN primitives, for lower_bound.c. */
#ifndef ATLED_BENCH_LOWER_BOUND_H
#define ATLED_BENCH_LOWER_BOUND_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdint.h>

#if DNNL_VERSION_MAJOR < 3

enum { MOST_ARGUMENTS = 8 };

extern dnnl_engine_t engine;
extern dnnl_stream_t stream;

/* Memory that is not freed, because the process is short-lived: of its own, or from the ring. */
char *new_memory(size_t bytes);
char *from_ring(size_t bytes);
void begin_ring(size_t bytes);

/* An operand or a result of a primitive. */
typedef struct argument {
    int index; /* DNNL_ARG_SRC */
    dnnl_query_t query;
    int which;
} argument;

/* The fastest candidate for a primitive; primitive is null if there is none. */
typedef struct choice {
    dnnl_primitive_t primitive;
    double seconds;     /* when timed alone */
    int fresh_operands; /* true if no operand is a weight with memory of its own: a batched product */
    int count;
    int index[MOST_ARGUMENTS];
    dnnl_memory_desc_t md[MOST_ARGUMENTS];
    char implementation[64];
} choice;

/* True if the step before writes argument i, or if it is fed; false for weights, and for images kept from the forward
 * pass. */
int made_just_before(const choice *c, int i);
/* Creates the arguments.  Returns 0 on failure. */
int bind_choice(const choice *c, dnnl_exec_arg_t *list, int weights_of_their_own);
double time_once(const choice *c, const dnnl_exec_arg_t *list);
/* Keeps the best of the first implementations. */
void try_all(choice *best, const void *op, dnnl_primitive_desc_t hint, const argument *arguments);
dnnl_memory_desc_t plain_array(int rank, const int64_t *dims, dnnl_format_tag_t tag);

typedef enum conv_pass { FORWARD, OF_IMAGE, OF_FILTER } conv_pass;
choice best_convolution(conv_pass pass, const int64_t *image, const int64_t *filter, const int64_t *result);
/* `batches` products [m, k] x [k, n]. */
typedef struct product {
    int64_t batches, m, k, n;
} product;
choice best_product(product p);
choice best_pooling(int backward, const int64_t *image, const int64_t *result, int size);
choice best_lrn(int backward, const int64_t *image);

#endif
#endif
