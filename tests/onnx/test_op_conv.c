/* Transposed convolutions of three dimensions, and columns that become a picture. */
#include "small_model.h"

/* Two planes of two pixels, two apart, and a filter of two slices, 1 and 10. */
static made transposed(int64_t cut)
{
    static const int64_t picture[] = {1, 1, 2, 1, 2}, filter[] = {1, 1, 2, 1, 1}, strides[] = {2, 1, 1};
    const int64_t pads[] = {cut, 0, 0, 0, 0, 0};
    static const float slices[] = {1, 10};
    made conv = make_node("conv", "ConvTranspose", "p", "w", "y");
    put_ints_attribute(&conv, "strides", 3, strides);
    put_ints_attribute(&conv, "pads", 6, pads);
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), conv);
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 5, picture, sizeof picture));
    put_tensor(&graph, "w", TYPE_FLOAT, 5, filter, slices, 2 * sizeof *slices);
    return graph;
}

Test(op_conv, transposed_in_three_dimensions)
{
    expect_small(transposed(0), 13, 8, (const double[]){1, 2, 10, 20, 4, -3, 40, -30});
    expect_small(transposed(1), 13, 6, (const double[]){10, 20, 4, -3, 40, -30});
}

/* A transposed convolution of 2 x 2 pixels with this list. */
static made transposed_with(const char *name, int count, const int64_t *numbers)
{
    static const int64_t sizes[] = {1, 1, 2, 2}, picture[] = {1, 1, 2, 2};
    static const float filter[] = {1, 2, 3, 4};
    made conv = make_node("conv", "ConvTranspose", "p", "w", "y");
    put_ints_attribute(&conv, name, count, numbers);
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), conv);
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 4, picture, sizeof picture));
    put_tensor(&graph, "w", TYPE_FLOAT, 4, sizes, filter, sizeof filter);
    return graph;
}

Test(op_conv, transposed_with_lists_of_another_length)
{
    static const int64_t numbers[] = {3, 3, 3};
    expect_refused(transposed_with("output_shape", 1, numbers), 11,
                   "'conv' (ConvTranspose): its attribute 'output_shape' should have 2 numbers");
    expect_refused(transposed_with("output_shape", 3, numbers), 11,
                   "'conv' (ConvTranspose): its attribute 'output_shape' should have 2 numbers");
    expect_refused(transposed_with("output_padding", 1, numbers), 11,
                   "'conv' (ConvTranspose): its attribute 'output_padding' should have 2 numbers");
}

/* Windows of two elements, taken out of a line. */
static made columns_to_line(int64_t line)
{
    static const int64_t columns[] = {1, 2, 2}, window = 2;
    made col = make_node("col", "Col2Im", "c", "line", "y");
    put_text(&col, 1, "window");
    made graph = GRAPH(make_node("columns", "Reshape", "x", "columns", "c"), col);
    put_made(&graph, 5, make_tensor("columns", TYPE_INT64, 3, columns, sizeof columns));
    put_made(&graph, 5, make_tensor("line", TYPE_INT64, 1, &line, sizeof line));
    put_made(&graph, 5, make_tensor("window", TYPE_INT64, 1, &window, sizeof window));
    return graph;
}

/* The two windows overlap in a line of three; in a line of four there would be three of them. */
Test(op_conv, columns_to_a_line) { expect_small(columns_to_line(3), 18, 3, (const double[]){1, 6, -3}); }

Test(op_conv, columns_that_do_not_fit)
{
    expect_refused(columns_to_line(4), 18,
                   "'col' (Col2Im): its input has the sizes 2 and 2, for windows of 2 elements at 3 places");
}
