/* atled run: the outputs of a file for arrays and for pictures. */
#include "exported.h"
#include "onnx/make_model.h"

TestSuite(run, .init = find_shipped_weights);

Test(run, outputs_are_those_of_the_network)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(2, 28, 28, 3), 0, 255),
               *out = scratch_file("out.npz");
    char word[600];
    snprintf(word, sizeof word, "image=%s", x);
    command_run run = RUN("run", file, "-i", word, "-o", out);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "dense2/logits [2, 10]");
    atl_tensor *value = npz_array(out, "dense2/logits"), *expected = lenet_in_double(x, -1);
    cr_assert_close(value, expected, 1e-5);
    atl_tensor_free(value);
    atl_tensor_free(expected);
}

/* The five most likely classes, with their names; the name of the input can be left out. */
Test(run, top_five_with_names)
{
    const char *file = exported("lenet", NULL), *x = random_array("x.npy", ATL_SHAPE(1, 28, 28, 3), 0, 255),
               *labels = scratch_file("labels.txt");
    FILE *stream = fopen(labels, "wb");
    for (int i = 0; i < 10; i++)
        fprintf(stream, "digit %d\n", i);
    fclose(stream);
    command_run run = RUN("run", file, "-i", x, "--labels", labels);
    cr_assert_code(run, 0);
    atl_tensor *expected = lenet_in_double(x, -1);
    int best = 0, lines = 0;
    for (int i = 1; i < 10; i++)
        best = element_of(expected, i) > element_of(expected, best) ? i : best;
    char first[64];
    snprintf(first, sizeof first, "%d 'digit %d'\n", best, best);
    const char *line = strchr(run.out, '\n') + 1;
    cr_assert(strncmp(strchr(line, '%') + 3, first, strlen(first)) == 0, "%s: %s", run.out, first);
    for (const char *at = line; (at = strchr(at, '\n')); at++)
        lines++;
    cr_assert_eq(lines, 5, "%s", run.out);
    atl_tensor_free(expected);
}

/* y = b ? x : -x, where the file of b holds truth values, and that of x whole numbers. */
Test(run, takes_truth_values_and_whole_numbers)
{
    made choose = make_node("choose", "Where", "b", "x", "y");
    put_text(&choose, 1, "minus");
    made graph = GRAPH(make_node("minus", "Neg", "x", NULL, "minus"), choose);
    put_made(&graph, 11, make_port("b", TYPE_BOOL));
    made model = make_model(graph, 8, 17), array = {0};
    const char *file = scratch_file("choose.onnx"), *b = scratch_file("b.npy"), *x = scratch_file("whole.npy"),
               *out = scratch_file("chosen.npz");
    char b_word[600], x_word[600], head[128];
    write_made(file, model);
    snprintf(head, sizeof head, "%-117s\n", "{'descr': '|b1', 'fortran_order': False, 'shape': (1, 4), }");
    put_raw(&array, "\x93NUMPY\1\0\x76\0", 10);
    put_raw(&array, head, 118);
    put_raw(&array, "\0\1\1\0", 4);
    write_made(b, array);
    atl_tensor *whole = atl_tensor_of_ints(ATL_SHAPE(1, 4), (const int32_t[]){1, 2, 3, 4});
    cr_assert_eq(atl_write_npy(x, whole), ATL_OK, "%s", atl_error());
    atl_tensor_free(whole);
    snprintf(b_word, sizeof b_word, "b=%s", b);
    snprintf(x_word, sizeof x_word, "x=%s", x);
    command_run run = RUN("run", file, "-i", b_word, "-i", x_word, "-o", out);
    cr_assert_code(run, 0);
    atl_tensor *y = npz_array(out, "y");
    static const float expected[] = {-1, 2, 3, -4};
    for (int i = 0; i < 4; i++)
        cr_expect_eq(element_of(y, i), expected[i], "element %d is %g", i, element_of(y, i));
    atl_tensor_free(y);
}

/* A square picture covers an input that is wider than high. */
Test(run, fits_pictures_to_any_input)
{
    const char *file = scratch_file("wide.onnx"), *png = scratch_file("square.png");
    atl_graph *g = atl_graph_new();
    atl_node *y = atl_relu(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 3, 24, 32)));
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(27, 27, 3));
    cr_assert(!atl_onnx_write(file, ATL_NODES(y)) && !atl_write_png(png, pixels), "%s", atl_error());
    command_run run = RUN("run", file, "-i", png);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "[1, 3, 24, 32]");
    cr_assert_mentions(run.err, "assumed: 'x' takes 24 x 32 pixels, channels first");
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

