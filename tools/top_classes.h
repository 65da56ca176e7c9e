/* The most likely classes of a picture, as lines of text. */
#ifndef ATLED_TOOLS_TOP_CLASSES_H
#define ATLED_TOOLS_TOP_CLASSES_H

#include "labels.h"
#include "tools.h"

/* The softmax that the node is, but for its shape; null: it is none. */
const atl_node *softmax_of(const atl_node *scores);
/* True if the node's values are probabilities already: a softmax. */
int is_softmax(const atl_node *scores);
/* Prints `count` lines, the most likely class first: its score, its probability, its index and name.  Returns 0, or the
 * exit code after an error message. */
int print_top_classes(const char *command, const float *scores, int classes, int are_probabilities, int count,
                      const class_names *labels);

#endif
