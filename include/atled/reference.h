/* The double-precision reference: runs the same graph through plain double loops.  It is slow, and meant for tests and
 * checks. */
#ifndef ATLED_REFERENCE_H
#define ATLED_REFERENCE_H

#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_reference atl_reference;

/* The values of the outputs for these feeds; null, with the reason in atl_error(), on failure: a feed is invalid (as in
 * atl_run), an op writes outside its result, or memory ran out.  Feeds may be ATL_FLOAT64 tensors for float32 inputs.
 * You may also feed a variable, which replaces its value.  Nothing is assigned. */
ATL_API atl_reference *atl_reference_run(atl_nodes outputs, const atl_feed *feeds);
ATL_API void atl_reference_free(atl_reference *reference); /* null is allowed */

/* ATL_FLOAT64, in the shape of the run, owned by the reference; null if the node is not an output. */
ATL_API const atl_tensor *atl_reference_value(const atl_reference *reference, const atl_node *node);

#ifdef __cplusplus
}
#endif
#endif
