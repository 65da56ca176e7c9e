/* atled run: the outputs of an ONNX file for given inputs. */
#include <stdlib.h>

#include "onnx_file.h"
#include "top_classes.h"

typedef struct settings {
    const char *output, *labels;
    option_list inputs;
    picture_settings picture;
} settings;

static int read_settings(settings *set, int argc, char **argv, int *operand, int *code)
{
    const command_option options[] = {{"input", 'i', .texts = &set->inputs, .argument = "[NAME=]FILE", .required = 1,
                                       .help = "an array, .npy, or an image, PNG or JPEG, which is resized to the "
                                               "input; without NAME=, for the first input. May be given several times"},
                                      {"output", 'o', .text = &set->output, .argument = "FILE",
                                       .help = "all outputs, .npz"},
                                      {"labels", 'l', .text = &set->labels, .argument = "FILE",
                                       .help = "names of the classes, one per line"},
                                      PICTURE_OPTIONS(&set->picture),
                                      {0}};
    static const char *const examples[] = {"atled run net.onnx -i flamingo.jpg --preprocess imagenet",
                                           "the five most likely classes", NULL};
    const command_line line = {"run", .about = "compute the outputs of an ONNX file for given inputs", ONE_ONNX_FILE,
                               .options = options, .examples = examples};
    return read_options(&line, argc, argv, operand, code);
}

/* The largest of [1, classes], as probabilities. */
static int print_top(const settings *set, const atl_node *node, const atl_tensor *scores)
{
    int classes = (int)atl_tensor_shape(scores).size[1];
    class_names labels = {0};
    int code = read_labels("run", set->labels, NULL, NULL, classes, &labels);
    if (!code)
        code = print_top_classes("run", atl_floats(scores), classes, is_softmax(node), 5, &labels);
    free_labels(&labels);
    return code;
}

static int tell(const settings *set, const onnx_file *f, const atl_program *program)
{
    int64_t outputs = atl_onnx_output_count(f->net);
    atl_npz_entry *entry = calloc((size_t)outputs + 1, sizeof *entry);
    char text[160];
    int code = entry ? 0 : report_error("run", EXIT_INTERNAL, "out of memory");
    for (int64_t i = 0; i < outputs && !code; i++) {
        const char *name = atl_onnx_output_name(f->net, i);
        const atl_node *node = atl_onnx_output(f->net, name);
        entry[i] = (atl_npz_entry){name, atl_value(program, node)};
        atl_shape shape = atl_tensor_shape(entry[i].value);
        printf("%s %s\n", entry[i].name, atl_shape_text(shape, text, sizeof text));
        if (outputs == 1 && shape.rank == 2 && shape.size[0] == 1 && shape.size[1] > 1 && atl_floats(entry[i].value))
            code = print_top(set, node, entry[i].value);
    }
    if (!code && set->output && atl_write_npz(set->output, outputs, entry))
        code = report_error("run", EXIT_BAD_FILE, "%s", atl_error());
    free(entry);
    return code;
}

static int run(const void *set, onnx_file *f)
{
    int64_t outputs = atl_onnx_output_count(f->net);
    atl_node **node = calloc((size_t)outputs + 1, sizeof *node);
    for (int64_t i = 0; node && i < outputs; i++)
        node[i] = atl_onnx_output(f->net, atl_onnx_output_name(f->net, i));
    atl_program *program = node ? atl_compile(f->graph, (atl_nodes){outputs, node}) : NULL;
    atl_status status = program ? atl_run(program, f->feed) : ATL_INVALID;
    int code = status ? report_failed_run("run", status, program, f) : tell(set, f, program);
    atl_program_free(program);
    free(node);
    return code;
}

int atled_run(int argc, char **argv)
{
    settings set = {0};
    int operand, code;
    if (!read_settings(&set, argc, argv, &operand, &code))
        return code;
    const used_file files[] = {{"output", set.output, FILE_WRITTEN, NPZ_FORMAT, NULL}, {0}};
    code = with_onnx("run", argv[operand], &set.inputs, &set.picture, files, 0, run, &set);
    free(set.inputs.value);
    return code;
}
