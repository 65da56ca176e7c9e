/* What is odd about an attack, in words. */
#ifndef ATLED_ATTACK_REMARKS_H
#define ATLED_ATTACK_REMARKS_H

#include "attack/attempt.h"

/* The first remark on a picture stays. */
void atl_attempt_remark(atl_attempt *attempt, const char *text);
/* Scores of the unchanged picture that are probabilities. */
void atl_remark_on_scores(atl_attempt *attempt, const float *scores);
/* The margin of the same picture in two runs. */
void atl_remark_on_margins(atl_attempt *attempt, const float *scores, double first, double second);
/* The loss before the first step of an ascent and after the last one. */
void atl_remark_on_ascent(atl_attempt *attempt, double first_loss, double last_loss);
/* A success without gradients where the methods with gradients had failed. */
void atl_remark_on_black_box(atl_attempt *attempt);

#endif
