/* --names FILE: what the variables of a network are called in the file of its weights. */
#ifndef ATLED_TOOLS_WEIGHT_NAMES_H
#define ATLED_TOOLS_WEIGHT_NAMES_H

#include <jansson.h>

#include "tools.h"

/* The rows of --weights and --names in a command's table of options. */
#define WEIGHTS_OPTIONS(place, names_place, about)                                                                     \
    {"weights", 'w', .text = (place), .argument = "FILE", .help = about}, NAMES_OPTION(names_place)
#define WEIGHTS_OR_BUNDLED                                                                                             \
    "its weights, .npz or .safetensors; default: the weights that ship with atled, for cifar10 and lenet"
#define NAMES_OPTION(place)                                                                                            \
    {                                                                                                                  \
        "names", 0, .text = (place), .argument = "FILE.json",                                                          \
                    .help = "what variables are called in --weights: an object such as {\"conv1/weights\": "           \
                            "\"features.0.weight\"}; the others keep the names that they have"                         \
    }

typedef struct weight_names {
    json_t *object; /* which has the texts */
    atl_weight_name *list;
} weight_names;

/* path null: there are none.  Returns 0, or the exit code after an error message; free_weight_names is needed either
 * way. */
int read_weight_names(const char *command, const char *path, weight_names *names_out);
void free_weight_names(weight_names *names);

/* The weights of a network.  model null: of an ONNX file.  names: a path, or null.  Returns 0, or the exit code after
 * an error message. */
int load_network_weights(const char *command, const atl_model *model, atl_graph *graph, const char *path,
                         const char *names);

#endif
