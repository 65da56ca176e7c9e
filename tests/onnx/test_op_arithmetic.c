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

static made number(const char *name, float value)
{
    made node = make_node(name, "Constant", NULL, NULL, name);
    put_float_attribute(&node, "value_float", value);
    return node;
}

/* x (1 + erf(x * or / `root`)) `half`, the three multiplied in one of three orders. */
static made gelu_in_nodes(int order, int divides, float half)
{
    static const char *const first[][2] = {{"x", "share"}, {"half", "x"}, {"share", "half"}};
    static const char *const second[] = {"half", "share", "x"};
    return GRAPH(number("half", half), number("one", 1), number("root", divides ? 1.41421354f : 0.707106769f),
                 make_node("scaled", divides ? "Div" : "Mul", "x", "root", "scaled"),
                 make_node("erf", "Erf", "scaled", NULL, "erf"), make_node("share", "Add", "erf", "one", "share"),
                 make_node("p", "Mul", first[order][0], first[order][1], "p"),
                 make_node("y", "Mul", order % 2 ? "p" : second[order], order % 2 ? second[order] : "p", "y"));
}

/* x, 1/2 and 1 + erf(x / sqrt(2)) in any order are one op; with another factor they are not. */
Test(op_arithmetic, a_gelu_in_several_nodes)
{
    const double gelu[] = {0.841344746, 1.954499736, 3.999873315, -0.004049694};
    for (int order = 0; order < 3; order++)
        for (int divides = 0; divides < 2; divides++) {
            small_model m = load_small(gelu_in_nodes(order, divides, 0.5f), 13);
            cr_expect_str_eq(atl_op_of(m.y)->name, "gelu", "order %d", order);
            free_small(&m);
            expect_small(gelu_in_nodes(order, divides, 0.5f), 13, 4, gelu);
            m = load_small(gelu_in_nodes(order, divides, 0.25f), 13);
            cr_expect_str_eq(atl_op_of(m.y)->name, "mul", "order %d", order);
            free_small(&m);
        }
    expect_small(gelu_in_nodes(0, 0, 1), 13, 4, (const double[]){1.682689492, 3.908999472, 7.99974663, -0.008099388});
}

/* To bfloat16 and back, before the opset that says how: to the nearest, and to the even one of two that are as near. */
Test(op_arithmetic, bfloat16_is_rounded_to_the_nearest)
{
    enum { TYPE_BFLOAT16 = 16 };
    made narrow = make_node("narrow", "Cast", "x", NULL, "b"), wide = make_node("wide", "Cast", "b", NULL, "y");
    put_int_attribute(&narrow, "to", TYPE_BFLOAT16);
    put_int_attribute(&wide, "to", TYPE_FLOAT);
    small_model m = load_small(GRAPH(narrow, wide), 13);
    static const double expected[] = {1, 1.015625, 1.0078125, -3};
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1.00390625f, 1.01171875f, 1.005f, -3});
    atl_program *program = atl_compile(m.graph, ATL_NODES(m.y));
    cr_assert(program && atl_run(program, ATL_FEED(m.x, x)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < 4; i++)
        cr_expect_eq(element_of(atl_value(program, m.y), i), expected[i], "element %d is %g", i,
                     element_of(atl_value(program, m.y), i));
    atl_program_free(program);
    atl_tensor_free(x);
    free_small(&m);
}
