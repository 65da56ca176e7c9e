/* The square attack's search, for each norm. */
#ifndef ATLED_ATTACK_SQUARE_H
#define ATLED_ATTACK_SQUARE_H

#include "atled/adversarial.h"

typedef struct atl_square {
    atl_attempt *attempt;
    atl_attempt_task task;
    int64_t width, height;
    int64_t schedule;                    /* trials over which the squares shrink */
    float *best, *trial, *bump, *scores; /* bump: [height, width] */
    double margin;
} atl_square;

float atl_square_sign(atl_square *search);                   /* 1 or -1 */
int64_t atl_square_below(atl_square *search, int64_t limit); /* a random whole number under the limit */
/* The network judges the trial; a better one becomes the best. */
atl_status atl_square_judge(atl_square *search);

#endif
