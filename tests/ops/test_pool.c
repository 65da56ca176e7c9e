/* Pooling beyond its samples: ties, borders, and its implementations. */
#include "battery.h"
#include "graph/graph.h"

/* y = pool(x), and dx for sum(y * weights), which are fed with random numbers. */
typedef struct pooling {
    atl_graph *graph;
    atl_node *x, *y, *weights, *dx;
    atl_tensor *image, *factor;
    atl_feed feeds[3];
} pooling;

typedef enum pool_kind { LARGEST, MEAN } pool_kind;

static pooling new_pooling(pool_kind kind, atl_tensor *image, atl_pool2d_args args)
{
    pooling p = {.graph = atl_graph_new(), .image = image};
    p.x = args.image = atl_input(p.graph, "x", ATL_FLOAT32, atl_tensor_shape(image));
    p.y = kind == LARGEST ? atl_max_pool2d_with(&args) : atl_avg_pool2d_with(&args);
    cr_assert(p.y, "%s", atl_graph_error(p.graph));
    p.weights = atl_input(p.graph, "weights", ATL_FLOAT32, atl_shape_of(p.y));
    p.factor = random_tensor(atl_shape_of(p.y), 0.5f, 1.5f);
    p.dx = atl_gradient(atl_sum(atl_mul(p.y, p.weights)), p.x);
    cr_assert(p.dx, "%s", atl_graph_error(p.graph));
    p.feeds[0] = (atl_feed){p.x, p.image};
    p.feeds[1] = (atl_feed){p.weights, p.factor};
    return p;
}

static void free_pooling(pooling *p)
{
    atl_tensor_free(p->image);
    atl_tensor_free(p->factor);
    atl_graph_free(p->graph);
}

/* Value and gradient against the oracle; no step may run oneDNN's reference loops. */
static void check(pooling *p, const char *what)
{
    char text[600];
    cr_expect(floats_agree(2, (atl_node *[]){p->y, p->dx}, p->feeds, text, sizeof text), "%s: %s", what, text);
    atl_program *program = atl_compile(p->graph, ATL_NODES(p->y, p->dx));
    cr_assert(program && !atl_run(program, p->feeds), "%s: %s", what, atl_graph_error(p->graph));
    cr_expect_eq(steps_by(program, NULL, "ref"), 0, "%s", what);
    atl_program_free(program);
}

static void check_once(const char *what, pool_kind kind, atl_tensor *image, atl_pool2d_args args)
{
    pooling p = new_pooling(kind, image, args);
    check(&p, what);
    free_pooling(&p);
}

/* Whole numbers -2..1: every window has ties. */
static atl_tensor *tied_image(atl_shape shape)
{
    atl_tensor *image = random_tensor(shape, -2, 2);
    for (int64_t i = 0; i < atl_tensor_count(image); i++)
        atl_floats(image)[i] = floorf(atl_floats(image)[i]);
    return image;
}

#define POOL(...) ((atl_pool2d_args){__VA_ARGS__})

/* The reference takes the first in row order: the kernel (small images) and steps with a workspace (large ones) must do
 * the same. */
Test(pool, at_a_tie_the_first_in_row_order_gets_the_gradient)
{
    const atl_shape shapes[] = {ATL_SHAPE(2, 5, 6, 3), ATL_SHAPE(3, 33, 34, 5), ATL_SHAPE(2, 31, 32, 32),
                                ATL_SHAPE(1, 20, 21, 70)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_once("2x2", LARGEST, tied_image(shapes[i]), POOL(.window = {2, 2}));
        check_once("3x3 over 2", LARGEST, tied_image(shapes[i]), POOL(.window = {3, 3}, .stride = {2, 2}));
        check_once("3x3 over 1", LARGEST, tied_image(shapes[i]),
                   POOL(.window = {3, 3}, .stride = {1, 1}, .padding = ATL_VALID));
        check_once("global", LARGEST, tied_image(shapes[i]), POOL(.window = {0, 0}));
    }
}

