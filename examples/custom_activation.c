/* An activation of your own, with a gradient: one C function and its derivative.  With gaussian(x) = exp(-x^2), a
 * radial basis function, a single hidden unit learns xor; one with relu, tanh or sigmoid never does.  usage:
 * custom_activation */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>

static double gaussian(double x) { return exp(-x * x); }

/* d/dx = -2 x gaussian(x), times dy, the adjoint of y = gaussian(x).  It is built from nodes, so it can be
 * differentiated again. */
static atl_node *gaussian_gradient(atl_node *y, atl_node *dy)
{
    atl_node *x = atl_input_of(y, 0);
    return atl_mul(dy, atl_scale(atl_mul(x, y), -2));
}

static const atl_op gaussian_op = ATL_ELEMENTWISE_OP("gaussian", gaussian, gaussian_gradient);
static atl_node *gaussian_of(atl_node *x) { return atl_apply(&gaussian_op, x); }

/* The same without a derivative: enough for a network that is only run. */
static const atl_op no_gradient_op = ATL_ELEMENTWISE_OP("gaussian_without_gradient", gaussian, NULL);
static atl_node *gaussian_without_gradient(atl_node *x) { return atl_apply(&no_gradient_op, x); }

/* [n, 2] -> [n, 1] */
static atl_node *network(atl_node *x, atl_activation *activation)
{
    atl_node *h = atl_dense_layer(x, "hidden", 1, .activation = activation);
    return atl_dense_layer(h, "out", 1);
}

/* Trains on the four rows of xor; returns the final mean squared error, or NaN after an error. */
static float learn_xor(atl_activation *activation, int steps)
{
    const float rows[] = {0, 0, 0, 1, 1, 0, 1, 1}, answers[] = {0, 1, 1, 0};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2));
    atl_node *answer = atl_input(g, "answer", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 1));
    atl_node *error = atl_mean_squared_error(network(x, activation), answer);
    atl_node *step = atl_minimize(error, atl_adam(.rate = 0.05));
    atl_program *program = atl_compile(g, ATL_NODES(step));
    atl_tensor *in = atl_tensor_of_floats(ATL_SHAPE(4, 2), rows), *out = atl_tensor_of_floats(ATL_SHAPE(4, 1), answers);
    float last = NAN;
    for (int i = 0; program && i < steps && !atl_run(program, ATL_FEEDS({x, in}, {answer, out})); i++)
        last = atl_scalar_of(program, step);
    if (!program)
        printf("  %s\n", atl_graph_error(g));
    atl_tensor_free(in);
    atl_tensor_free(out);
    atl_program_free(program);
    atl_graph_free(g);
    return last;
}

/* The distance of the derivative from central differences: check every rule in this way.  Order 2 checks the
 * gradient of the gradient. */
static double worst_of(int order)
{
    atl_gradient_check check = {.worst = INFINITY};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(50));
    atl_tensor *numbers = atl_uniform_tensor(ATL_SHAPE(50), -2, 2, /* seed */ 1);
    if (atl_check_gradient(gaussian_of(x), ATL_NODES(x), ATL_FEED(x, numbers), .order = order, .result_out = &check))
        printf("not checked: %s\n", atl_error());
    atl_tensor_free(numbers);
    atl_graph_free(g);
    return check.worst;
}

int main(void)
{
    double first = worst_of(1), second = worst_of(2);
    printf("the derivative is off by %.1g at most, its own derivative by %.1g\n", first, second);
    float by_gaussian = learn_xor(gaussian_of, 200), by_tanh = learn_xor(atl_tanh, 200);
    printf("xor with one hidden unit: error %.2g with gaussian, %.2g with tanh\n", (double)by_gaussian,
           (double)by_tanh);
    printf("and with an op that has no derivative:\n");
    float by_none = learn_xor(gaussian_without_gradient, 200);
    return first < 1e-6 && second < 1e-6 && by_gaussian < 1e-4f && by_tanh > 0.1f && isnan(by_none) ? 0 : 1;
}
