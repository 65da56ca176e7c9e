/* The op descriptor: everything about one op.  Built-in ops and a user's own use the very same.
 *
 *     static double gaussian(double x) { return exp(-x * x); }
 *     static atl_node *gaussian_gradient(atl_node *y, atl_node *dy)
 *     {
 *         return atl_mul(dy, atl_mul(atl_scale(atl_input_of(y, 0), -2), y));
 *     }
 *     static const atl_op gaussian_op = ATL_ELEMENTWISE_OP("gaussian", gaussian, gaussian_gradient);
 *     ...
 *     h = atl_apply(&gaussian_op, h);
 */
#ifndef ATLED_OP_H
#define ATLED_OP_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATL_MAX_RULES 8 /* inputs that can have a gradient rule of their own */
#define ATL_VARIADIC  (-1)

typedef struct atl_op_hooks atl_op_hooks; /* internal */

/* Builds the gradient of a node y with respect to one of its inputs, given dy, the adjoint of y (its shape is y's).
 * Uses the public builders, so gradients have gradients.  Returns null for "nothing flows this way". */
typedef atl_node *atl_gradient_rule(atl_node *y, atl_node *dy);

/* A sample: inputs on which the test battery runs an op.  See atl_op.samples. */
typedef struct atl_sample {
    const char *about;
    /* Exactly one of these builds the node under test from inputs of the shapes below. */
    atl_node *(*unary)(atl_node *x);
    atl_node *(*binary)(atl_node *a, atl_node *b);
    atl_node *(*build)(atl_node *const *x);
    struct {
        int rank; /* rank and sizes of one input */
        int64_t size[ATL_MAX_RANK];
        float low, high; /* its values are uniform in [low, high); both 0: [-1, 1) */
        int is_int;      /* int32 values in [low, high) in place of floats */
    } input[ATL_MAX_RULES];
    int inputs;        /* how many of them */
    const char *error; /* if given, building must fail with a message that contains this text */
    int no_gradient;   /* value only: a sample that stands on a kink or a tie */
} atl_sample;

typedef enum atl_op_flags {
    ATL_OP_INPUT = 1,          /* value is fed */
    ATL_OP_VARIABLE = 2,       /* value is a variable's */
    ATL_OP_CONSTANT = 4,       /* value is known when built */
    ATL_OP_STOPS_GRADIENT = 8, /* the gradient ends here, and that is no mistake */
    ATL_OP_ALIAS = 16,         /* the result is its first input's memory under another shape */
    ATL_OP_SIDE_EFFECT = 32,   /* never merged with an equal node, never folded */
    ATL_OP_RANDOM = 64,        /* value differs at every run */
    ATL_OP_SUM = 128,          /* element-wise sum of its inputs */
    ATL_OP_PRODUCT = 256,      /* element-wise product of its inputs */
    ATL_OP_RELU = 512,         /* element-wise max(x, 0) */
    ATL_OP_ASSIGN = 1024,      /* input 0 is a variable, which takes the value of input 1 when the run ends */
    ATL_OP_BROADCAST = 2048,   /* the result is its first input, repeated as NumPy does it */
    ATL_OP_CONCAT = 4096,      /* the result is its inputs, one after the other along one dimension */
    ATL_OP_RELU_GRAD = 8192    /* element-wise: input 0 where input 1 is positive, else 0 */
} atl_op_flags;

struct atl_op {
    const char *name;  /* lower case, the field's standard term; required */
    int arity;         /* number of inputs, or ATL_VARIADIC; at most ATL_MAX_RULES inputs can have rules of their own */
    size_t attributes; /* bytes of the struct given to atl_apply_with, which is copied into the node */
    unsigned flags;    /* atl_op_flags */
    unsigned shape_inputs; /* bit i: only the shape of input i is used, never its value (bit 31: 31 and all after it) */

    /* Sets the result's type with atl_set_type from the inputs' types and the attributes, or returns atl_fail(...).
     * Unknown dimensions (ATL_ANY) may come in and must come out as such.  Null: same type as every input (element-wise
     * ops: the broadcast shape of all inputs, float32). */
    int (*infer)(atl_node *y);

    /* gradient[i]: with respect to input i.  Null: no rule; an error if a gradient has to pass.  int32 inputs have none. */
    atl_gradient_rule *gradient[ATL_MAX_RULES];
    /* In place of the above for variadic ops. */
    atl_node *(*gradient_of)(atl_node *y, atl_node *dy, int input);
    /* An equal sub-graph of other ops, for whoever differentiates a node that has no rules. */
    atl_node *(*expand)(atl_node *y);

    /* Element-wise ops: one element.  `function` for one input and no attributes, else `element`. */
    double (*function)(double x);
    double (*element)(const double *x, const void *attributes);
    /* The same as a float kernel: y[k] = f(x[0][k], x[1][k], ...) for k < n.  y may be one of the x.  Chains of such ops
     * run block by block in cache.  Null: made from the above. */
    void (*map)(const void *attributes, size_t n, const float *const *x, float *y);

    /* Other ops: plain double loops, the oracle.  int32 values are doubles here, too. All shapes are known: atl_shape_of(y). */
    void (*reference)(const atl_node *y, const double *const *x, double *result);
    /* The fast version: float or int32 arrays, dense, row-major.  May not write outside the result. */
    void (*kernel)(const atl_node *y, const void *const *x, void *result);
    /* Optional: an equal, simpler node made of y's inputs; null: there is none.  The compiler calls it when all shapes are known. */
    atl_node *(*simplify)(atl_node *y);

    /* Writes the attributes in words, for messages and drawings: "3x3, stride 2". */
    void (*describe)(const atl_node *y, char *text, size_t size);

    const atl_sample *samples; /* ends with an entry that has no builder */

    const atl_op_hooks *hooks; /* internal: what the compiler knows of a built-in op; null for every other */
};

#define ATL_ELEMENTWISE_OP(op_name, op_function, op_gradient)                                                          \
    {                                                                                                                  \
        .name = (op_name), .arity = 1, .gradient = {op_gradient}, .function = (op_function)                            \
    }

/* Applies an op.  The descriptor must outlive the graph; it is checked first, and what infer says is, too.  For what the op's own
 * code writes see atl_compile_args.check; the double-precision reference always looks at it. */
#define atl_apply(op, ...)                                                                                             \
    atl_apply_with((op), NULL, (int)ATL_COUNT_(atl_node *, __VA_ARGS__), ATL_ARRAY_(atl_node *, __VA_ARGS__))
ATL_API atl_node *atl_apply_with(const atl_op *op, const void *attributes, int count, atl_node *const *inputs);

/* For use inside an op's functions. */
ATL_API int atl_set_type(atl_node *y, atl_dtype dtype, atl_shape shape);     /* in infer; returns 1 */
ATL_API int atl_fail(atl_node *y, const char *format, ...) ATL_PRINTF(2, 3); /* in infer; returns 0 */
ATL_API const void *atl_attributes_of(const atl_node *node);

/* Records a mistake made in calling a builder of one's own, as the built-in ones do: "conv1/my_layer: ...".  Returns null. */
ATL_API atl_node *atl_builder_error(atl_graph *graph, const char *builder, const char *format, ...) ATL_PRINTF(3, 4);

/* All built-in ops, in alphabetical order of their names. */
ATL_API const atl_op *const *atl_builtin_ops(int *count_out);

#ifdef __cplusplus
}
#endif
#endif
