/* The layers of a network as a table: weights and operations of each. */
#ifndef ATLED_TOOLS_LAYER_TABLE_H
#define ATLED_TOOLS_LAYER_TABLE_H

#include "tools.h"

/* Prints a line for each layer on which the outputs depend, and one with the sums: the op, the result's shape, the
 * weights, and the operations of one run (a multiply-add counts as two; element-wise ops as none).  A layer is what
 * reads weights whose names differ in their last part only ("conv1/weights", "conv1/biases").  Returns 0, or the exit
 * code after an error message. */
int print_layers(const char *command, atl_graph *graph, atl_nodes outputs);

#endif
