/* Concats whose parts are written and read within the result: nothing is copied, and no value changes. */
#include "nets.h"

enum { MOST_WANTED = 8 };

typedef struct net {
    atl_graph *graph;
    atl_node *image, *outputs[MOST_WANTED];
    int64_t count;
} net;

static atl_node *layer(atl_node *x, const char *name, int64_t size, int64_t channels)
{
    atl_graph *g = atl_graph_of(x);
    atl_node *filter =
        atl_variable(g, ATL_NAME("%s/w", name), ATL_SHAPE(size, size, atl_shape_of(x).size[3], channels), atl_he());
    atl_node *bias = atl_variable(g, ATL_NAME("%s/b", name), ATL_SHAPE(channels), atl_normal(0.1f));
    return atl_relu(atl_bias_add(atl_conv2d(x, filter), bias));
}

/* SqueezeNet's fire module: 1x1 and 3x3 side by side. */
static atl_node *fire(atl_node *x, const char *name, int64_t squeezed, int64_t expanded)
{
    atl_enter(atl_graph_of(x), name);
    atl_node *s = layer(x, "squeeze", 1, squeezed);
    atl_node *y = atl_concat(-1, layer(s, "one", 1, expanded), layer(s, "three", 3, expanded));
    atl_leave(atl_graph_of(x));
    return y;
}

static net fires(void)
{
    net n = {.graph = atl_graph_new()};
    n.image = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(2, 23, 20, 32));
    atl_node *h = fire(fire(n.image, "fire1", 16, 64), "fire2", 32, 48);
    h = fire(atl_max_pool2d(h, .window = {3, 3}, .stride = {2, 2}), "fire3", 32, 48);
    n.outputs[0] = atl_sum(atl_square(atl_reduce_mean(h, ATL_AXES(1, 2))));
    n.outputs[1] = atl_gradient(n.outputs[0], n.image);
    n.outputs[2] = atl_gradient(n.outputs[0], atl_find(n.graph, "fire1/three/w"));
    n.count = 3;
    return n;
}

/* Parts that are copied (an input, a part that occurs twice), used elsewhere, outputs, pooled, or of two concats; a
 * concat that is reshaped, part of a concat itself, or assigned. */
static net oddities(void)
{
    net n = {.graph = atl_graph_new()};
    n.image = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(2, 22, 22, 32));
    atl_node *a = layer(n.image, "a", 1, 16), *b = layer(n.image, "b", 3, 32), *c = layer(n.image, "c", 1, 48);
    atl_node *first = atl_concat(-1, a, n.image, b, a, c), *second = atl_concat(3, atl_tanh(b), first);
    n.outputs[0] = first;
    n.outputs[1] = atl_reshape(second, ATL_SHAPE(-1, 16));
    n.outputs[2] = atl_mul(atl_sigmoid(b), b);
    n.outputs[3] = atl_max_pool2d(b, .window = {2, 2});
    n.outputs[4] = c;
    n.outputs[5] = atl_gradient(atl_sum(atl_square(second)), n.image);
    n.outputs[6] = atl_gradient(atl_sum(atl_mul(atl_tanh(second), second)), atl_find(n.graph, "b/w"));
    n.count = 7;
    return n;
}

