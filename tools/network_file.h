/* A network from an ONNX file, for the commands that take --model. */
#ifndef ATLED_TOOLS_NETWORK_FILE_H
#define ATLED_TOOLS_NETWORK_FILE_H

#include "network.h"
#include "onnx_file.h"

/* Whether --model names a file. */
int is_network_file(const char *name);
/* As open_network. */
int open_network_file(const char *command, const char *path, int64_t batch, const picture_settings *set,
                      loaded_network *network_out);

#endif
