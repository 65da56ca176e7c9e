/* Bytes as calls of the public interface: inputs and variables of any shape, any op with any arguments, a gradient,
 * a program with some passes disabled, two runs.  Every call works or fails with a message, and the program's values
 * have the shapes of their nodes. */
#include "fuzz.h"

#include <stdlib.h>

#include "builders.h"

const int64_t fuzz_memory_multiple = 0; /* eight bytes may request a large array */

enum { MOST_ELEMENTS = 1 << 14 }; /* of a node that is computed; larger ones are only built */

/* Elements where an unknown size is `any`; MOST_ELEMENTS + 1 for more than that. */
static int64_t elements_of(const atl_node *node, int64_t any)
{
    atl_shape shape = atl_shape_of(node);
    double count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= (double)(shape.size[i] == ATL_ANY ? any : shape.size[i]);
    return count > MOST_ELEMENTS ? MOST_ELEMENTS + 1 : (int64_t)count;
}

/* At most twelve nodes.  After an error of a builder there is nothing to run. */
static int build_all(reader *r)
{
    while (r->at < r->end && r->nodes < 12) {
        atl_node *made = fuzz_build(r);
        if (atl_graph_status(r->graph)) {
            fuzz_require(*atl_graph_error(r->graph) != 0, "a broken graph says why");
            return 0;
        }
        if (!made)
            continue;
        if (elements_of(made, 3) > MOST_ELEMENTS)
            return 0;
        r->node[r->nodes++] = made;
    }
    return r->nodes > 0;
}

static int is_too_large(const atl_graph *graph)
{
    int64_t all = 0;
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        if ((all += elements_of(atl_graph_node(graph, i), 3)) > 16 * MOST_ELEMENTS)
            return 1;
    return 0;
}

/* Values for the inputs; 0 if one cannot be made. */
static int feed(const reader *r, int64_t any, atl_tensor **value, atl_feed *feeds)
{
    int ok = 1;
    for (int i = 0; i < r->inputs; i++) {
        atl_shape shape = atl_shape_of(r->input[i]);
        for (int d = 0; d < shape.rank; d++)
            if (shape.size[d] == ATL_ANY)
                shape.size[d] = any;
        atl_tensor *floats = atl_uniform_tensor(shape, -2, 2, (uint64_t)i);
        value[i] = floats ? atl_tensor_convert(floats, atl_dtype_of(r->input[i])) : NULL;
        atl_tensor_free(floats);
        ok = ok && value[i];
        feeds[i] = (atl_feed){r->input[i], value[i]};
    }
    return ok;
}

static void check_value(const atl_program *program, const atl_node *node)
{
    const atl_tensor *value = atl_value(program, node);
    atl_shape promised = atl_shape_of(node), given = atl_tensor_shape(value);
    fuzz_require(value != NULL, "an output has a value");
    fuzz_require(given.rank == promised.rank, "a value has the promised rank");
    for (int d = 0; d < given.rank; d++)
        fuzz_require(promised.size[d] == ATL_ANY || given.size[d] == promised.size[d],
                     "a value has the promised sizes");
}

static void compile_and_run(reader *r, atl_nodes outputs, unsigned disabled, int check)
{
    atl_tensor *value[MOST_INPUTS] = {NULL};
    atl_feed feeds[MOST_INPUTS + 1] = {{NULL, NULL}};
    atl_program *program = atl_compile(r->graph, outputs, .disabled_passes = disabled, .threads = 1, .check = check);
    fuzz_require_message(!program && !*atl_graph_error(r->graph));
    for (int64_t any = 3; program && any > 0; any -= 2) {
        if (feed(r, any, value, feeds)) {
            atl_status status = atl_run(program, feeds);
            fuzz_require_message(status != ATL_OK);
            fuzz_require(status != ATL_INTERNAL, "a run does not fail by a fault of atled's own");
            for (int i = 0; !status && i < outputs.count; i++)
                check_value(program, outputs.node[i]);
        }
        for (int i = 0; i < r->inputs; i++)
            atl_tensor_free(value[i]);
    }
    atl_program_free(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    reader r = {.at = data + 3, .end = data + size, .graph = atl_graph_new()};
    fuzz_require(r.graph != NULL, "a graph can be made");
    if (build_all(&r)) {
        atl_node *last = r.node[r.nodes - 1], *outputs[3] = {last, r.node[0], NULL};
        int count = r.nodes > 1 ? 2 : 1;
        if (data[0] & 1 && r.inputs && atl_dtype_of(last) == ATL_FLOAT32) {
            atl_node *by = r.input[data[0] >> 1 & 1 && r.inputs > 1];
            atl_status status =
                atl_gradients(ATL_NODES(last), ATL_NODES(by), &outputs[count], .unused = ATL_UNUSED_ZEROS);
            count += status == ATL_OK;
        }
        if (!*atl_graph_error(r.graph) && !is_too_large(r.graph))
            compile_and_run(&r, (atl_nodes){count, outputs}, data[1] < 128 ? 0 : data[1] * 37u & 4095,
                            data[2] & 1 ? 1 : -1);
    }
    atl_graph_free(r.graph);
    return 0;
}
