/* atled grad: the gradient of an output of an ONNX file, as arrays, as a picture, or as another ONNX file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_file.h"
#include "text.h"

enum { MOST_XS = 16 };

typedef struct settings {
    const char *of, *output, *exported;
    option_list by, inputs;
    picture_settings picture;
} settings;

static int read_settings(settings *set, int argc, char **argv, int *operand, int *code)
{
    const command_option options[] = {
        {"of", 0, .text = &set->of, .argument = "VALUE",
         .help = "the value to differentiate: an output, or the sum of a part of it, 'logits[:, 130]'; default: the "
                 "first output"},
        {"by", 0, .texts = &set->by, .argument = "NAME",
         .help = "the inputs or weights to differentiate with respect to; default: the first input"},
        {"input", 'i', .texts = &set->inputs, .argument = "[NAME=]FILE", .help = "as for atled run"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help = "the gradients, .npz; or an image of the first one, .png, dark where the gradient is small"},
        {"export", 0, .text = &set->exported, .argument = "FILE",
         .help = "the value and its gradients as a model, .onnx"},
        PICTURE_OPTIONS(&set->picture),
        {0}};
    static const char *const examples[] = {
        "atled grad net.onnx --of 'logits[:, 130]' -i flamingo.jpg --preprocess imagenet -o map.png",
        "which pixels matter for class 130", NULL};
    const command_line line = {"grad", .about = "compute the gradient of an output of an ONNX file", ONE_ONNX_FILE,
                               .options = options, .examples = examples};
    return read_options(&line, argc, argv, operand, code);
}

/* "NAME" or "NAME[:, 3, ...]": one index or ":" for each dimension; further dimensions are taken whole.  Null after
 * reporting an error. */
static atl_node *part_named(const onnx_file *f, const char *word)
{
    const char *bracket = word ? strrchr(word, '[') : NULL;
    size_t length = bracket && word[strlen(word) - 1] == ']' ? (size_t)(bracket - word) : word ? strlen(word) : 0;
    if (bracket && word[strlen(word) - 1] != ']') {
        report_error("grad", EXIT_USAGE, "--of '%s': the ']' at its end is missing", word);
        return NULL;
    }
    char *name = strndup(word ? word : atl_onnx_output_name(f->net, 0), word ? length : 4096);
    atl_node *y = name ? atl_onnx_value_node(f->net, name) : NULL;
    if (!y)
        report_error("grad", EXIT_USAGE, "--of: the model has no value '%s'; its first output is '%s'",
                     name ? name : "", atl_onnx_output_name(f->net, 0));
    free(name);
    if (!y || !word || length == strlen(word))
        return y;
    atl_slice_args cut = {.x = y};
    int axis = 0, rank = atl_shape_of(y).rank;
    for (const char *at = bracket + 1; *at && *at != ']'; axis++) {
        char *end = NULL;
        while (*at == ' ' || *at == ',')
            at++;
        if (*at == ':') {
            at++;
            continue;
        }
        long long index = strtoll(at, &end, 10);
        if (end == at || axis >= rank) {
            report_error("grad", EXIT_USAGE, "--of '%s': one index or ':' for each of its %d dimension%s", word, rank,
                         plural(rank));
            return NULL;
        }
        cut.begin[axis] = index;
        cut.end[axis] = index == -1 ? 0 : index + 1;
        at = end;
    }
    y = atl_slice_with(&cut);
    if (!y)
        report_error("grad", EXIT_USAGE, "--of '%s': %s", word, atl_graph_error(f->graph));
    return y;
}

static int find_xs(const settings *set, const onnx_file *f, atl_node **x, int *count)
{
    *count = set->by.count ? set->by.count : 1;
    if (*count > MOST_XS)
        return report_error("grad", EXIT_USAGE, "--by: at most %d", MOST_XS);
    for (int i = 0; i < *count; i++) {
        const char *name = set->by.count ? set->by.value[i] : atl_onnx_input_name(f->net, 0);
        x[i] = name ? atl_onnx_value_node(f->net, name) : NULL;
        if (!x[i])
            return report_error("grad", EXIT_USAGE, "--by: the model has no value '%s'", name ? name : "");
    }
    return 0;
}

