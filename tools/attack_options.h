/* The command line of atled attack. */
#ifndef ATLED_TOOLS_ATTACK_OPTIONS_H
#define ATLED_TOOLS_ATTACK_OPTIONS_H

#include "attack_network.h"
#include "compile_options.h"
#include "work.h"

/* One for each option, see --help. */
typedef struct attack_options {
    network_choice network, transfer;
    const char *data, *method, *eps_text, *target, *output, *labels, *label, *report, *spec;
    int norm, part, quiet, unrounded, exact, results_only;
    int64_t count, right, first, seed, steps, restarts, at_once, jpeg;
    double step_size, confidence;
    compile_options compile;
    shard_options shard;
    const char *const *operands; /* pictures and folders, ending with null */
    atl_fraction eps;            /* under 0: none */
} attack_options;

/* Like read_options. */
int read_attack_options(attack_options *set, int argc, char **argv, int *code);
extern const char *const norm_names[]; /* in the order of atl_norm, ending with null */

#endif
