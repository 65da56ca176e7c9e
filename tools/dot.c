/* atled dot: draws a network. */
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "network_file.h"
#include "progress.h"
#include "text.h"
#include "used_files.h"
#include "weight_names.h"

enum { MOST_FOLDED = sizeof((atl_dot_args){0}).folded / sizeof(char *) };

typedef struct settings {
    const char *model, *weights, *output, *from, *to, *picture_path, *against;
    int gradient, allow_non_finite, plan;
    int64_t depth;
    option_list folded;
    int unfolded, legend;
    compile_options compile;
    picture_settings picture; /* of an ONNX file */
} settings;

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network to draw, or an ONNX file", .required = 1),
        NETWORK_FILE_OPTIONS(&set->picture),
        {"gradient", 'g', .flag = &set->gradient,
         .help = "with a loss (the cross entropy of class 0) and its gradient with respect to the image"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help =
             ".svg, .png and .pdf are rendered, .html is a page to explore, .json lists the nodes, other names get DOT "
             "text; default: the text is printed"},
        {"depth", 'd', .whole = &set->depth, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "each scope at this depth is one box: 1 for layers and blocks as a whole"},
        {"fold", 0, .texts = &set->folded, .argument = "SCOPE",
         .help = "this scope is one box, whatever its depth. May be given up to 16 times"},
        {"unfold", 0, .flag = &set->unfolded,
         .help =
             "draws the nodes of which batch norm, layer norm, dropout and resizing are made; otherwise each is one "
             "box"},
        {"legend", 0, .flag = &set->legend, .help = "adds what the boxes and edges mean"},
        {"from", 0, .text = &set->from, .argument = "NODE", .help = "draw only nodes that depend on this node"},
        {"to", 0, .text = &set->to, .argument = "NODE",
         .help = "draw only nodes on which this node depends; with --from, the nodes on paths between the two"},
        {"run", 0, .text = &set->picture_path, .argument = "PICTURE",
         .help = "in the page: runs the network with this picture, and shows the value of every node"},
        {"plan", 0, .flag = &set->plan,
         .help = "in the page: the steps of the compiled program and their memory; with --without, also which steps "
                 "are only in one"},
        {"against", 0, .text = &set->against, .argument = "FILE",
         .help = "in the page: which nodes are only in one, this graph or that of a file .json"},
        WEIGHTS_OPTIONS(
            &set->weights, &set->picture.names,
            "weights, .npz or .safetensors: the drawing shows their layer widths and image size instead of the "
            "published ones"),
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {0}};
    static const char *const examples[] = {
        "atled dot --model cifar10 --gradient -o cifar10.svg",
        "every op of the network and of the gradient",
        "atled dot --model vgg16 --depth 1 -o vgg16.png",
        "layer by layer",
        "atled dot --model resnet20 --from image --to logits | dot -Tsvg -o resnet20.svg",
        "the path from image to logits, without the weights, rendered by Graphviz's command",
        "atled dot --model vgg16 --weights vgg16.npz --gradient --run cat.jpg -o vgg16.html",
        "a page to explore, with the value of every node",
        "atled dot --model resnet20 --without fuse -o resnet20.html",
        "the steps with and without a pass of the compiler",
        NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"dot", .about = "draw a network, with or without its gradient", .options = options,
                               .shared = shared, .examples = examples};
    if (!read_options(&line, argc, argv, NULL, code))
        return 0;
    const char *only_page = set->picture_path              ? "--run"
                            : set->plan                    ? "--plan"
                            : set->against                 ? "--against"
                            : set->compile.disabled_passes ? "--without"
                            : set->compile.threads         ? "--threads"
                            : set->compile.bfloat16        ? "--bfloat16"
                            : set->compile.timing          ? "--timing"
                            : set->compile.times           ? "--timing-file"
                                                           : NULL;
    const char *not_page = set->folded.count ? "--fold" : set->unfolded ? "--unfold" : set->legend ? "--legend" : NULL;
    if (not_page && is_page(set->output))
        *code = report_error("dot", EXIT_USAGE, "%s is of a drawing: in the page, scopes fold by a click", not_page);
    else if (set->folded.count > MOST_FOLDED)
        *code = report_error("dot", EXIT_USAGE, "--fold: at most %d scopes", MOST_FOLDED);
    else if (!only_page || is_page(set->output))
        return 1;
    else
        *code = report_error("dot", EXIT_USAGE, "%s is of the page to explore: give -o FILE.html, too", only_page);
    free(set->folded.value);
    return 0;
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static void refuse_node(const atl_graph *graph, const char *option, const char *name)
{
    int64_t count = atl_graph_node_count(graph);
    const char **names = calloc((size_t)count + 1, sizeof *names); /* without memory no word is suggested */
    for (int64_t i = 0; names && i < count; i++)
        names[i] = atl_name_of(atl_graph_node(graph, i));
    const char *closest = names ? closest_word(name, names) : NULL;
    if (closest)
        report_error("dot", EXIT_USAGE, "--%s: there is no node '%s'; did you mean '%s'?", option, name, closest);
    else
        report_error("dot", EXIT_USAGE, "--%s: there is no node '%s'; the drawing without --%s shows their names",
                     option, name, option);
    free(names);
}

