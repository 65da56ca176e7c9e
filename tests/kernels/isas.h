/* Tests of kernels run for each instruction set that this processor has; the others are skipped. */
#ifndef ATLED_TESTS_ISAS_H
#define ATLED_TESTS_ISAS_H

#include "kernels/kernels.h"
#include "support.h"

static inline void run_for_isa(atl_isa isa, void (*body)(const atl_kernel_table *k))
{
    const atl_kernel_table *kernels = atl_kernels_of(isa);
    if (!kernels)
        cr_skip_test("this processor has no %s", atl_isa_name(isa));
    cr_assert_eq(kernels->isa, isa);
    body(kernels);
}

/* ISA_TEST(suite, name) { ... k->kernel(...) ... } is suite::name_avx512, suite::name_avx2 and suite::name_generic. */
#define ISA_TEST(suite, name)                                                                                          \
    static void suite##_##name(const atl_kernel_table *k);                                                             \
    Test(suite, name##_avx512) { run_for_isa(ATL_ISA_AVX512, suite##_##name); }                                        \
    Test(suite, name##_avx2) { run_for_isa(ATL_ISA_AVX2, suite##_##name); }                                            \
    Test(suite, name##_generic) { run_for_isa(ATL_ISA_GENERIC, suite##_##name); }                                      \
    static void suite##_##name(const atl_kernel_table *k)

#endif
