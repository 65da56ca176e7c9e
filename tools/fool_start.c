/* atled fool before the first iteration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fool_session.h"
#include "bundled_weights.h"
#include "network_file.h"
#include "photograph.h"

static atl_tensor *grey_picture(atl_shape shape)
{
    atl_tensor *picture = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; picture && i < atl_tensor_count(picture); i++)
        atl_floats(picture)[i] = 128;
    return picture;
}

/* True if the start is not a file. */
static int is_made(const char *start)
{
    return strcmp(start, "noise") == 0 || strcmp(start, "grey") == 0 || strcmp(start, "gray") == 0;
}

static int make_start(fool_session *s)
{
    atl_shape shape = ATL_SHAPE(1, s->network.size.height, s->network.size.width, 3);
    if (strcmp(s->set.start, "noise") == 0)
        s->start = atl_uniform_tensor(shape, 0, 255, (uint64_t)s->set.seed);
    else if (is_made(s->set.start))
        s->start = grey_picture(shape);
    else {
        atl_tensor *picture = read_photograph(&s->network, s->set.start, 0);
        if (!picture)
            return report_failure("fool");
        s->start = atl_tensor_of_floats(shape, atl_floats(picture));
        atl_tensor_free(picture);
    }
    return s->start ? 0 : report_failure("fool");
}

/* Different classes, the same for the same seed: the first of a shuffled deck (Fisher & Yates).  0 without memory. */
static int draw_targets(int *deck, int classes, int count, uint64_t seed)
{
    atl_tensor *chance = atl_uniform_tensor(ATL_SHAPE(classes), 0, 1, seed);
    for (int i = 0; i < classes; i++)
        deck[i] = i;
    for (int i = 0; chance && i < count; i++) {
        int other = i + (int)(atl_floats(chance)[i] * (float)(classes - i));
        if (other >= classes)
            other = classes - 1;
        int class = deck[i];
        deck[i] = deck[other];
        deck[other] = class;
    }
    atl_tensor_free(chance);
    return chance != NULL;
}

static int least_likely(fool_session *s)
{
    const atl_tensor *probabilities = atl_fooler_classify(s->fooler, s->start);
    const float *p = atl_floats(probabilities);
    int least = 0;
    for (int i = 1; p && i < s->network.size.classes; i++)
        least = p[i] < p[least] ? i : least;
    return p ? least : -1;
}

static int choose_random(fool_session *s, int classes)
{
    if (s->set.count > classes)
        return report_error("fool", EXIT_USAGE, "--count %lld: the network has only %d classes",
                            (long long)s->set.count, classes);
    s->target_count = (int)s->set.count;
    return draw_targets(s->targets, classes, s->target_count, (uint64_t)s->set.seed) ? 0 : report_failure("fool");
}

static int choose_targets(fool_session *s)
{
    int classes = s->network.size.classes;
    s->target_count = 1;
    if (s->set.count > 1 && strcmp(s->set.target, "random") != 0)
        return report_error("fool", EXIT_USAGE, "--count %lld goes with --target random, not with '%s'",
                            (long long)s->set.count, s->set.target);
    if (strcmp(s->set.target, "random") == 0)
        return choose_random(s, classes);
    if (strcmp(s->set.target, "all") == 0) {
        s->target_count = classes;
        for (int i = 0; i < classes; i++)
            s->targets[i] = i;
    } else if (strcmp(s->set.target, "least-likely") == 0) {
        s->targets[0] = least_likely(s);
        if (s->targets[0] < 0)
            return report_failure("fool");
    } else {
        s->targets[0] = class_of("fool", &s->labels, classes, s->set.target);
        if (s->targets[0] < 0)
            return EXIT_USAGE;
    }
    return 0;
}

/* Without --weights, uses the bundled weights. */
static int find_weights(fool_session *s)
{
    if (is_network_file(s->set.model))
        return 0; /* it holds its own */
    if (!s->set.weights)
        s->set.weights = bundled_weights(s->set.model, s->weights_path, sizeof s->weights_path);
    return s->set.weights ? 0 : report_no_weights("fool", s->set.model);
}

/* Checks the files on the command line, before anything is read. */
static int check_named_files(const fool_session *s)
{
    const fool_options *set = &s->set;
    const used_file files[] = {{"weights", set->weights, FILE_READ, ANY_FORMAT, NULL},
                               {"names", set->picture.names, FILE_READ, ANY_FORMAT, NULL},
                               {"labels", set->labels, FILE_READ, ANY_FORMAT, NULL},
                               {"start", is_made(set->start) ? NULL : set->start, FILE_READ, ANY_FORMAT, NULL},
                               {"output", set->output, FILE_READ_BACK, PNG_FORMAT, NULL},
                               {"panel", set->panel, FILE_WRITTEN, PANEL_FORMAT, NULL},
                               {"sheet", set->sheet, FILE_WRITTEN, PANEL_FORMAT, NULL},
                               {"report", set->report, FILE_WRITTEN, ANY_FORMAT, NULL},
                               {"shard-file", set->shard.file, FILE_UPDATED, ANY_FORMAT, NULL},
                               TIMING_FILE(&set->compile),
                               {0}};
    return check_files("fool", files);
}