/* Images in NHWC whose channels fill vectors are pooled by our own kernels; others by oneDNN's, or by the op's loop. */
Test(pool, by_which_kernels)
{
    const struct {
        atl_shape image;
        int own;
    } rows[] = {{ATL_SHAPE(1, 20, 20, 32), 1}, {ATL_SHAPE(1, 4, 4, 16), 1}, {ATL_SHAPE(1, 40, 40, 7), 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pooling p = new_pooling(LARGEST, random_tensor(rows[i].image, -8, 8), POOL(.window = {3, 3}, .stride = {2, 2}));
        atl_program *program = atl_compile(p.graph, ATL_NODES(p.y, p.dx));
        cr_assert(program && !atl_run(program, p.feeds));
        cr_expect_eq(steps_by(program, NULL, "max_pool"), rows[i].own ? 2 : 0, "row %zu", i);
        atl_program_free(program);
        free_pooling(&p);
    }
}

Test(pool, of_an_even_image_every_window_gives_its_gradient_to_its_first_pixel)
{
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 1));
    pooling p = new_pooling(LARGEST, image, POOL(.window = {2, 2}));
    atl_program *program = atl_compile(p.graph, ATL_NODES(p.dx));
    cr_assert(program && !atl_run(program, p.feeds));
    const atl_tensor *dx = atl_value(program, p.dx);
    for (int i = 0; i < 16; i++) {
        int first = i % 2 == 0 && i / 4 % 2 == 0;
        double expected = first ? element_of(p.factor, i / 8 * 2 + i % 4 / 2) : 0;
        cr_expect_eq(element_of(dx, i), expected, "pixel %d: %g, not %g", i, element_of(dx, i), expected);
    }
    atl_program_free(program);
    free_pooling(&p);
}

/* Padding would be larger than -9..-1, and would pull a mean towards 0, if it took part. */
Test(pool, padding_never_wins_and_never_counts)
{
    const atl_shape shapes[] = {ATL_SHAPE(2, 4, 5, 2), ATL_SHAPE(2, 32, 33, 16), ATL_SHAPE(1, 40, 39, 17)};
    const atl_pool2d_args args[] = {
        POOL(.window = {3, 3}, .stride = {2, 2}),
        POOL(.window = {2, 3}, .stride = {3, 1}),
        POOL(.window = {5, 5}, .stride = {1, 2}),
        POOL(.window = {3, 3}, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {2, 2, 2, 2}),
        POOL(.window = {3, 2}, .stride = {1, 1}, .padding = ATL_EXPLICIT, .pad = {0, 2, 1, 0}),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t k = 0; k < sizeof args / sizeof *args; k++) {
            check_once("largest", LARGEST, random_tensor(shapes[i], -9, -1), args[k]);
            check_once("mean", MEAN, random_tensor(shapes[i], -9, -1), args[k]);
        }
}

Test(pool, a_mean_of_ones_is_one_at_every_border)
{
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 40, 41, 16));
    for (int64_t i = 0; i < atl_tensor_count(image); i++)
        atl_floats(image)[i] = 1;
    pooling p = new_pooling(MEAN, image, POOL(.window = {3, 3}, .stride = {2, 2}));
    atl_program *program = atl_compile(p.graph, ATL_NODES(p.y));
    cr_assert(program && !atl_run(program, p.feeds));
    const atl_tensor *y = atl_value(program, p.y);
    for (int64_t i = 0; i < atl_tensor_count(y); i++)
        cr_assert_float_eq(element_of(y, i), 1, 1e-6, "element %lld is %g", (long long)i, element_of(y, i));
    atl_program_free(program);
    free_pooling(&p);
}

/* Odd windows, wide windows, windows larger than the image with SAME padding, strides that leave gaps, one pixel. */
Test(pool, of_unusual_windows)
{
    const atl_pool2d_args args[] = {
        POOL(.window = {1, 1}, .stride = {2, 3}),   POOL(.window = {1, 7}, .stride = {1, 1}),
        POOL(.window = {19, 18}, .stride = {4, 4}), POOL(.window = {60, 70}, .stride = {7, 9}),
        POOL(.window = {2, 2}, .stride = {5, 6}),
    };
    for (size_t k = 0; k < sizeof args / sizeof *args; k++) {
        check_once("largest", LARGEST, random_tensor(ATL_SHAPE(2, 24, 23, 20), -8, 8), args[k]);
        check_once("mean", MEAN, random_tensor(ATL_SHAPE(2, 24, 23, 20), -8, 8), args[k]);
        check_once("largest of one pixel", LARGEST, random_tensor(ATL_SHAPE(3, 1, 1, 4), -8, 8), args[k]);
        check_once("mean of one pixel", MEAN, random_tensor(ATL_SHAPE(3, 1, 1, 4), -8, 8), args[k]);
    }
}

/* The pools of VGG16, SqueezeNet v1.1, ResNet-20 and the CIFAR-10 net, at their sizes; under sanitizers the smaller
 * ones. */
