/* Images that fool a network: gradient descent on a loss with respect to the image.
 *
 *     atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 224, 224, 3));
 *     atl_node *logits = atl_squeezenet(image);
 *     atl_load_npz(g, "squeezenet_v1_1.npz", .suffixes = {"_w_0", "_b_0"});
 *     atl_fooler *fooler = atl_fooler_new(image, logits, ATL_LOSS_CROSS_ENTROPY);
 *     atl_fool_result result;
 *     if (atl_fool(fooler, .target = 130, .result_out = &result) == ATL_OK)
 *         printf("%g after %d iterations\n", result.probability, result.iterations);
 *     atl_write_png("fooled.png", result.pixels);
 *
 * Sources: Szegedy et al. 2013, Intriguing properties of neural networks; Goodfellow et al. 2014 (sign steps); Nguyen
 * et al. 2014, Deep neural networks are easily fooled; Kingma & Ba 2014 (Adam). */
#ifndef ATLED_ATTACK_H
#define ATLED_ATTACK_H

#include "adversarial.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one iteration ----------------------------------------------------------------------------------------------- */

typedef enum atl_descent {
    ATL_DESCENT_DEFAULT = 0, /* normalised for atl_descend, Adam for atl_fool */
    ATL_DESCENT_ADAM, /* mean of the gradient over the root of its mean square, each per element; needs .moments */
    ATL_DESCENT_NORMALISED, /* along the gradient; the root mean square of the change is the rate */
    ATL_DESCENT_SIGN,       /* changes every element by the rate, against the sign of its gradient */
    ATL_DESCENT_RAW         /* rate times the gradient, however small it is */
} atl_descent;

/* The effect of an iteration. */
typedef struct atl_descent_effect {
    double largest; /* the largest change of an element, before bounds and rounding */
    int64_t moved;  /* number of elements whose float value changed */
} atl_descent_effect;

typedef struct atl_descend_args {
    atl_tensor *pixels;         /* float32; changed in place */
    const atl_tensor *gradient; /* of the loss with respect to the pixels: same shape */
    float rate;                 /* in the unit of the pixels, grey levels; a factor for ATL_DESCENT_RAW */
    float lowest, highest;      /* bounds of the pixels; both 0: no bounds */
    atl_descent method;
    atl_tensor *moments[2];         /* only for Adam: float32 of the pixels' shape; zeros before the first iteration */
    int iteration;                  /* only for Adam: 0 for the first */
    atl_descent_effect *effect_out; /* null: not needed */
    int end_;
} atl_descend_args;
/* Moves the pixels one iteration downhill.  Returns ATL_INVALID if a tensor is missing, or if types or shapes
 * differ. */
ATL_API atl_status atl_descend_with(const atl_descend_args *args);
#define atl_descend(...) atl_descend_with(ATL_OPTIONS_(atl_descend_args, __VA_ARGS__))

/* ---- the whole loop ---------------------------------------------------------------------------------------------- */

typedef enum atl_fool_loss {
    ATL_LOSS_CROSS_ENTROPY = 0, /* -log softmax(logits)[target]: largest gradient while the target is improbable */
    ATL_LOSS_LOGIT,             /* -logits[target]: ignores the other classes */
    ATL_LOSS_MARGIN,            /* the largest other logit - logits[target] */
    /* Mean of (softmax - one-hot)^2: its gradient vanishes while the target is improbable, so it fails. */
    ATL_LOSS_SOFTMAX_MSE
} atl_fool_loss;

/* A network prepared for fooling: its graph with a loss and the image's gradient, compiled once for all targets. */
typedef struct atl_fooler atl_fooler;

typedef struct atl_fooler_args {
    atl_node *image;  /* float32 input [1 or any, h, w, c] of raw pixels 0..255 */
    atl_node *logits; /* [1 or any, classes], computed from it */
    atl_fool_loss loss;
    atl_compile_args compile; /* .threads, .bfloat16, .disabled_passes and so on; leave .graph and .outputs out */
    int end_;
} atl_fooler_args;
/* Returns null if image or logits are invalid, or if the graph has an error; see atl_error().  You may load weights
 * before or after. */
ATL_API atl_fooler *atl_fooler_new_with(const atl_fooler_args *args);
#define atl_fooler_new(...) atl_fooler_new_with(ATL_OPTIONS_(atl_fooler_args, __VA_ARGS__))
ATL_API void atl_fooler_free(atl_fooler *fooler); /* call it before the graph is freed; null is allowed */
ATL_API int atl_fooler_classes(const atl_fooler *fooler);

/* softmax(logits) [1, classes] of an image [h, w, c] or [1, h, w, c]: owned by the fooler, overwritten by the next
 * call.  Null on failure. */
ATL_API const atl_tensor *atl_fooler_classify(atl_fooler *fooler, const atl_tensor *pixels);
/* The gradient of the loss for that target with respect to the image, [1, h, w, c]; ownership as above. */
ATL_API const atl_tensor *atl_fooler_gradient(atl_fooler *fooler, const atl_tensor *pixels, int target);

