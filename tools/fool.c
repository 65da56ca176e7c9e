/* atled fool: makes an image that a network misclassifies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fool_session.h"
#include "panel.h"
#include "ranks.h"
#include "text.h"

static const char *const method_names[] = {"Adam", "normalised", "sign", "raw"};
const atl_descent fool_descents[] = {ATL_DESCENT_ADAM, ATL_DESCENT_NORMALISED, ATL_DESCENT_SIGN, ATL_DESCENT_RAW};

/* ---- one target -------------------------------------------------------------------------------------------------- */

static bool watch(void *context, const atl_fool_progress *now)
{
    fool_session *s = context;
    char target[96], top[96], text[384];
    int iteration = s->iterations_before + now->iteration;
    s->probability[iteration] = now->probability;
    int at = snprintf(text, sizeof text, "%s  iteration %d of %lld: %.4g%s  sees %s %.4f",
                      class_text(&s->labels, s->target, target, sizeof target), iteration, (long long)s->set.iterations,
                      now->probability, now->rounded ? " rounded" : "",
                      class_text(&s->labels, now->top, top, sizeof top), now->top_probability);
    if (now->iteration > 0) {
        double rate = now->iteration / now->seconds;
        snprintf(text + at, sizeof text - (size_t)at, "  %.1f iterations/s, %.0f s left at most", rate,
                 (now->iterations - now->iteration) / rate);
    }
    show_progress(&s->progress, now->iteration == 0, "%s", text);
    return was_interrupted();
}

int read_fooled(fool_session *s, const char *path, atl_tensor **picture_out, file_verdict *verdict_out)
{
    *picture_out = atl_read_image(path);
    const atl_tensor *probabilities = *picture_out ? atl_fooler_classify(s->fooler, *picture_out) : NULL;
    if (!probabilities)
        return report_failure("fool");
    const float *p = atl_floats(probabilities);
    file_verdict v = {0};
    for (int i = 0; i < s->network.size.classes; i++) {
        if (!isfinite(p[i]))
            return report_error(
                "fool", EXIT_GOAL_NOT_MET,
                "the probability of class %d is no finite number: are these the weights of this network?", i);
        v.top = p[i] > p[v.top] ? i : v.top;
    }
    v.probability = p[s->target];
    v.top_probability = p[v.top];
    v.met = v.top == s->target && v.probability >= s->set.confidence;
    *verdict_out = v;
    return 0;
}

/* Runs the iterations and writes the file; if the file does not reach the loop's result, continues from the file. */
static int descend(fool_session *s, const char *path, double confidence, atl_fool_result *result, atl_tensor **file,
                   file_verdict *verdict)
{
    for (;;) {
        atl_status status =
            atl_fool(s->fooler, .target = s->target, .start = *file ? *file : s->start,
                     .method = fool_descents[s->set.method],
                     .iterations = (int)s->set.iterations - s->iterations_before, .rate = (float)s->set.rate,
                     .confidence = (float)confidence, .watch = watch, .context = s, .result_out = result);
        if (status)
            return report_error("fool", status == ATL_INVALID ? EXIT_INTERNAL : exit_code_of(status), "%s",
                                atl_error());
        status = atl_write_png(path, result->pixels);
        if (status)
            return report_failure("fool");
        atl_tensor_free(*file);
        *file = NULL;
        int code = read_fooled(s, path, file, verdict);
        if (code)
            return code;
        result->iterations = s->iterations_before += result->iterations;
        if (verdict->met || !result->met || s->iterations_before >= s->set.iterations || was_interrupted())
            return 0;
        atl_tensor_free(result->pixels);
        confidence = (confidence + 1) / 2;
    }
}

int descend_from(fool_session *s, const char *path, atl_fool_result *result, atl_tensor **file, file_verdict *verdict)
{
    s->iterations_before = result->iterations;
    return descend(s, path, (s->set.confidence + 1) / 2, result, file, verdict);
}

