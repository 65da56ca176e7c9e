/* The rest of a division. */
#include "small_model.h"

static made rest(int fmod_, float divisor)
{
    made mod = make_node("mod", "Mod", "x", "w", "y");
    put_int_attribute(&mod, "fmod", fmod_);
    made graph = GRAPH(mod);
    put_made(&graph, 5, make_tensor("w", TYPE_FLOAT, 1, &divisor, sizeof divisor));
    return graph;
}

/* With the sign of the divisor, or of the dividend. */
Test(op_arithmetic, mod)
{
    expect_small(rest(0, 2.5f), 28, 4, (const double[]){1, 2, 1.5, 2});
    expect_small(rest(1, 2.5f), 28, 4, (const double[]){1, 2, 1.5, -0.5});
    expect_small(rest(1, INFINITY), 28, 4, (const double[]){1, 2, 4, -3});
}
