/* lowering.h: each function calls the compiler through the table at the beginning of every atl_lowering. */
#include "lowering/lowering_calls.h"

static const atl_lowering_calls *calls_of(const atl_lowering *lowering)
{
    return *(const atl_lowering_calls *const *)lowering;
}

#define CALL(result, function, name, parameters, arguments)                                                            \
    result function parameters { return calls_of(lowering)->name arguments; }
#include "lowering/calls.def"
