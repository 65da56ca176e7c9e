/* A network by its name, with or without its weights. */
#ifndef ATLED_TOOLS_NETWORK_H
#define ATLED_TOOLS_NETWORK_H

#include "tools.h"

typedef struct loaded_network {
    const atl_model *model;
    atl_model_size size;
    atl_graph *graph;
    atl_node *image;  /* [batch, height, width, 3], raw RGB */
    atl_node *logits; /* [batch, classes] */
    atl_onnx *net;    /* of an ONNX file, as `own` is; else null */
    atl_model own;
} loaded_network;

/* Builds it, and loads the weights if there are any: widths and picture size are then those of the file.  Returns 0, or the
 * exit code after having said on stderr what is wrong. close_network is needed either way. */
int open_network(const char *command, const char *name, const char *weights, loaded_network *network_out);
/* open_network is this with a batch of one; `training`: as atl_model_args has it. */
int open_network_for(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     loaded_network *network_out);
/* The first variable of the graph that holds a NaN or an infinity; null if none does. */
const char *first_non_finite_variable(const atl_graph *graph);
/* What was loaded from `path`: refused if a value is no finite number, unless --allow-non-finite was given.  0, or the exit code
 * after a complaint. */
int check_loaded(const char *command, const atl_graph *graph, const char *path, int allowed);
/* The row of that option. */
#define ALLOW_NON_FINITE(place)                                                                                        \
    {                                                                                                                  \
        "allow-non-finite", 0, .flag = (place), .help = "load weights even if some of them are NaN or infinite"        \
    }
/* The names of all that there are, ending with null: the choices of --model. */
const char *const *network_names(void);
void close_network(loaded_network *network);

#endif
