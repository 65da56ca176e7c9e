/* A network from an ONNX file, for the commands that take --model. */
#include "network_file.h"
#include "text.h"
#include "weight_names.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_SIZE = 224 }; /* of pictures, where the file leaves theirs open */

int is_network_file(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return length > 5 && strcmp(name + length - 5, ".onnx") == 0;
}

/* ---- looking at it ----------------------------------------------------------------------------------------------- */

/* The place of the input that takes the picture; -1 after an error message. */
static int64_t find_input(const char *command, const char *path, const atl_onnx_report *report, const char *name)
{
    int64_t count = atl_onnx_report_input_count(report), which = name ? -1 : 0;
    for (int64_t i = 0; name && i < count; i++)
        which = strcmp(atl_onnx_report_input(report, i).name, name) == 0 ? i : which;
    if (which < 0 && count)
        report_error(command, EXIT_USAGE, "--input: %s has no input '%s'; its first one is '%s'", path, name,
                     atl_onnx_report_input(report, 0).name);
    else if (!count)
        report_error(command, EXIT_BAD_FILE, "%s has no input", path);
    else if (count > 1)
        report_error(command, EXIT_BAD_FILE,
                     "%s has %lld inputs, '%s' and '%s' among them; a network of pictures has one: see atled run", path,
                     (long long)count, atl_onnx_report_input(report, 0).name, atl_onnx_report_input(report, 1).name);
    return count == 1 ? which : -1;
}

/* Batch, channels, height and width, from the shape of the input. */
static int read_size(const char *command, atl_onnx_port port, network_file *f)
{
    char text[160];
    atl_shape s = port.shape;
    int is_picture = port.has_shape && s.rank == 4;
    int first = is_picture && (s.size[1] == 3 || (s.size[1] == 1 && s.size[3] != 3)),
        last = is_picture && (s.size[3] == 3 || s.size[3] == 1);
    if (!first && !last)
        return report_error(
            command, EXIT_BAD_FILE,
            "%s: its input '%s' %s is no picture [n, 3, h, w] or [n, h, w, 3], or with one channel: see "
            "atled run",
            f->path, port.name, port.has_shape ? atl_shape_text(s, text, sizeof text) : "of any shape");
    f->channels_second = first;
    f->batch = s.size[0];
    f->channels = s.size[first ? 1 : 3];
    f->height = s.size[first ? 2 : 1];
    f->width = s.size[first ? 3 : 2];
    return 0;
}

/* Many files fix the batch although their ops do not need that: whether this one can be used with any batch. */
static int takes_any_batch(const network_file *f)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = NULL;
    atl_node *logits = NULL, *image = graph ? atl_input(graph, "image", ATL_FLOAT32,
                                                        ATL_SHAPE(ATL_ANY, f->height > 0 ? f->height : USUAL_SIZE,
                                                                  f->width > 0 ? f->width : USUAL_SIZE, 3))
                                            : NULL;
    int code = image ? build_network_file(NULL, f, image, &net, &logits) : EXIT_INTERNAL;
    int any = !code && atl_shape_of(logits).size[0] == ATL_ANY;
    atl_onnx_free(net);
    atl_graph_free(graph);
    return any;
}

int look_at_network_file(const char *command, const char *path, const picture_settings *set, network_file *f)
{
    atl_onnx_report *report = NULL;
    *f = (network_file){.path = path, .logits = set->logits};
    int code = read_picture_settings(command, set, &f->numbers);
    if (code)
        return code;
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = graph ? atl_onnx_load(graph, path, .report_out = &report) : NULL;
    if (!net) {
        code = report_failure(command);
        print_problems(report, stderr);
    }
    int64_t input = code ? -1 : find_input(command, path, report, set->input);
    if (!code && input < 0)
        code = set->input && atl_onnx_report_input_count(report) == 1 ? EXIT_USAGE : EXIT_BAD_FILE;
    if (!code)
        code = read_size(command, atl_onnx_report_input(report, input), f);
    if (!code && !(f->input = strdup(atl_onnx_report_input(report, input).name)))
        code = report_no_memory(command);
    atl_onnx_free(net);
    atl_graph_free(graph);
    atl_onnx_report_free(report);
    if (!code && f->batch != ATL_ANY && takes_any_batch(f))
        f->batch = ATL_ANY;
    return code;
}

void close_network_file(network_file *f)
{
    free(f->input);
    f->input = NULL;
}

