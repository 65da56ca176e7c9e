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

/* x sigmoid(x) in either order is one op; the product of other things is not. */
Test(op_arithmetic, a_swish_in_two_nodes)
{
    const double swish[] = {0.731058579, 1.761594156, 3.928055160, -0.142277620};
    for (int turned = 0; turned < 2; turned++) {
        made graph = GRAPH(make_node("gate", "Sigmoid", "x", NULL, "s"),
                           make_node("swish", "Mul", turned ? "s" : "x", turned ? "x" : "s", "y"));
        expect_small(graph, 13, 4, swish);
    }
    small_model m =
        load_small(GRAPH(make_node("gate", "Sigmoid", "x", NULL, "s"), make_node("swish", "Mul", "s", "x", "y")), 13);
    cr_expect_str_eq(atl_op_of(m.y)->name, "swish");
    free_small(&m);
    expect_small(GRAPH(make_node("gate", "Sigmoid", "x", NULL, "s"), make_node("square", "Mul", "s", "s", "y")), 13, 4,
                 (const double[]){0.534446645, 0.775803493, 0.964350808, 0.002249254});
}
