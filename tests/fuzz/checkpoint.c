/* Any bytes as a checkpoint of a training with Adam: weights, moments, the step counter.  The first byte selects how
 * it is loaded.  If loading fails, every variable is unchanged. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "atled/atled.h"

const int64_t fuzz_memory_multiple = 4 * 1032 + 16; /* as npz.c */

static atl_graph *new_training(void)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
    atl_node *w = atl_variable(g, "layer/weights", ATL_SHAPE(3, 2), atl_fill_with(0.5f));
    atl_node *b = atl_variable(g, "layer/biases", ATL_SHAPE(2), atl_fill_with(0.25f));
    atl_node *cost = atl_mean(atl_square(atl_bias_add(atl_matmul(x, w), b)));
    fuzz_require(atl_minimize(cost, .optimizer = atl_adam(), .average = 0.9f) != NULL, "a training can be built");
    return g;
}

static const void *bytes_of(const atl_tensor *x)
{
    return atl_tensor_dtype(x) == ATL_INT32 ? (const void *)atl_ints(x) : (const void *)atl_floats(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 32 };
    static atl_graph *g;
    static unsigned char before[MOST][64];
    if (!g)
        g = new_training(); /* kept until the process ends */
    if (size < 2)
        return 0;
    int64_t count = atl_variables(g).count;
    atl_node *const *variable = atl_variables(g).node;
    fuzz_require(count <= MOST, "the training is a small one");
    for (int64_t i = 0; i < count; i++) {
        const atl_tensor *value = atl_variable_value(variable[i]);
        memcpy(before[i], bytes_of(value), (size_t)atl_tensor_count(value) * 4);
    }
    atl_npz_report report;
    atl_status status =
        atl_load_npz(g, fuzz_file(data + 1, size - 1), .allow_missing = data[0] & 1, .allow_extra = data[0] & 1,
                     .weights_only = data[0] >> 1 & 1, .report_out = &report);
    fuzz_require_message(status != ATL_OK);
    for (int64_t i = 0; status && i < count; i++) {
        const atl_tensor *value = atl_variable_value(variable[i]);
        fuzz_require(memcmp(before[i], bytes_of(value), (size_t)atl_tensor_count(value) * 4) == 0,
                     "a failed loading changes nothing");
    }
    return 0;
}
