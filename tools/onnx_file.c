/* Opening ONNX files, and feeding them. */
#include "onnx_file.h"
#include "photograph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

const char *const picture_presets[] = {"none", "imagenet", "caffe", "tf", "cifar10", NULL};

static const struct {
    double mean[3], deviation[3], scale; /* R, G, B */
    int bgr;
} preset[] = {{{0, 0, 0}, {1, 1, 1}, 1, 0},
              {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 1.0 / 255, 0},
              {{123, 117, 104}, {1, 1, 1}, 1, 1},
              {{1, 1, 1}, {1, 1, 1}, 1 / 127.5, 0},
              {{0.4914, 0.4822, 0.4465}, {0.2471, 0.2435, 0.2616}, 1.0 / 255, 0}};

/* One or three numbers with commas between. */
static int read_three(const char *command, const char *option, const char *text, double *to)
{
    char *end = NULL;
    int count = 0;
    for (const char *at = text; count < 3; at = end + 1) {
        to[count++] = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !isfinite(to[count - 1]))
            return report_error(command, EXIT_USAGE, "--%s '%s' is no list of numbers, such as 0.5 or 0.48,0.46,0.41",
                                option, text);
        if (!*end)
            break;
    }
    if (*end || count == 2)
        return report_error(command, EXIT_USAGE, "--%s '%s' must be one number or three", option, text);
    for (int i = count; i < 3; i++)
        to[i] = to[0];
    return 0;
}

int read_picture_settings(const char *command, const picture_settings *set, picture_numbers *to)
{
    double mean[3], deviation[3], scales[3], scale = preset[set->preset].scale;
    memcpy(mean, preset[set->preset].mean, sizeof mean);
    memcpy(deviation, preset[set->preset].deviation, sizeof deviation);
    int code = set->mean ? read_three(command, "mean", set->mean, mean) : 0;
    if (!code && set->deviation)
        code = read_three(command, "std", set->deviation, deviation);
    if (!code && set->scale)
        code = read_three(command, "scale", set->scale, scales);
    if (!code && set->scale)
        scale = scales[0];
    for (int i = 0; i < 3 && !code; i++) {
        if (deviation[i] == 0 || scale == 0)
            return report_error(command, EXIT_USAGE, "--std and --scale must not be 0");
        to->mean[i] = (float)(mean[i] / scale);
        to->factor[i] = (float)(scale / deviation[i]);
    }
    to->bgr = set->bgr || preset[set->preset].bgr;
    return code;
}

/* The picture as the input takes it: [1, 3, h, w], [1, 1, h, w], or with the channels last; null after a complaint. */
static atl_tensor *fitted_picture(const char *command, const char *path, const picture_numbers *p, atl_onnx_port port)
{
    atl_shape s = port.shape;
    int first = port.has_shape && s.rank == 4 && (s.size[1] == 3 || s.size[1] == 1);
    int64_t channels = first         ? s.size[1]
                       : s.rank == 4 ? s.size[3]
                                     : 0,
            h = first ? s.size[2] : s.size[1], w = first ? s.size[3] : s.size[2];
    atl_tensor *picture = atl_read_image(path);
    if (!picture) {
        report_error(command, exit_code_of(ATL_BAD_FILE), "%s", atl_error());
        return NULL;
    }
    if (!port.has_shape || s.rank != 4 || (channels != 1 && channels != 3)) {
        report_error(command, EXIT_BAD_FILE,
                     "the input '%s' is no picture [n, 3, h, w] or [n, h, w, 3]: give an array, .npy", port.name);
        atl_tensor_free(picture);
        return NULL;
    }
    h = h > 0 ? h : atl_tensor_shape(picture).size[0];
    w = w > 0 ? w : atl_tensor_shape(picture).size[1];
    int fits = atl_tensor_shape(picture).size[0] == h && atl_tensor_shape(picture).size[1] == w;
    atl_tensor *fit = fits ? picture : fit_photograph(picture, (h < w ? h : w) * 256 / 224, h, w);
    atl_tensor *to =
        fit ? atl_tensor_new(ATL_FLOAT32, first ? ATL_SHAPE(1, channels, h, w) : ATL_SHAPE(1, h, w, channels)) : NULL;
    for (int64_t i = 0; to && i < h * w; i++)
        for (int64_t c = 0; c < channels; c++) {
            const float *pixel = atl_floats(fit) + 3 * i;
            int64_t from = p->bgr && channels == 3 ? 2 - c : c;
            float value = channels == 1 ? (pixel[0] + pixel[1] + pixel[2]) / 3 : pixel[from];
            atl_floats(to)[first ? c * h * w + i : i * channels + c] = (value - p->mean[from]) * p->factor[from];
        }
    if (!to)
        report_error(command, EXIT_INTERNAL, "%s", atl_error());
    else if (channels == 1)
        fprintf(stderr, "atled %s: assumed: '%s' takes %lld x %lld pixels, (grey - %.4g) * %.4g\n", command, port.name,
                (long long)h, (long long)w, (double)p->mean[0], (double)p->factor[0]);
    else
        fprintf(stderr,
                "atled %s: assumed: '%s' takes %lld x %lld pixels, channels %s, (pixel - (%.4g, %.4g, %.4g)) * (%.4g, "
                "%.4g, %.4g) as %s\n",
                command, port.name, (long long)h, (long long)w, first ? "first" : "last", (double)p->mean[0],
                (double)p->mean[1], (double)p->mean[2], (double)p->factor[0], (double)p->factor[1],
                (double)p->factor[2], p->bgr ? "B, G, R" : "R, G, B");
    if (!fits)
        atl_tensor_free(fit);
    atl_tensor_free(picture);
    return to;
}

