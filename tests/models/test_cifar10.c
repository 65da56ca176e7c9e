#include "models/golden.h"

/* loss = mean cross entropy + 0.004 * l2 of the wide dense layers' weights; every gradient of it. */
static void check_cifar10(const char *name, const char *golden, int exactly)
{
    const char *path = data_file(golden);
    const atl_model *model = atl_model_find(name);
    atl_npz *npz = open_golden(golden);
    atl_model_size size;
    cr_assert(atl_model_size_of(model, path, &size) == ATL_OK);
    cr_assert_eq(size.height, 24);
    cr_assert_eq(size.widths[2], 48);
    cr_assert_eq(size.classes, 10);

    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 24, 24, 3));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_model_args args = {.image = image, .scale = {1, 1, 1}}; /* the golden image needs no preprocessing */
    memcpy(args.widths, size.widths, sizeof args.widths);
    atl_node *logits = model->build(&args);
    atl_node *cross_entropy = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels));
    atl_node *decay = atl_add(atl_l2_loss(atl_find(g, "local3/weights")), atl_l2_loss(atl_find(g, "local4/weights")));
    atl_node *loss = atl_add(cross_entropy, atl_scale(decay, 0.004f));

    int64_t variables = atl_variables(g).count;
    atl_node *const *variable = atl_variables(g).node;
    cr_assert_eq(variables, 10);
    atl_node *by[11], *gradient[11];
    memcpy(by, variable, 10 * sizeof *by);
    by[10] = image;
    cr_assert(atl_gradients(.of = ATL_NODES(loss), .by = {11, by}, .result_out = gradient) == ATL_OK, "%s",
              atl_graph_error(g));
    atl_node *wanted[14] = {logits, cross_entropy, loss};
    memcpy(wanted + 3, gradient, sizeof gradient);
    cr_assert(atl_load_npz(g, path, .allow_missing = 1, .allow_extra = 1) == ATL_OK, "%s", atl_error());
    atl_program *program = compiled(g, (atl_nodes){14, wanted}, exactly);
    atl_tensor *pixels = golden_value(npz, "image"), *truth = golden_value(npz, "labels");
    cr_assert(atl_run(program, ATL_FEEDS({image, pixels}, {labels, truth})) == ATL_OK, "%s", atl_error());

    assert_golden(program, logits, npz, "logits");
    assert_golden(program, cross_entropy, npz, "cross_entropy");
    assert_golden(program, loss, npz, "loss");
    for (int i = 0; i < 11; i++)
        assert_golden(program, gradient[i], npz, ATL_NAME("grad/%s", atl_name_of(by[i])));
    assert_no_reference_steps(program);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(truth);
    atl_npz_close(npz);
    atl_graph_free(g);
}

Test(cifar10, golden_values_and_gradients) { check_cifar10("cifar10", "goldens/cifar10.npz", 0); }

Test(cifar10, multiscale_golden_values_and_gradients)
{
    check_cifar10("cifar10-multiscale", "goldens/cifar10_multiscale.npz", 0);
}

Test(cifar10, golden_values_and_gradients_exactly)
{
    check_cifar10("cifar10", "goldens/cifar10.npz", 1);
    check_cifar10("cifar10-multiscale", "goldens/cifar10_multiscale.npz", 1);
}

/* Each image of a batch: mean 0, deviation 1, whatever its brightness and contrast; a constant one stays finite. */
Test(cifar10, pictures_are_standardised_one_by_one)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, 24, 24, 3));
    cr_assert(atl_cifar10(image), "%s", atl_graph_error(g));
    atl_node *result = atl_find(g, "preprocess/result");
    atl_program *program = compiled(g, ATL_NODES(result), 0);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 24, 24, 3), 20, 90);
    const int64_t count = 24 * 24 * 3;
    for (int64_t i = 0; i < count; i++)
        atl_floats(pixels)[count + i] = 77;
    cr_assert(atl_run(program, ATL_FEED(image, pixels)) == ATL_OK, "%s", atl_error());
    const float *x = atl_floats(atl_value(program, result));
    double sum = 0, squares = 0, flat = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
        flat = fmax(flat, fabs(x[count + i]));
    }
    cr_assert(fabs(sum / (double)count) < 1e-4);
    cr_assert(fabs(squares / (double)count - 1) < 1e-4);
    cr_assert(flat < 0.01, "the flat picture has become %g", flat);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}
