/* The battery: every op's own samples, built, differentiated, run, and compared with the oracle.
 *
 * Two oracles.  A float program is compared with the same graph run through the double-precision references; how far
 * the two may be apart follows from the number of terms summed (see `oracle`).  Gradients are compared, in double, with
 * central differences. */
#ifndef ATLED_TESTS_BATTERY_H
#define ATLED_TESTS_BATTERY_H

#include "support.h"

#include <criterion/parameterized.h> /* after criterion.h, or Test is not defined */

/* ---- the ops under test: an index into this table is a parameter of the tests ------------------------------------ */

int op_count(void);
const atl_op *op_at(int index);
int is_composed(const atl_op *op);            /* a builder made of other ops: a name and samples only */
int has_samples_of_its_own(const atl_op *op); /* false for inputs, variables, constants: they are in every sample */

/* FOR_EVERY_OP(suite, name) { uses `op` }: a test case, which is a process, for each op, and under sanitizers, where a
 * process takes longer to start than most ops to test, for several.  Each op draws the same random numbers. */
#define FOR_EVERY_OP(suite, name)                                                                                      \
    static void name##_of(const atl_op *op);                                                                           \
    ParameterizedTestParameters(suite, name) { return op_parameters(); }                                               \
    ParameterizedTest(int *first, suite, name) { test_ops(*first, name##_of); }                                        \
    static void name##_of(const atl_op *op)
struct criterion_test_params op_parameters(void);
void test_ops(int first, void (*test)(const atl_op *op)); /* prints each op's name, so that a crash names its op */

static inline int is_sample(const atl_sample *s) { return s->unary || s->binary || s->build; } /* not the table's end */

/* ---- a sample, built --------------------------------------------------------------------------------------------- */

enum { MOST_FEEDS = 64 };

typedef struct trial {
    const atl_sample *sample;
    atl_graph *graph;
    atl_node *x[ATL_MAX_RULES];     /* inputs of the graph, named x0, x1, ... */
    atl_node *y;                    /* null if it could not be built */
    atl_feed feeds[MOST_FEEDS + 1]; /* values for the xs and for weights that come later; ends with a null node */
    int feed_count;
    int order; /* how often it has been differentiated */
    int count; /* of the next differentiation: y, then the gradients with respect to each float x */
    atl_node *last[ATL_MAX_RULES];
} trial;

/* How the first dimension of the inputs is set. */
typedef struct trial_batch {
    unsigned inputs; /* bit i: input i's first dimension is replaced; 0: none is */
    int64_t built;   /* replaces it when the graph is built: ATL_ANY or a size */
    int64_t fed;     /* replaces it in the value that is fed */
} trial_batch;

trial *trial_new(const atl_sample *sample, trial_batch batch);
void trial_free(trial *t);
atl_node *build_sample(const atl_sample *sample, atl_node *const *x);

void trial_feed(trial *t, const atl_node *node, atl_tensor *value);  /* takes the value over */
const atl_tensor *trial_value(const trial *t, const atl_node *node); /* that is fed */

/* A scalar functional of what was differentiated: sum(weights * y) over all elements and all ys. */
typedef struct functional {
    int count;
    atl_node *y[ATL_MAX_RULES];
    const atl_tensor *weights[ATL_MAX_RULES];
} functional;

/* Differentiates once more: t->last becomes the gradients of the functional, whose weights are new inputs, with
 * respect to each float x.  Returns 0 with the graph's error set. */
int trial_differentiate(trial *t, functional *functional_out);
/* The float xs, in order: t->last[i] is the gradient with respect to the i-th of them. */
atl_node *trial_float_input(const trial *t, int i);

/* ---- float against double ---------------------------------------------------------------------------------------- */

/* The values in double, and the allowed distance of float values from them: the change of the double-precision
 * result by relative noise of one float rounding on each element of each computed node (the largest of any element
 * in three draws; in up to 24 before a value is called wrong), times the square root of the largest number of terms
 * that one element may sum, times 4 (standard deviations).  The nodes and feeds must outlive the oracle. */
typedef struct oracle oracle;
oracle *oracle_new(int count, atl_node *const *nodes,
                   const atl_feed *feeds); /* null with atl_error() set; concrete shapes only */
/* The same for a program that may round the operands of convolutions and matrix products to bfloat16, if
 * rounds_products: these operands have noise of one bfloat16 rounding, too. */
oracle *oracle_new_rounding(int count, atl_node *const *nodes, const atl_feed *feeds, int rounds_products);
void oracle_free(oracle *o);
const atl_tensor *oracle_value(const oracle *o, int i);
/* True if the value of node i is within the bound; otherwise `text` says where it is not. */
int oracle_accepts(oracle *o, int i, const atl_tensor *value, char *text, size_t size);

/* Compiles and runs the nodes, and compares each.  Returns 0 with the reason in text. */
int floats_agree(int count, atl_node *const *nodes, const atl_feed *feeds, char *text, size_t size);

/* ---- gradients against central differences ----------------------------------------------------------------------- */

/* Checks that the gradient of the functional with respect to x, in double, is within 1e-6 of central differences,
 * relative to its largest element.  If there are many elements, compares random ones and random directions.  Returns
 * 0 with the reason. */
int gradient_agrees(const trial *t, const functional *f, const atl_node *x, const atl_node *gradient, char *text,
                    size_t size);

/* ---- reports for docs/derivatives.md ----------------------------------------------------------------------------- */

/* Records the result for an op at an order of the derivative: "yes"; "zero"; "none", if no sample has a float result
 * for a float input; "wrong". */
void report_order(const atl_op *op, int order, const char *result);

#endif