/* ---- its nodes --------------------------------------------------------------------------------------------------- */

/* Pixels 0..255 as the file takes them.  A grey network gets the mean of the channels, another one a grey image three
 * times. */
static atl_node *prepared(atl_node *image, const network_file *f)
{
    const picture_numbers *p = &f->numbers;
    atl_node *x = image;
    atl_enter(atl_graph_of(image), "preprocess");
    if (f->channels == 1) {
        if (atl_shape_of(image).size[3] == 3)
            x = atl_reduce_mean(x, .axes = 1, .axis = {3}, .keep = 1);
        x = atl_scale(atl_add_scalar(x, -p->mean[0]), p->factor[0]);
    } else {
        x = atl_sub(x, ATL_CONSTANT(image, p->mean[0], p->mean[1], p->mean[2]));
        x = atl_mul(x, ATL_CONSTANT(image, p->factor[0], p->factor[1], p->factor[2]));
        if (p->bgr)
            x = atl_reverse(x, 3);
    }
    x = atl_named(x, "result");
    atl_leave(atl_graph_of(image));
    return f->channels_second ? atl_transpose(x, .order = {0, 3, 1, 2}) : x;
}

/* Scores after a global pooling, [n, classes, 1, 1], are [n, classes]. */
static atl_node *without_ones(atl_node *scores)
{
    atl_shape shape = atl_shape_of(scores);
    for (int i = 2; i < shape.rank; i++)
        if (shape.size[i] != 1)
            return scores;
    return shape.rank > 2 ? atl_named(atl_flatten(scores), "%s_flat", atl_name_of(scores)) : scores;
}

/* command null: without messages. */
static int find_logits(const char *command, const network_file *f, atl_onnx *net, atl_node **logits_out)
{
    char text[160];
    const char *first = atl_onnx_output_name(net, 0), *name = f->logits ? f->logits : first;
    atl_node *scores = name ? atl_onnx_value_node(net, name) : NULL,
             *output = first ? atl_onnx_value_node(net, first) : NULL;
    if (name && output && !scores) /* the name of its node, which messages use, differs for values such as /Mul */
        scores = atl_find(atl_graph_of(output), name);
    *logits_out = scores ? without_ones(scores) : NULL;
    if (scores && !*logits_out)
        return command ? report_failure(command) : EXIT_BAD_FILE;
    atl_shape shape = atl_shape_of(*logits_out);
    int is_fine = *logits_out && shape.rank == 2 && shape.size[1] >= 2 && atl_dtype_of(*logits_out) == ATL_FLOAT32;
    if (is_fine || !command)
        return is_fine ? 0 : EXIT_BAD_FILE;
    if (!*logits_out)
        return report_error(command, EXIT_USAGE, "--logits: %s has no value '%s'", f->path, name ? name : "");
    return report_error(command, EXIT_BAD_FILE,
                        "%s: '%s' %s holds no scores of classes [n, classes]: name them with --logits", f->path, name,
                        atl_shape_text(shape, text, sizeof text));
}

int build_network_file(const char *command, const network_file *f, atl_node *image, atl_onnx **net_out,
                       atl_node **logits_out)
{
    *net_out = atl_onnx_load(atl_graph_of(image), f->path, .batch = atl_shape_of(image).size[0],
                             .bindings = ATL_ONNX_BINDINGS({f->input, prepared(image, f)}));
    if (!*net_out)
        return command ? report_failure(command) : EXIT_BAD_FILE;
    return find_logits(command, f, *net_out, logits_out);
}

void tell_network_file(const char *command, const network_file *f, const atl_node *image, const atl_node *logits)
{
    const picture_numbers *p = &f->numbers;
    atl_shape shape = atl_shape_of(image);
    char arithmetic[200], batch[64] = "";
    if (f->channels == 1)
        snprintf(arithmetic, sizeof arithmetic, "(grey - %.4g) * %.4g", (double)p->mean[0], (double)p->factor[0]);
    else
        snprintf(arithmetic, sizeof arithmetic, "(pixel - (%.4g, %.4g, %.4g)) * (%.4g, %.4g, %.4g) as %s",
                 (double)p->mean[0], (double)p->mean[1], (double)p->mean[2], (double)p->factor[0], (double)p->factor[1],
                 (double)p->factor[2], p->bgr ? "B, G, R" : "R, G, B");
    const char *scores = f->logits ? f->logits : atl_name_of(logits), *slash = strrchr(scores, '/');
    scores = slash && !f->logits ? slash + 1 : scores; /* without the scopes that PyTorch tells */
    if (f->batch != ATL_ANY)
        snprintf(batch, sizeof batch, "; batches of %lld only", (long long)f->batch);
    fprintf(stderr,
            "atled %s: assumed of %s: '%s' takes %lld x %lld pixels%s, channels %s, %s; '%s' scores %lld classes%s\n",
            command, f->path, f->input, (long long)shape.size[1], (long long)shape.size[2],
            f->height == ATL_ANY || f->width == ATL_ANY ? " (the file leaves the size open)" : "",
            f->channels_second ? "first" : "last", arithmetic, scores, (long long)atl_shape_of(logits).size[1], batch);
}

