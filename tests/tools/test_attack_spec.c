/* Minutes: 3 */
/* atled attack --spec: a counterexample is one, and its absence is told. */
#include "command.h"

static atl_node *constant(atl_graph *g, atl_shape shape, const float *values)
{
    atl_tensor *value = atl_tensor_of_floats(shape, values);
    atl_node *node = atl_constant(g, value);
    atl_tensor_free(value);
    return node;
}

/* y = relu(x W) V - b, small enough to compute by hand: y_0 = relu(x_0 + x_1), y_1 = |x_2| - 1. */
static const char *small_network(void)
{
    static const float w[12] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 1, -1, 0}, v[8] = {1, 0, 0, 1, 0, 1, 0, 0}, b[2] = {0, 1};
    const char *path = scratch_file("small.onnx");
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 3));
    atl_node *h = atl_relu(atl_matmul(x, constant(g, ATL_SHAPE(3, 4), w)));
    atl_node *y = atl_sub(atl_matmul(h, constant(g, ATL_SHAPE(4, 2), v)), constant(g, ATL_SHAPE(1, 2), b));
    cr_assert(y && atl_onnx_write(path, ATL_NODES(y)) == ATL_OK, "%s %s", atl_error(), atl_graph_error(g));
    atl_graph_free(g);
    return path;
}

static const char *property(const char *text)
{
    const char *path = scratch_file("p.vnnlib");
    FILE *file = fopen(path, "wb");
    for (int i = 0; i < 3; i++)
        fprintf(file, "(declare-const X_%d Real)\n(assert (<= X_%d 1.0))\n(assert (>= X_%d -1))\n", i, i, i);
    fprintf(file, "(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n%s\n", text);
    fclose(file);
    return path;
}

static void read_example(const char *text, double *values)
{
    static const char *const names[] = {"((X_0 ", "(X_1 ", "(X_2 ", "(Y_0 ", "(Y_1 "};
    for (int i = 0; i < 5; i++) {
        const char *at = strstr(text, names[i]);
        cr_assert(at, "no %s in %s", names[i], text);
        values[i] = strtod(at + strlen(names[i]), NULL);
    }
    cr_assert_mentions(text, "))\n");
}

Test(attack_spec, a_counterexample_meets_the_conditions, .timeout = 120)
{
    double v[5];
    const char *net = small_network();
    command_run run = RUN("attack", "-m", net, "--spec",
                          property("(assert (or (and (>= Y_0 1.9) (<= Y_1 -0.95)) (>= Y_0 3)))"), "-q");
    cr_assert_code(run, 0);
    read_example(run.out, v);
    for (int i = 0; i < 3; i++)
        cr_assert(v[i] >= -1 && v[i] <= 1);
    cr_assert(v[3] >= 1.9 && v[4] <= -0.95);
    cr_assert_float_eq(v[3], fmax(v[0] + v[1], 0), 1e-12);
    cr_assert_float_eq(v[4], fabs(v[2]) - 1, 1e-12);
    command_run again = RUN("attack", "-m", net, "--spec", scratch_file("p.vnnlib"), "-q");
    cr_assert_str_eq(again.out, run.out);
    run = RUN("attack", "-m", net, "--spec", property("(assert (>= (+ Y_0 (* -1 X_2)) 2.95))"), "-q");
    cr_assert_code(run, 0); /* a condition on inputs and outputs */
    read_example(run.out, v);
    cr_assert(v[3] - v[2] >= 2.95);
}

Test(attack_spec, what_is_not_there_is_not_found, .timeout = 120)
{
    const char *net = small_network();
    command_run run = RUN("attack", "-m", net, "--spec", property("(assert (>= Y_0 2.01))"), "--restarts", "3");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "no counterexample");
    cr_assert_str_eq(run.out, "");
    run = RUN("attack", "-m", net, "--spec", property("(assert (<= X_0 -2))"), "-q"); /* an empty box */
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "no counterexample can be there: the bounds of the inputs contradict each other");
}

Test(attack_spec, mistakes_are_told, .timeout = 120)
{
    const char *net = small_network(), *good = property("(assert (>= Y_0 1))");
    command_run run = RUN("attack", "-m", net, "--spec", good, "--eps", "8/255");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "--eps");
    cr_assert_code(RUN("attack", "-m", "cifar10", "--spec", good), 2);
    cr_assert_code(RUN("attack", "-m", net, "--spec", net), 3);
    cr_assert_code(RUN("attack", "-m", good, "--spec", good), 2);
    cr_assert_code(RUN("attack", "-m", net, "--spec", "/no/such.vnnlib"), 3);
    run = RUN("attack", "-m", net, "--spec", property("(declare-const X_3 Real)"));
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "4 inputs");
    run = RUN("attack", "-m", net, "--spec", property("(declare-const Y_2 Real)(assert (<= Y_2 0))"));
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "3 outputs");
    FILE *file = fopen(good, "wb");
    fputs("(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 1))(assert (>= X_0 0))(assert (>= Y_0 0))",
          file);
    fclose(file);
    cr_assert_refused(3, "has 1 input, but", "attack", "-m", net, "--spec", good);
    file = fopen(good, "wb");
    fputs("(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)(declare-const Y_0 Real)"
          "(declare-const Y_1 Real)(assert (<= X_0 1))(assert (>= X_0 0))(assert (>= Y_0 0))",
          file);
    fclose(file);
    run = RUN("attack", "-m", net, "--spec", good);
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "no lower bound");
}
