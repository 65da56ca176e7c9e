/* Epilogues in the step of a convolution: bias, residual, relu, with every implementation of oneDNN. */
#include "support.h"

typedef struct layer {
    int64_t n, height, width, in, out, groups;
    int size, stride, dilation; /* dilation: 0: 1 */
} layer;

/* conv(x, w) + residual, and relu(conv(x, w) + bias + residual), against the references. */
static void check_residual(const layer *l)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(l->n, l->height, l->width, l->in));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(l->size, l->size, l->in / l->groups, l->out), atl_he());
    atl_node *y = atl_conv2d(x, w, .groups = (int)l->groups, .stride = {l->stride, l->stride},
                             .dilation = {l->dilation, l->dilation});
    atl_node *residual = atl_input(g, "residual", ATL_FLOAT32, atl_shape_of(y));
    atl_node *bias = atl_variable(g, "b", ATL_SHAPE(l->out), atl_normal(1));
    atl_node *sums[] = {atl_add(y, residual), atl_relu(atl_add(atl_bias_add(y, bias), residual))};
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1), *other = random_tensor(atl_shape_of(y), -9, 9);
    const atl_feed *feeds = ATL_FEEDS({x, image}, {residual, other});
    for (int i = 0; i < 2; i++) {
        atl_program *program = atl_compile(g, ATL_NODES(sums[i]));
        cr_assert(program && !atl_run(program, feeds), "%s: %s", atl_graph_error(g), atl_error());
        fprintf(stderr, "%dx%d, %d to %d channels, %d groups, of %dx%d\n", l->size, l->size, (int)l->in, (int)l->out,
                (int)l->groups, (int)l->height, (int)l->width);
        assert_like_references(program, ATL_NODES(sums[i]), feeds, 1e-5);
        atl_program_free(program);
    }
    atl_tensor_free(image);
    atl_tensor_free(other);
    atl_graph_free(g);
}

/* oneDNN 2.6.3 adds the wrong elements in its gemm convolutions, which it uses for one channel, for small groups
 * and, on processors without AVX2, for most shapes. */
Test(convolution_steps, residuals_of_few_channels)
{
    static const int channels[][3] = {{1, 1, 1}, {3, 1, 1}, {16, 1, 1},  {1, 2, 1},  {3, 5, 1},
                                      {4, 4, 2}, {8, 4, 4}, {17, 17, 1}, {16, 32, 1}};
    static const int sides[][2] = {{2, 1}, {1, 2}, {5, 4}, {17, 16}};
    for (int c = 0; c < 9; c++)
        for (int s = 0; s < 4; s++)
            for (int size = 1; size <= 5; size += 2)
                check_residual(&(layer){2, sides[s][0], sides[s][1], channels[c][0], channels[c][1], channels[c][2],
                                        size, 1 + (s == 3)});
}

/* Depthwise kernels must not add the wrong elements either if the channels do not fill the last vector. */
Test(convolution_steps, residuals_of_depthwise_convolutions)
{
    static const int channels[] = {3, 7, 16, 20};
    static const int sides[][2] = {{2, 1}, {1, 2}, {11, 1}, {8, 9}};
    for (int c = 0; c < 4; c++)
        for (int s = 0; s < 4; s++)
            for (int stride = 1; stride <= 2; stride++)
                check_residual(&(layer){1, sides[s][0], sides[s][1], channels[c], channels[c], channels[c], 3, stride});
}

/* Of windows that miss the image, only bias and residual are left: oneDNN 2.6.3's brgconv adds something else. */
Test(convolution_steps, residuals_beside_the_image)
{
    for (int size = 2; size <= 4; size += 2)
        for (int dilation = 3; dilation <= 5; dilation++)
            for (int64_t side = 1; side <= 2; side++)
                check_residual(&(layer){1, side, 1, 32, 48, 1, size, 5, dilation});
}