/* The node of that name, or the only one whose name ends with it; null after an error message. */
static atl_node *node_named(const atl_graph *graph, const char *option, const char *name)
{
    atl_node *found = atl_find(graph, name);
    if (found)
        return found;
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++) {
        atl_node *node = atl_graph_node(graph, i);
        if (strcmp(last_part(atl_name_of(node)), name) != 0)
            continue;
        if (found) {
            report_error("dot", EXIT_USAGE, "--%s: several nodes are called '%s', '%s' and '%s' among them", option,
                         name, atl_name_of(found), atl_name_of(node));
            return NULL;
        }
        found = node;
    }
    if (!found)
        refuse_node(graph, option, name);
    return found;
}

/* An ONNX file of any kind, as it is: nothing is put before it. */
static int open_plain_file(const settings *set, loaded_network *n)
{
    atl_onnx_report *report = NULL;
    n->graph = atl_graph_new();
    n->net = n->graph ? atl_onnx_load(n->graph, set->model, .batch = 1, .report_out = &report) : NULL;
    int code = n->net ? 0 : report_failure("dot");
    if (!n->net)
        print_problems(report, stderr);
    atl_onnx_report_free(report);
    return code || !set->weights ? code : load_network_weights("dot", NULL, n->graph, set->weights, set->picture.names);
}

/* The outputs, on which the drawn nodes depend.  wanted: room for two, and for all outputs of a file. */
static int choose_wanted(const loaded_network *network, int gradient, atl_node **wanted, int64_t *count)
{
    int64_t outputs = network->logits ? 0 : atl_onnx_output_count(network->net);
    for (int64_t i = 0; i < outputs; i++)
        wanted[i] = atl_onnx_output(network->net, atl_onnx_output_name(network->net, i));
    *count = network->logits ? 1 + (gradient != 0) : outputs;
    if (network->logits)
        wanted[0] = network->logits;
    if (!gradient)
        return 0;
    wanted[0] = atl_named(atl_softmax_cross_entropy(network->logits, .label = ATL_ZERO), "loss");
    wanted[1] = atl_gradient(wanted[0], network->image);
    return wanted[1] ? 0 : report_graph_failure("dot", network->graph);
}

/* What the page shows of programs and of a run; release them with the function below. */
typedef struct page_parts {
    atl_program *program, *other;
    run_values values;
    char title[256];
} page_parts;

static int make_page_parts(const settings *set, const loaded_network *network, atl_nodes outputs, page_parts *parts)
{
    int code = begin_compiling("dot", &set->compile);
    if (!code && set->picture_path)
        code = compute_values("dot", network, set->picture_path, outputs, &set->compile, &parts->values);
    if (code || !(set->plan || set->compile.disabled_passes))
        return code;
    atl_compile_args args = compile_args_of(&set->compile);
    args.outputs = outputs;
    parts->program = atl_compile_with(&args);
    if (parts->program && set->compile.disabled_passes)
        parts->other = compile_with_all_passes(&set->compile, outputs);
    if (!parts->program || (set->compile.disabled_passes && !parts->other))
        return report_failure("dot");
    if (atl_program_step_count(parts->program) == 0)
        return report_error("dot", EXIT_USAGE, "--plan: a size of the network is unknown, so there is no plan");
    return end_compiling("dot", &set->compile);
}

static void free_page_parts(page_parts *parts)
{
    free_run_values(&parts->values);
    atl_program_free(parts->other);
    atl_program_free(parts->program);
}

