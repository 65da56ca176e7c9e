/* The one table of costs: complete for each instruction set, and the only place of such numbers. */
#include "cost/cost.h"

#include "support.h"

/* Each number is one that decisions can divide by. */
Test(cost, is_complete_for_the_instruction_set_in_use)
{
    const atl_costs *c = atl_costs_in_use();
    const double rates[] = {c->direct_flops,
                            c->blocked_slowdown,
                            c->winograd_flops,
                            c->winograd_large_flops,
                            c->winograd_value,
                            c->winograd_filter_value,
                            c->winograd_start,
                            c->winograd_gradient_slowdown,
                            c->depthwise_gradient,
                            c->onednn_depthwise_gradient_3,
                            c->onednn_depthwise_gradient_5,
                            c->onednn_winograd_flops,
                            c->onednn_winograd_narrow,
                            c->onednn_winograd_filter_bytes,
                            c->onednn_winograd_image_bytes,
                            c->exact_flops,
                            c->exact_bytes,
                            c->rounded_start,
                            c->rounding_bytes,
                            c->rounded_flops_1x1,
                            c->rounded_flops_3x3,
                            c->rounded_flops_5x5,
                            c->rounded_filter_strided,
                            c->rounded_filter_3x3,
                            c->rounded_filter_5x5,
                            c->product_flops,
                            c->reorder_bytes,
                            c->cached_bytes,
                            c->memory_bytes,
                            c->shared_cache,
                            (double)c->core_cache,
                            (double)c->tiles_cache,
                            (double)c->kept_filter,
                            c->thread_flops,
                            c->primitive_flops,
                            c->primitive_floats,
                            (double)c->loop_elements,
                            (double)c->small_product,
                            (double)c->small_dots,
                            (double)c->packed_rows,
                            (double)c->packed_size};
    cr_assert(c->measured_on && c->measured_on[0]);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        cr_expect(rates[i] > 0 && isfinite(rates[i]), "number %d is %g", (int)i, rates[i]);
}
