/* Feeds in memory that the run writes. */
#ifndef ATLED_PROGRAM_FED_COPIES_H
#define ATLED_PROGRAM_FED_COPIES_H

#include "compiler/plan/plan.h"

/* The elements of feed i of the plan for the run: the tensor's own, or a copy.  Null with the error set. */
const void *atl_fed_elements(atl_plan_context *context, int64_t i, const atl_tensor *value);

#endif
