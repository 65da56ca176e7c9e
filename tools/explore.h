/* What the explorer's page shows of a run and of plans: shared by `atled dot` and `atled profile`. */
#ifndef ATLED_TOOLS_EXPLORE_H
#define ATLED_TOOLS_EXPLORE_H

#include "compile_options.h"
#include "network.h"

/* Whether the file is a page to explore. */
int is_page(const char *path);

/* The values of all nodes in one run. */
typedef struct run_values {
    atl_program *program;
    atl_tensor *fed;
    const atl_tensor **value; /* of each node of the graph, by index */
} run_values;
/* Runs the network once with this picture and computes every node that these outputs need.  Returns 0, or the exit code
 * after an error message; call free_run_values either way. */
int compute_values(const char *command, const loaded_network *network, const char *picture, atl_nodes outputs,
                   const compile_options *set, run_values *values_out);
void free_run_values(run_values *values);

/* The same outputs compiled with all passes, when these options leave out some: for comparison.  Null if they leave out
 * none, or with the error set. */
atl_program *compile_with_all_passes(const compile_options *set, atl_nodes outputs);
/* "without winograd, fuse"; returns text. */
const char *passes_text(const compile_options *set, char *text, size_t size);

#endif
