/* The table of passes: names and order. */
#include "passes.h"

#include <string.h>

Test(passes, each_has_a_name_and_a_bit_of_its_own)
{
    int64_t count, again;
    const atl_named_pass *passes = atl_pass_table(&count);
    unsigned seen = 0;
    cr_assert_geq(count, 13);
    cr_assert_eq(atl_pass_table(NULL), passes);
    cr_assert_eq(atl_pass_table(&again), passes);
    cr_assert_eq(again, count);
    for (int i = 0; i < count; i++) {
        cr_expect(passes[i].name && *passes[i].name);
        cr_expect(passes[i].flag && !(passes[i].flag & (passes[i].flag - 1)), "%s is one bit", passes[i].name);
        cr_expect(!(seen & passes[i].flag), "%s has the bit of another", passes[i].name);
        seen |= passes[i].flag;
        for (int k = 0; k < i; k++)
            cr_expect(strcmp(passes[i].name, passes[k].name), "%s stands twice", passes[i].name);
    }
}

static int position(const char *name)
{
    int64_t count;
    const atl_named_pass *passes = atl_pass_table(&count);
    for (int i = 0; i < count; i++)
        if (!strcmp(passes[i].name, name))
            return i;
    cr_assert(0, "there is no pass %s", name);
    return -1;
}

/* Fusing first would hide relus and factors from the passes that move them into convolutions. */
Test(passes, later_ones_use_what_earlier_ones_create)
{
    cr_expect_lt(position("hoist_relu_grad"), position("simplify"));
    cr_expect_lt(position("simplify"), position("fold_scale"));
    cr_expect_lt(position("fold_scale"), position("epilogue"));
    cr_expect_lt(position("epilogue"), position("fuse"));
    cr_expect_lt(position("relu_grad"), position("fuse"));
    cr_expect_lt(position("fuse"), position("compress"));
}
