/* Random orthogonal matrices, for the initialisation of variables. */
#ifndef ATLED_GRAPH_ORTHOGONAL_H
#define ATLED_GRAPH_ORTHOGONAL_H

#include "atled/tensor.h"

/* w, seen as a matrix [rest, out], becomes gain times a matrix whose vectors along the shorter side are orthonormal. */
atl_status atl_fill_orthogonal(float *w, atl_shape shape, float gain, uint64_t stream);

#endif
