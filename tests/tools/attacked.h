/* Attacks on a small trained network, for tests of the commands. */
#ifndef ATLED_TESTS_TOOLS_ATTACKED_H
#define ATLED_TESTS_TOOLS_ATTACKED_H

#include "command.h"
#include "few_pictures.h"

/* A network for the few pictures, trained by the command. */
static inline const char *trained(const char *data)
{
    const char *weights = scratch_file("weights.npz");
    command_run run = RUN("train", "--model", "mlp", "--data", data, "--steps", "60", "-o", weights, "--quiet");
    cr_assert_code(run, 0);
    return weights;
}

/* The same network as an ONNX file. */
static inline const char *as_file(const char *weights)
{
    const char *path = scratch_file("net.onnx");
    atl_graph *g = atl_graph_new();
    atl_node *y = atl_mlp(atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 6, 6, 1)));
    cr_assert(y && atl_model_load(atl_model_find("mlp"), g, weights) == ATL_OK &&
                  atl_onnx_write(path, ATL_NODES(y)) == ATL_OK,
              "%s %s", atl_error(), atl_graph_error(g));
    atl_graph_free(g);
    return path;
}

static inline const char *in(const char *folder, const char *name)
{
    static char paths[32][4096];
    static int at;
    char *path = paths[at++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Lets one byte of a file be another one. */
static inline void change_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    cr_assert(file && fseek(file, at, at < 0 ? SEEK_END : SEEK_SET) == 0);
    int byte = fgetc(file);
    cr_assert(fseek(file, -1, SEEK_CUR) == 0 && fputc(byte ^ 1, file) != EOF);
    fclose(file);
}

#define ATTACK(data, weights, ...) RUN("attack", "-m", "mlp", "-d", data, "-w", weights, __VA_ARGS__)

#endif
