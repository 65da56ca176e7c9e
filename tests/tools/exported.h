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

static inline atl_tensor *array_of(const char *path, const char *name)
{
    atl_npz *npz = atl_npz_open(path);
    cr_assert(npz, "%s", atl_error());
    atl_tensor *x = atl_npz_read(npz, name);
    cr_assert(x, "%s", atl_error());
    atl_npz_close(npz);
    return x;
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
