/* atled fool: a picture that a network takes for what it is not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile_options.h"
#include "labels.h"
#include "network.h"
#include "panel.h"
#include "progress.h"
#include "sheet.h"
#include "bundled_weights.h"
#include "tools.h"

typedef struct settings {
    const char *model, *weights, *target, *output, *start, *labels, *panel, *sheet;
    int loss, method, quiet;
    int64_t steps, seed, count;
    double rate, confidence;
    compile_options compile;
} settings;

typedef struct session {
    settings set;
    loaded_network network;
    class_names labels;
    atl_fooler *fooler;
    atl_tensor *start; /* [1, h, w, 3] */
    int *targets;
    int target_count;
    progress_line progress;
    char weights_path[4096]; /* of those that ship */
    sheet_tile *tiles;       /* the pictures as written, for the sheet */
    int tile_count;
    /* Of the target at hand. */
    double *probability; /* after each step, for the panel's curve */
    int steps_before;    /* of the attempts before this one, if rounding undid them */
    int target;
    /* Of all targets so far. */
    int met, *steps_of_met;
} session;

static const char *const losses[] = {"cross-entropy", "logit", "margin", "mse", NULL};
static const char *const methods[] = {"adam", "normalised", "sign", "raw", NULL};
static const char *const method_names[] = {"Adam", "normalised", "sign", "raw"};
static const atl_descent descents[] = {ATL_DESCENT_ADAM, ATL_DESCENT_NORMALISED, ATL_DESCENT_SIGN, ATL_DESCENT_RAW};

static int read_settings(settings *set, int argc, char **argv, int *code)
{
    const command_option options[] = {
        {"model", 'm', .text = &set->model, .choices = network_names(), .argument = "NAME",
         .help = "the network to fool"},
        {"weights", 'w', .text = &set->weights, .argument = "FILE",
         .help = "its weights, .npz; without it those that ship with atled, for cifar10 and lenet"},
        {"target", 't', .text = &set->target, .argument = "CLASS", .required = 1,
         .help =
             "what it is to see: a class by index or name, 'random', 'least-likely' (seen from the start), or 'all'"},
        {"output", 'o', .text = &set->output, .argument = "FILE",
         .help = "the picture, PNG; with several targets the class is put before the dot"},
        {"count", 'n', .whole = &set->count, .argument = "N", .lowest = 1, .highest = 1e6,
         .help = "with --target random: how many different ones"},
        {"loss", 'l', .choice = &set->loss, .choices = losses, .argument = "NAME",
         .help = "what is made small: mse, the mean squared error of the softmax, is there to be seen failing"},
        {"method", 0, .choice = &set->method, .choices = methods, .argument = "NAME",
         .help = "how a step follows from the gradient"},
        {"steps", 0, .whole = &set->steps, .argument = "N", .lowest = 1, .highest = 1e8, .help = "at most"},
        {"step-size", 0, .real = &set->rate, .argument = "X", .lowest = 1e-30, .highest = 1e30,
         .help = "in grey levels (2 for adam, 1 for normalised and sign if not given); for raw the factor of the "
                 "gradient (1)"},
        {"confidence", 'c', .real = &set->confidence, .argument = "P", .lowest = 1e-6, .highest = 0.9999999,
         .help = "the probability that the target must have, in the written file"},
        {"start", 's', .text = &set->start, .argument = "FILE", .help = "'noise', 'grey', or a picture to begin with"},
        {"seed", 0, .whole = &set->seed, .argument = "N", .help = "of the noise and of random targets"},
        {"labels", 0, .text = &set->labels, .argument = "FILE",
         .help = "names of the classes, one a line; without it a labels.txt or imagenet_classes.txt beside the weights "
                 "is taken"},
        {"panel", 'p', .text = &set->panel, .argument = "FILE",
         .help = "also draw start, result, difference, gradient and the course of it, PNG"},
        {"sheet", 0, .text = &set->sheet, .argument = "FILE",
         .help = "all pictures in one, in the order of targets, PNG"},
        {"quiet", 'q', .flag = &set->quiet, .help = "no progress"},
        {0}};
    static const char *const examples[] = {
        "atled fool -t cat",
        "noise that the network which ships with atled takes for a cat",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t flamingo -o out.png",
        "noise that SqueezeNet takes for a flamingo",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t random --count 20 --seed 1",
        "twenty classes drawn at random",
        "atled fool -m squeezenet -w squeezenet_v1_1.npz -t 130 --loss mse --method raw",
        "the way that fails, with the reason why",
        NULL};
    compile_option_table shared;
    list_compile_options(&set->compile, shared);
    const command_line line = {"fool", .about = "make a picture that a network takes for what it is not",
                               .options = options, .shared = shared, .examples = examples};
    return read_options(&line, argc, argv, NULL, code);
}

