/* Pictures that fool a network: descending a loss by its gradient with respect to the image.
 *
 *     atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 224, 224, 3));
 *     atl_node *logits = atl_squeezenet(image);
 *     atl_load_npz(g, "squeezenet_v1_1.npz", .suffixes = {"_w_0", "_b_0"});
 *     atl_fooler *fooler = atl_fooler_new(image, logits, ATL_LOSS_CROSS_ENTROPY);
 *     atl_fool_result result;
 *     if (atl_fool(fooler, .target = 130, .result_out = &result) == ATL_OK)
 *         printf("%g after %d steps\n", result.probability, result.steps);
 *     atl_write_png("fooled.png", result.pixels);
 *
 * Sources: Szegedy et al. 2013, Intriguing properties of neural networks; Goodfellow et al. 2014 (sign steps);
 * Nguyen et al. 2014, Deep neural networks are easily fooled; Kingma & Ba 2014 (Adam). */
#ifndef ATLED_ATTACK_H
#define ATLED_ATTACK_H

#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one step ----------------------------------------------------------------------------------------------------- */

typedef enum atl_descent {
    ATL_DESCENT_DEFAULT = 0, /* normalised for atl_descend, Adam for atl_fool */
    ATL_DESCENT_ADAM, /* by the gradient's mean over the root of its mean square, each kept by element; needs .moments */
    ATL_DESCENT_NORMALISED, /* along the gradient; the root mean square of the step is the rate */
    ATL_DESCENT_SIGN,       /* every element by the rate, against the sign of its gradient */
    ATL_DESCENT_RAW         /* rate times the gradient, however small that is */
} atl_descent;

/* What a step did. */
typedef struct atl_descent_effect {
    double largest; /* what the step would have changed an element by at most, before bounds and rounding */
    int64_t moved;  /* elements that are another float now */
} atl_descent_effect;

typedef struct atl_descend_args {
    atl_tensor *pixels;         /* float32, changed in place */
    const atl_tensor *gradient; /* of the loss with respect to them: same shape */
    float rate;                 /* in the unit of the pixels, grey levels; for ATL_DESCENT_RAW a factor */
    float lowest, highest;      /* what pixels are kept within; both 0: no bounds */
    atl_descent method;
    atl_tensor *moments[2];         /* Adam's: of the pixels' shape, zeros before the first step */
    int step;                       /* Adam's: 0 for the first */
    atl_descent_effect *effect_out; /* null: not wanted */
    int end_;
} atl_descend_args;
/* pixels - step, downhill.  ATL_INVALID if a tensor is missing, or types or shapes differ. */
ATL_API atl_status atl_descend_with(const atl_descend_args *args);
#define atl_descend(...) atl_descend_with(ATL_OPTIONS_(atl_descend_args, __VA_ARGS__))

/* ---- the whole loop ------------------------------------------------------------------------------------------------ */

typedef enum atl_fool_loss {
    ATL_LOSS_CROSS_ENTROPY = 0, /* -log softmax(logits)[target]: steepest while the target is improbable */
    ATL_LOSS_LOGIT,             /* -logits[target]: does not look at the other classes */
    ATL_LOSS_MARGIN,            /* the largest other logit - logits[target] */
    ATL_LOSS_SOFTMAX_MSE /* mean of (softmax - one-hot)^2: vanishes while the target is improbable, so it fails */
} atl_fool_loss;

/* A network made ready to be fooled: its graph with a loss and the image's gradient, compiled once for every target. */
typedef struct atl_fooler atl_fooler;

typedef struct atl_fooler_args {
    atl_node *image;  /* float32 input [1 or any, h, w, c] of raw pixels 0..255 */
    atl_node *logits; /* [1 or any, classes], computed from it */
    atl_fool_loss loss;
    atl_compile_args
        compile; /* .threads, .bfloat16, .disabled_passes and the like; .graph and .outputs are not looked at */
    int end_;
} atl_fooler_args;
/* Null if image and logits are not as they must be, or the graph holds a mistake; see atl_error().  Weights may be loaded before
 * or after. */