void path_for_target(const fool_session *s, int target, const char *path, char *text, size_t size)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash))
        dot = path + strlen(path);
    if (s->target_count == 1)
        snprintf(text, size, "%s", path);
    else
        snprintf(text, size, "%.*s-%d%s", (int)(dot - path), path, target, dot);
}

/* With several targets there is an output and a panel for each. */
static int check_files_of_targets(const fool_session *s)
{
    enum { PATH = 4096, OTHERS = 7 };
    const fool_options *set = &s->set;
    size_t count = (size_t)s->target_count, paths = set->panel ? 2 * count : count;
    used_file *files = calloc(paths + OTHERS, sizeof *files);
    char *text = malloc(paths * PATH);
    if (!files || !text) {
        free(files);
        free(text);
        return report_no_memory("fool");
    }
    for (size_t i = 0; i < paths; i++) {
        int is_panel = i >= count;
        char *path = text + i * PATH;
        path_for_target(s, s->targets[i % count], is_panel ? set->panel : set->output, path, PATH);
        files[i] = is_panel ? (used_file){"panel", path, FILE_WRITTEN, PANEL_FORMAT, NULL}
                            : (used_file){"output", path, FILE_READ_BACK, PNG_FORMAT, NULL};
    }
    used_file *others = files + paths;
    others[0] = (used_file){"weights", set->weights, FILE_READ, ANY_FORMAT, NULL};
    others[1] = (used_file){"labels", s->labels.path[0] ? s->labels.path : NULL, FILE_READ, ANY_FORMAT, NULL};
    others[2] = (used_file){"start", is_made(set->start) ? NULL : set->start, FILE_READ, ANY_FORMAT, NULL};
    others[3] = (used_file){"sheet", set->sheet, FILE_WRITTEN, PANEL_FORMAT, NULL};
    others[4] = (used_file){"report", set->report, FILE_WRITTEN, ANY_FORMAT, NULL};
    others[5] = (used_file)TIMING_FILE(&set->compile);
    int code = check_files("fool", files);
    free(files);
    free(text);
    return code;
}

static int open_classes(fool_session *s)
{
    const atl_model *model = s->network.model;
    size_t classes = (size_t)s->network.size.classes;
    const char *const *own = model->classes == s->network.size.classes ? model->labels : NULL;
    s->targets = malloc(classes * sizeof *s->targets);
    s->iterations_of_met = malloc(classes * sizeof *s->iterations_of_met);
    s->tiles = calloc(classes, sizeof *s->tiles);
    s->probability = malloc(((size_t)s->set.iterations + 1) * sizeof *s->probability);
    if (!s->targets || !s->iterations_of_met || !s->tiles || !s->probability)
        return report_no_memory("fool");
    const char *beside = is_network_file(s->set.model) ? s->set.model : s->set.weights;
    return read_labels("fool", s->set.labels, own, beside, s->network.size.classes, &s->labels);
}

static int check_sheet(const fool_session *s)
{
    if (!s->set.sheet || sheet_fits(s->target_count, s->network.size.height, s->network.size.width))
        return 0;
    return report_error("fool", EXIT_USAGE, "--sheet: %d pictures are too many for one: ask for fewer targets",
                        s->target_count);
}

static int open_fooler(fool_session *s)
{
    int code = make_start(s);
    if (code)
        return code;
    s->fooler = atl_fooler_new(s->network.image, s->network.logits, (atl_fool_loss)s->set.loss,
                               .compile = compile_args_of(&s->set.compile));
    return s->fooler ? 0 : report_graph_failure("fool", s->network.graph);
}

/* Several run at the same time, by programs for any number of pictures. */
static int has_one_target(const fool_options *set) { return strcmp(set->target, "all") != 0 && set->count == 1; }

int start_fooling(fool_session *s)
{
    int code = find_weights(s);
    if (!code)
        code = check_named_files(s);
    if (!code)
        code = begin_compiling("fool", &s->set.compile);
    if (!code)
        code = open_any_network("fool", s->set.model, s->set.weights, has_one_target(&s->set) ? 1 : ATL_ANY, 0,
                                &s->set.picture, &s->network);
    if (!code)
        code = check_loaded("fool", s->network.graph, s->set.weights ? s->set.weights : s->set.model,
                            s->set.allow_non_finite);
    if (!code)
        code = open_classes(s);
    if (!code)
        code = open_fooler(s);
    if (!code)
        code = choose_targets(s);
    if (!code)
        code = check_files_of_targets(s);
    if (!code)
        code = check_sheet(s);
    return code ? code : begin_fool_work(s);
}

void end_fooling(fool_session *s)
{
    html_report_free(s->report);
    atl_fooler_free(s->fooler);
    close_network(&s->network);
    free_labels(&s->labels);
    atl_tensor_free(s->start);
    free(s->targets);
    free(s->iterations_of_met);
    free(s->probability);
    for (int i = 0; i < s->target_count; i++) {
        if (s->tiles)
            atl_tensor_free(s->tiles[i].picture);
        if (s->records) {
            free(s->records[i].course);
            atl_tensor_free(s->records[i].file);
        }
    }
    free(s->records);
    free(s->task);
    free(s->chosen);
    end_work(&s->work, &s->set.shard);
    free(s->tiles);
}
