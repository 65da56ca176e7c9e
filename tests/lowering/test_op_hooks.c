/* The compiler's table of each built-in op is sound, and an op without one is treated as having an empty one. */
#include "lowering/op_hooks.h"
#include "support.h"

Test(op_hooks, every_built_in_op_has_a_sound_table)
{
    int64_t count;
    const atl_op *const *ops = atl_builtin_ops(&count);
    cr_assert_gt(count, 100);
    for (int i = 0; i < count; i++) {
        const atl_op_hooks *hooks = ops[i]->hooks;
        if (!hooks)
            continue;
        cr_expect(ops[i]->arity < 0 || ops[i]->arity > 31 || !(hooks->workspace_inputs >> ops[i]->arity),
                  "%s: workspace_inputs names an input beyond the arity", ops[i]->name);
        cr_expect_eq(!hooks->compress, !hooks->from_compressed, "%s has one of compress and from_compressed",
                     ops[i]->name);
    }
}

static double half(double x) { return x / 2; }

Test(op_hooks, an_op_of_the_users_has_none)
{
    static const atl_op halve = {.name = "halve", .arity = 1, .function = half};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *y = atl_apply(&halve, x);
    float value;
    cr_assert(y && !atl_hooks_of(y)->lower && !atl_hooks_of(y)->uniform);
    cr_expect(atl_reads_input(y, 0));
    cr_expect(!atl_is_uniform(y, &value));
    cr_assert(atl_is_uniform(atl_fill(x, 2.5f), &value));
    cr_expect_eq(value, 2.5f);
    atl_graph_free(g);
}

Test(op_hooks, constants_of_equal_elements_are_uniform)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    float value;
    cr_assert(atl_is_uniform(atl_expand_dims(ATL_CONSTANT(x, 4, 4, 4), 0), &value));
    cr_expect_eq(value, 4);
    cr_expect(!atl_is_uniform(ATL_CONSTANT(x, 4, 4, 5), &value));
    atl_graph_free(g);
}
