/* The benchmark's cases: a network, its feeds and its outputs.  Weights are random: values do not change the time. */
#ifndef ATLED_BENCH_CASES_H
#define ATLED_BENCH_CASES_H

#include "atled/atled.h"

/* What a case computes from the loss. */
typedef enum bench_want {
    BY_IMAGE,   /* and its gradient with respect to the image */
    BY_WEIGHTS, /* and its gradients with respect to all variables */
    TRAINING    /* a step of the optimizer: atl_minimize */
} bench_want;

typedef enum bench_optimizer {
    NO_OPTIMIZER,
    SGD,          /* no momentum, no decay */
    SGD_DECAY,    /* decay of the dense layers' weights, an exponentially decaying rate: as in the CIFAR-10 tutorial */
    SGD_MOMENTUM, /* 0.9, decay of all weights: the usual training of ResNets */
    ADAM
} bench_optimizer;

typedef struct bench_case {
    const char *name;  /* "vgg16_1" */
    const char *model; /* null: dense layers of .widths */
    int64_t batch, side;
    bench_want want;
    bench_optimizer optimizer;
    int widths[3];              /* in, hidden, out */
    atl_activation *activation; /* of the hidden layer */
    int channels;               /* of the image; 0: 3 */
} bench_case;

const bench_case *bench_cases(int *count);
const bench_case *bench_case_find(const char *name);

typedef struct built_case {
    atl_graph *graph;
    atl_node *image, *loss;
    atl_node *outputs[256]; /* the loss, then the gradients; or the training step alone */
    int64_t count;
    atl_tensor *pixels;
    atl_program *program;
    double compile_seconds; /* to build the gradient and compile the program, after the network has been built */
} built_case;

/* BENCH_CHOICE in the environment forces a choice on the compiler: the name of a pass to disable, "timing", or
 * "images=N", the images of a micro-batch.  Returns 1, or 0 with the reason on stderr.  Call close_case either way. */
int open_case(const bench_case *which, built_case *built_out);
void close_case(built_case *built);

/* Random numbers in the range that the network expects; null network: a perceptron. */
atl_tensor *random_pixels(const char *network, atl_shape shape);

/* Of a clock on the wall, or with BENCH_CLOCK=processor of the process: the time of all its threads. */
double seconds_now(void);
/* Sorts the times and returns their median. */
double median_of(double *times, int count);

#endif