/* ---- before the first step --------------------------------------------------------------------------------------------- */

static atl_tensor *grey_picture(atl_shape shape)
{
    atl_tensor *picture = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; picture && i < atl_tensor_count(picture); i++)
        atl_floats(picture)[i] = 128;
    return picture;
}

static atl_tensor *photograph(const session *s, const char *path)
{
    atl_tensor *picture = atl_read_image(path), *fitted = NULL;
    const atl_model_size *size = &s->network.size;
    int64_t short_side = size->height < size->width ? size->height : size->width;
    atl_shape own = atl_tensor_shape(picture);
    if (picture && own.size[0] == size->height && own.size[1] == size->width)
        return picture;
    /* The margin that is cut away keeps its share where the pictures are of another size than published. */
    int64_t resize = s->network.model->resize * short_side / s->network.model->height;
    if (picture)
        fitted = atl_fit_image(picture, resize, size->height, size->width);
    atl_tensor_free(picture);
    return fitted;
}

static int make_start(session *s)
{
    atl_shape shape = ATL_SHAPE(1, s->network.size.height, s->network.size.width, 3);
    if (strcmp(s->set.start, "noise") == 0)
        s->start = atl_uniform_tensor(shape, 0, 255, (uint64_t)s->set.seed);
    else if (strcmp(s->set.start, "grey") == 0 || strcmp(s->set.start, "gray") == 0)
        s->start = grey_picture(shape);
    else {
        atl_tensor *picture = photograph(s, s->set.start);
        if (!picture)
            return report_error("fool", EXIT_BAD_FILE, "%s", atl_error());
        s->start = atl_tensor_of_floats(shape, atl_floats(picture));
        atl_tensor_free(picture);
    }
    return s->start ? 0 : report_error("fool", EXIT_INTERNAL, "%s", atl_error());
}

/* Different classes, the same for the same seed: the first of a shuffled deck (Fisher & Yates). */
static void draw_targets(int *deck, int classes, int count, uint64_t seed)
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
}

static int least_likely(session *s)
{
    const atl_tensor *probabilities = atl_fooler_classify(s->fooler, s->start);
    const float *p = atl_floats(probabilities);
    int least = 0;
    for (int i = 1; p && i < s->network.size.classes; i++)
        least = p[i] < p[least] ? i : least;
    return p ? least : -1;
}

static int choose_targets(session *s)
{
    int classes = s->network.size.classes;
    s->targets = malloc((size_t)classes * sizeof *s->targets);
    s->steps_of_met = malloc((size_t)classes * sizeof *s->steps_of_met);
    s->tiles = malloc((size_t)classes * sizeof *s->tiles);
    if (!s->targets || !s->steps_of_met || !s->tiles)
        return report_error("fool", EXIT_INTERNAL, "out of memory");
    s->target_count = 1;
    if (s->set.count > 1 && strcmp(s->set.target, "random") != 0)
        return report_error("fool", EXIT_USAGE, "--count %lld goes with --target random, not with '%s'",
                            (long long)s->set.count, s->set.target);
    if (strcmp(s->set.target, "random") == 0) {
        if (s->set.count > classes)
            return report_error("fool", EXIT_USAGE, "--count %lld: the network has only %d classes",
                                (long long)s->set.count, classes);
        s->target_count = (int)s->set.count;
        draw_targets(s->targets, classes, s->target_count, (uint64_t)s->set.seed);
    } else if (strcmp(s->set.target, "all") == 0) {
        s->target_count = classes;
        for (int i = 0; i < classes; i++)
            s->targets[i] = i;
    } else if (strcmp(s->set.target, "least-likely") == 0) {
        s->targets[0] = least_likely(s);
        if (s->targets[0] < 0)
            return report_error("fool", EXIT_INTERNAL, "%s", atl_error());
    } else {
        s->targets[0] = class_of("fool", &s->labels, classes, s->set.target);
        if (s->targets[0] < 0)
            return EXIT_USAGE;
    }
    return 0;
}

