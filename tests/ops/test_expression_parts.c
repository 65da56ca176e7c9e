/* Fused expressions whose instructions run in registers where they can: the same bits as by their maps one by one,
 * which a checked program calls. */
#include "maps.h"

enum { NODES = 30, OUTPUTS = 3 };

static atl_node *(*const unary[])(atl_node *) = {atl_neg,       atl_abs,  atl_square, atl_sqrt, atl_reciprocal,
                                                 atl_heaviside, atl_relu, atl_relu6,  atl_exp,  atl_tanh};
static atl_node *(*const binary[])(atl_node *, atl_node *) = {atl_add,     atl_sub,     atl_mul,       atl_div,
                                                              atl_minimum, atl_maximum, atl_relu_grad, atl_less};

/* The same numbers as random_tensor's, but every seventh is a special one. */
static atl_tensor *mixed_tensor(atl_shape shape)
{
    atl_tensor *x = random_tensor(shape, -3, 3);
    for (int64_t i = 0; i < atl_tensor_count(x); i += 7)
        atl_floats(x)[i] = special_floats[random_below(COUNT(special_floats))];
    return x;
}

static int same(float x, float y) { return (isnan(x) && isnan(y)) || !memcmp(&x, &y, sizeof x); }

static void assert_same_bits(atl_graph *g, atl_nodes outputs, const atl_feed *feeds)
{
    atl_program *program = atl_compile(g, outputs), *checked = atl_compile(g, outputs, .check = 1);
    cr_assert_eq(atl_run(program, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(checked, feeds), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < outputs.count; i++) {
        const atl_tensor *x = atl_value(program, outputs.node[i]), *y = atl_value(checked, outputs.node[i]);
        for (int64_t k = 0; k < atl_tensor_count(x); k++)
            cr_assert(same(atl_floats(x)[k], atl_floats(y)[k]), "output %lld, %s: element %lld is %g, not %g",
                      (long long)i, atl_name_of(outputs.node[i]), (long long)k, (double)atl_floats(x)[k],
                      (double)atl_floats(y)[k]);
    }
    atl_program_free(program);
    atl_program_free(checked);
}

/* Random ops on random earlier nodes, mostly on the last one, with some results and a sum. */
static void check_random(atl_shape shape, atl_shape row)
{
    atl_graph *g = atl_graph_new();
    atl_node *node[NODES], *x = atl_input(g, "x", ATL_FLOAT32, shape), *y = atl_input(g, "y", ATL_FLOAT32, row);
    node[0] = x;
    node[1] = y;
    node[2] = atl_scalar(x, 0.3f);
    for (int k = 3; k < NODES; k++) {
        atl_node *a = node[random_below(3) ? k - 1 : (int)random_below((uint64_t)k)],
                 *b = node[random_below((uint64_t)k)];
        node[k] = random_below(3)
                      ? binary[random_below(COUNT(binary))](random_below(2) ? a : b, random_below(2) ? b : a)
                      : unary[random_below(COUNT(unary))](a);
    }
    atl_node *last = node[NODES - 1];
    atl_nodes outputs = ATL_NODES(last, atl_sum(atl_add(last, x)), node[NODES / 2], node[NODES - 2]);
    atl_tensor *u = mixed_tensor(shape), *v = mixed_tensor(row);
    assert_same_bits(g, outputs, ATL_FEEDS({x, u}, {y, v}));
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_graph_free(g);
}

Test(expression_parts, same_bits_as_the_maps)
{
    static const struct {
        atl_shape shape, row;
    } sizes[] = {{{1, {1000}}, {1, {1000}}},     {{2, {40, 33}}, {1, {33}}}, {{2, {3, 700}}, {1, {700}}},
                 {{2, {129, 4}}, {2, {129, 1}}}, {{1, {517}}, {0}},          {{3, {5, 64, 16}}, {1, {16}}}};
    for (int i = 0; i < FEWER(40, 8); i++)
        for (size_t s = 0; s < COUNT(sizes); s++)
            check_random(sizes[s].shape, sizes[s].row);
}

/* Both arguments of an op are the value before it: it has to be read twice. */
Test(expression_parts, a_value_that_is_read_twice)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(700)), *y = atl_neg(x);
    for (int i = 0; i < 3; i++)
        y = atl_sub(atl_div(y, y), atl_mul(x, x));
    atl_tensor *u = mixed_tensor(ATL_SHAPE(700));
    assert_same_bits(g, ATL_NODES(y), ATL_FEED(x, u));
    atl_tensor_free(u);
    atl_graph_free(g);
}

static atl_optimizer optimizer_of(int which)
{
    switch (which) {
    case 0:
        return atl_adam(.rate = 0.1);
    case 1:
        return atl_momentum(.rate = 0.1);
    case 2:
        return atl_rmsprop(.rate = 0.1, .momentum = 0.5);
    default:
        return atl_adamw(.rate = 0.1);
    }
}

/* A step of training: its results overwrite what it reads. */
static void check_training(int which, int check, float *weights)
{
    atl_graph *g = atl_graph_new();
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(1111), atl_zeros()),
             *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1111));
    atl_node *step = atl_minimize(atl_sum(atl_square(atl_sub(w, x))), optimizer_of(which));
    atl_program *program = atl_compile(g, ATL_NODES(step), .check = check);
    restart_random();
    atl_tensor *u = random_tensor(ATL_SHAPE(1111), -3, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(atl_run(program, ATL_FEED(x, u)), ATL_OK, "%s", atl_error());
    memcpy(weights, atl_floats(atl_variable_value(w)), 1111 * sizeof *weights);
    atl_tensor_free(u);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(expression_parts, results_over_operands)
{
    float by_code[1111], by_maps[1111];
    for (int which = 0; which < 4; which++) {
        check_training(which, 0, by_code);
        check_training(which, 1, by_maps);
        cr_assert(by_code[0] != 0 && !memcmp(by_code, by_maps, sizeof by_code), "optimizer %d", which);
    }
}
