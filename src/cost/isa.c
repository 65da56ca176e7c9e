/* The instruction set in use: the processor's, capped by $ATLED_ISA. */
#include <stdlib.h>
#include <string.h>

#include "atled/status.h"

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

/* The best instruction set that $ATLED_ISA allows; the processor's best if the variable is not set or invalid. */
static atl_isa allowed(void)
{
    const char *requested = getenv("ATLED_ISA");
    for (int i = 0; requested && i < ISAS; i++)
        if (!strcmp(requested, names[i]))
            return (atl_isa)i;
    return ISAS - 1;
}

static atl_isa in_use = ATL_ISA_GENERIC;

/* Runs when the library is loaded, before the kernels are chosen and before any thread can ask, so that the answer
 * never changes in a process. */
__attribute__((constructor(101))) static void choose_isa(void)
{
    atl_isa most = allowed(), has = atl_isa_of_processor();
    in_use = most < has ? most : has;
}

atl_isa atl_isa_in_use(void) { return in_use; }
