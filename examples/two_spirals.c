/* A network of radial basis functions learns to which of two spirals, each winding three times around the other, a
 * point belongs (Lang & Witbrock 1988).  Centers, widths and weights of the basis functions are all trained.  A
 * third of the centers would suffice for the training points, but not for points between them.  usage: two_spirals */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>

enum { POINTS = 194, CENTERS = 200, STEPS = 800 };

/* exp(-|x - center|^2 / width^2), each center with its own width: [n, 2] -> [n, CENTERS].  The variables are
 * logarithms of the widths, so that the widths stay positive. */
static atl_node *radial_basis(atl_node *x)
{
    atl_graph *g = atl_graph_of(x);
    atl_node *centers = atl_variable(g, "centers", ATL_SHAPE(CENTERS, 2), atl_uniform(-1, 1));
    atl_node *log_widths = atl_variable(g, "log_widths", ATL_SHAPE(CENTERS), atl_fill_with(logf(0.3f)));
    atl_node *between = atl_sub(atl_expand_dims(x, 1), centers); /* [n, 1, 2] - [CENTERS, 2] -> [n, CENTERS, 2] */
    atl_node *squares = atl_reduce_sum_square(between, ATL_AXES(2));
    return atl_exp(atl_neg(atl_mul(squares, atl_exp(atl_scale(log_widths, -2)))));
}

/* Points [POINTS, 2] of both spirals in turn; `shift`, from 0 to 1, moves all of them towards their next neighbours. */
static atl_tensor *spirals(double shift, atl_tensor *labels)
{
    atl_tensor *points = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(POINTS, 2));
    for (int i = 0; points && labels && i < POINTS; i++) {
        double k = i / 2 + shift, angle = k * acos(-1) / 16, radius = (104 - k) / 104;
        int second = i % 2;
        atl_floats(points)[2 * i] = (float)((second ? -radius : radius) * sin(angle));
        atl_floats(points)[2 * i + 1] = (float)((second ? -radius : radius) * cos(angle));
        atl_ints(labels)[i] = second;
    }
    return points;
}

/* Draws the network's answers in the square around the spirals. */
static void draw_map(atl_graph *g, const atl_node *x, atl_node *scores)
{
    enum { WIDTH = 64, HEIGHT = 32 };
    atl_program *program = atl_compile(g, ATL_NODES(scores));
    atl_tensor *grid = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(WIDTH * HEIGHT, 2));
    for (int i = 0; grid && i < WIDTH * HEIGHT; i++) {
        atl_floats(grid)[2 * i] = (float)(i % WIDTH) * 2 / (WIDTH - 1) - 1;
        atl_floats(grid)[2 * i + 1] = (float)(i / WIDTH) * 2 / (HEIGHT - 1) - 1;
    }
    int done = program && !atl_run(program, ATL_FEED(x, grid));
    const float *score = done ? atl_floats(atl_value(program, scores)) : NULL;
    for (int i = 0; score && i < WIDTH * HEIGHT; i++)
        printf("%c%s", score[2 * i] > score[2 * i + 1] ? '#' : '.', i % WIDTH == WIDTH - 1 ? "\n" : "");
    atl_tensor_free(grid);
    atl_program_free(program);
}

int main(void)
{
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(POINTS));
    atl_tensor *learnt = spirals(0, labels), *between = spirals(0.5, labels);

    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2));
    atl_node *label = atl_input(g, "label", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *scores = atl_dense_layer(radial_basis(x), "scores", 2);
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(scores, label));
    atl_node *accuracy = atl_accuracy(scores, label);
    atl_program *train = atl_compile(g, ATL_NODES(atl_minimize(loss, atl_adam(.rate = 0.01)), loss));
    atl_program *test = atl_compile(g, ATL_NODES(accuracy));
    for (int i = 1; i <= STEPS; i++) {
        if (!train || !test || atl_run(train, ATL_FEEDS({x, learnt}, {label, labels}))) {
            fprintf(stderr, "%s\n", atl_error());
            return 1;
        }
        if (i % 100 == 0)
            printf("step %3d: loss %.4f\n", i, (double)atl_scalar_of(train, loss));
    }
    atl_run(test, ATL_FEEDS({x, learnt}, {label, labels}));
    float known = atl_scalar_of(test, accuracy);
    atl_run(test, ATL_FEEDS({x, between}, {label, labels}));
    float unknown = atl_scalar_of(test, accuracy);
    draw_map(g, x, scores);
    printf("%.1f %% of the points right, and %.1f %% of those half-way between them\n", 100 * (double)known,
           100 * (double)unknown);
    atl_tensor_free(labels);
    atl_tensor_free(learnt);
    atl_tensor_free(between);
    atl_program_free(train);
    atl_program_free(test);
    atl_graph_free(g);
    return known >= 0.95f && unknown >= 0.95f ? 0 : 1;
}
