/* Reverse-mode differentiation: gradients as nodes of the same graph. */
#ifndef ATLED_GRADIENT_H
#define ATLED_GRADIENT_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum atl_unused_gradient {
    ATL_UNUSED_ERROR = 0, /* an x without a path to any y is an error; the message names it */
    ATL_UNUSED_ZEROS,     /* its gradient is a node of zeros */
    ATL_UNUSED_NULL       /* its gradient is null */
} atl_unused_gradient;

/* Replaces the gradient of an op, for nodes whose name begins with `scope` (null: all), in one call of atl_gradients:
 * guided backpropagation is {"relu", .rule = atl_guided_relu}. Inputs other than the first keep their own rules. */
typedef struct atl_override {
    const char *op; /* null ends the list */
    const char *scope;
    atl_node *(*rule)(atl_node *y, atl_node *dy);
} atl_override;
#define ATL_OVERRIDES(...) ATL_ARRAY_(atl_override, __VA_ARGS__, {NULL, NULL, NULL})
/* Passes positive gradients where the relu is active (Springenberg et al. 2014). */
ATL_API atl_node *atl_guided_relu(atl_node *y, atl_node *dy);
/* Passes positive gradients, whether the relu is active or not: the "deconvolution" of Zeiler & Fergus 2013. */
ATL_API atl_node *atl_deconvolution_relu(atl_node *y, atl_node *dy);
/* Passes all gradients where the relu is active, and elsewhere those that would activate it, so that an inactive start
 * can move (Olah et al. 2017). */
ATL_API atl_node *atl_redirected_relu(atl_node *y, atl_node *dy);

typedef struct atl_gradients_args {
    atl_nodes of;          /* the ys; float32 */
    atl_nodes by;          /* the xs: any float32 nodes, inputs or not */
    atl_node **result_out; /* by.count nodes, each of the shape of its x: d sum(ys * seeds) / dx */
    atl_nodes seeds;       /* none: ones; otherwise one for each y, of its shape (a null entry: ones) */
    atl_nodes stop;        /* nodes to treat as constants */
    atl_unused_gradient unused;
    const atl_override *overrides; /* ATL_OVERRIDES(...), or null */
    int end_;
} atl_gradients_args;

/* Returns ATL_OK with every result set, or ATL_INVALID with the error recorded on the graph and every result null. */
ATL_API atl_status atl_gradients_with(const atl_gradients_args *args);
#define atl_gradients(...) atl_gradients_with(ATL_OPTIONS_(atl_gradients_args, __VA_ARGS__))

/* The gradient of the sum of y's elements with respect to x. */
ATL_API atl_node *atl_gradient(atl_node *y, atl_node *x);

/* ---- higher derivatives: all of them are nodes and can be differentiated again ----------------------------------- */

/* Jacobian times vector, the derivative of y in direction v (of x's shape): y's shape.  It differentiates the gradient
 * with respect to its seed, in which the gradient is linear. */
ATL_API atl_node *atl_jvp(atl_node *y, atl_node *x, atl_node *v);
/* Vector times Jacobian: the gradient with seed v (of y's shape): x's shape. */
ATL_API atl_node *atl_vjp(atl_node *y, atl_node *x, atl_node *v);
/* Hessian of sum(y) with respect to x, times v (of x's shape): x's shape.  Pearlmutter 1994. */
ATL_API atl_node *atl_hvp(atl_node *y, atl_node *x, atl_node *v);

/* The whole Jacobian [y's sizes..., x's sizes...], built row by row: for small sizes.  Both shapes must be known.  More
 * than ATL_JACOBIAN_ROWS rows or ATL_JACOBIAN_BYTES bytes are an error. */
#define ATL_JACOBIAN_ROWS  4096
#define ATL_JACOBIAN_BYTES (256 << 20)
ATL_API atl_node *atl_jacobian(atl_node *y, atl_node *x);
ATL_API atl_node *atl_hessian(atl_node *y, atl_node *x); /* of sum(y): [x's sizes..., x's sizes...] */

/* Returns x; changes only the gradient that flows back through it. */
ATL_API atl_node *atl_scale_gradient(atl_node *x, float factor); /* -1 reverses it (Ganin & Lempitsky 2015) */
ATL_API atl_node *atl_clip_gradient(atl_node *x, float lowest, float highest);

/* Marks the node: gradients built from now on do not keep its value but recompute it from the nearest unmarked nodes
 * before it.  This saves memory and costs time (Chen et al. 2016).  Returns the node. */
ATL_API atl_node *atl_recompute(atl_node *node);

/* ---- checking ---------------------------------------------------------------------------------------------------- */

typedef struct atl_gradient_check {
    double worst;             /* largest |analytic - numeric| / max(|analytic|, |numeric|, scale of the gradient) */
    double analytic, numeric; /* of the worst element */
    const atl_node *x;        /* the node with the worst element */
    int64_t index;            /* its index */
    int64_t checked;          /* elements compared */
    int64_t kinks;            /* elements skipped, because the two one-sided differences disagree */
} atl_gradient_check;

typedef struct atl_check_args {
    atl_node *of;                   /* y: its gradient is that of sum(y * fixed random weights) */
    atl_nodes by;                   /* inputs or variables */
    const struct atl_feed *feeds;   /* of all inputs that y needs */
    int order;                      /* 0 or 1: the gradient; 2: the gradient of sum(gradient * fixed random weights) */
    int64_t most;                   /* elements of each x to check, evenly spread; 0: 64 */
    double step;                    /* 0: 1e-3, with Richardson extrapolation; smaller where slight kinks are near */
    atl_gradient_check *result_out; /* required */
    int end_;
} atl_check_args;
/* Compares the gradient with central differences, both in double through the ops' references.  Returns ATL_OK if they
 * could be compared: see result_out->worst.  The gradient's nodes are added to the graph. */
ATL_API atl_status atl_check_gradient_with(const atl_check_args *args);
#define atl_check_gradient(...) atl_check_gradient_with(ATL_OPTIONS_(atl_check_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
