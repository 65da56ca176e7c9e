/* Post-ops: programs in which element-wise steps run within the convolutions and products before them have the same
 * bits as without. */
#include "support.h"

/* A layer with an activation, and the gradient by its image. */
typedef struct layer {
    const char *name, *own; /* our own kernel for it, which the costs may choose or not; null: there is no post-op */
    atl_node *(*of)(atl_node *x, atl_graph *g);
    int64_t height, width, channels;
} layer;

static atl_node *weight(atl_graph *g, const char *name, atl_shape shape)
{
    static int count;
    return atl_variable(g, ATL_NAME("%s%d", name, count++), shape, atl_normal(0.2f));
}

static atl_node *biased(atl_node *y, atl_graph *g)
{
    return atl_bias_add(y, weight(g, "b", ATL_SHAPE(atl_shape_of(y).size[3])));
}

static atl_node *convolved(atl_node *x, atl_graph *g, int size, int stride, int dilation, int groups, int out)
{
    const int64_t in = atl_shape_of(x).size[3] / groups;
    return biased(atl_conv2d(x, weight(g, "w", ATL_SHAPE(size, size, in, out)), .stride = {stride, stride},
                             .dilation = {dilation, dilation}, .groups = groups),
                  g);
}

static atl_node *pointwise(atl_node *x, atl_graph *g) { return convolved(x, g, 1, 1, 1, 1, 64); }
static atl_node *widened(atl_node *x, atl_graph *g) { return convolved(x, g, 1, 1, 1, 1, 16 * 13); }
static atl_node *window3(atl_node *x, atl_graph *g) { return convolved(x, g, 3, 1, 1, 1, 48); }
static atl_node *wide_window(atl_node *x, atl_graph *g) { return convolved(x, g, 3, 1, 1, 1, 192); }
static atl_node *strided(atl_node *x, atl_graph *g) { return convolved(x, g, 3, 2, 1, 1, 64); }
static atl_node *depthwise(atl_node *x, atl_graph *g)
{
    return convolved(x, g, 3, 1, 1, (int)atl_shape_of(x).size[3], (int)atl_shape_of(x).size[3]);
}
static atl_node *product(atl_node *x, atl_graph *g)
{
    const atl_shape s = atl_shape_of(x);
    atl_node *rows = atl_reshape(x, ATL_SHAPE(-1, s.size[3]));
    return atl_reshape(atl_matmul(rows, weight(g, "w", ATL_SHAPE(s.size[3], 96))),
                       ATL_SHAPE(s.size[0], s.size[1], s.size[2], 96));
}

static const layer layers[] = {{"1x1", "pointwise", pointwise, 40, 42, 32},
                               {"1x1, few channels", "pointwise", pointwise, 45, 45, 16},
                               {"1x1, panels of two widths", "pointwise", widened, 17, 31, 64},
                               {"first layer", "few channels", strided, 83, 90, 3},
                               {"product", "packed", product, 40, 39, 64},
                               {"a small 1x1", NULL, pointwise, 9, 14, 32},
                               {"3x3", NULL, window3, 13, 14, 32},
                               {"3x3, many channels", NULL, wide_window, 14, 14, 192},
                               {"strided", NULL, strided, 15, 14, 48},
                               {"depthwise", NULL, depthwise, 14, 15, 48}};
enum { LAYERS = sizeof layers / sizeof *layers };

static atl_node *leaky(atl_node *x) { return atl_leaky_relu(x, 0.1f); }
static atl_node *gated(atl_node *x) { return atl_mul(atl_sigmoid(x), atl_tanh(x)); }
static atl_node *(*const activations[])(atl_node *) = {atl_swish,   leaky,    atl_hard_swish, atl_gelu,
                                                       atl_sigmoid, atl_tanh, gated};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static atl_program *compiled(atl_nodes wanted, const atl_feed *feeds, unsigned without, int threads, int micro_batch)
{
    atl_program *program = atl_compile(atl_graph_of(wanted.node[0]), wanted, .disabled_passes = without,
                                       .threads = threads, .micro_batch = micro_batch);
    cr_assert(program && !atl_run(program, feeds), "%s", atl_error());
    return program;
}

