/* The attack on one picture. */
#ifndef ATLED_ATTACK_ATTEMPT_H
#define ATLED_ATTACK_ATTEMPT_H

#include "attack/course.h"
#include "attack/queue.h"

typedef struct atl_attempt_block {
    struct atl_attempt_block *next;
    _Alignas(64) float room[];
} atl_attempt_block;

typedef struct atl_shared_change atl_shared_change; /* see shared_change.h */

struct atl_attempt {
    const atl_attack_args *args;
    const atl_attack_method *method;
    atl_attacker *attacker;
    atl_query_queue *queue;
    const atl_shared_change *shared; /* of a method with one change for all pictures */
    atl_attempt_task task;
    float *original, *best; /* in levels; `best` also without success: the largest margin */
    float *before_jpeg;     /* with .jpeg: what `best` was encoded from */
    float *unrounded;       /* of a minimal attack on levels: its smallest success before rounding */
    double unrounded_size;
    double limit;       /* eps in levels; task.eps, within which a method looks, may be smaller */
    double missed_size; /* the smallest result that met the goal but was larger than that */
    int met;
    double best_size, best_margin;
    double clean_margin; /* of the unchanged picture */
    uint64_t seed, drawn;
    double spare;
    int has_spare;
    int64_t forwards, gradients, zero_gradients;
    atl_attempt_block *blocks;
    const char *remark;
    atl_course course;
};

/* Takes the picture in levels; the clean scores [classes] choose the target. */
atl_status atl_attempt_begin(atl_attempt *attempt, const float *pixels);
void atl_attempt_end(atl_attempt *attempt);

/* The size of a change in levels (L0: elements). */
double atl_change_size(atl_norm norm, int64_t count, const float *original, const float *pixels);
/* Moves pixels to the nearest ones with a change of at most eps, and into 0..255. */
void atl_project_change(atl_norm norm, double eps, int64_t count, const float *original, float *pixels);
/* Rounds the change: each element to the level below in magnitude, or above if its fraction is larger than `above`;
 * then lowers those that were raised the most until the size is within eps.  Returns 0 without memory. */
int atl_round_change(atl_norm norm, double eps, double above, int64_t count, const float *original, const float *pixels,
                     float *rounded_out);
/* The gradients of `count` sums of scores, weights [count, classes], at the same pixels: [count, elements]; and the
 * sums. */
atl_status atl_attempt_gradients(atl_attempt *attempt, const float *pixels, int count, const float *weights,
                                 float *gradients_out, double *losses_out);
/* The margin above which the goal is met in spite of rounding errors. */
double atl_needed_margin(const atl_attempt *attempt, const float *scores);
/* Keeps pixels, which are valid results with that margin, if they are better than what is kept.  Returns whether they
 * are. */
bool atl_attempt_keep(atl_attempt *attempt, const float *pixels, double margin, int is_met);
int atl_attempt_is_plain(const atl_attempt *attempt, const float *pixels); /* whole levels */

/* The table of methods, see methods.c. */
atl_status atl_method_fgsm(atl_attempt *a);
atl_status atl_method_bim(atl_attempt *a);
atl_status atl_method_mi_fgsm(atl_attempt *a);
atl_status atl_method_pgd(atl_attempt *a);
atl_status atl_method_noise(atl_attempt *a);
atl_status atl_method_apgd_ce(atl_attempt *a);
atl_status atl_method_apgd_dlr(atl_attempt *a);
atl_status atl_method_apgd_t(atl_attempt *a);
atl_status atl_method_square(atl_attempt *a);
atl_status atl_method_autoattack(atl_attempt *a);
atl_status atl_method_deepfool(atl_attempt *a);
atl_status atl_method_ddn(atl_attempt *a);
atl_status atl_method_fab_t(atl_attempt *a);
atl_status atl_method_cw(atl_attempt *a);
atl_status atl_method_universal(atl_attempt *a);
atl_status atl_method_patch(atl_attempt *a);
atl_status atl_method_jsma(atl_attempt *a);
atl_status atl_method_onepixel(atl_attempt *a);
atl_status atl_method_ead(atl_attempt *a);
atl_status atl_method_fmn(atl_attempt *a);
atl_status atl_method_best(atl_attempt *a);

/* Lets a method that consists of others run each with its own numbers. */
void atl_attempt_set_steps(atl_attempt *attempt, int steps, int restarts);

#endif
