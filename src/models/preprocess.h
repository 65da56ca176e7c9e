/* What the networks' first and last nodes share. */
#ifndef ATLED_MODELS_PREPROCESS_H
#define ATLED_MODELS_PREPROCESS_H

#include "atled/models.h"

/* (image - mean) * scale by channel, with the user's numbers in place of these if there are any. */
atl_node *atl_preprocess(const atl_model_args *args, const float mean[3], const float scale[3]);
/* The node under the name that every network's input to its first layer has. */
atl_node *atl_preprocessed(atl_node *node);
atl_node *atl_logits(atl_node *node);

static inline int atl_width_of(const atl_model_args *args, int layer, int published)
{
    return args->widths[layer] ? args->widths[layer] : published;
}

#endif
