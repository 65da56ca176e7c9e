/* Chooses the instruction set: the processor's, capped by $ATLED_ISA. */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

extern const atl_kernel_table atl_kernel_table_generic;
#ifdef ATLED_X86_LEVELS
extern const atl_kernel_table atl_kernel_table_avx2, atl_kernel_table_avx512;
#endif

const atl_kernel_table *atl_kernels = &atl_kernel_table_generic;

static const char *const names[] = {"generic", "avx2", "avx512"};
enum { ISAS = sizeof names / sizeof *names };

const char *atl_isa_name(atl_isa isa) { return (unsigned)isa < ISAS ? names[isa] : ""; }

/* The compilers' test also checks that the operating system saves the registers. */
atl_isa atl_isa_of_processor(void)
{
#ifdef ATLED_X86_LEVELS
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return avx512 ? ATL_ISA_AVX512 : avx2 ? ATL_ISA_AVX2 : ATL_ISA_GENERIC;
#else
    return ATL_ISA_GENERIC;
#endif
}

atl_isa atl_isa_in_use(void) { return atl_kernels->isa; }

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

/* The best instruction set that $ATLED_ISA allows; the processor's best if the variable is not set or invalid. */
static atl_isa allowed(void)
{
    const char *wanted = getenv("ATLED_ISA");
    for (int i = 0; wanted && i < ISAS; i++)
        if (!strcmp(wanted, names[i]))
            return (atl_isa)i;
    return ISAS - 1;
}

/* Runs when the library is loaded, before any thread can use the table, so the choice never changes in a process. */
__attribute__((constructor)) static void choose_kernels(void)
{
    atl_isa most = allowed(), has = atl_isa_of_processor();
    atl_kernels = atl_kernels_of(most < has ? most : has);
}
