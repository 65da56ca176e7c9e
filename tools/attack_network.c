/* The networks of atled attack and atled verify. */
#include "attack_network.h"

#include <math.h>
#include <string.h>

static int open_named(const char *command, const network_choice *choice, atl_shape pictures, loaded_network *n)
{
    *n = (loaded_network){.model = atl_model_find(choice->model), .graph = atl_graph_new()};
    if (!n->model)
        return report_error(command, EXIT_USAGE, "there is no network '%s'", choice->model);
    if (!n->graph || atl_model_size_of(n->model, choice->weights, &n->size))
        return report_failure(command);
    if (pictures.rank == 3 && strcmp(n->model->name, "mlp") == 0) {
        n->size.height = pictures.size[0];
        n->size.width = pictures.size[1];
    }
    int64_t channels = pictures.rank == 3 ? pictures.size[2] : 3;
    n->image = atl_input(n->graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, n->size.height, n->size.width, channels));
    atl_model_args args = {.image = n->image};
    memcpy(args.widths, n->size.widths, sizeof args.widths);
    n->logits = n->model->build(&args);
    if (!n->logits)
        return report_graph_failure(command, n->graph);
    return choice->weights && atl_model_load(n->model, n->graph, choice->weights) ? report_failure(command) : 0;
}

/* Height, width and channels of the file's first input [n, c, h, w] or [n, h, w, c]; the batch is n, or ATL_ANY. */
typedef struct file_shape {
    int64_t batch, height, width, channels;
    int channels_second;
} file_shape;

static int read_file_shape(const char *command, const char *path, const atl_onnx_report *report, file_shape *f)
{
    enum { USUAL_SIZE = 224 };
    char text[160];
    atl_onnx_port port = atl_onnx_report_input(report, 0);
    atl_shape s = port.shape;
    int is_picture = port.has_shape && s.rank == 4;
    f->channels_second = is_picture && (s.size[1] == 3 || (s.size[1] == 1 && s.size[3] != 3));
    if (!is_picture || (!f->channels_second && s.size[3] != 3 && s.size[3] != 1))
        return report_error(command, EXIT_BAD_FILE,
                            "%s: its first input %s is no picture [n, c, h, w] or [n, h, w, c] of 1 or 3 channels",
                            path, port.has_shape ? atl_shape_text(s, text, sizeof text) : "has no shape and");
    f->batch = s.size[0];
    f->channels = s.size[f->channels_second ? 1 : 3];
    f->height = s.size[f->channels_second ? 2 : 1];
    f->width = s.size[f->channels_second ? 3 : 2];
    f->height = f->height > 0 ? f->height : USUAL_SIZE;
    f->width = f->width > 0 ? f->width : USUAL_SIZE;
    return 0;
}

/* Raw pixels as the file takes them. */
static atl_node *preprocess(atl_node *image, const picture_numbers *p, const file_shape *f)
{
    atl_node *x = atl_sub(image, f->channels == 1 ? ATL_CONSTANT(image, p->mean[0])
                                                  : ATL_CONSTANT(image, p->mean[0], p->mean[1], p->mean[2]));
    x = atl_mul(x, f->channels == 1 ? ATL_CONSTANT(image, p->factor[0])
                                    : ATL_CONSTANT(image, p->factor[0], p->factor[1], p->factor[2]));
    x = p->bgr && f->channels == 3 ? atl_reverse(x, 3) : x;
    return f->channels_second ? atl_transpose(x, .order = {0, 3, 1, 2}) : x;
}

static int build_file(const char *command, const network_choice *choice, const picture_numbers *numbers,
                      const file_shape *f, int64_t batch, loaded_network *n)
{
    const char *path = choice->model, *name = choice->picture.logits;
    n->graph = atl_graph_new();
    n->image = atl_input(n->graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, f->height, f->width, f->channels));
    n->net = atl_onnx_load(n->graph, path, .batch = batch,
                           .bindings = ATL_ONNX_BINDINGS({"", preprocess(n->image, numbers, f)}));
    if (!n->net)
        return report_failure(command);
    n->logits = name ? atl_onnx_value_node(n->net, name) : atl_onnx_output(n->net, atl_onnx_output_name(n->net, 0));
    atl_shape shape = atl_shape_of(n->logits);
    if (!n->logits)
        return report_error(command, EXIT_USAGE, "--logits: %s has no value '%s'", path, name ? name : "");
    if (shape.rank != 2 || shape.size[1] < 2 || atl_dtype_of(n->logits) != ATL_FLOAT32)
        return report_error(command, EXIT_BAD_FILE,
                            "%s: '%s' holds no scores of classes [n, classes]: name them with "
                            "--logits",
                            path, atl_name_of(n->logits));
    const char *slash = strrchr(path, '/');
    n->size = (atl_model_size){.height = f->height, .width = f->width, .classes = (int)shape.size[1]};
    n->own = (atl_model){.name = slash ? slash + 1 : path,
                         .height = f->height,
                         .width = f->width,
                         .resize = (f->height < f->width ? f->height : f->width) * 256 / 224,
                         .classes = n->size.classes};
    n->model = &n->own;
    return 0;
}

static int open_file(const char *command, const network_choice *choice, loaded_network *n)
{
    file_shape shape = {0};
    picture_numbers numbers;
    atl_onnx_report *report = NULL;
    *n = (loaded_network){0};
    int code = read_picture_settings(command, &choice->picture, &numbers);
    if (code)
        return code;
    atl_graph *graph = atl_graph_new();
    atl_onnx *look = graph ? atl_onnx_load(graph, choice->model, .report_out = &report) : NULL;
    code = look ? read_file_shape(command, choice->model, report, &shape) : report_failure(command);
    atl_onnx_free(look);
    atl_graph_free(graph);
    atl_onnx_report_free(report);
    return code ? code : build_file(command, choice, &numbers, &shape, shape.batch > 0 ? shape.batch : ATL_ANY, n);
}

int open_attacked_network(const char *command, const network_choice *choice, atl_shape pictures, loaded_network *n)
{
    int code =
        is_network_file(choice->model) ? open_file(command, choice, n) : open_named(command, choice, pictures, n);
    if (!code)
        code = check_loaded(command, n->graph, choice->weights ? choice->weights : choice->model,
                            choice->allow_non_finite);
    return code;
}

int margin_in_double(const char *command, const loaded_network *n, const float *pixels, int label, int target,
                     double *margin_out)
{
    atl_shape shape = atl_shape_of(n->image);
    int64_t rows = shape.size[0] > 0 ? shape.size[0] : 1;
    shape.size[0] = rows;
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, shape);
    int64_t count = atl_tensor_count(image) / rows;
    for (int64_t r = 0; image && r < rows; r++)
        memcpy(atl_floats(image) + r * count, pixels, (size_t)count * sizeof(float));
    atl_reference *reference = image ? atl_reference_run(ATL_NODES(n->logits), ATL_FEED(n->image, image)) : NULL;
    const double *z = reference ? atl_doubles(atl_reference_value(reference, n->logits)) : NULL;
    int class = target >= 0 ? target : label;
    double other = -INFINITY;
    for (int64_t i = 0; z && i < atl_shape_of(n->logits).size[1]; i++)
        other = i != class && !(z[i] <= other) ? z[i] : other;
    if (z)
        *margin_out = target >= 0 ? z[class] - other : other - z[class];
    int failed = !z;
    atl_reference_free(reference);
    atl_tensor_free(image);
    return failed ? report_failure(command) : 0;
}
