/* From which step to which each value of a plan is used. */
#ifndef ATLED_COMPILER_MEMORY_LIFETIMES_H
#define ATLED_COMPILER_MEMORY_LIFETIMES_H

#include "compiler/lower/steps.h"

typedef struct atl_lifetimes {
    int64_t *first, *last; /* of every value, as steps of its list; -1: never used */
} atl_lifetimes;

int atl_allocate_lifetimes(const atl_plan *plan, atl_lifetimes *lives); /* 0: out of memory; release them in any case */
/* Finds the lifetimes of the values in that space.  Parts of a concat live as long as the whole. */
void atl_find_lifetimes(const atl_plan *plan, atl_lifetimes *lives, atl_space space);
void atl_release_lifetimes(atl_lifetimes *lives);

#endif
