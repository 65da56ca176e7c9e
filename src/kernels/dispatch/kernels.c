/* Chooses the table of kernels for the instruction set in use (cost/isa.c). */
#include "kernels/kernels.h"

extern const atl_kernel_table atl_kernel_table_generic;
#ifdef ATLED_X86_LEVELS
extern const atl_kernel_table atl_kernel_table_avx2, atl_kernel_table_avx512;
#endif

const atl_kernel_table *atl_kernels = &atl_kernel_table_generic;

const atl_kernel_table *atl_kernels_of(atl_isa isa)
{
    if (isa > atl_isa_of_processor())
        return NULL;
#ifdef ATLED_X86_LEVELS
    if (isa == ATL_ISA_AVX512)
        return &atl_kernel_table_avx512;
    if (isa == ATL_ISA_AVX2)
        return &atl_kernel_table_avx2;
#endif
    return isa == ATL_ISA_GENERIC ? &atl_kernel_table_generic : NULL;
}

/* Runs when the library is loaded, before any thread can use the table, so the choice never changes in a process. */
__attribute__((constructor)) static void choose_kernels(void) { atl_kernels = atl_kernels_of(atl_isa_in_use()); }
