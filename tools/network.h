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
} loaded_network;

/* Builds it, and loads the weights if there are any: widths and picture size are then those of the file.  Returns 0, or the
 * exit code after having said on stderr what is wrong. close_network is needed either way. */
int open_network(const char *command, const char *name, const char *weights, loaded_network *network_out);
/* open_network is this with a batch of one; `training`: as atl_model_args has it. */
int open_network_for(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     loaded_network *network_out);
/* All that there are, for the help of --model; they are those of atl_models. */
#define NETWORKS "cifar10, cifar10-multiscale, lenet, mlp, resnet20, squeezenet or vgg16"
/* Says that there is no such network, and which there are; returns the exit code. */
int refuse_network(const char *command, const char *name);
void close_network(loaded_network *network);

#endif
