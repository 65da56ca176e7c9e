/* The compiler's implementation of the functions of lowering.h: atl_compiler_x implements atl_lower_x, which documents
 * it. */
#ifndef ATLED_COMPILER_LOWER_CALLS_H
#define ATLED_COMPILER_LOWER_CALLS_H

#include "lowering/lowering_calls.h"

#define CALL(result, function, name, parameters, arguments) result atl_compiler_##name parameters;
#include "lowering/calls.def"
#undef CALL

/* The table at the beginning of every lowering. */
extern const atl_lowering_calls atl_compiler_calls;

#endif
