/* A network prepared for fooling, and the loop that fools it; for one target, or for many that share runs. */
#ifndef ATLED_ATTACK_FOOLER_H
#define ATLED_ATTACK_FOOLER_H

#include "atled/attack.h"
#include "attack/diagnosis.h"

struct atl_fooler {
    atl_node *image, *logits, *target, *loss, *probabilities, *gradient;
    atl_fool_loss kind;
    atl_shape shape; /* [1, h, w, c] */
    int64_t classes;
    atl_compile_args compile;
    atl_program *program;
    atl_tensor *label;    /* int32 [1], the feed of target */
    double seconds;       /* in the program */
    atl_attacker *shared; /* runs many targets at once; null until it is needed */
};

/* Runs the program: loss, probabilities and gradient are then its values. */
atl_status atl_fooler_run(atl_fooler *fooler, const atl_tensor *pixels, int target);
/* A copy as [1, h, w, c], or null with the error set. */
atl_tensor *atl_fooler_picture(const atl_fooler *fooler, const atl_tensor *pixels);
atl_status atl_fooler_check_target(const atl_fooler *fooler, int target);
/* Makes fooler->shared if there is none. */
atl_status atl_fooler_share(atl_fooler *fooler);

enum { ATL_FOOL_PIXELS, ATL_FOOL_CLASSIFIED, ATL_FOOL_BEST, ATL_FOOL_MEAN, ATL_FOOL_SQUARE, ATL_FOOL_PICTURES };

/* The loop for one target.  The caller sets the first members, then begins, runs and ends it. */
typedef struct atl_fool_loop atl_fool_loop;
struct atl_fool_loop {
    const atl_fool_args *args;
    atl_fooler *fooler;
    /* Asks the network about a picture [1, h, w, c]: sets probabilities, gradient and loss. */
    atl_status (*ask)(atl_fool_loop *loop, const atl_tensor *picture);
    void *asker; /* of ask */

    const float *probabilities;             /* [classes] */
    const atl_tensor *gradient;             /* [1, h, w, c] */
    atl_tensor *picture[ATL_FOOL_PICTURES]; /* [1, h, w, c] each */
    double start, confidence;
    int iteration, iterations, patience;
    int rounding; /* classifies the rounded image, and follows its gradient */
    int top;
    double top_probability, loss;
    atl_symptoms seen;
};
/* The options without the target; .fooler must be set. */
atl_status atl_fool_check(const char *function, const atl_fool_args *args);
/* From the start to the result.  The loop's members are freed. */
atl_status atl_fool_loop_run(atl_fool_loop *loop, atl_fool_result *result_out);

#endif
