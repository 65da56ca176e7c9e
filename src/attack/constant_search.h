/* The search for the constant of Carlini & Wagner 2016: the weight of the goal against the size of the change. */
#ifndef ATLED_ATTACK_CONSTANT_SEARCH_H
#define ATLED_ATTACK_CONSTANT_SEARCH_H

#include "atled/adversarial.h"

typedef struct atl_constant_search {
    double value, low, high;
    double last_loss; /* at the last check of progress */
} atl_constant_search;

/* A descent with the constant search->value; tells whether it met the goal. */
typedef atl_status atl_constant_descend(void *context, atl_constant_search *search, int *was_met_out);
/* Descends once for each restart: after a success with a smaller constant, after a failure with a larger one. */
atl_status atl_constant_search_run(int restarts, atl_constant_descend *descend, void *context);
/* True if the loss has not fallen since the check a tenth of the steps ago: the descent may end. */
int atl_constant_search_stalls(atl_constant_search *search, int step, int steps, double loss);
/* What both descents share: the goal's loss f at the pixels, 0 where the goal is met with the confidence, and its
 * gradient by pixels of range 1, which is zero there. */
atl_status atl_goal_loss(atl_attempt *attempt, const float *pixels, float *gradient_out, float *scores_out,
                         double *loss_out);

#endif
