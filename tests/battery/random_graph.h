/* Random graphs from the samples in the op table. */
#ifndef ATLED_TESTS_RANDOM_GRAPH_H
#define ATLED_TESTS_RANDOM_GRAPH_H

#include "battery.h"

/* Makes the graph with this number, runs value and gradient as a float program, and compares both with the oracle.
 * Returns 0 with the reason and the graph's ops in text. */
int random_graph_agrees(uint64_t seed, uint64_t number, char *text, size_t size);

#endif
