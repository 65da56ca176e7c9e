/* The command line of atled explain. */
#ifndef ATLED_TOOLS_EXPLAIN_OPTIONS_H
#define ATLED_TOOLS_EXPLAIN_OPTIONS_H

#include "compile_options.h"
#include "onnx_file.h"
#include "work.h"

/* One for each option, see --help. */
typedef struct explain_options {
    const char *model, *weights, *target, *layer, *output, *labels, *baseline, *report, *dream;
    unsigned methods; /* bit i: the i-th method; 0: all */
    int quiet, allow_non_finite, exact, curves, sanity;
    int64_t samples, masks, steps, window, stride, cells, seed, batch, iterations;
    double deviation, memory; /* in MB */
    compile_options compile;
    shard_options shard;
    picture_settings picture; /* of an ONNX file */
    char **pictures;          /* the operands */
    int picture_count;
} explain_options;

/* Like read_options. */
int read_explain_options(explain_options *set, int argc, char **argv, int *code);

#endif
