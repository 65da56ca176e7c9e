/* Draws a small network with the gradient of its loss with respect to the image: draw [FILE.svg] */
#include <atled/atled.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 1));
    atl_node *digit = atl_input(g, "digit", ATL_INT32, ATL_SHAPE(ATL_ANY));

    atl_node *h = atl_conv_layer(image, "conv", 16, .window = {5, 5}, .activation = atl_relu);
    h = atl_max_pool2d(h, .window = {2, 2});
    atl_node *scores = atl_dense_layer(atl_flatten(h), "dense", 10);
    atl_node *loss = atl_named(atl_mean(atl_sparse_softmax_cross_entropy(scores, digit)), "loss");
    atl_node *gradient = atl_gradient(loss, image);

    const char *path = argc > 1 ? argv[1] : "draw.svg";
    atl_status status = atl_write_dot(g, path, .outputs = ATL_NODES(loss, gradient));
    if (status == ATL_UNSUPPORTED) /* built without Graphviz: the text can always be written */
        status = atl_write_dot(g, "draw.dot", .outputs = ATL_NODES(loss, gradient));
    if (status)
        fprintf(stderr, "%s\n", atl_error());
    atl_graph_free(g);
    return status != ATL_OK;
}
