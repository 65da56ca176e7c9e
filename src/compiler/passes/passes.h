/* The passes: the first step of compiling. */
#ifndef ATLED_COMPILER_PASSES_PASSES_H
#define ATLED_COMPILER_PASSES_PASSES_H

#include "compiler/passes/rewrite.h"
#include "compiler/passes/specialize_shapes.h"

#define ON_GRAPH(name, flag) extern const atl_pass atl_##name##_pass;
#define IN_PLAN(name, flag)
#include "compiler/passes/passes.def"
#undef ON_GRAPH
#undef IN_PLAN

/* Copies what the outputs depend on, with the shapes of these inputs, and runs all enabled passes over the copy.
 * Returns ATL_OK, or a status with the thread's error set and nothing to free. */
atl_status atl_run_passes(atl_nodes outputs, atl_input_shape *shape_of, const void *context, atl_pass_options options,
                          atl_copy *copy_out);

#endif