/* Returns the number of post-ops. */
static int64_t expect_same_bits(atl_nodes wanted, const atl_feed *feeds, unsigned without, int threads, int micro_batch)
{
    atl_program *with = compiled(wanted, feeds, without, threads, micro_batch),
                *plain = compiled(wanted, feeds, without | ATL_PASS_POST_OP, threads, micro_batch);
    for (int64_t i = 0; i < wanted.count; i++) {
        const atl_tensor *x = atl_value(with, wanted.node[i]), *y = atl_value(plain, wanted.node[i]);
        cr_assert_arr_eq(atl_floats(x), atl_floats(y), (size_t)atl_tensor_count(x) * sizeof(float),
                         "%s, without %x, %d threads: %g apart", atl_name_of(wanted.node[i]), without, threads,
                         largest_difference(x, y));
    }
    const int64_t post_ops = steps_by(with, NULL, ", ");
    cr_expect_eq(steps_by(plain, NULL, ", "), 0);
    cr_expect_eq(post_ops > 0, steps_by(plain, NULL, NULL) > steps_by(with, NULL, NULL));
    atl_program_free(with);
    atl_program_free(plain);
    return post_ops;
}

/* The activated layer and its gradient; x comes from a step, so that its memory may be written over. */
static int64_t expect_layer(const layer *l, atl_node *(*activation)(atl_node *), int batch, int images)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(batch, l->height, l->width, l->channels);
    atl_node *fed = atl_input(g, "x", ATL_FLOAT32, shape), *x = activation(atl_scale(fed, 1.5f));
    atl_node *y = activation(l->of(x, g)), *dx = atl_gradient(atl_sum(atl_square(y)), fed);
    cr_assert(dx, "%s: %s", l->name, atl_graph_error(g));
    atl_tensor *feed = random_tensor(shape, -2, 2);
    const unsigned without[] = {0, ATL_PASS_IN_PLACE | ATL_PASS_FUSE};
    int64_t post_ops = 0;
    for (int i = 0; i < 2; i++)
        for (int threads = 1; threads < 3; threads++)
            post_ops += expect_same_bits(ATL_NODES(y, dx), ATL_FEED(fed, feed), without[i], threads, images);
    atl_program *program = compiled(ATL_NODES(y, dx), ATL_FEED(fed, feed), 0, 2, images);
    assert_like_references(program, ATL_NODES(y, dx), ATL_FEED(fed, feed), 1e-4);
    atl_program_free(program);
    atl_tensor_free(feed);
    atl_graph_free(g);
    return post_ops;
}

/* True if our own kernel computes such a layer at this level. */
static int computes(const layer *l)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, l->height, l->width, l->channels));
    atl_program *program = atl_compile(g, ATL_NODES(l->of(x, g)), .threads = 2);
    cr_assert(program, "%s", atl_error());
    const int64_t steps = steps_by(program, NULL, l->own);
    atl_program_free(program);
    atl_graph_free(g);
    return steps > 0;
}

Test(post_op, every_kernel_and_activation)
{
    int64_t all = 0;
    for (int k = 0; k < LAYERS; k++) {
        int64_t post_ops = 0;
        for (int a = k % 2; a < FEWER(ACTIVATIONS, 2); a += 2)
            post_ops += expect_layer(&layers[k], activations[a], 1 + a / 2 % 2, 0);
        cr_expect_eq(post_ops > 0, layers[k].own && computes(&layers[k]), "%s: %lld", layers[k].name,
                     (long long)post_ops);
        all += post_ops;
    }
    cr_expect_gt(all, 0);
}

Test(post_op, in_a_loop_over_the_batch)
{
    for (int k = 0; k < LAYERS; k++)
        expect_layer(&layers[k], k % 2 ? atl_swish : leaky, 4, 1 + k % 2);
}