static void tell_verdict(fool_session *s, const char *path, const atl_fool_result *result, const file_verdict *v)
{
    char target[128], top[128];
    class_text(&s->labels, s->target, target, sizeof target);
    class_text(&s->labels, v->top, top, sizeof top);
    char share[60] = "";
    if (result->seconds_running > 0) /* not known of a target that shares its runs */
        snprintf(share, sizeof share, ", %.1f %% of it in the network",
                 result->seconds > 0 ? 100 * result->seconds_running / result->seconds : 100);
    end_progress(&s->progress);
    if (v->met)
        printf("%s: %s at %.4f after %d iteration%s (%.2f s%s)\n", path, target, v->probability, result->iterations,
               plural(result->iterations), result->seconds, share);
    else if (v->top == s->target)
        printf("%s: not sure enough: %s at %.7g instead of %.7g, after %d iteration%s (%.2f s)\n", path, target,
               v->probability, s->set.confidence, result->iterations, plural(result->iterations), result->seconds);
    else
        printf("%s: not fooled: %s at %.3g, seen as %s at %.4f, after %d iteration%s (%.2f s)\n", path, target,
               v->probability, top, v->top_probability, result->iterations, plural(result->iterations),
               result->seconds);
    flush_output();
    if (!v->met && result->message[0])
        report_error("fool", 0, "%s", result->message);
}

/* "'flamingo' (class 130)" */
static void class_title(const fool_session *s, int class, char *text, size_t size)
{
    char whole[1024];
    if (class < s->labels.count)
        snprintf(whole, sizeof whole, "'%.900s' (class %d)", s->labels.name[class], class);
    else
        snprintf(whole, sizeof whole, "class %d", class);
    clean_text(whole, text, size);
}

static int draw_panel(fool_session *s, const char *path, const atl_fool_result *result, const atl_tensor *file,
                      const file_verdict *v)
{
    char title[300], subtitle[256], target[128], top[128], start[141];
    const char *slash = strrchr(s->set.start, '/');
    class_title(s, v->top, top, sizeof top);
    class_title(s, s->target, target, sizeof target);
    if (v->top == s->target)
        snprintf(title, sizeof title, "%s sees %s at %s%.4g %%", s->network.model->name, top, v->met ? "" : "only ",
                 100 * v->probability);
    else
        snprintf(title, sizeof title, "%s sees %s, not %s", s->network.model->name, top, target);
    if (strcmp(s->set.start, "noise") == 0)
        snprintf(start, sizeof start, "uniform noise, seed %lld", (long long)s->set.seed);
    else
        clean_text(slash ? slash + 1 : s->set.start, start, sizeof start);
    snprintf(subtitle, sizeof subtitle, "%d %s iteration%s down the gradient of the %s, from %s", result->iterations,
             method_names[s->set.method], plural(result->iterations),
             s->set.loss == ATL_LOSS_SOFTMAX_MSE ? "mean squared error" : loss_names[s->set.loss], start);
    for (char *c = subtitle; *c; c++)
        if (strncmp(c, "cross-entropy", 13) == 0)
            c[5] = ' ';
    atl_shape shape = atl_tensor_shape(s->start);
    atl_tensor *written = atl_tensor_view(ATL_FLOAT32, shape, (float *)atl_floats(file));
    s->probability[result->iterations] = v->probability;
    const story drawing = {title,
                           subtitle,
                           .start = s->start,
                           .result = written,
                           .gradient = atl_fooler_gradient(s->fooler, s->start, s->target),
                           .probability = s->probability,
                           .iterations = result->iterations,
                           .confidence = s->set.confidence};
    int failed = !drawing.gradient || !written || write_panel(path, &drawing);
    atl_tensor_free(written);
    return failed ? report_failure("fool") : 0;
}

/* The sheet takes ownership of the picture. */
static void add_to_sheet(fool_session *s, int position, atl_tensor *picture, const file_verdict *verdict)
{
    sheet_tile *tile = &s->tiles[position];
    *tile = (sheet_tile){.picture = picture, .probability = verdict->probability, .is_met = verdict->met};
    if (s->labels.count)
        clean_text(s->labels.name[s->target], tile->name, sizeof tile->name);
    else
        snprintf(tile->name, sizeof tile->name, "%d", s->target);
}

