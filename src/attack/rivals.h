/* The classes that an attack can lead to, and the gradients of their scores against the label's. */
#ifndef ATLED_ATTACK_RIVALS_H
#define ATLED_ATTACK_RIVALS_H

#include "atled/adversarial.h"

/* Fills `rivals` with up to `most` classes other than the label, the highest score first; with a target, only that.
 * Returns their number. */
int atl_rivals_of(const atl_attempt_task *task, const float *scores, int most, int *rivals);
/* The gradient of score[rival] - score[label]; the scores and their difference are optional. */
atl_status atl_rival_gradient(atl_attempt *attempt, const float *pixels, int rival, float *gradient_out,
                              float *scores_out, double *difference_out);
/* The same for several, in one request: [count, elements], and their differences. */
atl_status atl_rival_gradients(atl_attempt *attempt, const float *pixels, int count, const int *rivals,
                               float *gradients_out, double *differences_out);

#endif
