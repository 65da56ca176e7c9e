/* atled explain before the first picture. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "bundled_weights.h"
#include "config.h"
#include "explain_session.h"
#include "network_file.h"
#include "photograph.h"
#include "top_classes.h"

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* The name without folder and ending. */
static void plain_stem(const char *path, char *text, size_t size)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    snprintf(text, size, "%.*s", (int)(dot && dot > name ? dot - name : (long)strlen(name)), name);
}

void stem_of(const explain_session *s, int i, char *text, size_t size)
{
    char own[200], other[200];
    int before = 0;
    plain_stem(s->set.pictures[i], own, sizeof own);
    for (int k = 0; k < i; k++) {
        plain_stem(s->set.pictures[k], other, sizeof other);
        before += strcmp(own, other) == 0;
    }
    if (before)
        snprintf(text, size, "%s-%d", own, before + 1);
    else
        snprintf(text, size, "%s", own);
}

void output_path(const explain_session *s, const char *stem, const char *what, char *text, size_t size)
{
    if (s->file)
        snprintf(text, size, "%s", s->file);
    else
        snprintf(text, size, "%s/%s-%s", s->set.output, stem, what);
}

int is_wanted(const explain_session *s, int method) { return !s->set.methods || (s->set.methods >> method & 1); }

/* Makes the folder, with those above it. */
static int make_folder(const char *path)
{
    char text[4096];
    struct stat status;
    if (strlen(path) >= sizeof text || !*path)
        return report_error("explain", EXIT_USAGE, "--output: the name of the folder is empty or too long");
    snprintf(text, sizeof text, "%s", path);
    for (char *c = text + 1; *c; c++)
        if (*c == '/') {
            *c = 0;
            mkdir(text, 0777);
            *c = '/';
        }
    if (mkdir(text, 0777) != 0 && errno != EEXIST)
        return report_error("explain", EXIT_BAD_FILE, "--output: the folder %s cannot be made: %s", path,
                            strerror(errno));
    if (stat(text, &status) != 0 || !S_ISDIR(status.st_mode))
        return report_error("explain", EXIT_BAD_FILE, "--output: %s is not a folder", path);
    return 0;
}

/* The picture's format if the name ends like a file of this command, and is not that of a folder that is there. */
static const char *file_ending(const char *path)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".npy"};
    struct stat status;
    const char *dot = strrchr(path, '.');
    if (!dot || (stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        return NULL;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return endings[i];
    return NULL;
}

/* The folder, or the one file if there is one picture and one method. */
static int check_output(explain_session *s)
{
    const explain_options *set = &s->set;
    const char *ending = file_ending(set->output);
    int methods = 0;
    if (!ending)
        return make_folder(set->output);
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++)
        methods += is_wanted(s, m);
    if (strcmp(ending, ".png") != 0)
        return report_error("explain", EXIT_USAGE,
                            "--output %s: a single file is a .png; for a folder, give a name that does not end in %s",
                            set->output, ending);
    if (set->picture_count + (set->dream != NULL) > 1 || (set->picture_count && (methods > 1 || set->curves)) ||
        set->shard.shard)
        return report_error("explain", EXIT_USAGE,
                            "--output %s names one file, but there would be several: give one picture and one --method "
                            "without --curves and --shard, or name a folder",
                            set->output);
    s->file = set->output;
    return 0;
}

/* True if the baseline is not a file. */
static int is_made(const char *baseline)
{
    return strcmp(baseline, "black") == 0 || strcmp(baseline, "grey") == 0 || strcmp(baseline, "gray") == 0 ||
           strcmp(baseline, "white") == 0;
}

/* One entry for each file that is written for a picture. */
static int list_outputs(const explain_session *s, used_file *files, char (*path)[4096])
{
    static const char *const ending[] = {".png", ".npy", "-curves.npy"};
    int count = 0;
    if (s->file) {
        files[0] = (used_file){"output", s->set.dream ? NULL : s->file, FILE_WRITTEN, PNG_FORMAT, NULL};
        return 1;
    }
    for (int i = 0; i < s->set.picture_count; i++) {
        char stem[256], what[64];
        stem_of(s, i, stem, sizeof stem);
        for (int m = 0; m < ATL_EXPLAIN_METHODS; m++)
            for (int k = 0; is_wanted(s, m) && k < (s->set.curves ? 3 : 2); k++, count++) {
                snprintf(what, sizeof what, "%s%s", atl_explain_method_name((atl_explain_method)m), ending[k]);
                output_path(s, stem, what, path[count], sizeof path[count]);
                files[count] = (used_file){"output", path[count], FILE_WRITTEN, ANY_FORMAT, NULL};
            }
        output_path(s, stem, "sheet.png", path[count], sizeof path[count]);
        files[count] = (used_file){"output", path[count], FILE_WRITTEN, ANY_FORMAT, NULL};
        count++;
    }
    return count;
}

