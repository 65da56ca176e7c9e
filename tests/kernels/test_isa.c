/* Which instruction set is in use. */
#include "isas.h"
#include "onednn/onednn.h"

#include <stdlib.h>

Test(isa, is_what_the_environment_allows_and_the_processor_has)
{
    const char *wanted = getenv("ATLED_ISA");
    atl_isa most = ATL_ISA_AVX512;
    for (int i = 0; wanted && i <= ATL_ISA_AVX512; i++)
        if (!strcmp(wanted, atl_isa_name((atl_isa)i)))
            most = (atl_isa)i;
    atl_isa has = atl_isa_of_processor();
    cr_expect_eq(atl_isa_in_use(), most < has ? most : has);
    cr_expect_eq(atl_kernels, atl_kernels_of(atl_isa_in_use()));
    for (int i = 0; i <= ATL_ISA_AVX512; i++)
        cr_expect_eq(atl_kernels_of((atl_isa)i) != NULL, (atl_isa)i <= has);
}

Test(isa, has_a_name)
{
    cr_expect_str_eq(atl_isa_name(ATL_ISA_AVX512), "avx512");
    cr_expect_str_eq(atl_isa_name(ATL_ISA_AVX2), "avx2");
    cr_expect_str_eq(atl_isa_name(ATL_ISA_GENERIC), "generic");
    cr_expect_str_eq(atl_isa_name((atl_isa)3), "");
    cr_expect_str_eq(atl_isa_name((atl_isa)-1), "");
}

/* oneDNN is held to the same. */
Test(isa, caps_onednn)
{
    char text[100];
    atl_onednn_version(text, sizeof text);
    if (atl_isa_in_use() < ATL_ISA_AVX512)
        cr_expect_null(strstr(text, "avx512"), "%s", text);
    if (atl_isa_in_use() < ATL_ISA_AVX2)
        cr_expect_null(strstr(text, "avx"), "%s", text);
}
