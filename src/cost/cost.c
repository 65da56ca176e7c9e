/* The table of what machines do in a second: see cost.h. */
#include "cost/cost.h"

#include "atled/status.h"

/* Two cores of an Intel Sapphire Rapids (2.3 GHz, 2 MB of second-level cache each), oneDNN 2.6.3; those of avx2 and
 * generic on the same processor with ATLED_ISA.  What is the same for all three is written once. */
#define MEMORY_AND_THREADS                                                                                             \
    .reorder_bytes = 5e9, .cached_bytes = 50e9, .memory_bytes = 14e9, .shared_cache = 6e6, .core_cache = 400 << 10,    \
    .tiles_cache = 4 << 20, .kept_filter = 128 * 128, .thread_flops = 1e6, .primitive_flops = 65536,                   \
    .primitive_floats = 32768, .loop_elements = 32768, .small_product = 32 * 1024, .small_dots = 8 * 1024,             \
    .packed_rows = 64, .packed_size = 64 * 1024

/* Only AVX-512 has instructions for bfloat16, and only there oneDNN has Winograd's method: elsewhere these are not
 * asked for. */
#define BFLOAT16_AND_ONEDNN_WINOGRAD                                                                                   \
    .onednn_winograd_flops = 220e9, .onednn_winograd_narrow = 32, .onednn_winograd_filter_bytes = 12e9,                \
    .onednn_winograd_image_bytes = 30e9, .exact_flops = 230e9, .exact_bytes = 25e9, .rounded_start = 10e-6,            \
    .rounding_bytes = 40e9, .rounded_flops_1x1 = 400e9, .rounded_flops_3x3 = 450e9, .rounded_flops_5x5 = 550e9,        \
    .rounded_filter_strided = 180e9, .rounded_filter_3x3 = 310e9, .rounded_filter_5x5 = 440e9, .product_flops = 300e9

static const atl_costs costs[] = {[ATL_ISA_AVX512] = {.measured_on = "two cores of an Intel Sapphire Rapids, AVX-512",
                                                      .direct_flops = 300e9,
                                                      .blocked_slowdown = 4.0 / 3,
                                                      .winograd_flops = 190e9,
                                                      .winograd_large_flops = 150e9,
                                                      .winograd_value = 7e-11,
                                                      .winograd_filter_value = 5e-11,
                                                      .winograd_start = 2e-6,
                                                      .winograd_gradient_slowdown = 1.15,
                                                      .depthwise_gradient = 130e9,
                                                      .onednn_depthwise_gradient_3 = 200e9,
                                                      .onednn_depthwise_gradient_5 = 8e9,
                                                      BFLOAT16_AND_ONEDNN_WINOGRAD,
                                                      MEMORY_AND_THREADS},
                                  [ATL_ISA_AVX2] = {.measured_on =
                                                        "two cores of an Intel Sapphire Rapids, ATLED_ISA=avx2",
                                                    .direct_flops = 170e9,
                                                    .blocked_slowdown = 1,
                                                    .winograd_flops = 150e9,
                                                    .winograd_large_flops = 110e9,
                                                    .winograd_value = 1.4e-10,
                                                    .winograd_filter_value = 1.3e-10,
                                                    .winograd_start = 2e-6,
                                                    .winograd_gradient_slowdown = 1.2,
                                                    .depthwise_gradient = 73e9,
                                                    .onednn_depthwise_gradient_3 = 130e9,
                                                    .onednn_depthwise_gradient_5 = 0.2e9,
                                                    BFLOAT16_AND_ONEDNN_WINOGRAD,
                                                    MEMORY_AND_THREADS},
                                  [ATL_ISA_GENERIC] = {.measured_on =
                                                           "two cores of an Intel Sapphire Rapids, ATLED_ISA=generic",
                                                       .direct_flops = 46e9,
                                                       .blocked_slowdown = 1,
                                                       .winograd_flops = 50e9,
                                                       .winograd_large_flops = 44e9,
                                                       .winograd_value = 2.6e-10,
                                                       .winograd_filter_value = 3e-10,
                                                       .winograd_start = 2e-6,
                                                       .winograd_gradient_slowdown = 1.2,
                                                       .depthwise_gradient = 36e9,
                                                       .onednn_depthwise_gradient_3 = 60e9,
                                                       .onednn_depthwise_gradient_5 = 6e9,
                                                       BFLOAT16_AND_ONEDNN_WINOGRAD,
                                                       MEMORY_AND_THREADS}};

const atl_costs *atl_costs_in_use(void) { return &costs[atl_isa_in_use()]; }
