/* See builders.c. */
#ifndef ATLED_TESTS_FUZZ_BUILDERS_H
#define ATLED_TESTS_FUZZ_BUILDERS_H

#include "reader.h"

/* A node by any builder; null if the arguments are invalid, which the graph then reports, or if no builder was
 * chosen. */
atl_node *fuzz_build(reader *r);

#endif
