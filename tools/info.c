/* atled info: what a network is made of, and what of an ONNX file cannot be read. */
#include <stdlib.h>
#include <string.h>

#include "layer_table.h"
#include "network_file.h"

typedef struct info_settings {
    const char *weights;
} info_settings;

static int read_settings(info_settings *set, int argc, char **argv, int *operand, int *code)
{
    const command_option options[] = {
        {"weights", 'w', .text = &set->weights, .argument = "FILE",
         .help = "of a built-in network: the file that determines its widths and the size of its image"},
        {0}};
    static const char *const examples[] = {"atled info resnet20", "its layers, with their weights and operations",
                                           "atled info efficientnet_lite0.onnx",
                                           "the same, and inputs, outputs and ops of the file", NULL};
    const command_line line = {
        "info",
        .about = "list the layers of a network; of an ONNX file also inputs, outputs, ops, and what is not supported",
        .operands = "NAME|FILE.onnx",
        .operand_words = network_names(),
        .least_operands = 1,
        .most_operands = 1,
        .options = options,
        .examples = examples};
    return read_options(&line, argc, argv, operand, code);
}

static void print_port(const char *what, atl_onnx_port port)
{
    char text[160];
    printf("%-8s %-32s %-10s %s\n", what, port.name, port.type,
           port.has_shape ? atl_shape_text(port.shape, text, sizeof text) : "(any shape)");
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

/* The outputs of the file; the caller frees the list. */
static atl_nodes outputs_of(const atl_onnx *net)
{
    int64_t count = atl_onnx_output_count(net);
    atl_node **node = calloc((size_t)count + 1, sizeof *node);
    for (int64_t i = 0; node && i < count; i++)
        node[i] = atl_onnx_output(net, atl_onnx_output_name(net, i));
    return (atl_nodes){node ? count : 0, node};
}

static int has_open_batch(const atl_onnx_report *report)
{
    for (int64_t i = 0; i < atl_onnx_report_input_count(report); i++) {
        atl_onnx_port port = atl_onnx_report_input(report, i);
        if (port.has_shape && port.shape.rank > 0 && port.shape.size[0] == ATL_ANY)
            return 1;
    }
    return 0;
}

/* Some ops need to know the batch: which of them keep the file from being read for any number of inputs. */
static void tell_open_batch(const char *path)
{
    atl_onnx_report *report = NULL;
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = graph ? atl_onnx_load(graph, path, .report_out = &report) : NULL;
    if (!net) {
        printf("\nonly for a batch that is known when the file is read; for an open one these are not supported:\n");
        print_problems(report, stdout);
    }
    atl_onnx_report_free(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
}

static int tell_file(const char *path)
{
    atl_onnx_report *report = NULL;
    atl_graph *graph = atl_graph_new();
    /* The batch, if it is open, is one: what is counted is for one input. */
    atl_onnx *net = graph ? atl_onnx_load(graph, path, .batch = 1, .report_out = &report) : NULL;
    int code = 0;
    if (atl_onnx_report_ir_version(report))
        print_report(report);
    if (net) {
        atl_nodes outputs = outputs_of(net);
        printf("\n");
        code = outputs.node ? print_layers("info", graph, outputs) : report_no_memory("info");
        free((void *)outputs.node);
        if (!code && has_open_batch(report))
            tell_open_batch(path);
    } else {
        code = report_error("info", EXIT_BAD_FILE, "%s", atl_error());
        print_problems(report, stdout);
    }
    atl_onnx_report_free(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
    return code;
}

static int tell_model(const char *name, const info_settings *set)
{
    loaded_network n;
    char text[160];
    int code = open_network("info", name, set->weights, &n);
    if (!code) {
        printf("%s: %s\n", n.model->name, n.model->about);
        printf("%-8s %-32s %s\n", "input", atl_name_of(n.image),
               atl_shape_text(atl_shape_of(n.image), text, sizeof text));
        printf("%-8s %-32s %s\n\n", "output", atl_name_of(n.logits),
               atl_shape_text(atl_shape_of(n.logits), text, sizeof text));
        code = print_layers("info", n.graph, ATL_NODES(n.logits));
    }
    close_network(&n);
    return code;
}

/* A word without a dot or a slash is meant to be a network. */
static int is_word(const char *name) { return !strpbrk(name, "./\\"); }

int atled_info(int argc, char **argv)
{
    info_settings set = {0};
    int operand, code;
    if (!read_settings(&set, argc, argv, &operand, &code))
        return code;
    const char *name = argv[operand];
    const used_file files[] = {{"weights", set.weights, FILE_READ, ANY_FORMAT, NULL}, {0}};
    code = check_files("info", files);
    if (code)
        return code;
    if (atl_model_find(name))
        return tell_model(name, &set);
    if (set.weights)
        return report_error("info", EXIT_USAGE, "--weights is for built-in networks; %s has its own", name);
    const char *closest = is_word(name) ? closest_word(name, network_names()) : NULL;
    if (closest)
        return report_error("info", EXIT_USAGE, "there is no network '%s'; did you mean '%s'?", name, closest);
    return tell_file(name);
}