/* ---- what is fed ------------------------------------------------------------------------------------------------- */

static int ends_with(const char *text, const char *ending)
{
    size_t a = strlen(text), b = strlen(ending);
    return a >= b && strcmp(text + a - b, ending) == 0;
}

/* The array of a file.  Truth values and whole numbers are taken for inputs of BOOL and of real numbers, too. */
static atl_tensor *read_array(const char *path, atl_onnx_port port)
{
    atl_tensor *array = atl_read_npy(path);
    int is_truth = strcmp(port.type, "BOOL") == 0;
    int takes_floats = is_truth || strstr(port.type, "FLOAT") || strcmp(port.type, "DOUBLE") == 0;
    if (!array || !takes_floats || atl_tensor_dtype(array) == ATL_FLOAT32)
        return array;
    atl_tensor *floats = atl_tensor_convert(array, ATL_FLOAT32);
    for (int64_t i = 0; floats && is_truth && i < atl_tensor_count(floats); i++)
        atl_floats(floats)[i] = atl_floats(floats)[i] != 0;
    atl_tensor_free(array);
    return floats;
}

/* "NAME=FILE" or "FILE": the value of an input. */
static int read_value(const char *command, const char *word, const picture_numbers *picture, onnx_file *f)
{
    const char *equals = strchr(word, '=');
    int64_t inputs = atl_onnx_report_input_count(f->report), which = equals ? -1 : 0;
    for (int64_t i = 0; equals && i < inputs && i < MOST_ONNX_FEEDS; i++)
        if (strlen(atl_onnx_report_input(f->report, i).name) == (size_t)(equals - word) &&
            strncmp(atl_onnx_report_input(f->report, i).name, word, (size_t)(equals - word)) == 0)
            which = i;
    if (which < 0 || inputs == 0)
        return report_error(command, EXIT_USAGE,
                            "--input %s: the model has no input of that name; its first one is '%s'", word,
                            inputs ? atl_onnx_report_input(f->report, 0).name : "");
    const char *path = equals ? equals + 1 : word;
    atl_onnx_port port = atl_onnx_report_input(f->report, which);
    if (f->value[which])
        return report_error(command, EXIT_USAGE, "--input %s: '%s' is given twice", word, port.name);
    if (ends_with(path, ".npy"))
        f->value[which] = read_array(path, port);
    else
        f->value[which] = fitted_picture(command, path, picture, port);
    if (!f->value[which] && ends_with(path, ".npy"))
        return report_error(command, EXIT_BAD_FILE, "%s", atl_error());
    return f->value[which] ? 0 : EXIT_BAD_FILE;
}

