/* Three convolutions, Adam, and the mean squared error of a whole image: a network that learns to halve the size of
 * an image. usage: conv3_adam */
#include <atled/atled.h>
#include <stdio.h>

enum { PICTURES = 16, SIDE = 28, HALF = SIDE / 2 };

/* One step of training as one node, whose value is the loss before it. [n, 28, 28, 1] -> [n, 14, 14, 1], against a
 * target. */
static atl_node *training_step(atl_node *image, atl_node *target)
{
    atl_node *h = atl_conv_layer(image, "conv1", 8, .window = {3, 3}, .activation = atl_relu);
    h = atl_conv_layer(h, "conv2", 8, .window = {3, 3}, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {2, 2});
    /* A relu at the end suits targets that are never negative.  If all its inputs are negative, no gradient flows
     * back, and the loss stays constant from then on: use another seed, or leave out the last relu. */
    h = atl_conv_layer(h, "conv3", 1, .window = {3, 3}, .activation = atl_relu);
    return atl_minimize(atl_mean_squared_error(h, target), atl_adam(.rate = 0.01));
}

/* Each pixel of the target is the mean of four. */
static atl_tensor *halved(const atl_tensor *pictures)
{
    atl_tensor *half = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(PICTURES, HALF, HALF, 1));
    for (int i = 0; half && i < PICTURES * SIDE * SIDE; i++) {
        int picture = i / (SIDE * SIDE), y = i / SIDE % SIDE, x = i % SIDE;
        atl_floats(half)[(picture * HALF + y / 2) * HALF + x / 2] += atl_floats(pictures)[i] / 4;
    }
    return half;
}

int main(void)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 1));
    atl_node *target = atl_input(g, "target", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, HALF, HALF, 1));
    atl_node *step = training_step(image, target);
    atl_program *program = atl_compile(g, ATL_NODES(step));
    atl_tensor *pictures = atl_uniform_tensor(ATL_SHAPE(PICTURES, SIDE, SIDE, 1), 0, 1, /* seed */ 1);
    atl_tensor *halves = halved(pictures);
    float first = 0, last = 0;
    for (int i = 0; i <= 100; i++) {
        if (!program || !halves || atl_run(program, ATL_FEEDS({image, pictures}, {target, halves}))) {
            fprintf(stderr, "%s\n", atl_error());
            return 1;
        }
        last = atl_scalar_of(program, step);
        first = i ? first : last;
        if (i % 20 == 0)
            printf("step %3d: loss %.5f\n", i, (double)last);
    }
    atl_tensor_free(pictures);
    atl_tensor_free(halves);
    atl_program_free(program);
    atl_graph_free(g);
    return last < 0.1f * first ? 0 : 1;
}
