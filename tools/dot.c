/* atled dot: draws a network. */
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "progress.h"
#include "used_files.h"

typedef struct settings {
    const char *model, *weights, *output, *from, *to;
    int gradient, allow_non_finite;
    int64_t depth;
} settings;

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        {"model", 'm', .text = &set->model, .choices = network_names(), .argument = "NAME", .required = 1,
         .help = "the network to draw"},
        {"gradient", 'g', .flag = &set->gradient,
         .help = "with a loss (the cross entropy of class 0) and its gradient with respect to the image"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help = ".svg, .png and .pdf are rendered, other names get DOT text; default: the text is printed"},
        {"depth", 'd', .whole = &set->depth, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "each scope at this depth is one box: 1 for layers and blocks as a whole"},
        {"from", 0, .text = &set->from, .argument = "NODE", .help = "draw only nodes that depend on this node"},
        {"to", 0, .text = &set->to, .argument = "NODE",
         .help = "draw only nodes on which this node depends; with --from, the nodes on paths between the two"},
        {"weights", 'w', .text = &set->weights, .argument = "FILE",
         .help = "weights, .npz: the drawing shows their layer widths and image size instead of the published ones"},
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {0}};
    static const char *const examples[] = {
        "atled dot --model cifar10 --gradient -o cifar10.svg",
        "every op of the network and of the gradient",
        "atled dot --model vgg16 --depth 1 -o vgg16.png",
        "layer by layer",
        "atled dot --model resnet20 --from image --to logits | dot -Tsvg -o resnet20.svg",
        "the path from image to logits, without the weights, rendered by Graphviz's command",
        NULL};
    const command_line line = {"dot", .about = "draw a network, with or without its gradient", .options = options,
                               .examples = examples};
    return read_options(&line, argc, argv, NULL, code);
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

/* The outputs, on which the drawn nodes depend. */
static int choose_outputs(const loaded_network *network, int gradient, atl_node *outputs[2])
{
    outputs[0] = network->logits;
    outputs[1] = NULL;
    if (!gradient)
        return 0;
    outputs[0] = atl_named(atl_softmax_cross_entropy(network->logits, .label = ATL_ZERO), "loss");
    outputs[1] = atl_gradient(outputs[0], network->image);
    return outputs[1] ? 0 : report_graph_failure("dot", network->graph);
}

static int draw(const settings *set, const loaded_network *network)
{
    atl_node *outputs[2];
    int code = choose_outputs(network, set->gradient, outputs);
    if (code)
        return code;
    atl_dot_args args = {network->graph, .path = set->output, .depth = (int)set->depth};
    args.file = set->output ? NULL : stdout;
    if (set->from && !(args.from = node_named(network->graph, "from", set->from)))
        return EXIT_USAGE;
    if (set->to && !(args.to = node_named(network->graph, "to", set->to)))
        return EXIT_USAGE;
    if (!set->to)
        args.outputs = (atl_nodes){2, outputs};
    progress_line progress = start_progress(!set->output);
    if (progress.terminal)
        show_progress(&progress, 1, "drawing %s: %lld nodes", set->output ? set->output : "",
                      (long long)atl_graph_node_count(network->graph));
    atl_status status = atl_write_dot_with(&args);
    end_progress(&progress);
    if (status == ATL_INVALID)
        return report_error("dot", EXIT_USAGE, "%s", atl_error());
    return status ? report_failure("dot") : 0;
}

int atled_dot(int argc, char **argv)
{
    settings set = {0};
    loaded_network network = {0};
    int code;
    if (!read_settings(&set, argc, argv, &code))
        return code;
    const used_file files[] = {{"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"output", set.output, FILE_WRITTEN, DRAWING_FORMAT, NULL},
                               {0}};
    code = check_files("dot", files);
    if (!code)
        code = open_network("dot", set.model, set.weights, &network);
    if (!code && set.weights)
        code = check_loaded("dot", network.graph, set.weights, set.allow_non_finite);
    if (!code)
        code = draw(&set, &network);
    close_network(&network);
    return code;
}