/* Reads the model into a graph of its own; batch as for with_onnx.  The names of `known` are those of a report. */
static atl_onnx_report *load_net(onnx_file *f, const char *path, const atl_onnx_value *known, int64_t batch)
{
    atl_onnx_report *report = NULL;
    atl_graph_free(f->graph);
    f->graph = atl_graph_new();
    f->net = f->graph ? atl_onnx_load(f->graph, path, .known = known, .batch = batch, .report_out = &report) : NULL;
    return report;
}

static int open_onnx(const char *command, const char *path, const option_list *words, const picture_numbers *picture,
                     int64_t batch, onnx_file *f)
{
    atl_onnx_value known[MOST_ONNX_FEEDS + 1] = {{0}};
    int count = 0, code = 0;
    *f = (onnx_file){0};
    atl_graph *first = atl_graph_new();
    atl_onnx *net = first ? atl_onnx_load(first, path, .report_out = &f->report) : NULL;
    /* What the inputs are called is known now; their values may be what its shapes depend on. */
    for (int i = 0; words && i < words->count && !code && (net || atl_onnx_report_input_count(f->report)); i++)
        code = read_value(command, words->value[i], picture, f);
    for (int64_t i = 0; i < atl_onnx_report_input_count(f->report) && i < MOST_ONNX_FEEDS; i++)
        if (f->value[i])
            known[count++] = (atl_onnx_value){atl_onnx_report_input(f->report, i).name, f->value[i]};
    atl_onnx_free(net);
    atl_graph_free(first);
    if (code)
        return code;
    atl_onnx_report *report = load_net(f, path, known, 0);
    if (!f->net && batch) {
        atl_onnx_report_free(report);
        report = load_net(f, path, known, batch);
    }
    atl_onnx_report_free(f->report);
    f->report = report;
    if (!f->net) {
        code = report_error(command, EXIT_BAD_FILE, "%s", atl_error());
        print_problems(f->report, stderr);
        return code;
    }
    for (int64_t i = 0, fed = 0; i < atl_onnx_report_input_count(f->report) && i < MOST_ONNX_FEEDS; i++)
        if (f->value[i])
            f->feed[fed++] = (atl_feed){atl_onnx_input(f->net, atl_onnx_report_input(f->report, i).name), f->value[i]};
    return 0;
}

int report_failed_run(const char *command, atl_status status, const atl_program *program, const onnx_file *f)
{
    const atl_node *missing = atl_missing_feed(program, f->feed);
    for (int64_t i = 0; missing && i < atl_onnx_input_count(f->net); i++) {
        const char *name = atl_onnx_input_name(f->net, i);
        if (atl_onnx_input(f->net, name) == missing)
            return report_error(command, EXIT_USAGE, "nothing is given for the input '%s': --input '%s=FILE'", name,
                                name);
    }
    return report_error(command, exit_code_of(status), "%s", atl_error());
}

void close_onnx(onnx_file *f)
{
    for (int i = 0; i < MOST_ONNX_FEEDS; i++)
        atl_tensor_free(f->value[i]);
    atl_onnx_report_free(f->report);
    atl_onnx_free(f->net);
    atl_graph_free(f->graph);
}

int with_onnx(const char *command, const char *path, const option_list *words, const picture_settings *set,
              const used_file *files, int64_t batch, int (*act)(const void *settings, onnx_file *file),
              const void *settings)
{
    picture_numbers picture;
    onnx_file file = {0};
    int code = read_picture_settings(command, set, &picture);
    if (!code && files)
        code = check_files(command, files);
    if (code)
        return code;
    code = open_onnx(command, path, words, &picture, batch, &file);
    if (!code)
        code = act(settings, &file);
    close_onnx(&file);
    return code;
}

void print_problems(const atl_onnx_report *report, FILE *to)
{
    int64_t count = atl_onnx_report_problem_count(report);
    if (count)
        fprintf(to, "%-40s %-24s %7s  why\n", "node", "op", "version");
    for (int64_t i = 0; i < count; i++) {
        atl_onnx_problem p = atl_onnx_report_problem(report, i);
        fprintf(to, "%-40.40s %-24.24s %7lld  %s\n", p.node, p.op, (long long)p.version, p.why);
    }
}