/* |gradient| summed over channels, white where it is largest. */
static atl_status write_map(const char *path, const atl_tensor *gradient)
{
    atl_shape s = atl_tensor_shape(gradient);
    int first = s.rank == 4 && s.size[1] <= 4;
    int64_t channels = first ? s.size[1] : s.size[3], h = first ? s.size[2] : s.size[1],
            w = first ? s.size[3] : s.size[2];
    if (s.rank != 4)
        return atl_set_error(ATL_INVALID,
                             "only the gradient of a picture, of four dimensions, can be drawn: write an .npz");
    atl_tensor *map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(h, w));
    float largest = 0;
    for (int64_t i = 0; map && i < h * w; i++) {
        for (int64_t c = 0; c < channels; c++)
            atl_floats(map)[i] += fabsf(atl_floats(gradient)[first ? c * h * w + i : i * channels + c]);
        largest = fmaxf(largest, atl_floats(map)[i]);
    }
    for (int64_t i = 0; map && largest > 0 && i < h * w; i++)
        atl_floats(map)[i] *= 255 / largest;
    atl_status status = map ? atl_write_png(path, map) : ATL_OUT_OF_MEMORY;
    atl_tensor_free(map);
    return status;
}

static int write_results(const settings *set, const onnx_file *f, const atl_program *program, atl_node *const *gradient,
                         int count)
{
    atl_npz_entry entry[MOST_XS];
    size_t length = set->output ? strlen(set->output) : 0;
    char text[160];
    for (int i = 0; i < count; i++) {
        const atl_tensor *value = atl_value(program, gradient[i]);
        double squares = 0;
        for (int64_t k = 0; k < atl_tensor_count(value); k++)
            squares += (double)atl_floats(value)[k] * (double)atl_floats(value)[k];
        entry[i] = (atl_npz_entry){set->by.count ? set->by.value[i] : atl_onnx_input_name(f->net, 0), value};
        printf("gradient by %s %s: norm %.6g\n", entry[i].name,
               atl_shape_text(atl_tensor_shape(value), text, sizeof text), sqrt(squares));
    }
    if (!set->output)
        return 0;
    atl_status status = length > 4 && strcmp(set->output + length - 4, ".png") == 0
                            ? write_map(set->output, entry[0].value)
                            : atl_write_npz(set->output, count, entry);
    return status ? report_error("grad", exit_code_of(status), "%s", atl_error()) : 0;
}

static int differentiate(const void *given, onnx_file *f)
{
    const settings *set = given;
    atl_node *x[MOST_XS], *gradient[MOST_XS + 1], *y = part_named(f, set->of);
    int count, code = y ? find_xs(set, f, x, &count) : EXIT_USAGE;
    if (code)
        return code;
    if (atl_gradients(.of = ATL_NODES(y), .by = {count, x}, .result_out = gradient))
        return report_error("grad", EXIT_BAD_FILE, "%s", atl_graph_error(f->graph));
    if (set->exported) {
        gradient[count] = y;
        if (atl_onnx_write(set->exported, (atl_nodes){count + 1, gradient}, .types_of = f->net))
            return report_error("grad", EXIT_BAD_FILE, "%s", atl_error());
    }
    if (set->exported && !set->output && !set->inputs.count)
        return 0;
    atl_program *program = atl_compile(f->graph, (atl_nodes){count, gradient});
    atl_status status = program ? atl_run(program, f->feed) : ATL_INVALID;
    code = status ? report_failed_run("grad", status, program, f) : write_results(set, f, program, gradient, count);
    atl_program_free(program);
    return code;
}

int atled_grad(int argc, char **argv)
{
    settings set = {0};
    int operand, code;
    if (!read_settings(&set, argc, argv, &operand, &code))
        return code;
    const used_file files[] = {{"output", set.output, FILE_WRITTEN, ANY_FORMAT, NULL},
                               {"export", set.exported, FILE_WRITTEN, ANY_FORMAT, NULL},
                               {0}};
    code = with_onnx("grad", argv[operand], &set.inputs, &set.picture, files, 0, differentiate, &set);
    free(set.inputs.value);
    free(set.by.value);
    return code;
}
