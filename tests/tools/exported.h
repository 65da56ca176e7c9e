/* ONNX files for tests of the commands, made by atled export of networks whose weights ship. */
#ifndef ATLED_TESTS_TOOLS_EXPORTED_H
#define ATLED_TESTS_TOOLS_EXPORTED_H

#include "command.h"

static inline void find_shipped_weights(void) { setenv("ATLED_MODELS", source_file("models"), 1); }

/* option: such as "--gradient", or null */
static inline const char *exported(const char *model, const char *option)
{
    const char *path = scratch_file("net.onnx");
    command_run run = RUN("export", "-m", model, "-o", path, option);
    cr_assert_code(run, 0);
    return path;
}

/* An array in a file, uniform in [low, high). */
static inline const char *random_array(const char *name, atl_shape shape, float low, float high)
{
    const char *path = scratch_file(name);
    atl_tensor *x = random_tensor(shape, low, high);
    cr_assert(atl_write_npy(path, x) == ATL_OK, "%s", atl_error());
    atl_tensor_free(x);
    return path;
}

/* In double, of LeNet with its shipped weights for the images in the file: the logits, or, if `class` is not negative,
 * the gradient of that class's logit by the image. */
static inline atl_tensor *lenet_in_double(const char *path, int class)
{
    atl_tensor *x = atl_read_npy(path);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 3)), *y = atl_lenet(image);
    if (class >= 0)
        y = atl_gradient(atl_slice(y, .begin = {0, class}, .end = {0, class + 1}), image);
    cr_assert(x && y && !atl_model_load(atl_model_find("lenet"), g, source_file("models/digits.npz")), "%s",
              atl_error());
    atl_reference *run = atl_reference_run(ATL_NODES(y), ATL_FEED(image, x));
    atl_tensor *result = atl_tensor_copy(atl_reference_value(run, y));
    atl_reference_free(run);
    atl_graph_free(g);
    atl_tensor_free(x);
    return result;
}

/* A file that begins like an ONNX file and ends too early. */
static inline const char *cut_short(const char *file)
{
    const char *cut = scratch_file("cut.onnx");
    FILE *stream = fopen(cut, "wb");
    cr_assert(stream && fwrite(whole_file(file), 1, 1000, stream) == 1000 && fclose(stream) == 0);
    return cut;
}

#endif
