/* A program's plan in the explorer's page. */
#ifndef ATLED_DRAWING_EXPLORER_PLAN_H
#define ATLED_DRAWING_EXPLORER_PLAN_H

#include "drawing/explorer_scopes.h"

/* "plan":{...} of args->program, "otherPlan":{...} of args->other_program; null where there is none.  A step is its
 * node's number, op, implementation, layout, bytes, flops, microseconds, and 1 if it runs only after variables have
 * changed; a value is its node's number, bytes, offset in the arena, first and last step. */
atl_status explorer_write_plans(const explorer_page *p);

#endif