int draw_fooled(fool_session *s, const atl_fool_result *result, const atl_tensor *file, const file_verdict *verdict)
{
    char panel[4096];
    if (!s->set.panel)
        return 0;
    path_for_target(s, s->target, s->set.panel, panel, sizeof panel);
    return draw_panel(s, panel, result, file, verdict);
}

void keep_fooled(fool_session *s, int position, const char *path, const atl_fool_result *result, atl_tensor *file,
                 const file_verdict *verdict)
{
    tell_verdict(s, path, result, verdict);
    if (verdict->met)
        s->iterations_of_met[s->met++] = result->iterations;
    if (file && s->set.sheet)
        add_to_sheet(s, position, file, verdict);
    else
        atl_tensor_free(file);
}

static int fool_one(fool_session *s)
{
    char path[4096];
    atl_fool_result result = {0};
    atl_tensor *file = NULL;
    file_verdict verdict = {0};
    s->target = s->targets[0];
    path_for_target(s, s->target, s->set.output, path, sizeof path);
    int code = descend(s, path, s->set.confidence, &result, &file, &verdict);
    end_progress(&s->progress);
    if (!code && s->report)
        code = add_to_fool_report(s, path, &result, file, &verdict);
    if (!code)
        code = draw_fooled(s, &result, file, &verdict);
    if (!code)
        keep_fooled(s, 0, path, &result, file, &verdict);
    else
        atl_tensor_free(file);
    atl_tensor_free(result.pixels);
    return code;
}

/* The pictures that there are, after an interrupt. */
static int write_tiles(fool_session *s)
{
    int count = 0;
    for (int i = 0; i < s->target_count; i++)
        if (s->tiles[i].picture) {
            sheet_tile tile = s->tiles[i];
            s->tiles[i].picture = NULL;
            s->tiles[count++] = tile;
        }
    return count && write_sheet(s->set.sheet, s->tiles, count) ? report_failure("fool") : 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void tell_summary(fool_session *s)
{
    if (s->target_count == 1)
        return;
    printf("%d of %d fooled", s->met, s->target_count);
    if (s->met) {
        qsort(s->iterations_of_met, (size_t)s->met, sizeof *s->iterations_of_met, by_number);
        double median = (s->iterations_of_met[(s->met - 1) / 2] + s->iterations_of_met[s->met / 2]) / 2.0;
        printf(", in %d to %d iterations, median %g", s->iterations_of_met[0], s->iterations_of_met[s->met - 1],
               median);
    }
    printf("\n");
}

int atled_fool(int argc, char **argv)
{
    fool_session s = {.set = {.model = "cifar10",
                              .output = "fooled.png",
                              .start = "noise",
                              .iterations = 500,
                              .count = 1,
                              .confidence = 0.99}};
    char command[4096];
    int code;
    shell_command(argc, argv, command, sizeof command);
    if (!read_fool_options(&s.set, argc, argv, &code)) {
        end_work(&s.work, &s.set.shard);
        return code;
    }
    s.progress = start_progress(s.set.quiet || this_rank());
    code = start_fooling(&s);
    if (!code && s.set.report) {
        s.report = html_report_new("atled fool", command, s.target_count);
        code = s.report ? 0 : report_failure("fool");
    }
    if (!code)
        catch_interrupts();
    if (!code)
        code = s.target_count > 1 ? fool_many(&s) : this_rank() ? 0 : fool_one(&s);
    int is_shown = shows_results(&s.work) && this_rank() == 0;
    if (!code && s.set.sheet && is_shown)
        code = write_tiles(&s);
    if (!code && s.report && is_shown && html_report_write(s.report, s.set.report))
        code = report_failure("fool");
    if (!code)
        code = end_compiling("fool", &s.set.compile);
    if (!code && !is_shown)
        code = s.work.shards ? close_work(&s.work) : EXIT_GOAL_MET;
    else if (!code) {
        tell_summary(&s);
        code = s.met == s.target_count ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
    }
    end_fooling(&s);
    return code;
}
