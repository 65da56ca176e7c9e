/* The command line of atled fool. */
#ifndef ATLED_TOOLS_FOOL_OPTIONS_H
#define ATLED_TOOLS_FOOL_OPTIONS_H

#include "compile_options.h"
#include "onnx_file.h"
#include "work.h"

/* One for each option, see --help. */
typedef struct fool_options {
    const char *model, *weights, *target, *output, *start, *labels, *panel, *sheet, *report;
    int loss, method, quiet, allow_non_finite;
    int64_t iterations, seed, count, at_once;
    double rate, confidence;
    compile_options compile;
    shard_options shard;
    picture_settings picture; /* of an ONNX file */
} fool_options;

/* The words for --loss, in the order of atl_fool_loss. */
extern const char *const loss_names[];

/* Like read_options. */
int read_fool_options(fool_options *set, int argc, char **argv, int *code);

#endif
