/* See builders.c. */
#ifndef ATLED_TESTS_FUZZ_BUILDERS_H
#define ATLED_TESTS_FUZZ_BUILDERS_H

#include "reader.h"

/* A node by one of all builders; null where the arguments made no sense, which the graph then says, or none was
 * chosen. */
atl_node *fuzz_build(reader *r);

#endif
