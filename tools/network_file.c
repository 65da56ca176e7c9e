/* A network from an ONNX file, for the commands that take --model. */
#include "network_file.h"

#include <string.h>

enum { USUAL_SIZE = 224 }; /* of pictures, where the file leaves theirs open */

int is_network_file(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return length > 5 && strcmp(name + length - 5, ".onnx") == 0;
}

/* Height, width, and whether the channels are second, of the first input. */
static int read_size(const char *command, const char *path, atl_onnx_report *report, atl_model_size *size,
                     int *channels_second)
{
    atl_onnx_port port = atl_onnx_report_input(report, 0);
    char text[160];
    if (!port.has_shape || port.shape.rank != 4 || (port.shape.size[1] != 3 && port.shape.size[3] != 3))
        return report_error(command, EXIT_BAD_FILE,
                            "%s: its input '%s' %s is no picture [n, 3, h, w] or [n, h, w, 3]: see atled run", path,
                            port.name, port.has_shape ? atl_shape_text(port.shape, text, sizeof text) : "");
    *channels_second = port.shape.size[1] == 3;
    size->height = port.shape.size[*channels_second ? 2 : 1];
    size->width = port.shape.size[*channels_second ? 3 : 2];
    size->height = size->height > 0 ? size->height : USUAL_SIZE;
    size->width = size->width > 0 ? size->width : USUAL_SIZE;
    return 0;
}

/* Pixels 0..255 as the file takes them. */
static atl_node *prepared(atl_node *image, const picture_numbers *p, int channels_second)
{
    atl_enter(atl_graph_of(image), "preprocess");
    atl_node *x = atl_sub(image, ATL_CONSTANT(image, p->mean[0], p->mean[1], p->mean[2]));
    x = atl_mul(x, ATL_CONSTANT(image, p->factor[0], p->factor[1], p->factor[2]));
    if (p->bgr)
        x = atl_reverse(x, 3);
    x = atl_named(x, "result");
    atl_leave(atl_graph_of(image));
    return channels_second ? atl_transpose(x, .order = {0, 3, 1, 2}) : x;
}

static int find_logits(const char *command, const char *path, const char *name, loaded_network *n)
{
    char text[160];
    n->logits = name ? atl_onnx_value_node(n->net, name) : atl_onnx_output(n->net, atl_onnx_output_name(n->net, 0));
    atl_shape shape = atl_shape_of(n->logits);
    if (!n->logits)
        return report_error(command, EXIT_USAGE, "--logits: %s has no value '%s'", path, name ? name : "");
    if (shape.rank != 2 || shape.size[1] < 2 || atl_dtype_of(n->logits) != ATL_FLOAT32)
        return report_error(command, EXIT_BAD_FILE,
                            "%s: '%s' %s holds no scores of classes [n, classes]: name them with --logits", path,
                            name ? name : atl_onnx_output_name(n->net, 0), atl_shape_text(shape, text, sizeof text));
    n->size.classes = (int)shape.size[1];
    return 0;
}

/* One line about what was assumed. */
static void tell(const char *command, const char *path, const picture_numbers *p, const loaded_network *n,
                 int channels_second)
{
    fprintf(stderr,
            "atled %s: %s takes pictures %lld x %lld, %s, (pixel - (%.4g, %.4g, %.4g)) * (%.4g, %.4g, %.4g)%s; %d "
            "classes\n",
            command, path, (long long)n->size.height, (long long)n->size.width,
            channels_second ? "channels first" : "channels last", (double)p->mean[0], (double)p->mean[1],
            (double)p->mean[2], (double)p->factor[0], (double)p->factor[1], (double)p->factor[2],
            p->bgr ? ", B G R" : "", n->size.classes);
}

int open_network_file(const char *command, const char *path, int64_t batch, const picture_settings *set,
                      loaded_network *n)
{
    picture_numbers numbers;
    atl_onnx_report *report = NULL;
    int channels_second = 0, code = read_picture_settings(command, set, &numbers);
    *n = (loaded_network){.graph = atl_graph_new()};
    atl_graph *first = atl_graph_new();
    atl_onnx *look = first && n->graph ? atl_onnx_load(first, path, .report_out = &report) : NULL;
    if (!code && !look) {
        code = report_failure(command);
        print_problems(report, stderr);
    }
    atl_onnx_free(look);
    atl_graph_free(first);
    if (!code)
        code = read_size(command, path, report, &n->size, &channels_second);
    atl_onnx_report_free(report);
    if (code)
        return code;
    n->image = atl_input(n->graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, n->size.height, n->size.width, 3));
    n->net = atl_onnx_load(n->graph, path, .batch = batch,
                           .bindings = ATL_ONNX_BINDINGS({"", prepared(n->image, &numbers, channels_second)}));
    if (!n->net)
        return report_failure(command);
    code = find_logits(command, path, set->logits, n);
    const char *slash = strrchr(path, '/');
    n->own = (atl_model){.name = slash ? slash + 1 : path,
                         .about = "an ONNX file",
                         .height = n->size.height,
                         .width = n->size.width,
                         .resize = (n->size.height < n->size.width ? n->size.height : n->size.width) * 256 / 224,
                         .classes = n->size.classes};
    n->model = &n->own;
    if (!code)
        tell(command, path, &numbers, n, channels_second);
    return code;
}