typedef struct atl_fool_progress {
    int iteration, iterations; /* done so far; at most */
    double probability;        /* of the target */
    int top;                   /* the most probable class */
    double top_probability;
    double loss;
    bool rounded;             /* the classified image was the rounded one */
    double seconds;           /* since the start */
    const atl_tensor *pixels; /* [1, h, w, c], as classified */
    const atl_tensor *gradient;
} atl_fool_progress;

/* Called before the first iteration and after each; return true to stop. */
typedef bool atl_fool_watch(void *context, const atl_fool_progress *progress);

/* Why the image did not reach the goal. */
typedef enum atl_fool_trouble {
    ATL_TROUBLE_NONE = 0,
    ATL_TROUBLE_UNIFORM,       /* every class has the same probability: were the weights loaded? */
    ATL_TROUBLE_ZERO_GRADIENT, /* the gradient is exactly zero */
    ATL_TROUBLE_TINY_STEP,     /* changes are below the floating-point resolution of the pixels */
    ATL_TROUBLE_SATURATED,     /* the loss is flat, since the softmax is saturated */
    ATL_TROUBLE_NOT_FINITE,    /* NaN or infinite */
    ATL_TROUBLE_ITERATIONS_USED_UP,
    ATL_TROUBLE_STOPPED /* by the callback */
} atl_fool_trouble;

typedef struct atl_fool_result {
    /* [1, h, w, c], integers 0..255: the image that reached the goal, or the best one; the caller frees it. */
    atl_tensor *pixels;
    bool met;           /* the rounded image is classified as the target with the required confidence */
    int iterations;     /* number of iterations done */
    double probability; /* of the target, for that image */
    int top;            /* its most probable class */
    double top_probability;
    double seconds;           /* total */
    double seconds_running;   /* in the program: the network and its gradient */
    atl_fool_trouble trouble; /* if not met */
    char message[768];        /* the trouble in words, with a remedy; "" if met */
} atl_fool_result;

typedef struct atl_fool_args {
    atl_fooler *fooler;
    int target;              /* class */
    const atl_tensor *start; /* image [h, w, c] or [1, h, w, c], 0..255; null: uniform noise */
    uint64_t seed;           /* of the noise; only without .start */
    atl_descent method;      /* default: Adam */
    int iterations;          /* at most; 0: 500; ATL_ZERO: only classifies the start */
    float rate;       /* size of a change in grey levels; 0: 2 for Adam, 1 for normalised and sign; raw: a factor, 1 */
    float confidence; /* of the target, up to 1; 0: 0.99; ATL_ZERO: the most probable class is enough */
    int patience;     /* iterations without effect before giving up; 0: 25; -1: never */
    atl_fool_watch *watch;       /* may be null */
    void *context;               /* passed to watch */
    atl_fool_result *result_out; /* required */
    int end_;
} atl_fool_args;

/* Runs gradient descent until the image, rounded to 8 bits, is classified as the target with the required confidence.
 * As soon as the unrounded image is, the loop classifies the rounded one and follows its gradient, so that rounding
 * cannot undo the result.  Returns ATL_OK whether or not the goal was met (see result_out->met); otherwise
 * result_out->pixels is null. */
ATL_API atl_status atl_fool_with(const atl_fool_args *args);
#define atl_fool(...) atl_fool_with(ATL_OPTIONS_(atl_fool_args, __VA_ARGS__))

/* ---- many targets at once ---------------------------------------------------------------------------------------- */

/* Called before the first iteration of a target and after each.  Return true to stop all targets: no further target
 * begins, and those that have begun end with ATL_TROUBLE_STOPPED, unless the run that is under way reaches their
 * goal. */
typedef bool atl_fool_many_watch(void *context, int position, const atl_fool_progress *progress);
/* Called for each target when it is done, in the order in which they end.  To keep result->pixels, set it to null; else
 * it is freed after the call.  Return true to stop, as above. */
typedef bool atl_fool_many_done(void *context, int position, atl_fool_result *result);

typedef struct atl_fool_many_args {
    atl_fooler *fooler;
    int count;          /* of targets */
    const int *targets; /* classes */
    /* The same for all targets, and with the same defaults as in atl_fool_args. */
    const atl_tensor *start;
    uint64_t seed;
    atl_descent method;
    int iterations;
    float rate, confidence;
    int patience;
    int at_once; /* targets that run at the same time, up to 256: changes no result; 0: fills all threads' runs twice */
    /* Called by one thread at a time, which may classify with the fooler.  `position`: in .targets. */
    atl_fool_many_watch *watch; /* may be null */
    atl_fool_many_done *done;   /* required */
    void *context;              /* of both */
    int end_;
} atl_fool_many_args;

/* Runs the loop of atl_fool for several targets at once.  Each thread runs the network for one of them at a time;
 * finished targets make room for new ones.  A target's result depends neither on the other targets nor on the number of
 * threads.  It may differ in rounding from atl_fool's.
 * result->seconds: other targets ran meanwhile; result->seconds_running is 0.
 * Returns ATL_STOPPED if a callback has stopped it.  The first call adds nodes to the graph and compiles them. */
ATL_API atl_status atl_fool_many_with(const atl_fool_many_args *args);
#define atl_fool_many(...) atl_fool_many_with(ATL_OPTIONS_(atl_fool_many_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
