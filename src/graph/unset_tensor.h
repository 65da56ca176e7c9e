/* Tensors for a caller that sets every element, such as a reader of files: memory is not touched twice, and not before there is
 * something to put there. */
#ifndef ATLED_GRAPH_UNSET_TENSOR_H
#define ATLED_GRAPH_UNSET_TENSOR_H

#include "atled/tensor.h"

/* As atl_tensor_new, with elements that are not set. */
atl_tensor *atl_tensor_unset(atl_dtype dtype, atl_shape shape);

#endif