/* ---- for the commands -------------------------------------------------------------------------------------------- */

static int open_network_file(const char *command, const char *path, int64_t batch, int64_t channels,
                             const picture_settings *set, loaded_network *n)
{
    network_file file;
    *n = (loaded_network){.graph = atl_graph_new()};
    int code = n->graph ? look_at_network_file(command, path, set, &file) : report_failure(command);
    if (!n->graph)
        return code;
    if (!code && file.batch != ATL_ANY && batch != ATL_ANY && file.batch != batch)
        code = report_error(command, EXIT_BAD_FILE,
                            "%s is for batches of %lld picture%s, not of %lld: export it with an "
                            "open batch",
                            path, (long long)file.batch, plural(file.batch), (long long)batch);
    if (!code) {
        channels = channels != ATL_ANY ? channels : file.channels;
        n->size.height = file.height > 0 ? file.height : USUAL_SIZE;
        n->size.width = file.width > 0 ? file.width : USUAL_SIZE;
        n->image =
            atl_input(n->graph, "image", ATL_FLOAT32,
                      ATL_SHAPE(file.batch != ATL_ANY ? file.batch : batch, n->size.height, n->size.width, channels));
        code = n->image ? build_network_file(command, &file, n->image, &n->net, &n->logits)
                        : report_graph_failure(command, n->graph);
    }
    if (!code) {
        const char *slash = strrchr(path, '/');
        n->size.classes = (int)atl_shape_of(n->logits).size[1];
        n->own = (atl_model){.name = slash ? slash + 1 : path,
                             .about = "an ONNX file",
                             .height = n->size.height,
                             .width = n->size.width,
                             .resize = (n->size.height < n->size.width ? n->size.height : n->size.width) * 256 / 224,
                             .classes = n->size.classes};
        n->model = &n->own;
        tell_network_file(command, &file, n->image, n->logits);
    }
    close_network_file(&file);
    return code;
}

/* The first option that was given; null: none was. */
static const char *first_setting(const picture_settings *set)
{
    return set->mean        ? "mean"
           : set->deviation ? "std"
           : set->scale     ? "scale"
           : set->bgr       ? "bgr"
           : set->input     ? "input"
           : set->logits    ? "logits"
           : set->preset    ? "preprocess"
                            : NULL;
}

int has_picture_settings(const picture_settings *set) { return first_setting(set) != NULL; }

int check_no_picture_settings(const char *command, const char *name, const picture_settings *set)
{
    const char *option = first_setting(set);
    return option ? report_error(command, EXIT_USAGE,
                                 "--%s is for ONNX files only: the preprocessing of %s is part of the network", option,
                                 name)
                  : 0;
}

int open_any_network(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     const picture_settings *set, loaded_network *n)
{
    return open_any_network_for_pictures(command, name, weights, batch, ATL_SCALAR, training, set, n);
}

int open_any_network_for_pictures(const char *command, const char *name, const char *weights, int64_t batch,
                                  atl_shape pictures, int training, const picture_settings *set, loaded_network *n)
{
    *n = (loaded_network){0};
    if (set->names && !weights)
        return report_error(command, EXIT_USAGE, "--names says what variables are called in --weights: give both");
    if (!is_network_file(name)) {
        int code = check_no_picture_settings(command, name, set);
        return code ? code
                    : open_network_for_pictures(command, name, weights, batch, pictures, training, set->names, n);
    }
    int code = open_network_file(command, name, batch, pictures.rank == 3 ? pictures.size[2] : 3, set, n);
    return code || !weights ? code : load_network_weights(command, NULL, n->graph, weights, set->names);
}