Test(pool, of_the_networks_never_runs_a_reference)
{
    for (int side = FEWER(224, 28), c = 64; side >= 14; side /= 2, c = c < 512 ? 2 * c : c)
        check_once("VGG16", LARGEST, random_tensor(ATL_SHAPE(1, side, side, c), -8, 8),
                   POOL(.window = {2, 2}, .stride = {2, 2}));
    const atl_pool2d_args squeeze = POOL(.window = {3, 3}, .stride = {2, 2}, .padding = ATL_VALID);
    for (int side = FEWER(111, 27), c = FEWER(64, 256); side >= 27; side /= 2, c *= 2)
        check_once("SqueezeNet", LARGEST, random_tensor(ATL_SHAPE(1, side, side, c), -8, 8), squeeze);
    check_once("SqueezeNet", MEAN, random_tensor(ATL_SHAPE(1, 13, 13, 1000), -8, 8), POOL(.window = {0, 0}));
    check_once("ResNet-20", MEAN, random_tensor(ATL_SHAPE(16, 8, 8, 64), -8, 8), POOL(.window = {0, 0}));
    check_once("CIFAR-10", LARGEST, random_tensor(ATL_SHAPE(8, 24, 24, 64), -8, 8),
               POOL(.window = {3, 3}, .stride = {2, 2}));
    check_once("CIFAR-10", LARGEST, random_tensor(ATL_SHAPE(8, 12, 12, 64), -8, 8),
               POOL(.window = {3, 3}, .stride = {2, 2}));
}

static const atl_node *node_of_op(const atl_graph *graph, const char *op)
{
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        if (!strcmp(atl_op_of(atl_graph_node(graph, i))->name, op))
            return atl_graph_node(graph, i);
    return NULL;
}

/* The gradient from the positions that the pooling stores, and that of the op's kernel, which finds them in x, have the
 * same bits if windows do not overlap. */
static void compare_with_kernel(int64_t channels, const char *implementation)
{
    pooling p = new_pooling(LARGEST, tied_image(ATL_SHAPE(2, 32, 31, channels)), POOL(.window = {2, 3}));
    atl_program *program = atl_compile(p.graph, ATL_NODES(p.dx));
    cr_assert(program && !atl_run(program, p.feeds));
    cr_expect(steps_by(program, "max_pool2d_grad", implementation), "not by %s", implementation);
    const atl_node *gradient = node_of_op(p.graph, "max_pool2d_grad");
    atl_tensor *own = atl_tensor_new(ATL_FLOAT32, atl_shape_of(p.x));
    gradient->op->kernel(gradient, (const void *[]){atl_floats(p.factor), atl_floats(p.image), NULL}, atl_floats(own));
    cr_expect_eq(largest_difference(atl_value(program, p.dx), own), 0);
    atl_tensor_free(own);
    atl_program_free(program);
    free_pooling(&p);
}

Test(pool, gradients_with_and_without_a_workspace_are_equal)
{
    compare_with_kernel(48, "max_pool");
    compare_with_kernel(45, "jit");
}

Test(pool, nchw_is_nhwc_transposed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 7, 6, 5));
    atl_node *a = atl_max_pool2d(x, .window = {3, 2}, .stride = {2, 2});
    atl_node *b =
        atl_max_pool2d(atl_transpose(x, .order = {0, 3, 1, 2}), .window = {3, 2}, .stride = {2, 2}, .layout = ATL_NCHW);
    atl_node *back = atl_transpose(b, .order = {0, 2, 3, 1});
    atl_program *program = atl_compile(g, ATL_NODES(a, back));
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    cr_assert(program && !atl_run(program, ATL_FEED(x, image)), "%s", atl_graph_error(g));
    cr_expect_eq(largest_difference(atl_value(program, back), atl_value(program, a)), 0);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Hessian of sum(max(x)^2): selects by position, twice.  On an image that is large enough for oneDNN. */
Test(pool, second_derivatives_of_a_large_image)
{
    char text[600];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 16)),
             *v = atl_input(g, "v", ATL_FLOAT32, atl_shape_of(x));
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}),
             *m = atl_avg_pool2d(x, .window = {3, 3}, .stride = {2, 2});
    atl_node *dx = atl_gradient(atl_sum(atl_mul(atl_square(y), m)), x),
             *product = atl_gradient(atl_sum(atl_mul(dx, v)), x);
    atl_tensor *image = random_tensor(atl_shape_of(x), -8, 8), *direction = random_tensor(atl_shape_of(x), -1, 1);
    cr_assert(product, "%s", atl_graph_error(g));
    int ok = floats_agree(1, &product, ATL_FEEDS({x, image}, {v, direction}), text, sizeof text);
    cr_expect(ok, "%s", text);
    atl_tensor_free(image);
    atl_tensor_free(direction);
    atl_graph_free(g);
}

