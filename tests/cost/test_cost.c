/* The one table of costs: complete for each instruction set, and the only place of such numbers. */
#include "cost/cost.h"

#include <string.h>

#include "support.h"

enum { MOST_NUMBERS = 100 };

/* The numbers of an instruction set's file by name, and those in use. */
#define MEASURED_ON(text)  cr_expect(*text, "says on which processor");
#define COST(field, value) names[count] = #field, numbers[count] = (double)(value), used[count++] = (double)c->field;

static void check_file(int is_in_use, int count, const char *const *names, const double *numbers, const double *used)
{
    /* As many as the struct has: each of eight bytes, beside a pointer. */
    cr_assert_eq((size_t)count, (sizeof(atl_costs) - sizeof(char *)) / 8);
    for (int i = 0; i < count; i++) {
        cr_expect(numbers[i] > 0 && isfinite(numbers[i]), "%s is %g", names[i], numbers[i]);
        cr_expect(!is_in_use || numbers[i] == used[i], "%s is %g, not %g", names[i], used[i], numbers[i]);
        for (int k = 0; k < i; k++)
            cr_expect(strcmp(names[i], names[k]), "%s stands twice", names[i]);
    }
}

#define CHECK(isa) check_file(atl_isa_in_use() == (isa), count, names, numbers, used), count = 0

/* Each number can be a divisor in a decision. */
Test(cost, is_complete_for_each_instruction_set)
{
    const atl_costs *c = atl_costs_in_use();
    const char *names[MOST_NUMBERS];
    double numbers[MOST_NUMBERS], used[MOST_NUMBERS];
    int count = 0;
    cr_assert(c->measured_on && c->measured_on[0]);
#include "cost/avx512.def"
    CHECK(ATL_ISA_AVX512);
#include "cost/avx2.def"
    CHECK(ATL_ISA_AVX2);
#include "cost/generic.def"
    CHECK(ATL_ISA_GENERIC);
}
