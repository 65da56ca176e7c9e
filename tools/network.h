/* A network by its name, with or without its weights. */
#ifndef ATLED_TOOLS_NETWORK_H
#define ATLED_TOOLS_NETWORK_H

#include "tools.h"

typedef struct loaded_network {
    const atl_model *model;
    atl_model_size size;
    atl_graph *graph;
    atl_node *image;  /* [batch, height, width, 3], raw RGB; of grey pictures, 1 channel */
    atl_node *logits; /* [batch, classes] */
    atl_onnx *net;    /* of an ONNX file, as `own` is; else null */
    atl_model own;
} loaded_network;

/* Builds it, and loads the weights if there are any: the file then determines widths and image size.  Returns 0, or the
 * exit code after an error message.  Call close_network either way. */
int open_network(const char *command, const char *name, const char *weights, loaded_network *network_out);
/* open_network calls this with a batch of one; `training`: as in atl_model_args. */
int open_network_for(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     loaded_network *network_out);
/* The same for pictures [h, w, channels], whose size a network of any size takes; rank 0, or sizes of ATL_ANY: as
 * above.  names: see weight_names.h; null: none. */
int open_network_for_pictures(const char *command, const char *name, const char *weights, int64_t batch,
                              atl_shape pictures, int training, const char *names, loaded_network *network_out);
/* The first variable of the graph that holds a NaN or an infinity; null if none does. */
const char *first_non_finite_variable(const atl_graph *graph);
/* Rejects values loaded from `path` that are not finite, unless --allow-non-finite was given.  Returns 0, or the exit
 * code after an error message. */
int check_loaded(const char *command, const atl_graph *graph, const char *path, int allowed);
/* The table row of that option. */
#define ALLOW_NON_FINITE(place)                                                                                        \
    {                                                                                                                  \
        "allow-non-finite", 0, .flag = (place), .help = "load weights even if some of them are NaN or infinite"        \
    }
/* The names of all networks, ending with null: the choices of --model. */
const char *const *network_names(void);
void close_network(loaded_network *network);

#endif
