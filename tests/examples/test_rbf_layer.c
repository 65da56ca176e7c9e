/* A layer of radial basis functions, twice: built from the library's ops, and as one op of your own.
 *     phi[c, n] = exp(beta[c] * |image[n] - centers[c]|^2),   output = transposed phi times w
 * Both give the same numbers and the same gradients.  usage: rbf_layer */
#include "models/golden.h"

int rbf_layer(void);
#define main rbf_layer
#include "../../examples/rbf_layer.c"
#undef main

typedef atl_node *layer(atl_node *image, atl_node *centers, atl_node *beta);

static void check_phi(layer *phi_of)
{
    static const char *const names[] = {"image", "centers", "beta", "w"};
    atl_npz *npz = open_golden("goldens/rbf.npz");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    atl_node *centers = atl_variable(g, "centers", ATL_SHAPE(6, 4), atl_zeros());
    atl_node *beta = atl_variable(g, "beta", ATL_SHAPE(6), atl_zeros());
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(6, 2), atl_zeros()), *gradient[4];
    atl_node *output = atl_matmul(phi_of(image, centers, beta), w, .transpose_a = 1);
    atl_node *loss = atl_mean(atl_square(output));
    cr_assert(atl_gradients(ATL_NODES(loss), ATL_NODES(image, centers, beta, w), gradient) == ATL_OK, "%s",
              atl_graph_error(g));
    cr_assert(atl_load_npz(g, data_file("goldens/rbf.npz"), .allow_missing = 1, .allow_extra = 1) == ATL_OK, "%s",
              atl_error());
    atl_program *program = compiled(g, ATL_NODES(output, loss, gradient[0], gradient[1], gradient[2], gradient[3]), 0);
    atl_tensor *pixels = golden_value(npz, "image");
    cr_assert(atl_run(program, ATL_FEED(image, pixels)) == ATL_OK, "%s", atl_error());
    assert_golden(program, output, npz, "output");
    assert_golden(program, loss, npz, "loss");
    for (int i = 0; i < 4; i++)
        assert_golden(program, gradient[i], npz, ATL_NAME("grad/%s", names[i]));
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_npz_close(npz);
    atl_graph_free(g);
}

Test(rbf_layer, golden_made_of_ops) { check_phi(rbf_of_ops); }
Test(rbf_layer, golden_as_one_op) { check_phi(rbf); }

/* Every input like those of a built-in op: values in double against the float program's, and three orders of
 * derivatives. */
Test(rbf_layer, the_op_is_differentiated_again)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(5, 3));
    atl_node *centers = atl_input(g, "centers", ATL_FLOAT32, ATL_SHAPE(4, 3));
    atl_node *beta = atl_input(g, "beta", ATL_FLOAT32, ATL_SHAPE(4));
    atl_tensor *x = random_tensor(ATL_SHAPE(5, 3), -1, 1), *c = random_tensor(ATL_SHAPE(4, 3), -1, 1),
               *b = random_tensor(ATL_SHAPE(4), -1, 0);
    for (int order = 1; order <= 2; order++) {
        atl_gradient_check check = {.worst = INFINITY};
        cr_assert(atl_check_gradient(atl_gradient(rbf(image, centers, beta), centers), ATL_NODES(image, centers, beta),
                                     ATL_FEEDS({image, x}, {centers, c}, {beta, b}), .order = order,
                                     .result_out = &check) == ATL_OK,
                  "%s", atl_error());
        cr_expect_lt(check.worst, 1e-6, "order %d: %g, not %g, at %s[%lld]", order + 1, check.analytic, check.numeric,
                     atl_name_of(check.x), (long long)check.index);
    }
    atl_tensor_free(x);
    atl_tensor_free(c);
    atl_tensor_free(b);
    atl_graph_free(g);
}

Test(rbf_layer, wrong_shapes_are_refused_in_words)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    atl_node *centers = atl_variable(g, "centers", ATL_SHAPE(6, 3), atl_zeros());
    atl_node *beta = atl_variable(g, "beta", ATL_SHAPE(6), atl_zeros());
    cr_assert_null(rbf(image, centers, beta));
    cr_assert_mentions(atl_graph_error(g), "rbf: takes an image [n, d], centers [c, d] and beta [c]");
    cr_assert_mentions(atl_graph_error(g), "[?, 4], [6, 3] and [6]");
    atl_graph_free(g);
}