/* Checks every file that is read or written, before the work. */
static int check_all_files(const explain_session *s)
{
    enum { OTHERS = 9 };
    char dream[4096];
    const explain_options *set = &s->set;
    size_t outputs = (size_t)set->picture_count * (3 * ATL_EXPLAIN_METHODS + 1) + 1;
    used_file *files = calloc(outputs + (size_t)set->picture_count + OTHERS, sizeof *files);
    char(*path)[4096] = malloc(outputs * sizeof *path);
    if (!files || !path) {
        free(files);
        free(path);
        return report_no_memory("explain");
    }
    int count = list_outputs(s, files, path);
    for (int i = 0; i < set->picture_count; i++)
        files[count++] = (used_file){"PICTURE", set->pictures[i], FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"weights", set->weights, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"names", set->picture.names, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"labels", set->labels, FILE_READ, ANY_FORMAT, NULL};
    files[count++] =
        (used_file){"baseline", is_made(set->baseline) ? NULL : set->baseline, FILE_READ, ANY_FORMAT, NULL};
    files[count++] = (used_file){"report", set->report, FILE_WRITTEN, ANY_FORMAT, NULL};
    dream_path(s, dream, sizeof dream);
    files[count++] = (used_file){"dream", set->dream ? dream : NULL, FILE_WRITTEN, ANY_FORMAT, NULL};
    files[count++] = (used_file){"shard-file", set->shard.file, FILE_UPDATED, ANY_FORMAT, NULL};
    files[count++] = (used_file)TIMING_FILE(&set->compile);
    int code = check_files("explain", files);
    free(files);
    free(path);
    return code;
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static int open_model(explain_session *s)
{
    int is_file = is_network_file(s->set.model);
    if (!s->set.weights && !is_file)
        s->set.weights = bundled_weights(s->set.model, s->weights_path, sizeof s->weights_path);
    if (!s->set.weights && !is_file)
        return report_no_weights("explain", s->set.model);
    return open_any_network("explain", s->set.model, s->set.weights, ATL_ANY, 0, &s->set.picture, &s->network);
}

/* A softmax at the end hides how sure the network is: gradients of it vanish where it is. */
static void look_before_softmax(explain_session *s)
{
    const atl_node *softmax = softmax_of(s->network.logits);
    if (!softmax || atl_shape_of(atl_input_of(softmax, 0)).rank != 2)
        return;
    s->network.logits = atl_input_of(softmax, 0);
    fprintf(stderr, "atled explain: the scores are a softmax; what is explained is its input, '%s'\n",
            atl_name_of(s->network.logits));
}

static int make_explainer(explain_session *s)
{
    atl_node *layer = s->set.layer ? atl_find(s->network.graph, s->set.layer) : NULL;
    if (s->set.layer && !layer && s->network.net)
        layer = atl_onnx_value_node(s->network.net, s->set.layer);
    if (s->set.layer && !layer)
        return report_error("explain", EXIT_USAGE, "--layer: the network has no node '%s': see atled dot",
                            s->set.layer);
    s->explainer =
        atl_explainer_new(s->network.image, s->network.logits, .layer = layer, .memory = (int64_t)(s->set.memory * 1e6),
                          .batch = (int)s->set.batch, .compile = compile_args_of(&s->set.compile));
    return s->explainer ? 0 : report_graph_failure("explain", s->network.graph);
}

static int make_baseline(explain_session *s)
{
    const char *name = s->set.baseline;
    if (strcmp(name, "black") == 0)
        return 0;
    if (!is_made(name))
        s->baseline = read_photograph(&s->network, name, s->set.exact);
    else
        s->baseline = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(s->network.size.height, s->network.size.width, 3));
    for (int64_t i = 0; s->baseline && is_made(name) && i < atl_tensor_count(s->baseline); i++)
        atl_floats(s->baseline)[i] = strcmp(name, "white") == 0 ? 255 : 128;
    return s->baseline ? 0 : report_failure("explain");
}

static int read_classes(explain_session *s)
{
    const atl_model *model = s->network.model;
    const char *const *own = model->classes == s->network.size.classes ? model->labels : NULL;
    int code = read_labels("explain", s->set.labels, own, s->set.weights, s->network.size.classes, &s->labels);
    s->fixed_target = -1;
    if (!code && s->set.target) {
        s->fixed_target = class_of("explain", &s->labels, s->network.size.classes, s->set.target);
        code = s->fixed_target < 0 ? EXIT_USAGE : 0;
    }
    return code;
}

int start_explaining(explain_session *s)
{
    int code = check_output(s);
    if (!code)
        code = check_all_files(s);
    if (!code)
        code = begin_compiling("explain", &s->set.compile);
    if (!code)
        code = open_model(s);
    if (!code)
        code = check_loaded("explain", s->network.graph, s->set.weights ? s->set.weights : s->set.model,
                            s->set.allow_non_finite);
    if (!code)
        code = read_classes(s);
    if (!code)
        look_before_softmax(s);
    if (!code)
        code = make_explainer(s);
    if (!code)
        code = make_baseline(s);
    return code ? code : begin_explain_work(s);
}

void end_explaining(explain_session *s)
{
    html_report_free(s->report);
    end_work(&s->work, &s->set.shard);
    json_decref(s->files);
    atl_explainer_free(s->explainer);
    atl_tensor_free(s->baseline);
    close_network(&s->network);
    free_labels(&s->labels);
    for (int i = 0; i < s->tile_count; i++)
        atl_tensor_free(s->tiles[i].picture);
}
