/* Explains why an image does not reach its target. */
#ifndef ATLED_ATTACK_DIAGNOSIS_H
#define ATLED_ATTACK_DIAGNOSIS_H

#include "atled/attack.h"

/* The state of the loop when it ends without its goal. */
typedef struct atl_symptoms {
    atl_fool_loss loss;
    atl_descent method;
    double rate, confidence;
    int iterations;
    int64_t classes;
    double probability;      /* of the target, now */
    double best_probability; /* ever */
    double first_probability;
    double uniform;          /* how far the start's probabilities were from equal: largest - smallest, times classes */
    double largest_gradient; /* of the last step */
    double largest_step;
    int64_t moved;     /* pixels that the last iteration changed */
    int idle;          /* the last iterations in a row that changed nothing or almost nothing */
    int finite;        /* gradient and probabilities are finite */
    int stopped;       /* by the callback */
    int rounding_lost; /* the unrounded image had reached the goal */
} atl_symptoms;

/* Half the distance of neighbouring floats at the largest pixel: a smaller change leaves most pixels unchanged. */
#define ATL_PIXEL_RESOLUTION (128 * 0x1p-24)

atl_fool_trouble atl_diagnose(const atl_symptoms *symptoms, char *message, size_t size);

#endif