static void check(net (*build)(void), unsigned without)
{
    net n = build();
    atl_nodes wanted = {n.count, n.outputs};
    atl_tensor *pixels = random_tensor(atl_shape_of(n.image), -1, 1);
    atl_program *in_place = atl_compile(n.graph, wanted, .disabled_passes = without);
    atl_program *copied = atl_compile(n.graph, wanted, .disabled_passes = without | ATL_PASS_CONCAT_ELIMINATION);
    cr_assert(in_place && copied, "%s", atl_graph_error(n.graph));
    for (int run = 0; run < 2; run++) {
        cr_assert_eq(atl_run(in_place, ATL_FEED(n.image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(copied, ATL_FEED(n.image, pixels)), ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < n.count; i++)
            cr_assert_close(atl_value(in_place, n.outputs[i]), atl_value(copied, n.outputs[i]), 1e-5);
    }
    atl_tensor_free(pixels);
    atl_program_free(in_place);
    atl_program_free(copied);
    atl_graph_free(n.graph);
}

Test(parts, every_way_gives_the_same)
{
    for (unsigned without = 0; without < ATL_PASS_CONCAT_ELIMINATION; without++) {
        check(fires, without);
        check(oddities, without);
    }
}

Test(parts, nothing_is_copied_in_fire_modules)
{
    net n = fires();
    atl_program *program = atl_compile(n.graph, {2, n.outputs});
    atl_program *copying = atl_compile(n.graph, {2, n.outputs}, .disabled_passes = ATL_PASS_CONCAT_ELIMINATION);
    cr_assert(program && copying);
    cr_expect_eq(steps_by(program, "concat", NULL), 0);
    cr_expect_eq(steps_by(copying, "concat", NULL), 3);
    cr_expect_eq(steps_by(program, "concat_part", NULL), 0);
    /* Three concats, six parts, and three relu gradients instead of six, one of them of a pooled array. */
    cr_expect_leq(steps_by(program, NULL, NULL), steps_by(copying, NULL, NULL) - 12);
    atl_program_free(program);
    atl_program_free(copying);
    atl_graph_free(n.graph);
}

/* A concat that is assigned to a variable is written into the variable. */
Test(parts, of_what_is_assigned)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 20, 20, 16));
    atl_node *both = atl_concat(3, layer(image, "one", 1, 16), layer(image, "three", 3, 32));
    atl_node *kept = atl_variable(g, "kept", ATL_SHAPE(1, 20, 20, 48), atl_zeros());
    atl_node *assigned = atl_assign(kept, both);
    atl_program *with = atl_compile(g, ATL_NODES(assigned)),
                *plain = atl_compile(g, ATL_NODES(both), .disabled_passes = 127);
    cr_assert(with && plain, "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, 20, 20, 16), -1, 1);
    for (int run = 0; run < 2; run++) {
        cr_assert_eq(atl_run(with, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(plain, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
        cr_assert_close(atl_variable_value(kept), atl_value(plain, both), 1e-5);
    }
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(plain);
    atl_graph_free(g);
}

/* Parts of images of one pixel are dense, and so are outputs as they are, within an array that must last. */
Test(concat_elimination, a_gradient_by_a_part_of_one_pixel_lasts)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 1, 1, 4));
    atl_node *a = atl_variable(g, "a", ATL_SHAPE(1, 1, 1, 2), atl_zeros()),
             *b = atl_variable(g, "b", ATL_SHAPE(1, 1, 1, 2), atl_zeros());
    atl_node *by[2], *y = x, *sum = atl_sum(atl_mul(atl_concat(3, a, b), atl_sin(x)));
    cr_assert_eq(atl_gradients(ATL_NODES(sum), ATL_NODES(a, b), by), ATL_OK);
    for (int i = 0; i < 6; i++) /* steps that take whatever memory is free */
        y = atl_reverse(atl_add_scalar(atl_cumulative_sum(y, .axis = 3), 1), 3);
    atl_program *program = atl_compile(g, ATL_NODES(by[0], by[1], y));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(1, 1, 1, 4), (const float[]){0.5f, 1, -2, 3});
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    for (int i = 0; i < 4; i++)
        cr_expect_float_eq(element_of(atl_value(program, by[i / 2]), i % 2), sin(element_of(value, i)), 1e-6,
                           "element %d is %g", i, element_of(atl_value(program, by[i / 2]), i % 2));
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* The same memory in another shape: what reads it takes the channels of that shape, and not the concat's. */
Test(concat_elimination, a_part_of_one_pixel_in_another_shape)
{
    const atl_shape shapes[] = {ATL_SHAPE(1, 2, 2, 16), ATL_SHAPE(2, 1, 1, 32), ATL_SHAPE(1, 1, 4, 16)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 1, 1, 32));
        atl_node *y = layer(x, "y", 1, 64), *both = atl_concat(3, layer(x, "z", 1, 48), y);
        atl_node *z = layer(atl_reshape(y, shapes[i]), "reshaped", 1, 32), *sum = atl_tanh(atl_reshape(y, shapes[i]));
        atl_nodes wanted = ATL_NODES(both, z, sum);
        atl_program *program = atl_compile(g, ATL_NODES(both, z, sum));
        atl_tensor *value = random_tensor(ATL_SHAPE(1, 1, 1, 32), -1, 1);
        cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
        atl_reference *reference = atl_reference_run(wanted, ATL_FEED(x, value));
        for (int k = 0; k < 3; k++)
            cr_assert_close(atl_value(program, wanted.node[k]), atl_reference_value(reference, wanted.node[k]), 1e-5);
        atl_reference_free(reference);
        atl_tensor_free(value);
        atl_program_free(program);
        atl_graph_free(g);
    }
}
