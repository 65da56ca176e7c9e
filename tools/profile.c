/* atled profile: the time of each step of a network. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile_options.h"
#include "explore.h"
#include "network_file.h"
#include "text.h"
#include "weight_names.h"

typedef struct profile_settings {
    const char *model, *weights, *output, *drawing;
    int forward, gradient, train, json, allow_non_finite;
    int64_t batch, runs, depth;
    compile_options compile;
    picture_settings picture; /* of an ONNX file */
} profile_settings;

static int read_settings(profile_settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file", .required = 1),
        NETWORK_FILE_OPTIONS(&set->picture),
        WEIGHTS_OPTIONS(&set->weights, &set->picture.names,
                        "its weights, .npz or .safetensors; default: random weights"),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {"gradient", 'g', .flag = &set->gradient,
         .help = "the forward pass and the gradient of the cross entropy with respect to the image (the default)"},
        {"forward", 'f', .flag = &set->forward, .help = "the forward pass only"},
        {"train", 0, .flag = &set->train,
         .help = "a training step: the forward pass, the gradients with respect to all weights, and the update with "
                 "momentum"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 1, .highest = 65536, .help = "images per run"},
        {"runs", 'r', .whole = &set->runs, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "number of runs; the median time of each step is reported"},
        {"json", 'j', .flag = &set->json, .help = "JSON instead of a table"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help =
             "instead of standard output; .html is a page to explore: the graph, its plan, and memory over the steps"},
        {"dot", 0, .text = &set->drawing, .argument = "FILE",
         .help =
             "also draws the network, each op with its time, slower ops redder: .svg, .png, .pdf, .html; others get "
             "DOT text"},
        {"depth", 'd', .whole = &set->depth, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "in the drawing, each scope at this depth is one box: 1 for layers"},
        {0}};
    static const char *const examples[] = {"atled profile --model vgg16",
                                           "forward pass and image gradient, random weights",
                                           "atled profile --model vgg16 --without winograd",
                                           "the same with direct convolutions only",
                                           "atled profile --model resnet20 --batch 128 --train",
                                           "a training step",
                                           "atled profile --model cifar10 --batch 128 --dot profile.svg",
                                           "a drawing with the time of every op",
                                           "atled profile --model vgg16 --without winograd -o vgg16.html",
                                           "a page to explore, with the plan, and what a pass changes in it",
                                           NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    shared[0].letter = 't';
    const command_line line = {"profile", .about = "time every step of a network", .options = options, .shared = shared,
                               .examples = examples};
    if (!read_options(&line, argc, argv, NULL, code))
        return 0;
    if (set->forward + set->gradient + set->train > 1)
        *code = report_error("profile", EXIT_USAGE, "--forward, --gradient and --train exclude each other");
    else if (set->json && is_page(set->output))
        *code = report_error("profile", EXIT_USAGE, "--json and a page, -o %s, exclude each other", set->output);
    else if (set->depth && !set->drawing && !is_page(set->output))
        *code = report_error("profile", EXIT_USAGE, "--depth is of the drawing: give --dot FILE, too");
    else
        return 1;
    return 0;
}

/* The output to compute: the logits, the gradient of the cross entropy with class 0 with respect to the image, or a
 * training step. */
static atl_node *output_node(const profile_settings *set, const loaded_network *n)
{
    if (set->forward)
        return n->logits;
    atl_tensor *zeros = atl_tensor_new(ATL_INT32, ATL_SHAPE(set->batch));
    atl_node *labels = zeros ? atl_constant(n->graph, zeros) : NULL;
    atl_tensor_free(zeros);
    atl_node *cost = atl_sparse_softmax_cross_entropy(n->logits, labels);
    if (set->train)
        return atl_minimize(atl_mean(cost), atl_momentum(.rate = 1e-6), .unchecked = 1);
    return atl_gradient(cost, n->image);
}

static int write_profile(const profile_settings *set, const atl_program *program, const atl_machine_peak *peak)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = set->output ? open_memstream(&text, &size) : stdout;
    if (!file)
        return report_no_memory("profile");
    atl_status status =
        atl_program_write_profile(program, file, set->json ? ATL_PROFILE_JSON : ATL_PROFILE_TABLE, peak);
    if (!status && !set->json)
        fprintf(file, "peaks: %.1f GFLOP/s, %.1f GB/s\n", peak->flops_per_second / 1e9, peak->bytes_per_second / 1e9);
    int failed = ferror(file), code = 0;
    failed |= set->output ? fclose(file) : fflush(file);
    if (status)
        code = report_failure("profile");
    else if (failed)
        code = report_error("profile", EXIT_BAD_FILE, "the profile could not be written: %s", strerror(errno));
    else if (set->output && atl_write_bytes(set->output, text, size))
        code = report_failure("profile");
    free(text);
    return code;
}

