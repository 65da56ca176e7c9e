/* Tensors for a caller that sets every element, such as a file reader: memory is not written twice, and not touched
 * before there is data for it. */
#ifndef ATLED_GRAPH_UNSET_TENSOR_H
#define ATLED_GRAPH_UNSET_TENSOR_H

#include "atled/tensor.h"

/* Like atl_tensor_new, with uninitialised elements. */
atl_tensor *atl_tensor_unset(atl_dtype dtype, atl_shape shape);

#endif
