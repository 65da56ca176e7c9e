/* Fourier transforms and windows. */
#include "small_model.h"

/* x as a signal [1, 4, 1]. */
static made signal(void) { return make_node("reshape", "Reshape", "x", "shape", "s"); }

static made with_shape(made graph)
{
    static const int64_t shape[] = {1, 4, 1}, two[] = {2};
    put_made(&graph, 5, make_tensor("shape", TYPE_INT64, 3, shape, sizeof shape));
    put_made(&graph, 5, make_tensor("two", TYPE_INT64, 1, two, sizeof two));
    return graph;
}

/* 1 + 2 w + 4 w^2 - 3 w^3 for w = 1, -i, -1, i */
Test(op_signal, a_transform)
{
    made whole = make_node("dft", "DFT", "s", NULL, "y"), half = make_node("dft", "DFT", "s", NULL, "y");
    put_int_attribute(&half, "onesided", 1);
    expect_small(with_shape(GRAPH(signal(), whole)), 17, 8, (const double[]){4, 0, -3, -5, 6, 0, -3, 5});
    expect_small(with_shape(GRAPH(signal(), half)), 17, 6, (const double[]){4, 0, -3, -5, 6, 0});
}

Test(op_signal, there_and_back)
{
    made back = make_node("back", "DFT", "f", NULL, "y");
    put_int_attribute(&back, "inverse", 1);
    expect_small(with_shape(GRAPH(signal(), make_node("dft", "DFT", "s", NULL, "f"), back)), 17, 8,
                 (const double[]){1, 0, 2, 0, 4, 0, -3, 0});
}

/* Pieces of two elements, each two further: their sums and differences. */
Test(op_signal, pieces)
{
    made stft = make_node("stft", "STFT", "s", "two", "y");
    put_text(&stft, 1, "");
    put_text(&stft, 1, "two");
    expect_small(with_shape(GRAPH(signal(), stft)), 17, 8, (const double[]){3, 0, -1, 0, 1, 0, 7, 0});
}

Test(op_signal, windows)
{
    made graph = GRAPH(make_node("window", "HannWindow", "n", NULL, "w"), make_node("mul", "Mul", "x", "w", "y"));
    int64_t four = 4;
    put_made(&graph, 5, make_tensor("n", TYPE_INT64, 1, &four, sizeof four));
    expect_small(graph, 17, 4, (const double[]){0, 1, 4, -1.5});
}

Test(op_signal, what_is_refused)
{
    expect_refused(with_shape(GRAPH(make_node("dft", "DFT", "x", NULL, "y"))), 17, "'dft' (DFT): it takes [.., 1] or");
}
