/* Second order through whole networks: Hessian-vector products of the CIFAR-10 net against central differences of its
 * gradient, and a gradient penalty that is trained.
 * Minutes: 3 */
#include "support.h"

/* ---- Hessian times vector ---------------------------------------------------------------------------------------- */

typedef struct net {
    atl_graph *graph;
    atl_node *image, *labels, *loss;
    atl_tensor *pixels, *classes;
} net;

static net open_cifar10(void)
{
    net n = {.graph = atl_graph_new()};
    n.image = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(2, 24, 24, 3));
    n.labels = atl_input(n.graph, "labels", ATL_INT32, ATL_SHAPE(2));
    n.loss = atl_mean(atl_sparse_softmax_cross_entropy(atl_cifar10(n.image), n.labels));
    n.pixels = random_tensor(ATL_SHAPE(2, 24, 24, 3), 0, 255);
    n.classes = random_ints(ATL_SHAPE(2), 0, 10);
    return n;
}

static void close_net(net *n)
{
    atl_tensor_free(n->pixels);
    atl_tensor_free(n->classes);
    atl_graph_free(n->graph);
}

/* In double, with x at its value + step * direction.  x is the image or a variable. */
static atl_tensor *gradient_at(const net *n, atl_node *dx, atl_node *x, const atl_tensor *direction, double step)
{
    atl_tensor *at = atl_tensor_convert(x == n->image ? n->pixels : atl_variable_value(x), ATL_FLOAT64);
    for (int64_t k = 0; k < atl_tensor_count(at); k++)
        atl_doubles(at)[k] += step * element_of(direction, k);
    atl_reference *r = atl_reference_run(ATL_NODES(dx), ATL_FEEDS({x, at}, {n->labels, n->classes},
                                                                  {x == n->image ? NULL : n->image, n->pixels}));
    cr_assert(r, "%s", atl_error());
    atl_tensor *value = atl_tensor_copy(atl_reference_value(r, dx));
    atl_reference_free(r);
    atl_tensor_free(at);
    return value;
}

/* (gradient(x + h v) - gradient(x - h v)) / 2h, with so small a step that hardly any relu changes sides within it. */
static atl_tensor *difference_of_gradients(const net *n, atl_node *dx, atl_node *x, const atl_tensor *v, double h)
{
    atl_tensor *up = gradient_at(n, dx, x, v, h), *down = gradient_at(n, dx, x, v, -h);
    for (int64_t k = 0; k < atl_tensor_count(up); k++)
        atl_doubles(up)[k] = (atl_doubles(up)[k] - atl_doubles(down)[k]) / (2 * h);
    atl_tensor_free(down);
    return up;
}

static void check_hvp(net *n, atl_node *x, double h)
{
    atl_tensor *along = random_tensor(atl_shape_of(x), -1, 1);
    atl_node *v = atl_constant(n->graph, along), *dx = atl_gradient(n->loss, x), *hv = atl_hvp(n->loss, x, v);
    cr_assert(hv, "%s", atl_graph_error(n->graph));
    atl_feed feeds[] = {{n->image, n->pixels}, {n->labels, n->classes}, {0}};
    atl_reference *exact = atl_reference_run(ATL_NODES(hv), feeds);
    cr_assert(exact, "%s", atl_error());
    atl_tensor *numeric = difference_of_gradients(n, dx, x, along, h);
    double off = relative_l2(atl_reference_value(exact, hv), numeric);
    fprintf(stderr, "%s: %.2g from central differences", atl_name_of(x), off);
    cr_expect_leq(off, 1e-5, "d2/d%s: %g", atl_name_of(x), off);
    atl_program *program = atl_compile(n->graph, ATL_NODES(hv));
    cr_assert(program, "%s", atl_graph_error(n->graph));
    cr_assert_eq(atl_run(program, feeds), ATL_OK, "%s", atl_error());
    off = relative_l2(atl_value(program, hv), atl_reference_value(exact, hv));
    fprintf(stderr, "; the float program %.2g from the reference\n", off);
    cr_expect_leq(off, 1e-4, "d2/d%s as floats: %g", atl_name_of(x), off);
    atl_program_free(program);
    atl_tensor_free(numeric);
    atl_reference_free(exact);
    atl_tensor_free(along);
}

Test(second_order, hessian_of_cifar10_by_the_image)
{
    net n = open_cifar10();
    check_hvp(&n, n.image, 1e-5);
    close_net(&n);
}
Test(second_order, hessian_of_cifar10_by_a_filter)
{
    net n = open_cifar10();
    check_hvp(&n, atl_variables(n.graph).node[0], 1e-7);
    close_net(&n);
}

/* ---- a gradient penalty ------------------------------------------------------------------------------------------ */

/* A critic of images with conv, LRN and max-pool, whose image gradient is pulled to norm 1 (Gulrajani et al. 2017). */
static atl_node *critic(atl_node *image)
{
    atl_node *h = atl_conv_layer(image, "conv", 8, .window = {3, 3}, .activation = atl_relu);
    h = atl_max_pool2d(atl_lrn(h, .radius = 2), .window = {2, 2});
    return atl_dense_layer(atl_flatten(h), "score", 1, .initializer = atl_normal(0.2f)); /* too steep */
}

static atl_node *penalty_of(atl_node *score, atl_node *image)
{
    atl_node *slope = atl_gradient(score, image);
    atl_node *norm = atl_reduce_l2_norm(slope, ATL_AXES(1, 2, 3));
    return atl_mean(atl_square(atl_add_scalar(norm, -1)));
}

Test(second_order, a_gradient_penalty_is_trained)
{
    enum { STEPS = 10 };
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 12, 12, 3));
    atl_node *side = atl_input(g, "side", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 1)); /* +1 or -1 */
    atl_node *score = critic(image), *penalty = penalty_of(score, image);
    atl_node *loss = atl_add(atl_mean(atl_softplus(atl_neg(atl_mul(score, side)))), atl_scale(penalty, 10));
    atl_node *step = atl_minimize(loss, atl_sgd(.rate = 0.003f));
    atl_program *program = atl_compile(g, ATL_NODES(step, penalty));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(8, 12, 12, 3), -1, 1),
               *sides = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(8, 1));
    for (int i = 0; i < 8; i++)
        atl_floats(sides)[i] = i % 2 ? 1 : -1;
    float before = INFINITY, first = 0;
    for (int i = 0; i <= STEPS; i++) {
        cr_assert_eq(atl_run(program, ATL_FEEDS({image, pixels}, {side, sides})), ATL_OK, "%s", atl_error());
        float now = atl_scalar_of(program, step);
        fprintf(stderr, "step %2d: loss %.5f, penalty %.5f\n", i, now, atl_scalar_of(program, penalty));
        cr_expect_lt(now, before, "step %d: %g after %g", i, now, before);
        before = now;
        first = i ? first : now;
    }
    cr_expect_lt(before, 0.7f * first);
    atl_gradient_check check;
    atl_node *const *variables = atl_variables(g).node;
    cr_assert_eq(atl_check_gradient(penalty, ATL_NODES(variables[0], variables[1], image), ATL_FEEDS({image, pixels}),
                                    .step = 1e-6, .most = 20, .result_out = &check),
                 ATL_OK, "%s", atl_error());
    cr_expect_lt(check.worst, 1e-6, "%s[%lld]: %g, numeric %g", atl_name_of(check.x), (long long)check.index,
                 check.analytic, check.numeric);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(sides);
    atl_graph_free(g);
}
