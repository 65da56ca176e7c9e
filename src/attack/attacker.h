/* A network compiled for attacks, and the workers that run it. */
#ifndef ATLED_ATTACK_ATTACKER_H
#define ATLED_ATTACK_ATTACKER_H

#include "atled/adversarial.h"

/* The terms of the loss that a row can mix: see loss_of in attacker.c. */
enum {
    ATL_TERM_CROSS_ENTROPY,
    ATL_TERM_WEIGHTED,
    ATL_TERM_MARGIN,
    ATL_TERM_DLR,
    ATL_TERM_DLR_TARGET,
    ATL_TERM_OWN,
    ATL_TERMS
};

/* What one picture asks of the network. */
typedef struct atl_query {
    const float *pixels; /* in levels */
    float *scores;       /* [classes] */
    float *gradient;     /* with respect to the pixels in levels; null: only the scores */
    double loss;
    int class;            /* of the loss */
    const float *weights; /* [classes]; null: zeros */
    float mix[ATL_TERMS]; /* the factor of each term */
} atl_query;

struct atl_attacker {
    atl_graph *graph;
    atl_node *image, *scores;
    atl_node *class, *weights, *mix; /* inputs of the loss */
    atl_node *own_class;             /* the input of the caller's loss; may be null */
    atl_node *losses, *gradient;     /* [n]; like image */
    int has_own_loss;
    atl_program *forward, *backward; /* the scores; scores, losses and gradient */
    atl_shape shape;                 /* of the image, with `rows` */
    int64_t rows, count;             /* of a run; elements of a picture */
    int sizes;                       /* bit i: runs of 2^i rows give the same bits as full ones */
    int any_rows, sizes_known;
    int threads;
    int classes;
    double lowest, unit; /* pixel = lowest + level * unit */
};

/* The memory of one thread that runs the programs. */
typedef struct atl_attack_worker {
    atl_attacker *attacker;
    atl_context *forward, *backward;
    atl_tensor *image, *class, *weights, *mix;
} atl_attack_worker;
atl_status atl_attack_worker_begin(atl_attacker *attacker, atl_attack_worker *worker_out);
void atl_attack_worker_end(atl_attack_worker *worker);
/* Runs up to attacker->rows queries, which must all have a gradient or all have none. */
atl_status atl_attack_worker_run(atl_attack_worker *worker, int64_t count, atl_query *const *queries);
/* Finds out which smaller numbers of rows give the same bits; once. */
atl_status atl_attacker_find_sizes(atl_attacker *attacker);

#endif
