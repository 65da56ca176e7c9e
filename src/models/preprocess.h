/* Nodes that the networks share at their input and output. */
#ifndef ATLED_MODELS_PREPROCESS_H
#define ATLED_MODELS_PREPROCESS_H

#include "atled/models.h"

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