/* Between convolutions in blocked layouts, pooling and its workspace are blocked, too. */
Test(pool, between_convolutions_in_blocks)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 56, 56, 64)), *h = x;
    for (int i = 0; i < 3; i++) {
        h = atl_relu(atl_conv2d(h, atl_variable(g, ATL_NAME("filter%d", i), ATL_SHAPE(3, 3, 64, 64), atl_he())));
        h = i == 0   ? atl_max_pool2d(h, .window = {3, 3}, .stride = {2, 2})
            : i == 1 ? atl_avg_pool2d(h, .window = {2, 2})
                     : h;
    }
    atl_node *dx = atl_gradient(atl_sum(atl_square(h)), x);
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(h, dx));
    assert_like_references(program, ATL_NODES(h, dx), ATL_FEED(x, image), 1e-5);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(g);
}

Test(pool, unknown_sizes_flow_through)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY, 9, ATL_ANY));
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}), *z = atl_avg_pool2d(x);
    cr_expect(atl_shape_equal(atl_shape_of(y), ATL_SHAPE(ATL_ANY, ATL_ANY, 5, ATL_ANY)));
    cr_expect(atl_shape_equal(atl_shape_of(z), ATL_SHAPE(ATL_ANY, 1, 1, ATL_ANY)));
    cr_expect(atl_gradient(atl_sum(y), x));
    atl_graph_free(g);
}

/* A relu before a max-pool: its gradient is applied where there are fewer elements, with the same bits. */
Test(pool, the_gradient_of_a_relu_is_gated_before_it_is_spread)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 9, 10, 16));
    atl_node *y = atl_max_pool2d(atl_relu(x), .window = {3, 3}, .stride = {2, 2});
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *image = random_tensor(ATL_SHAPE(2, 9, 10, 16), -1, 0.5f), *values[2];
    for (int plain = 0; plain < 2; plain++) {
        atl_program *program = atl_compile(g, ATL_NODES(dx), .disabled_passes = plain ? ATL_PASS_SIMPLIFY : 0);
        cr_assert(program && !atl_run(program, ATL_FEED(x, image)), "%s", atl_error());
        values[plain] = atl_tensor_copy(atl_value(program, dx));
        for (int64_t i = 0; i < atl_program_step_count(program); i++) {
            atl_step_info step;
            cr_assert_eq(atl_program_step(program, i, &step), ATL_OK);
            if (!plain && strstr(step.op, "relu_grad"))
                cr_expect_eq(step.shape.size[1], 5, "the gate is over %lld rows", (long long)step.shape.size[1]);
        }
        atl_program_free(program);
    }
    cr_expect_eq(memcmp(atl_floats(values[0]), atl_floats(values[1]), 2 * 9 * 10 * 16 * sizeof(float)), 0);
    atl_tensor_free(values[0]);
    atl_tensor_free(values[1]);
    atl_tensor_free(image);
    atl_graph_free(g);
}

/* A bias before a pool: the sum of the pool's gradient is that of the pooled gradient. */
Test(pool, the_sum_of_a_gradient_is_taken_before_it_is_spread)
{
    char text[600];
    for (pool_kind kind = LARGEST; kind <= MEAN; kind++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 9, 8, 4)),
                 *bias = atl_input(g, "bias", ATL_FLOAT32, ATL_SHAPE(4)),
                 *row = atl_input(g, "row", ATL_FLOAT32, ATL_SHAPE(8, 1)), *sum = atl_add(atl_add(x, row), bias);
        atl_node *y = kind == LARGEST ? atl_max_pool2d(sum, .window = {3, 3}, .stride = {2, 2})
                                      : atl_avg_pool2d(sum, .window = {3, 3}, .stride = {2, 2});
        atl_node *d[2], *error = atl_sum(atl_square(y));
        cr_assert_eq(atl_gradients(ATL_NODES(error), ATL_NODES(bias, row), d), ATL_OK);
        atl_tensor *value[] = {random_tensor(atl_shape_of(x), -3, 3), random_tensor(atl_shape_of(bias), -1, 1),
                               random_tensor(atl_shape_of(row), -1, 1)};
        const atl_feed feeds[] = {{x, value[0]}, {bias, value[1]}, {row, value[2]}, {0}};
        cr_expect(floats_agree(2, d, feeds, text, sizeof text), "%s", text);
        atl_program *program = atl_compile(g, ATL_NODES(d[0]));
        cr_assert(program && !atl_run(program, feeds));
        cr_expect_eq(steps_by(program, "max_pool2d_grad", NULL) + steps_by(program, "avg_pool2d_grad", NULL), 0);
        atl_program_free(program);
        for (int i = 0; i < 3; i++)
            atl_tensor_free(value[i]);
        atl_graph_free(g);
    }
}
