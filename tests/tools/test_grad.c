/* atled grad: gradients of a file as arrays, as a picture and as a file. */
#include "exported.h"

TestSuite(grad, .init = find_shipped_weights);

Test(grad, is_that_of_the_network)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(2, 28, 28, 3), 0, 255),
               *out = scratch_file("grad.npz");
    command_run run = RUN("grad", file, "--of", "dense2/logits[:, 3]", "--by", "image", "-i", x, "-o", out);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "gradient by image [2, 28, 28, 3]: norm ");
    atl_tensor *value = npz_array(out, "image"), *expected = lenet_in_double(x, 3);
    cr_assert_close(value, expected, 1e-5);
    double squares = 0, norm = atof(strstr(run.out, "norm ") + 5);
    for (int64_t i = 0; i < atl_tensor_count(expected); i++)
        squares += element_of(expected, i) * element_of(expected, i);
    cr_assert_float_eq(norm, sqrt(squares), 1e-4 * norm);
    atl_tensor_free(value);
    atl_tensor_free(expected);
}

/* The gradient as a model: run, it gives the same. */
Test(grad, can_be_exported_and_run)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(2, 28, 28, 3), 0, 255),
               *model = scratch_file("grad.onnx"), *out = scratch_file("out.npz");
    cr_assert_code(RUN("grad", file, "--of", "dense2/logits[:, 7]", "--export", model), 0);
    command_run run = RUN("run", model, "-i", x, "-o", out);
    cr_assert_code(run, 0);
    const char *end = strstr(run.out, " [2, 28, 28, 3]"), *begin = end;
    cr_assert(end, "%s", run.out);
    while (begin > run.out && begin[-1] != '\n')
        begin--;
    char name[300];
    snprintf(name, sizeof name, "%.*s", (int)(end - begin), begin);
    atl_tensor *value = npz_array(out, name), *expected = lenet_in_double(x, 7);
    cr_assert_close(value, expected, 1e-5);
    atl_tensor_free(value);
    atl_tensor_free(expected);
}

/* The loss needs the labels, the logits do not. */
Test(grad, needs_no_more_inputs_than_the_value_does)
{
    const char *file = exported("lenet", "--gradient"), *x = random_array("x.npy", ATL_SHAPE(1, 28, 28, 3), 0, 255);
    cr_assert_code(RUN("grad", file, "--of", "dense2/logits[:, 3]", "--by", "image", "-i", x), 0);
}

Test(grad, can_be_drawn)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(1, 28, 28, 3), 0, 255),
               *png = scratch_file("map.png");
    cr_assert_code(RUN("grad", file, "--of", "dense2/logits[:, 3]", "-i", x, "-o", png), 0);
    atl_tensor *map = atl_read_image(png), *expected = lenet_in_double(x, 3);
    cr_assert(map, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_tensor_shape(map), ATL_SHAPE(28, 28, 3)));
    double largest = 0;
    for (int i = 0; i < 28 * 28; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += fabs(element_of(expected, 3 * i + c));
        largest = fmax(largest, sum);
    }
    for (int i = 0; i < 28 * 28; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += fabs(element_of(expected, 3 * i + c));
        cr_assert_float_eq(element_of(map, 3 * i), 255 * sum / largest, 0.6);
    }
    atl_tensor_free(map);
    atl_tensor_free(expected);
}

Test(grad, mistakes_say_what_to_do)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(1, 28, 28, 3), 0, 255);
    cr_assert_refused(2, "has no value 'y'; its first output is 'dense2/logits'", "grad", file, "--of", "y", "-i", x);
    cr_assert_refused(2, "the ']' at its end is missing", "grad", file, "--of", "dense2/logits[:, 1", "-i", x);
    cr_assert_refused(2, "has no value 'w'", "grad", file, "--by", "w", "-i", x);
    cr_assert_refused(2, "one index or ':' for each of its 2 dimensions", "grad", file, "--of", "dense2/logits[:, x]",
                      "-i", x);
    cr_assert_refused(2, "--of", "grad", file, "--of", "dense2/logits[:, 10]", "-i", x);
    cr_assert_refused(2, "nothing is given for the input 'image'", "grad", file, "-o", scratch_file("g.npz"));
    cr_assert_refused(3, "/no/such.onnx", "grad", "/no/such.onnx", "-i", x);
    cr_assert_refused(3, "/no/such/", "grad", file, "-i", x, "-o", "/no/such/g.npz");
    cr_assert_refused(3, "cut.onnx", "grad", cut_short(file), "-i", x);
}