/* Without --weights, those that ship with atled. */
static int find_weights(session *s)
{
    if (!s->set.weights)
        s->set.weights = bundled_weights(s->set.model, s->weights_path, sizeof s->weights_path);
    return s->set.weights ? 0 : report_no_weights("fool", s->set.model);
}

static int prepare(session *s)
{
    int code = begin_compiling("fool", &s->set.compile);
    if (!code)
        code = check_picture("fool", s->set.output, PNG_ONLY);
    if (!code && s->set.sheet)
        code = check_panel("fool", s->set.sheet);
    if (!code)
        code = find_weights(s);
    if (!code && s->set.panel)
        code = check_panel("fool", s->set.panel);
    if (!code)
        code = open_network("fool", s->set.model, s->set.weights, &s->network);
    if (!code)
        code = read_labels("fool", s->set.labels,
                           s->network.model->classes == s->network.size.classes ? s->network.model->labels : NULL,
                           s->set.weights, s->network.size.classes, &s->labels);
    if (!code)
        code = make_start(s);
    if (code)
        return code;
    s->fooler = atl_fooler_new(s->network.image, s->network.logits, (atl_fool_loss)s->set.loss,
                               .compile = compile_args_of(&s->set.compile));
    if (!s->fooler)
        return report_error("fool", EXIT_INTERNAL, "%s", atl_error());
    s->probability = malloc(((size_t)s->set.steps + 1) * sizeof *s->probability);
    if (!s->probability)
        return report_error("fool", EXIT_INTERNAL, "out of memory: --steps %lld", (long long)s->set.steps);
    return choose_targets(s);
}

/* ---- one target -------------------------------------------------------------------------------------------------------- */

/* What the written file, read back, is taken for. */
typedef struct file_verdict {
    int met, top;
    double probability, top_probability;
} file_verdict;

static int watch(void *context, const atl_fool_progress *now)
{
    session *s = context;
    char target[96], top[96], text[384];
    int step = s->steps_before + now->step;
    s->probability[step] = now->probability;
    int at = snprintf(text, sizeof text, "%s  step %d of %lld: %.4g%s  sees %s %.4f",
                      class_text(&s->labels, s->target, target, sizeof target), step, (long long)s->set.steps,
                      now->probability, now->rounded ? " rounded" : "",
                      class_text(&s->labels, now->top, top, sizeof top), now->top_probability);
    if (now->step > 0) {
        double rate = now->step / now->seconds;
        snprintf(text + at, sizeof text - (size_t)at, "  %.1f steps/s, %.0f s left at most", rate,
                 (now->steps - now->step) / rate);
    }
    show_progress(&s->progress, now->step == 0, "%s", text);
    return was_interrupted();
}

static int read_back(session *s, const char *path, atl_tensor **picture_out, file_verdict *verdict_out)
{
    *picture_out = atl_read_image(path);
    const atl_tensor *probabilities = *picture_out ? atl_fooler_classify(s->fooler, *picture_out) : NULL;
    if (!probabilities)
        return report_error("fool", *picture_out ? EXIT_INTERNAL : EXIT_BAD_FILE, "%s", atl_error());
    const float *p = atl_floats(probabilities);
    file_verdict v = {0};
    for (int i = 1; i < s->network.size.classes; i++)
        v.top = p[i] > p[v.top] ? i : v.top;
    v.probability = p[s->target];
    v.top_probability = p[v.top];
    v.met = v.top == s->target && v.probability >= s->set.confidence;
    *verdict_out = v;
    return 0;
}

