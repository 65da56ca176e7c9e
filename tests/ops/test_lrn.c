/* Local response normalisation beyond its samples: in vectors and in plain loops, and windows of any size. */
#include "battery.h"
#include "kernels/kernels.h"

typedef struct lrn_case {
    const char *about;
    int64_t size[4];
    int radius;
    float bias, alpha, beta;
} lrn_case;

/* Channels fill vectors, a window is no wider than a vector, and the exponent needs only square roots. */
static int fits_vectors(const lrn_case *c)
{
    int64_t vector = atl_kernels->vector, channels = c->size[3];
    return channels % vector == 0 && channels <= 1024 && c->radius <= vector / 2 &&
           (c->beta == 0.5f || c->beta == 0.75f || c->beta == 1);
}

static void check(const lrn_case *c, int with_second_order)
{
    char text[600];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, atl_shape_from(4, c->size)),
             *w = atl_input(g, "w", ATL_FLOAT32, atl_shape_of(x));
    atl_node *y = atl_lrn(x, .radius = c->radius, .bias = c->bias, .alpha = c->alpha, .beta = c->beta);
    atl_node *dx = atl_gradient(atl_sum(atl_mul(y, w)), x);
    atl_node *second = with_second_order ? atl_gradient(atl_sum(atl_mul(dx, w)), x) : dx;
    cr_assert(second, "%s: %s", c->about, atl_graph_error(g));
    atl_tensor *image = random_tensor(atl_shape_of(x), -10, 10), *weights = random_tensor(atl_shape_of(x), -1, 1);
    const atl_feed feeds[] = {{x, image}, {w, weights}, {0}};
    cr_expect(floats_agree(3, (atl_node *[]){y, dx, second}, feeds, text, sizeof text), "%s: %s", c->about, text);
    const char *implementation = fits_vectors(c) ? "vectors" : "kernel";
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program && !atl_run(program, feeds), "%s: %s", c->about, atl_graph_error(g));
    cr_expect(steps_by(program, "lrn", implementation), "%s: not by %s", c->about, implementation);
    cr_expect(steps_by(program, "lrn_grad", implementation), "%s: gradient not by %s", c->about, implementation);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_tensor_free(weights);
    atl_graph_free(g);
}

Test(lrn, in_vectors_and_in_plain_loops)
{
    const lrn_case cases[] = {
        {"CIFAR-10, first", {4, 24, 24, 64}, 4, 1, 0.001f / 9, 0.75f},
        {"CIFAR-10, second", {4, 12, 12, 64}, 4, 1, 0.001f / 9, 0.75f},
        {"strong", {2, 9, 11, 32}, 2, 2, 0.3f, 0.75f},
        {"48 channels", {2, 5, 7, 48}, 3, 1, 0.01f, 0.75f},
        {"192 channels, the widest window", {2, 5, 7, 192}, 8, 1, 0.01f, 0.75f},
        {"80 channels, of one window each", {2, 5, 7, 80}, 1, 1, 0.01f, 1},
        {"1024 channels", {1, 2, 2, 1024}, 4, 1, 0.01f, 0.5f},
        {"1040 channels", {1, 2, 2, 1040}, 4, 1, 0.01f, 0.5f},
        {"24 channels", {2, 13, 11, 24}, 4, 1, 0.01f, 0.75f},
        {"70 channels", {2, 13, 11, 70}, 7, 1, 0.01f, 0.75f},
        {"beta 0.5", {2, 13, 11, 32}, 5, 1, 1, 0.5f},
        {"beta 1", {2, 13, 11, 32}, 5, 1, 1, 1},
        {"beta 0.9", {2, 13, 11, 16}, 5, 1, 0.1f, 0.9f},
        {"negative beta", {2, 13, 11, 16}, 1, 1, 0.1f, -0.6f},
        {"one pixel", {1, 1, 1, 8}, 2, 1, 1, 0.75f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], 0);
}

Test(lrn, of_any_radius)
{
    const lrn_case cases[] = {
        {"as many as the channels", {2, 3, 4, 16}, 16, 1, 0.1f, 0.75f},
        {"far more than the channels", {2, 3, 4, 16}, 1000000, 1, 0.1f, 0.75f},
        {"the widest that is summed in blocks", {1, 1, 2, 1100}, 256, 1, 0.1f, 0.75f},
        {"wider", {1, 1, 2, 1100}, 257, 1, 0.1f, 0.75f},
        {"wider than the channels are many", {1, 1, 2, 700}, 5000, 1, 0.1f, 0.5f},
        {"more channels than a block", {1, 2, 2, 1537}, 31, 1, 0.1f, 0.75f},
        {"9, one more than is summed in vectors", {2, 12, 12, 64}, 9, 1, 0.1f, 0.75f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], 0);
}

Test(lrn, second_derivatives_where_the_first_are_made_in_vectors)
{
    const lrn_case c = {"strong", {1, 12, 12, 32}, 2, 2, 0.3f, 0.75f};
    check(&c, 1);
}

/* alpha is not divided by the size of the window: x / sqrt(1 + x^2) for a single channel. */
Test(lrn, defaults_are_those_of_tensorflow)
{
    const float pixels[] = {3, -0.5f};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 1, 1, 1)), *y = atl_lrn(x);
    atl_tensor *image = atl_tensor_of_floats(atl_shape_of(x), pixels);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program && !atl_run(program, ATL_FEED(x, image)));
    for (int i = 0; i < 2; i++)
        cr_expect_float_eq(element_of(atl_value(program, y), i), pixels[i] / sqrt(1 + pixels[i] * pixels[i]), 1e-6);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(g);
}

/* After a relu the same pass applies the relu's gradient; not if the gradient before it is an output, too. */
Test(lrn, gradient_takes_the_gate_of_a_relu_in)
{
    char text[600];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5, 6, 32)), *positive = atl_relu(x);
    atl_node *error = atl_sum(atl_square(atl_lrn(positive, .radius = 2)));
    atl_node *dx = atl_gradient(error, x), *dpositive = atl_gradient(error, positive);
    atl_tensor *image = random_tensor(atl_shape_of(x), -3, 3);
    const atl_feed feeds[] = {{x, image}, {0}};
    cr_expect(floats_agree(2, (atl_node *[]){dx, dpositive}, feeds, text, sizeof text), "%s", text);
    cr_expect(floats_agree(1, &dx, feeds, text, sizeof text), "%s", text);
    atl_program *one = atl_compile(g, ATL_NODES(dx)), *both = atl_compile(g, ATL_NODES(dx, dpositive));
    cr_assert(one && both && !atl_run(one, feeds) && !atl_run(both, feeds));
    cr_expect(!steps_by(one, "relu_grad", NULL) && steps_by(both, "relu_grad", NULL));
    atl_program_free(one);
    atl_program_free(both);
    atl_tensor_free(image);
    atl_graph_free(g);
}
