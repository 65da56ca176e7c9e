/* The internal structure of a tensor. */
#ifndef ATLED_GRAPH_TENSOR_H
#define ATLED_GRAPH_TENSOR_H

#include "atled/tensor.h"

struct atl_tensor {
    atl_dtype dtype;
    atl_shape shape;
    int64_t count;
    void *data;
    int owned; /* data is freed with the tensor */
};

#endif
