/* Nodes that the networks share at their input and output. */
#ifndef ATLED_MODELS_PREPROCESS_H
#define ATLED_MODELS_PREPROCESS_H

#include "atled/models.h"

/* Checks the options of a network with so many layers, and so many channels that .mean and .scale tell apart.  Returns
 * 0 with the error recorded on the image's graph if an option is given that the network does not use. */
int atl_check_model_args(const atl_model_args *args, const char *network, int layers, int channels);

/* True if no scale is given: the network's own preprocessing applies. */
static inline int atl_uses_own_scale(const atl_model_args *args)
{
    return args->scale[0] == 0 && args->scale[1] == 0 && args->scale[2] == 0;
}

/* (image - mean) * scale per channel; the user's numbers override the given ones. */
atl_node *atl_preprocess(const atl_model_args *args, const float mean[3], const float scale[3]);
/* Gives the node the name that the input of every network's first layer has. */
atl_node *atl_preprocessed(atl_node *node);
atl_node *atl_logits(atl_node *node);

static inline int atl_width_of(const atl_model_args *args, int layer, int published)
{
    return args->widths[layer] ? args->widths[layer] : published;
}

#endif
