/* Reading bytes of a file: weights of any size, from the model and from a file beside it. */
#include "make_model.h"

/* A weight and bytes around it, so that it begins at no multiple of anything. */
static const int64_t sizes[] = {1, 4099, (8 << 20) / 4 - 1, (8 << 20) / 4, (11 << 20) / 4 + 3};

static void write_file(const char *path, const void *before, size_t before_size, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(before, 1, before_size, file) == before_size && fwrite(bytes, 1, size, file) == size &&
                  fclose(file) == 0,
              "%s", path);
}

/* y = x + the sum of w. */
static made sum_of(made tensor)
{
    made graph = GRAPH(make_node("sum", "ReduceSum", "w", NULL, "s"), make_node("add", "Add", "x", "s", "y"));
    put_made(&graph, 5, tensor);
    return make_model(graph, 8, 17);
}

static void expect_weight(const char *path, int64_t count, const float *expected)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, path);
    cr_assert(net, "%s", atl_error());
    const atl_tensor *w = atl_variable_value(atl_find(graph, "w"));
    cr_assert(w && atl_tensor_count(w) == count);
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++)
        wrong += memcmp(&atl_floats(w)[i], &expected[i], sizeof(float)) != 0;
    cr_expect_eq(wrong, 0, "%lld of %lld elements are not those of the file", (long long)wrong, (long long)count);
    atl_onnx_free(net);
    atl_graph_free(graph);
}

static atl_tensor *random_weight(int64_t count, uint64_t seed)
{
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    return atl_uniform_tensor(ATL_SHAPE(count), -1, 1, seed);
}

Test(wire, weights_of_any_size)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        atl_tensor *w = random_weight(sizes[i], 71 + i);
        made model = sum_of(make_tensor("w", TYPE_FLOAT, sizes[i], atl_floats(w), (size_t)sizes[i] * sizeof(float)));
        const char *path = scratch_file("weight.onnx");
        write_file(path, "", 0, model.at, model.size);
        expect_weight(path, sizes[i], atl_floats(w));
        atl_tensor_free(w);
        free(model.at);
    }
}

Test(wire, weights_beside_the_model)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        atl_tensor *w = random_weight(sizes[i], 81 + i);
        made tensor = make_tensor("w", TYPE_FLOAT, sizes[i], NULL, 0), where = {0}, from = {0};
        put_int(&tensor, 14, 1);
        put_text(&where, 1, "location");
        put_text(&where, 2, "weight.bin");
        put_made(&tensor, 13, where);
        put_text(&from, 1, "offset");
        put_text(&from, 2, "7");
        put_made(&tensor, 13, from);
        made model = sum_of(tensor);
        const char *path = scratch_file("beside.onnx");
        write_file(path, "", 0, model.at, model.size);
        write_file(scratch_file("weight.bin"), "1234567", 7, atl_floats(w), (size_t)sizes[i] * sizeof(float));
        expect_weight(path, sizes[i], atl_floats(w));
        atl_tensor_free(w);
        free(model.at);
    }
}
