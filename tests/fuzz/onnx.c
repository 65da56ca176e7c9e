/* Any bytes as an ONNX model: rejected with a message, or nodes; and as a tensor of test data. */
#include "fuzz.h"

#include "atled/onnx.h"

/* Nodes of the graph, and room for shape arithmetic, do not follow from the size of the file. */
const int64_t fuzz_memory_multiple = 0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx_report *report = NULL;
    atl_onnx *net = atl_onnx_load(graph, .bytes = data, .byte_count = size, .report_out = &report);
    fuzz_require_message(!net);
    for (int64_t i = 0; i < atl_onnx_output_count(net); i++)
        fuzz_require(atl_onnx_output(net, atl_onnx_output_name(net, i)) != NULL,
                     "an output of a model that was read is missing");
    atl_onnx_report_free(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
    atl_tensor *tensor = atl_read_onnx_tensor(fuzz_file(data, size));
    fuzz_require_message(!tensor);
    atl_tensor_free(tensor);
    return 0;
}
