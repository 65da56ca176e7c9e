/* Why a picture does not get there, in words. */
#ifndef ATLED_ATTACK_DIAGNOSIS_H
#define ATLED_ATTACK_DIAGNOSIS_H

#include "atled/attack.h"

/* What is known when the loop ends without its goal. */
typedef struct atl_symptoms {
    atl_fool_loss loss;
    atl_descent method;
    double rate, confidence;
    int steps;
    int64_t classes;
    double probability;      /* of the target, now */
    double best_probability; /* ever */
    double first_probability;
    double uniform; /* how far the probabilities of the start were from equal: largest - smallest, times classes */
    double largest_gradient; /* of the last step */
    double largest_step;
    int64_t moved;     /* pixels that the last step changed */
    int idle;          /* steps in a row, up to now, that changed nothing or next to nothing */
    int finite;        /* gradient and probabilities are numbers */
    int stopped;       /* by the callback */
    int rounding_lost; /* the unrounded picture was there */
} atl_symptoms;

/* Half the distance of neighbouring floats at the largest pixel: a smaller step leaves most pixels as they are. */
#define ATL_PIXEL_RESOLUTION (128 * 0x1p-24)

atl_fool_trouble atl_diagnose(const atl_symptoms *symptoms, char *message, size_t size);

#endif
