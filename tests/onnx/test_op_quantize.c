/* Quantized convolution and the rounding of its parts; numbers of four bits. */
#include "small_model.h"

enum { TYPE_UINT8 = 2 };

/* x as a picture [1, 1, 2, 2] in steps of 1 from the zero point 10; filters 3 and 255, of zero points 1 and 253 and
 * scales 1 and 2; the result in steps of 4 from 100. */
static made quantized_conv(int filters)
{
    static const int64_t picture[] = {1, 1, 2, 2}, filter[] = {2, 1, 1, 1}, many[] = {2}, flat[] = {1, 8};
    static const float one = 1, four = 4, scales[] = {1, 2};
    static const unsigned char ten = 10, hundred = 100, zeros[] = {1, 253}, weights[] = {3, 255};
    static const char *const in[] = {"q", "one", "ten", "w", "w_scale", "w_zero", "four", "hundred"};
    made conv = {0};
    for (int i = 0; i < 8; i++)
        put_text(&conv, 1, in[i]);
    put_text(&conv, 2, "c");
    put_text(&conv, 3, "conv");
    put_text(&conv, 4, "QLinearConv");
    made quantize = make_node("quantize", "QuantizeLinear", "p", "one", "q"),
         back = make_node("back", "DequantizeLinear", "c", "four", "d");
    put_text(&quantize, 1, "ten");
    put_text(&back, 1, "hundred");
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), quantize, conv, back,
                       make_node("flat", "Reshape", "d", "flat", "y"));
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 4, picture, sizeof picture));
    put_made(&graph, 5, make_tensor("flat", TYPE_INT64, 2, flat, sizeof flat));
    put_tensor(&graph, "one", TYPE_FLOAT, 0, NULL, &one, sizeof one);
    put_tensor(&graph, "four", TYPE_FLOAT, 0, NULL, &four, sizeof four);
    put_tensor(&graph, "ten", TYPE_UINT8, 0, NULL, &ten, 1);
    put_tensor(&graph, "hundred", TYPE_UINT8, 0, NULL, &hundred, 1);
    put_tensor(&graph, "w", TYPE_UINT8, 4, filter, weights, 2);
    put_tensor(&graph, "w_scale", TYPE_FLOAT, 1, many, scales, (size_t)filters * sizeof *scales);
    put_tensor(&graph, "w_zero", TYPE_UINT8, 1, many, zeros, 2);
    return graph;
}

/* x is 1, 2, 4, -3: times 2 it is 2, 4, 8, -6, times 4 it is 4, 8, 16, -12; halves of steps go to the even one. */
Test(op_quantize, a_quantized_convolution)
{
    small_model m = load_small(quantized_conv(2), 13);
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(m.graph, ATL_NODES(m.y));
    cr_assert(program && atl_run(program, ATL_FEED(m.x, x)) == ATL_OK, "%s", atl_error());
    static const double expected[] = {0, 4, 8, -8, 4, 8, 16, -12};
    cr_assert_eq(atl_tensor_count(atl_value(program, m.y)), 8);
    for (int i = 0; i < 8; i++)
        cr_expect_eq(element_of(atl_value(program, m.y), i), expected[i], "element %d is %g", i,
                     element_of(atl_value(program, m.y), i));
    atl_program_free(program);
    atl_tensor_free(x);
    free_small(&m);
}

Test(op_quantize, the_gradient_passes_straight_through)
{
    small_model m = load_small(quantized_conv(2), 13);
    atl_node *gradient = atl_gradient(atl_sum(m.y), m.x);
    cr_assert(gradient, "%s", atl_graph_error(m.graph));
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(m.graph, ATL_NODES(gradient));
    cr_assert(program && atl_run(program, ATL_FEED(m.x, x)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < 4; i++)
        cr_expect_eq(element_of(atl_value(program, gradient), i), 6, "element %d is %g", i,
                     element_of(atl_value(program, gradient), i));
    atl_program_free(program);
    atl_tensor_free(x);
    free_small(&m);
}

Test(op_quantize, data_that_are_too_short) { expect_refused(quantized_conv(1), 13, "'w_scale'"); }

/* x plus 1, -2, 7, -8, of which two share a byte, the first one in its low bits; in blocks of two with scales 1/2 and
 * 2. */
Test(op_quantize, blocks_of_four_bits)
{
    enum { TYPE_INT4 = 22 };
    static const unsigned char nibbles[] = {0xe1, 0x87};
    static const float scales[] = {0.5f, 2};
    made wide = make_node("wide", "DequantizeLinear", "w", "scales", "d");
    put_int_attribute(&wide, "axis", 0);
    put_int_attribute(&wide, "block_size", 2);
    made graph = GRAPH(wide, make_node("sum", "Add", "x", "d", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT4, 4, nibbles, sizeof nibbles));
    put_made(&graph, 5, make_tensor("scales", TYPE_FLOAT, 2, scales, sizeof scales));
    expect_small(graph, 21, 4, (const double[]){1.5, 1, 18, -19});
    graph = GRAPH(make_node("wide", "DequantizeLinear", "w", "scales", "d"), make_node("sum", "Add", "x", "d", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT4, 6, nibbles, sizeof nibbles));
    put_made(&graph, 5, make_tensor("scales", TYPE_FLOAT, 1, scales, sizeof *scales));
    expect_refused(graph, 21, "'w' [6] of type INT4 has 6 elements, but its data has 4");
}