/* "vgg16: 205.1 ms, batch 1, 2 threads" */
static void write_title(char *title, size_t size, const profile_settings *set, const atl_program *program, double total)
{
    char duration[32];
    int threads = atl_program_threads(program);
    snprintf(title, size, "%s, %s: %s, batch %lld, %d thread%s%s", set->model,
             set->forward ? "forward"
             : set->train ? "training step"
                          : "forward and image gradient",
             duration_text(total, duration, sizeof duration), (long long)set->batch, threads, plural(threads),
             atl_program_uses_bfloat16(program) ? ", bfloat16" : "");
}

/* Writes the drawing; a page shows the plan, too, and that of the other program if there is one. */
static int draw(const profile_settings *set, const loaded_network *n, const atl_program *program,
                const atl_program *other, atl_node *output, const char *path)
{
    char title[256], passes[256];
    int64_t count = atl_graph_node_count(n->graph);
    double *time = calloc((size_t)count, sizeof *time), total = 0;
    if (!time)
        return report_no_memory("profile");
    atl_status status = atl_program_node_times(program, count, time);
    for (int64_t i = 0; i < count; i++)
        total += time[i];
    write_title(title, sizeof title, set, program, total);
    if (!status)
        status = atl_write_dot(n->graph, path, .outputs = ATL_NODES(output), .depth = (int)set->depth, .title = title,
                               .microseconds = time, .program = program, .other_program = other,
                               .program_title = passes_text(&set->compile, passes, sizeof passes),
                               .other_title = "with all passes");
    free(time);
    return status ? report_failure("profile") : 0;
}

static int draw_all(const profile_settings *set, const loaded_network *n, const atl_program *program,
                    const atl_tensor *pixels, atl_node *output)
{
    int code = 0, has_page = is_page(set->output) || is_page(set->drawing);
    atl_program *other = has_page ? compile_with_all_passes(&set->compile, ATL_NODES(output)) : NULL;
    if (has_page && set->compile.disabled_passes && !other)
        code = report_failure("profile");
    else if (other && atl_program_profile(other, ATL_FEED(n->image, pixels), (int)set->runs))
        code = report_failure("profile");
    if (!code && is_page(set->output))
        code = draw(set, n, program, other, output, set->output);
    if (!code && set->drawing)
        code = draw(set, n, program, other, output, set->drawing);
    atl_program_free(other);
    return code;
}

static int profile(const profile_settings *set, const loaded_network *n)
{
    atl_node *output = output_node(set, n);
    atl_compile_args args = compile_args_of(&set->compile);
    args.graph = n->graph;
    args.outputs = ATL_NODES(output);
    atl_program *program = atl_compile_with(&args);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(n->image), 0, 255, 1);
    int code = 0;
    if (!program || !pixels)
        code = report_graph_failure("profile", n->graph);
    atl_machine_peak peak = {0};
    atl_status status =
        code ? ATL_OK : atl_program_profile_with_peak(program, ATL_FEED(n->image, pixels), (int)set->runs, &peak);
    if (status)
        code = report_failure("profile");
    if (!code && !is_page(set->output))
        code = write_profile(set, program, &peak);
    if (!code)
        code = draw_all(set, n, program, pixels, output);
    if (!code)
        code = end_compiling("profile", &set->compile);
    atl_tensor_free(pixels);
    atl_program_free(program);
    return code;
}

int atled_profile(int argc, char **argv)
{
    profile_settings set = {.batch = 1, .runs = 10};
    loaded_network network = {0};
    int code = 0;
    if (!read_settings(&set, argc, argv, &code))
        return code;
    const used_file files[] = {{"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set.picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"output", set.output, FILE_WRITTEN, ANY_FORMAT, NULL},
                               {"dot", set.drawing, FILE_WRITTEN, DRAWING_FORMAT, NULL},
                               TIMING_FILE(&set.compile),
                               {0}};
    code = check_files("profile", files);
    if (!code)
        code = begin_compiling("profile", &set.compile);
    if (!code)
        code = open_any_network("profile", set.model, set.weights, set.batch, set.train, &set.picture, &network);
    if (!code && set.weights)
        code = check_loaded("profile", network.graph, set.weights, set.allow_non_finite);
    if (!code)
        code = profile(&set, &network);
    close_network(&network);
    return code;
}
