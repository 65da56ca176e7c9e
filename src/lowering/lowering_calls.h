/* The table of functions with which the compiler implements lowering.h, so that ops and oneDNN's code do not link to
 * what is above them.  Every atl_lowering begins with a pointer to this table. */
#ifndef ATLED_LOWERING_LOWERING_CALLS_H
#define ATLED_LOWERING_LOWERING_CALLS_H

#include "lowering/lowering.h"

typedef struct atl_lowering_calls {
    const atl_node *(*node)(const atl_lowering *lowering);
    atl_value_id (*input)(atl_lowering *lowering, int i);
    atl_value_id (*input_in)(atl_lowering *lowering, int i, const atl_memory_layout *layout);
    const atl_memory_layout *(*layout_of)(const atl_lowering *lowering, int i);
    atl_value_id (*prepared)(atl_lowering *lowering, int i, int64_t bytes, const atl_plan_step *step);
    int (*winograd_use)(const atl_lowering *lowering);
    atl_algo (*algo)(const atl_lowering *lowering);
    int (*is_blocked)(const atl_lowering *lowering);
    int (*uses_bfloat16)(const atl_lowering *lowering);
    int (*is_checked)(const atl_lowering *lowering);
    atl_value_id (*output)(atl_lowering *lowering);
    atl_value_id (*output_in)(atl_lowering *lowering, const atl_memory_layout *layout);
    atl_value_id (*input_strided)(atl_lowering *lowering, int i, int64_t *pixel_stride_out);
    int (*input_is_strided)(const atl_lowering *lowering, int i);
    atl_value_id (*output_strided)(atl_lowering *lowering, int64_t *pixel_stride_out);
    int (*output_is_strided)(const atl_lowering *lowering);
    int (*part_in_place)(atl_lowering *lowering, int64_t first);
    int (*is_in_place)(const atl_lowering *lowering, int i);
    void (*in_place)(atl_lowering *lowering, int i);
    void (*over)(atl_lowering *lowering, atl_value_id result, atl_value_id input);
    atl_value_id (*part)(atl_lowering *lowering, int k, int64_t bytes);
    atl_value_id (*part_of)(const atl_lowering *lowering, int i, int k);
    int (*as)(atl_lowering *lowering, atl_value_id value);
    atl_value_id (*scratch)(atl_lowering *lowering, int64_t bytes);
    int (*wants_workspace)(const atl_lowering *lowering);
    atl_value_id (*workspace)(atl_lowering *lowering, int64_t bytes);
    atl_value_id (*workspace_of)(const atl_lowering *lowering, int i);
    int (*step)(atl_lowering *lowering, const atl_plan_step *step);
    int (*kernel)(atl_lowering *lowering);
} atl_lowering_calls;

#endif
