/* The table of functions with which the compiler implements lowering.h, so that ops and oneDNN's code do not link to
 * what is above them.  Every atl_lowering begins with a pointer to this table. */
#ifndef ATLED_LOWERING_LOWERING_CALLS_H
#define ATLED_LOWERING_LOWERING_CALLS_H

#include "lowering/lowering.h"

typedef struct atl_lowering_calls {
#define CALL(result, function, name, parameters, arguments) result(*name) parameters;
#include "lowering/calls.def"
#undef CALL
} atl_lowering_calls;

#endif
