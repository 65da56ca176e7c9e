/* The kernels: compute loops over plain arrays and small structs, which know no node and no graph.
 *
 * Each source of this folder is compiled once for each instruction set (level.h), and table.c makes of what it exports
 * one table of function pointers.  atl_kernels is the table for the instruction set in use; it is chosen once, when the
 * library is loaded.
 *
 *     atl_kernels->winograd_convolve(&w, image, filter, &end, scratch, result);
 *
 * A new kernel is a source, and a line in the list of its header, which is in ATL_KERNELS below. */
#ifndef ATLED_KERNELS_KERNELS_H
#define ATLED_KERNELS_KERNELS_H

#include "atled/status.h"
#include "kernels/attention.h"
#include "kernels/convert.h"
#include "kernels/depthwise.h"
#include "kernels/element_code.h"
#include "kernels/few_channels.h"
#include "kernels/fold.h"
#include "kernels/grouped.h"
#include "kernels/lrn.h"
#include "kernels/maps.h"
#include "kernels/mask.h"
#include "kernels/matrix.h"
#include "kernels/orthogonal.h"
#include "kernels/max_pool.h"
#include "kernels/pixels.h"
#include "kernels/pointwise.h"
#include "kernels/pooling.h"
#include "kernels/rows.h"
#include "kernels/slopes.h"
#include "kernels/sums.h"
#include "kernels/tap_sums.h"
#include "kernels/winograd.h"

/* K(type of the result, name, (arguments)) for each */
#define ATL_KERNELS(K)                                                                                                 \
    ATL_ATTENTION_KERNELS(K)                                                                                           \
    ATL_CONVERT_KERNELS(K)                                                                                             \
    ATL_DEPTHWISE_KERNELS(K)                                                                                           \
    ATL_ELEMENT_CODE_KERNELS(K)                                                                                        \
    ATL_FEW_CHANNELS_KERNELS(K)                                                                                        \
    ATL_FOLD_KERNELS(K)                                                                                                \
    ATL_GROUPED_KERNELS(K)                                                                                             \
    ATL_LRN_KERNELS(K)                                                                                                 \
    ATL_MASK_KERNELS(K)                                                                                                \
    ATL_MATRIX_KERNELS(K)                                                                                              \
    ATL_ORTHOGONAL_KERNELS(K)                                                                                          \
    ATL_MAX_POOL_KERNELS(K)                                                                                            \
    ATL_PIXEL_KERNELS(K)                                                                                               \
    ATL_POINTWISE_KERNELS(K)                                                                                           \
    ATL_POOLING_KERNELS(K)                                                                                             \
    ATL_ROW_KERNELS(K)                                                                                                 \
    ATL_SLOPE_KERNELS(K)                                                                                               \
    ATL_SUM_KERNELS(K)                                                                                                 \
    ATL_TAP_SUMS_KERNELS(K)                                                                                            \
    ATL_WINOGRAD_KERNELS(K)

#define ATL_KERNEL_FIELD(result, name, arguments) result(*name) arguments;
#define ATL_MAP_FIELD(name, ...)                  atl_map_kernel *map_##name;

typedef struct atl_kernel_table {
    atl_isa isa;
    int vector;    /* floats in a vector: channels must be multiples of it */
    int registers; /* of vectors */
    ATL_KERNELS(ATL_KERNEL_FIELD)
    ATL_MAPS(ATL_MAP_FIELD, ATL_MAP_FIELD, ATL_MAP_FIELD)
} atl_kernel_table;

/* Those of the instruction set in use. */
extern const atl_kernel_table *atl_kernels;

/* Those of any that this processor has, for tests and benchmarks; null for others. */
const atl_kernel_table *atl_kernels_of(atl_isa isa);

#endif
