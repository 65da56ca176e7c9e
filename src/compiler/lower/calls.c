/* The function table at the beginning of every lowering. */
#include "compiler/lower/calls.h"

#define CALL(result, function, name, parameters, arguments) .name = atl_compiler_##name,
const atl_lowering_calls atl_compiler_calls = {
#include "lowering/calls.def"
};
