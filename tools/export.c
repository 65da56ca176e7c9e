/* atled export: a network, with its weights, as an ONNX file; with its gradient if that is asked for. */
#include <stdlib.h>
#include <string.h>

#include "bundled_weights.h"
#include "network_file.h"
#include "used_files.h"
#include "weight_names.h"

typedef struct settings {
    const char *model, *weights, *output;
    int gradient, allow_non_finite;
    int64_t batch;
    picture_settings picture; /* of an ONNX file */
} settings;

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        MODEL_OPTION(&set->model, "the network, or an ONNX file, for example to put its preprocessing into it",
                     .required = 1),
        NETWORK_FILE_OPTIONS(&set->picture),
        WEIGHTS_OPTIONS(
            &set->weights, &set->picture.names,
            "its weights, .npz or .safetensors; without it those that ship with atled, or those of the file"),
        {"output", 'o', .text = &set->output, .argument = "FILE", .required = 1, .help = "the model, .onnx"},
        {"gradient", 'g', .flag = &set->gradient,
         .help = "also with an input 'labels' [n], and as outputs the cross entropy of each image with its label, and "
                 "the gradient of their sum by the image"},
        {"batch", 'b', .whole = &set->batch, .argument = "N", .lowest = 0, .highest = 65536,
         .help = "the first size of all inputs; 0: left open"},
        ALLOW_NON_FINITE(&set->allow_non_finite),
        {0}};
    static const char *const examples[] = {"atled export -m squeezenet -w squeezenet_v1_1.npz -o squeezenet.onnx",
                                           "for other programs: input 'image' [n, 224, 224, 3], R, G, B, 0..255",
                                           "atled export -m cifar10 -o cifar10.onnx --gradient",
                                           "with the gradient of the cross entropy by the image", NULL};
    const command_line line = {"export", .about = "write a network, or its gradient, as an ONNX file",
                               .options = options, .examples = examples};
    return read_options(&line, argc, argv, NULL, code);
}

static int write_model(const settings *set, const loaded_network *n)
{
    char text[160];
    atl_node *output[3] = {n->logits};
    int count = 1;
    if (set->gradient) {
        int64_t batch = atl_shape_of(n->image).size[0];
        atl_node *labels = atl_input(n->graph, "labels", ATL_INT32, ATL_SHAPE(batch));
        output[1] = atl_named(atl_sparse_softmax_cross_entropy(n->logits, labels), "cross_entropy");
        output[2] = atl_named(atl_gradient(output[1], n->image), "image_gradient");
        count = 3;
        if (!output[2])
            return report_graph_failure("export", n->graph);
    }
    if (atl_onnx_write(set->output, (atl_nodes){count, output}, .types_of = n->net))
        return report_failure("export");
    printf("%s: input '%s' %s: R, G, B, 0..255\n", set->output, atl_name_of(n->image),
           atl_shape_text(atl_shape_of(n->image), text, sizeof text));
    for (int i = 0; i < count; i++)
        printf("%s: output '%s' %s\n", set->output, atl_name_of(output[i]),
               atl_shape_text(atl_shape_of(output[i]), text, sizeof text));
    return 0;
}

int atled_export(int argc, char **argv)
{
    settings set = {0};
    loaded_network network = {0};
    char shipped[4096];
    int code;
    if (!read_settings(&set, argc, argv, &code))
        return code;
    if (!set.weights && !is_network_file(set.model)) {
        set.weights = bundled_weights(set.model, shipped, sizeof shipped);
        if (!set.weights)
            return report_no_weights("export", set.model);
    }
    const used_file files[] = {{"model", is_network_file(set.model) ? set.model : NULL, FILE_READ, ANY_FORMAT, NULL},
                               {"weights", set.weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set.picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"output", set.output, FILE_WRITTEN, ONNX_FORMAT, NULL},
                               {0}};
    code = check_files("export", files);
    if (!code)
        code = open_any_network("export", set.model, set.weights, set.batch ? set.batch : ATL_ANY, 0, &set.picture,
                                &network);
    if (!code)
        code = check_loaded("export", network.graph, set.weights ? set.weights : set.model, set.allow_non_finite);
    if (!code)
        code = write_model(&set, &network);
    close_network(&network);
    return code;
}