static void fill_page(const settings *set, page_parts *parts, atl_dot_args *args)
{
    args->title = last_part(set->model);
    args->values = (const atl_tensor *const *)parts->values.value;
    args->program = parts->program;
    args->other_program = parts->other;
    args->against = set->against;
    args->other_title = "with all passes";
    args->program_title = parts->other ? passes_text(&set->compile, parts->title, sizeof parts->title) : NULL;
}

static int write_drawing(const settings *set, atl_dot_args *args)
{
    progress_line progress = start_progress(!set->output);
    if (progress.terminal)
        show_progress(&progress, 1, "drawing %s: %lld node%s", set->output ? set->output : "",
                      (long long)atl_graph_node_count(args->graph), plural(atl_graph_node_count(args->graph)));
    atl_status status = atl_write_dot_with(args);
    end_progress(&progress);
    if (status == ATL_INVALID)
        return report_error("dot", EXIT_USAGE, "%s", atl_error());
    return status ? report_failure("dot") : 0;
}

/* Takes the scopes of --fold.  Returns 0, or the exit code after an error message: a node must lie in each. */
static int fold_scopes(const settings *set, const atl_graph *graph, atl_dot_args *args)
{
    for (int i = 0; i < set->folded.count; i++) {
        const char *scope = set->folded.value[i];
        size_t length = strlen(scope);
        int64_t node = 0, count = atl_graph_node_count(graph);
        for (; node < count; node++) {
            const char *name = atl_name_of(atl_graph_node(graph, node));
            if (strncmp(name, scope, length) == 0 && name[length] == '/')
                break;
        }
        if (node == count)
            return report_error("dot", EXIT_USAGE,
                                "--fold: there is no scope '%s'; the drawing without --fold shows their names", scope);
        args->folded[i] = scope;
    }
    return 0;
}

static int draw(const settings *set, const loaded_network *network, atl_node **wanted)
{
    int64_t count;
    int code = choose_wanted(network, set->gradient, wanted, &count);
    if (code)
        return code;
    page_parts parts = {0};
    atl_dot_args args = {network->graph, .path = set->output, .depth = (int)set->depth};
    args.file = set->output ? NULL : stdout;
    args.unfolded = set->unfolded;
    args.legend = set->legend;
    if ((code = fold_scopes(set, network->graph, &args)))
        return code;
    if (set->from && !(args.from = node_named(network->graph, "from", set->from)))
        return EXIT_USAGE;
    if (set->to && !(args.to = node_named(network->graph, "to", set->to)))
        return EXIT_USAGE;
    if (!set->to)
        args.outputs = (atl_nodes){count, wanted};
    if (is_page(set->output) || (set->output && strstr(set->output, ".json")))
        args.title = last_part(set->model);
    code = make_page_parts(set, network, (atl_nodes){count, wanted}, &parts);
    if (is_page(set->output))
        fill_page(set, &parts, &args);
    if (!code)
        code = write_drawing(set, &args);
    free_page_parts(&parts);
    return code;
}

int atled_dot(int argc, char **argv)
{
    settings set = {0};
    loaded_network network = {0};
    int code;
    if (!read_settings(&set, argc, argv, &code))
        return code;
    const used_file files[] = {{"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set.picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"run", set.picture_path, FILE_READ, ANY_FORMAT, NULL},
                               {"against", set.against, FILE_READ, ANY_FORMAT, NULL},
                               {"output", set.output, FILE_WRITTEN, DRAWING_FORMAT, NULL},
                               TIMING_FILE(&set.compile),
                               {0}};
    code = check_files("dot", files);
    if (!code)
        code = is_network_file(set.model) && !set.gradient && !set.picture_path && !has_picture_settings(&set.picture)
                   ? open_plain_file(&set, &network)
                   : open_any_network("dot", set.model, set.weights, 1, 0, &set.picture, &network);
    if (!code && set.weights)
        code = check_loaded("dot", network.graph, set.weights, set.allow_non_finite);
    atl_node **wanted = calloc((size_t)atl_onnx_output_count(network.net) + 2, sizeof *wanted);
    if (!code)
        code = wanted ? draw(&set, &network, wanted) : report_no_memory("dot");
    free(wanted);
    free(set.folded.value);
    close_network(&network);
    return code;
}