/* Descends and writes; and if the file is not what the loop was sure of, goes on from the file. */
static int descend(session *s, const char *path, atl_fool_result *result, atl_tensor **file, file_verdict *verdict)
{
    double confidence = s->set.confidence;
    s->steps_before = 0;
    for (;;) {
        atl_status status = atl_fool(s->fooler, .target = s->target, .start = *file ? *file : s->start,
                                     .method = descents[s->set.method], .steps = (int)s->set.steps - s->steps_before,
                                     .rate = (float)s->set.rate, .confidence = (float)confidence, .watch = watch,
                                     .context = s, .result_out = result);
        if (status)
            return report_error("fool", status == ATL_INVALID ? EXIT_INTERNAL : exit_code_of(status), "%s",
                                atl_error());
        status = atl_write_png(path, result->pixels);
        if (status)
            return report_error("fool", exit_code_of(status), "%s", atl_error());
        atl_tensor_free(*file);
        int code = read_back(s, path, file, verdict);
        if (code)
            return code;
        result->steps = s->steps_before += result->steps;
        if (verdict->met || !result->met || s->steps_before >= s->set.steps || was_interrupted())
            return 0;
        atl_tensor_free(result->pixels);
        confidence = (confidence + 1) / 2;
    }
}

static void tell_verdict(session *s, const char *path, const atl_fool_result *result, const file_verdict *v)
{
    char target[128], top[128];
    class_text(&s->labels, s->target, target, sizeof target);
    class_text(&s->labels, v->top, top, sizeof top);
    double share = result->seconds > 0 ? 100 * result->seconds_running / result->seconds : 100;
    end_progress(&s->progress);
    if (v->met)
        printf("%s: %s at %.4f after %d step%s (%.2f s, %.1f %% of it in the network)\n", path, target, v->probability,
               result->steps, result->steps == 1 ? "" : "s", result->seconds, share);
    else
        printf("%s: not fooled: %s at %.3g, seen as %s at %.4f, after %d steps (%.2f s)\n", path, target,
               v->probability, top, v->top_probability, result->steps, result->seconds);
    fflush(stdout);
    if (!v->met && result->message[0])
        report_error("fool", 0, "%s", result->message);
}

/* "out.png" -> "out-130.png", if there are several targets. */
static void path_for(const session *s, const char *path, char *text, size_t size)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash))
        dot = path + strlen(path);
    if (s->target_count == 1)
        snprintf(text, size, "%s", path);
    else
        snprintf(text, size, "%.*s-%d%s", (int)(dot - path), path, s->target, dot);
}

/* "'flamingo' (class 130)" */
static const char *class_title(const session *s, int class, char *text, size_t size)
{
    if (class < s->labels.count)
        snprintf(text, size, "'%s' (class %d)", s->labels.name[class], class);
    else
        snprintf(text, size, "class %d", class);
    return text;
}

static int draw_panel(session *s, const char *path, const atl_fool_result *result, const atl_tensor *file,
                      const file_verdict *v)
{
    char title[300], subtitle[256], target[128], top[128], start[160];
    const char *slash = strrchr(s->set.start, '/');
    if (v->met)
        snprintf(title, sizeof title, "%s sees %s at %.4g %%", s->network.model->name,
                 class_title(s, v->top, target, sizeof target), 100 * v->probability);
    else
        snprintf(title, sizeof title, "%s sees %s, not %s", s->network.model->name,
                 class_title(s, v->top, top, sizeof top), class_title(s, s->target, target, sizeof target));
    if (strcmp(s->set.start, "noise") == 0)
        snprintf(start, sizeof start, "uniform noise, seed %lld", (long long)s->set.seed);
    else
        snprintf(start, sizeof start, "%.140s", slash ? slash + 1 : s->set.start);
    snprintf(subtitle, sizeof subtitle, "%d %s step%s down the gradient of the %s, from %s", result->steps,
             method_names[s->set.method], result->steps == 1 ? "" : "s",
             s->set.loss == ATL_LOSS_SOFTMAX_MSE ? "mean squared error" : losses[s->set.loss], start);
    for (char *c = subtitle; *c; c++)
        if (strncmp(c, "cross-entropy", 13) == 0)
            c[5] = ' ';
    atl_shape shape = atl_tensor_shape(s->start);
    atl_tensor *written = atl_tensor_view(ATL_FLOAT32, shape, atl_floats(file));
    s->probability[result->steps] = v->probability;
    const story drawing = {title,
                           subtitle,
                           .start = s->start,
                           .result = written,
                           .gradient = atl_fooler_gradient(s->fooler, s->start, s->target),
                           .probability = s->probability,
                           .steps = result->steps,
                           .confidence = s->set.confidence};
    atl_status status = drawing.gradient && written ? write_panel(path, &drawing) : ATL_INTERNAL;
    atl_tensor_free(written);
    return status ? report_error("fool", exit_code_of(status), "%s", atl_error()) : 0;
}