ATL_API atl_fooler *atl_fooler_new_with(const atl_fooler_args *args);
#define atl_fooler_new(...) atl_fooler_new_with(ATL_OPTIONS_(atl_fooler_args, __VA_ARGS__))
ATL_API void atl_fooler_free(atl_fooler *fooler); /* before the graph; null is allowed */
ATL_API int atl_fooler_classes(const atl_fooler *fooler);

/* softmax(logits) [1, classes] of a picture [h, w, c] or [1, h, w, c]: owned by the fooler, overwritten by the next call.
 * Null on failure. */
ATL_API const atl_tensor *atl_fooler_classify(atl_fooler *fooler, const atl_tensor *pixels);
/* The gradient of the loss for that target with respect to the picture, [1, h, w, c]; as above. */
ATL_API const atl_tensor *atl_fooler_gradient(atl_fooler *fooler, const atl_tensor *pixels, int target);

typedef struct atl_fool_progress {
    int step, steps;    /* done so far; at most */
    double probability; /* of the target */
    int top;            /* the most probable class */
    double top_probability;
    double loss;
    int rounded;              /* the picture classified was the rounded one */
    double seconds;           /* since the start */
    const atl_tensor *pixels; /* [1, h, w, c], as classified */
    const atl_tensor *gradient;
} atl_fool_progress;

/* Called before the first step and after each; returns non-zero to stop. */
typedef int atl_fool_watch(void *context, const atl_fool_progress *progress);

/* Why the goal was not met. */
typedef enum atl_fool_trouble {
    ATL_TROUBLE_NONE = 0,
    ATL_TROUBLE_UNIFORM,       /* every class equally probable: weights not loaded? */
    ATL_TROUBLE_ZERO_GRADIENT, /* the gradient is exactly zero */
    ATL_TROUBLE_TINY_STEP,     /* steps below the floating-point resolution of the pixels */
    ATL_TROUBLE_SATURATED,     /* the loss is flat, since the softmax is saturated */
    ATL_TROUBLE_NOT_FINITE,    /* not a number, or infinite */
    ATL_TROUBLE_STEPS_USED_UP,
    ATL_TROUBLE_STOPPED /* by the callback */
} atl_fool_trouble;

typedef struct atl_fool_result {
    atl_tensor *pixels; /* [1, h, w, c], whole numbers 0..255: what was reached, or the best so far; the caller frees */
    int met;            /* the rounded picture is the target's with the confidence asked for */
    int steps;          /* done */
    double probability; /* of the target, for that picture */
    int top;            /* its most probable class */
    double top_probability;
    double seconds;           /* altogether */
    double seconds_running;   /* within the program: the network and its gradient */
    atl_fool_trouble trouble; /* if not met */
    char message[768];        /* the same in words, and what to do about it; "" if met */
} atl_fool_result;

typedef struct atl_fool_args {
    atl_fooler *fooler;
    int target;              /* class */
    const atl_tensor *start; /* picture [h, w, c] or [1, h, w, c], 0..255; null: uniform noise */
    uint64_t seed;           /* of the noise */
    atl_descent method;      /* default: Adam */
    int steps;               /* at most; 0: 500 */
    float rate;              /* step size in grey levels; 0: 2 for Adam, 1 for normalised and sign; raw: a factor, 1 */
    float confidence;        /* 0: 0.99 */
    int patience;            /* steps without any effect before giving up; 0: 25; negative: never */
    atl_fool_watch *watch;   /* may be null */
    void *context;           /* handed to it */
    atl_fool_result *result_out; /* out; required */
    int end_;
} atl_fool_args;

/* Descends until the picture, rounded to 8 bits, is the target with the confidence asked for.  As soon as the unrounded one
 * is, the rounded one is classified in its place, and its gradient followed, so that rounding cannot undo what was reached.
 * ATL_OK whether or not the goal was met (see result_out->met); else result_out->pixels is null. */
ATL_API atl_status atl_fool_with(const atl_fool_args *args);
#define atl_fool(...) atl_fool_with(ATL_OPTIONS_(atl_fool_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
