/* The op descriptor: everything about one op.  Built-in ops and a user's own ops use the same descriptor.
 *
 *     static double gaussian(double x) { return exp(-x * x); }
 *     static atl_node *gaussian_gradient(atl_node *y, atl_node *dy)
 *     {
 *         return atl_mul(dy, atl_mul(atl_scale(atl_input_of(y, 0), -2), y));
 *     }
 *     static const atl_op gaussian_op = ATL_ELEMENTWISE_OP("gaussian", gaussian, gaussian_gradient);
 *     ...
 *     h = atl_apply(&gaussian_op, h); */
#ifndef ATLED_OP_H
#define ATLED_OP_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATL_MAX_RULES 8 /* the number of inputs that can have a gradient rule */
#define ATL_VARIADIC  (-1)

typedef struct atl_op_hooks atl_op_hooks; /* internal */

/* Builds the gradient of a node y with respect to one of its inputs, given dy, the adjoint of y (of y's shape).  It
 * uses public builders, so gradients can be differentiated.  The result has the input's shape; where the input was
 * broadcast it may have y's, and atled sums it.  Returns null if no gradient flows to that input. */
typedef atl_node *atl_gradient_rule(atl_node *y, atl_node *dy);

/* A sample: inputs on which the test battery runs an op.  See atl_op.samples. */
typedef struct atl_sample {
    const char *about;
    /* Set exactly one of these: it builds the node under test from inputs of the shapes below. */
    atl_node *(*unary)(atl_node *x);
    atl_node *(*binary)(atl_node *a, atl_node *b);
    atl_node *(*build)(atl_node *const *x);
    struct {
        int16_t rank; /* rank and sizes of one input; 16 bits, because the library holds more than a thousand samples */
        int16_t size[ATL_MAX_RANK];
        float low, high; /* its values are uniform in [low, high); both 0: [-1, 1) */
        bool is_int;     /* int32 values in [low, high) instead of floats */
    } input[ATL_MAX_RULES];
    int inputs;        /* number of inputs */
    const char *error; /* if set, building must fail with a message that contains this text */
    bool no_gradient;  /* tests the value only: for a sample at a kink or a tie */
} atl_sample;

typedef enum atl_op_flags {
    ATL_OP_INPUT = 1,          /* the value is fed */
    ATL_OP_VARIABLE = 2,       /* the value is a variable's */
    ATL_OP_CONSTANT = 4,       /* the value is known when the node is built */
    ATL_OP_STOPS_GRADIENT = 8, /* no gradient flows through, and that is not an error */
    ATL_OP_ALIAS = 16,         /* the result is its first input's memory with another shape */
    ATL_OP_SIDE_EFFECT = 32,   /* never merged with an equal node, never folded */
    ATL_OP_RANDOM = 64,        /* the value differs in every run */
    ATL_OP_SUM = 128,          /* element-wise sum of its inputs */
    ATL_OP_PRODUCT = 256,      /* element-wise product of its inputs */
    ATL_OP_RELU = 512,         /* element-wise max(x, 0) */
    ATL_OP_ASSIGN = 1024,      /* input 0 is a variable, which gets the value of input 1 at the end of the run */
    ATL_OP_BROADCAST = 2048,   /* the result is its first input, broadcast as in NumPy */
    ATL_OP_CONCAT = 4096,      /* the result is its inputs, concatenated along one dimension */
    ATL_OP_RELU_GRAD = 8192,   /* element-wise: input 0 where input 1 is positive, else 0 */
    /* The gradient rule is not the derivative, on purpose: the two are not compared. */
    ATL_OP_STRAIGHT_THROUGH = 16384
} atl_op_flags;

struct atl_op {
    const char *name;      /* lower case, the standard term; required */
    int arity;             /* number of inputs, or ATL_VARIADIC; at most ATL_MAX_RULES inputs can have gradient rules */
    size_t attributes;     /* size of the struct passed to atl_apply_with, which is copied into the node */
    unsigned flags;        /* atl_op_flags */
    unsigned shape_inputs; /* bit i: only the shape of input i is used, never its value (bit 31: inputs 31 and above) */