/* The sheet takes the picture over. */
static void add_to_sheet(session *s, atl_tensor *picture, const file_verdict *verdict)
{
    sheet_tile *tile = &s->tiles[s->tile_count++];
    *tile = (sheet_tile){.picture = picture, .probability = verdict->probability, .is_met = verdict->met};
    if (s->labels.count)
        snprintf(tile->name, sizeof tile->name, "%s", s->labels.name[s->target]);
    else
        snprintf(tile->name, sizeof tile->name, "%d", s->target);
}

static int fool_one(session *s)
{
    char path[4096];
    atl_fool_result result = {0};
    atl_tensor *file = NULL;
    file_verdict verdict = {0};
    path_for(s, s->set.output, path, sizeof path);
    int code = descend(s, path, &result, &file, &verdict);
    end_progress(&s->progress);
    if (!code)
        tell_verdict(s, path, &result, &verdict);
    if (!code && verdict.met)
        s->steps_of_met[s->met++] = result.steps;
    if (!code && s->set.panel) {
        path_for(s, s->set.panel, path, sizeof path);
        code = draw_panel(s, path, &result, file, &verdict);
    }
    if (!code && file && s->set.sheet)
        add_to_sheet(s, file, &verdict);
    else
        atl_tensor_free(file);
    atl_tensor_free(result.pixels);
    return code;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void tell_summary(session *s)
{
    if (s->target_count == 1)
        return;
    printf("%d of %d fooled", s->met, s->target_count);
    if (s->met) {
        qsort(s->steps_of_met, (size_t)s->met, sizeof *s->steps_of_met, by_number);
        double median = (s->steps_of_met[(s->met - 1) / 2] + s->steps_of_met[s->met / 2]) / 2.0;
        printf(", in %d to %d steps, median %g", s->steps_of_met[0], s->steps_of_met[s->met - 1], median);
    }
    printf("\n");
}

static void end(session *s)
{
    atl_fooler_free(s->fooler);
    close_network(&s->network);
    free_labels(&s->labels);
    atl_tensor_free(s->start);
    free(s->targets);
    free(s->steps_of_met);
    free(s->probability);
    for (int i = 0; i < s->tile_count; i++)
        atl_tensor_free(s->tiles[i].picture);
    free(s->tiles);
}

int atled_fool(int argc, char **argv)
{
    session s = {.set = {.model = "cifar10",
                         .output = "fooled.png",
                         .start = "noise",
                         .steps = 500,
                         .count = 1,
                         .confidence = 0.99}};
    int code;
    if (!read_settings(&s.set, argc, argv, &code))
        return code;
    s.progress = start_progress(s.set.quiet);
    code = prepare(&s);
    if (!code)
        catch_interrupts();
    for (int i = 0; !code && i < s.target_count && !was_interrupted(); i++) {
        s.target = s.targets[i];
        code = fool_one(&s);
    }
    if (!code && s.set.sheet && s.tile_count && write_sheet(s.set.sheet, s.tiles, s.tile_count))
        code = report_error("fool", EXIT_BAD_FILE, "%s", atl_error());
    if (!code)
        code = end_compiling("fool", &s.set.compile);
    if (!code) {
        tell_summary(&s);
        code = s.met == s.target_count ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
    }
    end(&s);
    return code;
}
