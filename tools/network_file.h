/* A network from an ONNX file, for the commands that take --model. */
#ifndef ATLED_TOOLS_NETWORK_FILE_H
#define ATLED_TOOLS_NETWORK_FILE_H

#include "network.h"
#include "onnx_file.h"

/* The row of --model in a command's table of options: MODEL_OPTION(&set->model, "the network", .required = 1). */
#define MODEL_OPTION(place, ...)                                                                                       \
    {                                                                                                                  \
        "model", 'm', .text = (place), .choices = network_names(), .or_ending = ".onnx", .argument = "NAME",           \
                      .help = __VA_ARGS__                                                                              \
    }

/* The rows that are only for ONNX files. */
#define NETWORK_FILE_OPTIONS(set)                                                                                      \
    PICTURE_OPTIONS(set),                                                                                              \
        {"input", 0, .text = &(set)->input, .argument = "NAME",                                                        \
         .help = "of an ONNX file: the input that takes the picture; else its first one"},                             \
    {                                                                                                                  \
        "logits", 0, .text = &(set)->logits, .argument = "NAME",                                                       \
                     .help = "of an ONNX file: the value with the scores; else its first output"                       \
    }

/* What has to be known of a file before its nodes can be made. */
typedef struct network_file {
    const char *path, *logits;
    char *input; /* its name; freed by close_network_file */
    picture_numbers numbers;
    int64_t batch;                   /* ATL_ANY, or the only batch that it can be used with */
    int64_t channels, height, width; /* of the input: 1 or 3 channels; ATL_ANY: the file leaves the size open */
    int channels_second;
} network_file;

/* Whether --model names a file. */
int is_network_file(const char *name);
/* These return 0, or the exit code after an error message.  look_at_network_file: path and the texts of `set` must
 * outlive the file; close_network_file is needed either way. */
int look_at_network_file(const char *command, const char *path, const picture_settings *set, network_file *file_out);
void close_network_file(network_file *file);
/* The nodes of the file, computed from the raw image [n, height, width, 1 or 3], 0..255. */
int build_network_file(const char *command, const network_file *file, atl_node *image, atl_onnx **net_out,
                       atl_node **logits_out);
/* Prints one line: what is assumed about the file. */
void tell_network_file(const char *command, const network_file *file, const atl_node *image, const atl_node *logits);

/* Opens --model, a name or a file, with the weights if there are any.  `training`: as in atl_model_args. */
int open_any_network(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     const picture_settings *set, loaded_network *network_out);
/* The same for pictures [h, w, channels]: see open_network_for_pictures.  If the sizes are ATL_ANY, a file of grey
 * pictures gets grey ones. */
int open_any_network_for_pictures(const char *command, const char *name, const char *weights, int64_t batch,
                                  atl_shape pictures, int training, const picture_settings *set,
                                  loaded_network *network_out);
/* Options that only ONNX files have are an error with the name of a network. */
int has_picture_settings(const picture_settings *set);
int check_no_picture_settings(const char *command, const char *name, const picture_settings *set);

#endif
