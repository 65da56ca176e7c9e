/* The cases that are measured: a network, what is fed, and what is wanted.  Random weights: values do not change the time. */
#ifndef ATLED_BENCH_CASES_H
#define ATLED_BENCH_CASES_H

#include "atled/atled.h"

typedef struct bench_case {
    const char *name;  /* "vgg16_1" */
    const char *model; /* null: the MLP 8-16-1 */
    int64_t batch, side;
    int by_weights; /* forward and the gradient by all weights; else by the image */
} bench_case;

const bench_case *bench_cases(int *count);
const bench_case *bench_case_find(const char *name);

typedef struct built_case {
    atl_graph *graph;
    atl_node *image, *loss;
    atl_node *wanted[256]; /* the loss, then the gradients */
    int64_t count;
    atl_tensor *pixels;
    atl_program *program;
    double compile_seconds; /* the gradient and the program, after the network has been built */
} built_case;

/* 1, or 0 with the reason on stderr.  close_case is needed either way. */
int open_case(const bench_case *which, built_case *built_out);
void close_case(built_case *built);

double seconds_now(void);
/* Sorts the times; the middle one. */
double median_of(double *times, int count);

#endif
