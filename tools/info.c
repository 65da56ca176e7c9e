/* atled info: what an ONNX file is made of, and what of it cannot be read. */
#include <stdlib.h>
#include <string.h>

#include "onnx_file.h"

static int read_settings(int argc, char **argv, int *operand, int *code)
{
    static const command_option options[] = {{0}};
    static const char *const examples[] = {"atled info efficientnet_lite0.onnx", "inputs, outputs, ops, weights", NULL};
    const command_line line = {"info", .about = "list what an ONNX file contains, and what of it is not supported",
                               ONE_ONNX_FILE, .options = options, .examples = examples};
    return read_options(&line, argc, argv, operand, code);
}

static void print_port(const char *what, atl_onnx_port port)
{
    char text[160];
    printf("%-8s %-32s %-10s %s\n", what, port.name, port.type,
           port.has_shape ? atl_shape_text(port.shape, text, sizeof text) : "(any shape)");
}

/* Multiplications and additions of one run of the outputs, if every size is known. */
static double operations_of(atl_graph *graph, const atl_onnx *net)
{
    double sum = 0;
    int64_t outputs = atl_onnx_output_count(net);
    atl_node **node = calloc((size_t)outputs + 1, sizeof *node);
    for (int64_t i = 0; node && i < outputs; i++)
        node[i] = atl_onnx_output(net, atl_onnx_output_name(net, i));
    atl_program *program = node ? atl_compile(graph, (atl_nodes){outputs, node}) : NULL;
    for (int64_t i = 0; program && i < atl_program_step_count(program); i++) {
        atl_step_info info;
        sum += atl_program_step(program, i, &info) ? 0 : info.flops;
    }
    atl_program_free(program);
    free(node);
    return sum;
}

static void print_report(const atl_onnx_report *report)
{
    printf("IR version %lld, made by %s\n", (long long)atl_onnx_report_ir_version(report),
           *atl_onnx_report_producer(report) ? atl_onnx_report_producer(report) : "(not said)");
    for (int64_t i = 0; i < atl_onnx_report_input_count(report); i++)
        print_port("input", atl_onnx_report_input(report, i));
    for (int64_t i = 0; i < atl_onnx_report_output_count(report); i++)
        print_port("output", atl_onnx_report_output(report, i));
    printf("weights  %lld\n", (long long)atl_onnx_report_weight_count(report));
    for (int64_t i = 0; i < atl_onnx_report_op_count(report); i++) {
        atl_onnx_op_info op = atl_onnx_report_op(report, i);
        printf("op       %-32s %6lld  opset %lld%s%s\n", op.op, (long long)op.count, (long long)op.version,
               *op.domain ? " of " : "", op.domain);
    }
}

int atled_info(int argc, char **argv)
{
    int operand, code;
    if (!read_settings(argc, argv, &operand, &code))
        return code;
    atl_onnx_report *report = NULL;
    atl_graph *graph = atl_graph_new();
    /* The batch, if it is open, is one: what is counted is for one input. */
    atl_onnx *net = graph ? atl_onnx_load(graph, argv[operand], .batch = 1, .report_out = &report) : NULL;
    if (atl_onnx_report_ir_version(report))
        print_report(report);
    if (net) {
        double operations = operations_of(graph, net);
        if (operations > 0)
            printf("operations for one input: %.4g\n", operations);
    } else {
        code = report_error("info", EXIT_BAD_FILE, "%s", atl_error());
        print_problems(report, stdout);
    }
    atl_onnx_report_free(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
    return net ? 0 : code;
}