/* A picture of the size of the input is preprocessed. */
Test(run, takes_pictures)
{
    const char *file = exported("lenet", NULL), *png = scratch_file("x.png"), *npy = scratch_file("p.npy");
    atl_tensor *pixels = random_ints(ATL_SHAPE(28, 28, 3), 0, 256),
               *floats = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(28, 28, 3)),
               *prepared = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 28, 28, 3));
    for (int i = 0; i < 28 * 28 * 3; i++) {
        atl_floats(floats)[i] = (float)atl_ints(pixels)[i];
        atl_floats(prepared)[i] = (float)atl_ints(pixels)[i] * 0.5f - 3;
    }
    cr_assert(!atl_write_png(png, floats) && !atl_write_npy(npy, prepared), "%s", atl_error());
    command_run picture = RUN("run", file, "-i", png, "--mean", "3", "--scale", "0.5"),
                array = RUN("run", file, "-i", npy);
    cr_assert_code(array, 0);
    cr_assert_code(picture, 0);
    cr_assert_neq(array.out[0], 0);
    cr_assert_str_eq(picture.out, array.out);
    cr_assert_mentions(picture.err, "assumed: 'image' takes 28 x 28 pixels, channels last, (pixel - (6, 6, 6)) * (0.5, "
                                    "0.5, 0.5) as R, G, B");
    atl_tensor_free(pixels);
    atl_tensor_free(floats);
    atl_tensor_free(prepared);
}

/* y = x + sum of 0, 1, ..., 2 n - 1 for a batch of n: the batch must be known, and is that of the array; check takes
 * one of 1. */
Test(run, the_batch_is_that_of_the_array)
{
    static const int64_t number[] = {0, 2, 1};
    made sum = make_node("sum", "ReduceSum", "floats", NULL, "s"),
         cast = make_node("cast", "Cast", "r", NULL, "floats"), range = make_node("range", "Range", "zero", "m", "r");
    put_int_attribute(&cast, "to", TYPE_FLOAT);
    put_int_attribute(&sum, "keepdims", 0);
    put_text(&range, 1, "one");
    made graph =
        GRAPH(make_node("shape", "Shape", "x", NULL, "shape"), make_node("batch", "Gather", "shape", "zero", "n"),
              make_node("twice", "Mul", "n", "two", "m"), range, cast, sum, make_node("add", "Add", "x", "s", "y"));
    for (int i = 0; i < 3; i++) {
        static const char *const name[] = {"zero", "two", "one"};
        made tensor = {0};
        put_int(&tensor, 2, TYPE_INT64);
        put_text(&tensor, 8, name[i]);
        put_bytes(&tensor, 9, &number[i], sizeof number[i]);
        put_made(&graph, 5, tensor);
    }
    made model = make_model_of(graph, 8, 13, 1);
    const char *file = scratch_file("range.onnx"), *out = scratch_file("range.npz");
    write_made(file, model);
    const char *x = random_array("x4.npy", ATL_SHAPE(3, 4), 0, 1);
    cr_assert_code(RUN("run", file, "-i", x, "-o", out), 0);
    atl_tensor *value = npz_array(out, "y"), *given = atl_read_npy(x);
    for (int i = 0; i < 12; i++)
        cr_expect_float_eq(element_of(value, i), element_of(given, i) + 15, 1e-5);
    atl_tensor_free(value);
    atl_tensor_free(given);
    command_run run = RUN("check", file);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "agrees with");
}

Test(run, mistakes_say_what_to_do)
{
    const char *file = exported("lenet", "--gradient"), *x = random_array("x.npy", ATL_SHAPE(2, 28, 28, 3), 0, 255),
               *bad = random_array("bad.npy", ATL_SHAPE(2, 3), 0, 1);
    cr_assert_refused(2, "--input [NAME=]FILE is missing", "run", file);
    cr_assert_refused(2, "the model has no input of that name; its first one is 'image'", "run", file, "-i", "y=x.npy");
    cr_assert_refused(2, "nothing is given for the input 'labels'", "run", file, "-i", x);
    cr_assert_refused(2, "'image' is given twice", "run", file, "-i", x, "-i", x);
    cr_assert_refused(2, "ends in .npz", "run", file, "-i", x, "-o", scratch_file("out.txt"));
    cr_assert_refused(3, "/no/such.npy", "run", file, "-i", "/no/such.npy");
    cr_assert_refused(3, "/no/such.onnx", "run", "/no/such.onnx", "-i", x);
    command_run run = RUN("run", exported("lenet", NULL), "-i", bad);
    cr_assert(run.code == 2 || run.code == 3, "%d: %s", run.code, run.err);
    cr_assert_mentions(run.err, "[2, 3]");
}
