/* A private copy of the part of a graph that a program needs, with every shape known. */
#ifndef ATLED_COMPILER_PASSES_SPECIALIZE_SHAPES_H
#define ATLED_COMPILER_PASSES_SPECIALIZE_SHAPES_H

#include "compiler/passes/copy.h"

/* Copies everything that the outputs depend on, including what is used for its shape only.  `shape_of` returns the
 * concrete shape of an input.  Each op's infer runs again.  With ATL_PASS_CSE in `at_once` equal nodes become one
 * during the copy; with ATL_PASS_SIMPLIFY nodes are simplified: in a large graph every extra pass costs time.  Returns
 * ATL_OK, or a status with the thread's error set and nothing to free. */
typedef atl_shape atl_input_shape(const atl_node *input, const void *context);
atl_status atl_specialize_shapes(atl_nodes outputs, atl_input_shape *shape_of, const void *context, unsigned at_once,
                                 atl_copy *copy_out);

#endif