/* The step's results may not overwrite what the convolution still reads for other pixels. */
Test(post_op, operands_that_the_convolution_reads)
{
    for (int k = 0; k < LAYERS; k++) {
        const layer *l = &layers[k];
        atl_graph *g = atl_graph_new();
        const atl_shape shape = ATL_SHAPE(2, l->height, l->width, l->channels);
        atl_node *fed = atl_input(g, "x", ATL_FLOAT32, shape), *x = atl_tanh(fed), *y = l->of(x, g);
        const bool same = atl_shape_equal(atl_shape_of(y), shape); /* then a gate on the image itself, and a residual */
        atl_node *gate = same ? atl_mul(atl_sigmoid(y), x) : atl_swish(y);
        atl_node *residual = same ? atl_sigmoid(atl_add(y, x)) : gate;
        atl_tensor *feed = random_tensor(shape, -2, 2);
        expect_same_bits(ATL_NODES(gate, residual), ATL_FEED(fed, feed), 0, 2, 0);
        expect_same_bits(ATL_NODES(residual), ATL_FEED(fed, feed), 0, 2, 0);
        expect_same_bits(ATL_NODES(gate), ATL_FEED(fed, feed), 0, 2, 0);
        atl_tensor_free(feed);
        atl_graph_free(g);
    }
}

/* The other operand is a concat, one part of which is computed after the convolution, directly in its place. */
Test(post_op, waits_for_the_parts_of_a_concat)
{
    atl_graph *g = atl_graph_new();
    const atl_shape shape = ATL_SHAPE(2, 12, 13, 32);
    atl_node *fed = atl_input(g, "x", ATL_FLOAT32, shape), *x = atl_tanh(fed);
    atl_node *first = convolved(x, g, 3, 1, 1, 1, 32), *y = pointwise(x, g), *second = convolved(x, g, 3, 1, 1, 1, 32);
    atl_node *z = atl_mul(atl_sigmoid(y), atl_concat(3, first, second));
    atl_tensor *feed = random_tensor(shape, -2, 2);
    expect_same_bits(ATL_NODES(z), ATL_FEED(fed, feed), 0, 2, 0);
    expect_same_bits(ATL_NODES(z), ATL_FEED(fed, feed), ATL_PASS_FUSE, 1, 1);
    atl_tensor_free(feed);
    atl_graph_free(g);
}

/* What the convolution made is an output, too, or read by several. */
Test(post_op, results_with_several_readers)
{
    for (int k = 0; k < LAYERS; k++) {
        const layer *l = &layers[k];
        atl_graph *g = atl_graph_new();
        const atl_shape shape = ATL_SHAPE(2, l->height, l->width, l->channels);
        atl_node *fed = atl_input(g, "x", ATL_FLOAT32, shape), *y = l->of(fed, g), *swish = atl_swish(y);
        atl_node *later = atl_mul(atl_reduce_mean(swish, ATL_AXES(1, 2), .keep = true), atl_hard_swish(y));
        atl_tensor *feed = random_tensor(shape, -2, 2);
        expect_same_bits(ATL_NODES(y, swish, later), ATL_FEED(fed, feed), 0, 2, 0);
        expect_same_bits(ATL_NODES(later), ATL_FEED(fed, feed), 0, 2, 0);
        expect_same_bits(ATL_NODES(later, y), ATL_FEED(fed, feed), ATL_PASS_FUSE, 1, 0);
        atl_tensor_free(feed);
        atl_graph_free(g);
    }
}

/* NaN, infinities and zeros of both signs go where they went. */
Test(post_op, special_values)
{
    const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e38f, 1e-40f};
    for (int k = 0; k < LAYERS; k++) {
        const layer *l = &layers[k];
        atl_graph *g = atl_graph_new();
        const atl_shape shape = ATL_SHAPE(1, l->height, l->width, l->channels);
        atl_node *fed = atl_input(g, "x", ATL_FLOAT32, shape), *y = atl_hard_swish(l->of(fed, g));
        atl_node *dx = atl_gradient(atl_sum(atl_square(y)), fed);
        for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
            atl_tensor *feed = random_tensor(shape, -2, 2);
            atl_floats(feed)[random_below((uint64_t)atl_shape_count(shape))] = special[i];
            expect_same_bits(ATL_NODES(y, dx), ATL_FEED(fed, feed), 0, 2, 0);
            atl_tensor_free(feed);
        }
        atl_graph_free(g);
    }
}
