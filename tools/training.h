/* A network with what it takes to train it: one graph, a program that is a whole step, and one that only looks. */
#ifndef ATLED_TOOLS_TRAINING_H
#define ATLED_TOOLS_TRAINING_H

#include "tools.h"

enum { OPTIMIZER_SGD, OPTIMIZER_MOMENTUM, OPTIMIZER_NESTEROV, OPTIMIZER_ADAM };
enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_EXPONENTIAL, SCHEDULE_STEP };
extern const char *const optimizer_names[], *const schedule_names[];

typedef struct training_settings {
    const atl_model *model;
    int widths[ATL_MODEL_LAYERS];
    int64_t height, width, channels;
    int optimizer, schedule;
    double rate, momentum;
    double factor;                 /* of exponential and step schedules */
    int64_t every, warm_up, steps; /* in steps */
    double decay, decay_all;       /* on the weights of dense layers, and of all */
    uint64_t seed;
    int look_only; /* no step */
} training_settings;

typedef struct training {
    training_settings set;
    atl_graph *graph;
    atl_node *image, *labels, *logits;
    atl_node *loss;   /* mean cross entropy, without the decay */
    atl_node *cost;   /* with it: what is made small */
    atl_node *slope;  /* half the squared norm of the gradient: not finite where a step would spoil the weights */
    atl_node *right;  /* share of the batch that is classified correctly */
    atl_node *rate;   /* of the step at hand */
    atl_node *update; /* the whole step */
    atl_program *step, *look;
} training;

/* 0, or the exit code after a complaint; end_training either way. */
int begin_training(const char *command, const training_settings *set, training *training_out);
void end_training(training *t);

/* The variables to a file: those of the network, or all of them, with what the optimizer remembers. */
atl_status save_variables(const training *t, const char *path, int with_state);

typedef struct score {
    int64_t count;
    double loss;  /* mean cross entropy */
    double right; /* share of the first guesses that are right */
    double top5;
} score;
/* Over a whole data set, each image cut from its middle.  confusion: null, or classes * classes counts, by [truth][guess]. */
atl_status look_at(training *t, const atl_dataset *data, int64_t batch, int64_t *confusion, score *score_out);

#endif