    /* Sets the result's type and shape with atl_set_type from the inputs' and the attributes, or returns atl_fail(...).
     * Unknown dimensions (ATL_ANY) may occur in inputs and must be propagated.  Null: the same type and shape as every
     * input (element-wise ops: the broadcast shape of all inputs, float32). */
    bool (*infer)(atl_node *y);

    /* gradient[i]: with respect to input i.  Null: no rule; it is an error if a gradient needs it.  int32 inputs have
     * none. */
    atl_gradient_rule *gradient[ATL_MAX_RULES];
    /* Replaces `gradient` for variadic ops. */
    atl_node *(*gradient_of)(atl_node *y, atl_node *dy, int input);
    /* An equal sub-graph of other ops: differentiates a node in all its inputs if a rule for one is missing. */
    atl_node *(*expand)(atl_node *y);

    /* Element-wise ops: computes one element.  `function` for one input and no attributes, otherwise `element`. */
    double (*function)(double x);
    double (*element)(const double *x, const void *attributes);
    /* The same as a float kernel: y[k] = f(x[0][k], x[1][k], ...) for k < n.  y may be one of the x.  Fused ops run
     * block by block in the cache.  Null: derived from the above. */
    void (*map)(const void *attributes, size_t n, const float *const *x, float *y);

    /* Other ops: plain double loops, which the tests compare everything with.  int32 values are doubles here, too.  All
     * shapes are known: atl_shape_of(y). */
    void (*reference)(const atl_node *y, const double *const *x, double *result_out);
    /* The fast version: float or int32 arrays, dense, row-major.  It must not write outside the result. */
    void (*kernel)(const atl_node *y, const void *const *x, void *result_out);
    /* Optional: an equal, simpler node built from y's inputs; null: there is none.  The compiler calls it when all
     * shapes are known. */
    atl_node *(*simplify)(atl_node *y);

    /* Writes the attributes as text, for messages and drawings: "3x3, stride 2". */
    void (*describe)(const atl_node *y, char *text_out, size_t size);

    const atl_sample *samples; /* ends with an entry that has no builder */

    const atl_op_hooks *hooks; /* internal: the compiler's hooks of a built-in op; null for all others */
};

#define ATL_ELEMENTWISE_OP(op_name, op_function, op_gradient)                                                          \
    {                                                                                                                  \
        .name = (op_name), .arity = 1, .gradient = {op_gradient}, .function = (op_function)                            \
    }

/* Applies an op; the result has the type and shape that the op's infer sets.  The descriptor must outlive the graph.
 * atl_apply checks the descriptor and the result of infer.  To check where the op's own code writes, see
 * atl_compile_args.check; the double-precision reference always checks that. */
#define atl_apply(op, ...) atl_apply_with((op), NULL, ATL_NODES(__VA_ARGS__))
ATL_API atl_node *atl_apply_with(const atl_op *op, const void *attributes, atl_nodes inputs);

/* For use in an op's functions. */
ATL_API bool atl_set_type(atl_node *y, atl_dtype dtype, atl_shape shape);     /* in infer; returns true */
ATL_API bool atl_fail(atl_node *y, const char *format, ...) ATL_PRINTF(2, 3); /* in infer; returns false */
ATL_API const void *atl_attributes_of(const atl_node *node);

/* Records an error in the arguments of your own builder, as the built-in builders do: "conv1/my_layer: ...".  Returns
 * null. */
ATL_API atl_node *atl_builder_error(atl_graph *graph, const char *builder, const char *format, ...) ATL_PRINTF(3, 4);

/* All built-in ops, sorted by name. */
ATL_API const atl_op *const *atl_builtin_ops(int64_t *count_out);

#ifdef __cplusplus
}
#endif
#endif
