/* The example's network and its Adam, from the golden weights: the losses and the final weights. */
#include "models/golden.h"

int conv3_adam(void);
#define main conv3_adam
#include "../../examples/conv3_adam.c"
#undef main

static const struct {
    const char *variable, *key;
} names[] = {{"conv1/weights", "W1"}, {"conv1/biases", "b1"},  {"conv2/weights", "W2"},
             {"conv2/biases", "b2"},  {"conv3/weights", "W3"}, {"conv3/biases", "b3"}};

Test(conv3_adam, golden_losses_and_weights)
{
    atl_npz *npz = open_golden("goldens/conv3_adam.npz");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 1));
    atl_node *target = atl_input(g, "target", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 14, 14, 1));
    atl_node *step = training_step(image, target);
    atl_program *program = compiled(g, ATL_NODES(step), 0);
    for (int i = 0; i < 6; i++) {
        atl_tensor *before = golden_value(npz, ATL_NAME("before/%s", names[i].key));
        cr_assert(atl_variable_assign(atl_find(g, names[i].variable), before) == ATL_OK, "%s", atl_error());
        atl_tensor_free(before);
    }
    atl_tensor *x = golden_value(npz, "image"), *t = golden_value(npz, "target"), *losses = golden_value(npz, "losses");
    for (int n = 0; n < 3; n++) {
        cr_assert(atl_run(program, ATL_FEEDS({image, x}, {target, t})) == ATL_OK, "%s", atl_error());
        cr_expect_float_eq(atl_scalar_of(program, step), atl_floats(losses)[n], GOLDEN_BOUND, "loss %d", n);
    }
    for (int i = 0; i < 6; i++) {
        atl_tensor *after = golden_value(npz, ATL_NAME("after/%s", names[i].key));
        double off = largest_difference(atl_variable_value(atl_find(g, names[i].variable)), after);
        cr_expect(off <= GOLDEN_BOUND, "%s is off by %g", names[i].variable, off);
        atl_tensor_free(after);
    }
    atl_tensor_free(x);
    atl_tensor_free(t);
    atl_tensor_free(losses);
    atl_program_free(program);
    atl_npz_close(npz);
    atl_graph_free(g);
}
