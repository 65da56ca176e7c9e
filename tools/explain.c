/* atled explain: shows which pixels of a picture a network's score depends on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "explain_session.h"
#include "photograph.h"
#include "ranks.h"
#include "text.h"

/* ---- one method -------------------------------------------------------------------------------------------------- */

static int watch(void *context, int64_t done, int64_t all)
{
    explain_session *s = context;
    show_progress(&s->progress, 0, "%s: %s, %lld of %lld pictures", s->path, atl_explain_method_name(s->method),
                  (long long)done, (long long)all);
    return was_interrupted();
}

static atl_explain_args how_to_explain(explain_session *s, const atl_tensor *pixels, atl_explanation *result)
{
    const explain_options *set = &s->set;
    int smooth = s->method == ATL_EXPLAIN_SMOOTH_GRAD;
    return (atl_explain_args){.explainer = s->explainer,
                              .method = s->method,
                              .pixels = pixels,
                              .target = s->target,
                              .baseline = s->baseline,
                              .samples = (int)(smooth ? set->samples : set->masks),
                              .deviation = (float)set->deviation,
                              .seed = (uint64_t)set->seed,
                              .steps = (int)set->steps,
                              .window = {(int)set->window, (int)set->window},
                              .stride = {(int)set->stride, (int)set->stride},
                              .cells = (int)set->cells,
                              .watch = watch,
                              .context = s,
                              .result_out = result};
}

/* What only this method has to say. */
static const char *remark(const explain_session *s, const atl_explanation *e, char *text, size_t size)
{
    text[0] = 0;
    if (s->method == ATL_EXPLAIN_INTEGRATED)
        snprintf(text, size, ", %d step%s, the sum misses f(x) - f(b) = %.5g by %.2g (%.2g %%)", e->steps,
                 plural(e->steps), e->score - e->baseline_score, e->completeness_error, 100 * e->completeness);
    else if (e->layer_map)
        snprintf(text, size, ", layer %.200s", atl_name_of(atl_explainer_layer(s->explainer)));
    return text;
}

static int write_method(explain_session *s, const atl_tensor *pixels, const atl_explanation *e)
{
    char what[64], path[4096], said[320];
    const char *name = atl_explain_method_name(s->method);
    if (!s->file) {
        snprintf(what, sizeof what, "%s.npy", name);
        output_path(s, s->stem, what, path, sizeof path);
        note_file(s, path);
        if (atl_write_npy(path, e->attribution))
            return report_failure("explain");
    }
    snprintf(what, sizeof what, "%s.png", name);
    output_path(s, s->stem, what, path, sizeof path);
    note_file(s, path);
    sheet_tile *tile = &s->tiles[s->tile_count];
    *tile = (sheet_tile){.picture = atl_explain_overlay(e->map, pixels), .probability = NAN, .is_met = 1};
    snprintf(tile->name, sizeof tile->name, "%s", name);
    s->tile_count++;
    if (!tile->picture || atl_write_png(path, tile->picture))
        return report_failure("explain");
    end_progress(&s->progress);
    fprintf(s->out, "  %-14s %s: %lld picture%s, %.2f s%s\n", name, path, (long long)e->pictures, plural(e->pictures),
            e->seconds, remark(s, e, said, sizeof said));
    if (s->method == ATL_EXPLAIN_INTEGRATED && e->completeness > 0.01)
        report_error("explain", 0,
                     "%s: the integral is not complete: the network's score jumps between baseline and "
                     "picture",
                     path);
    flush_output();
    return 0;
}

static int explain_one_method(explain_session *s, const atl_tensor *pixels)
{
    atl_explanation e;
    atl_explain_args how = how_to_explain(s, pixels, &e);
    atl_status status = atl_explain_with(&how);
    end_progress(&s->progress);
    if (status == ATL_STOPPED)
        return 0;
    if (status == ATL_INVALID && s->method >= ATL_EXPLAIN_GRAD_CAM && s->method <= ATL_EXPLAIN_LAYER_CAM &&
        !s->set.methods && !atl_explainer_layer(s->explainer)) {
        fprintf(stderr, "atled explain: %s left out: the network has no map\n", atl_explain_method_name(s->method));
        return 0;
    }
    if (status)
        return report_failure("explain");
    int code = write_method(s, pixels, &e);
    if (!code && s->set.curves)
        code = judge_map(s, pixels, e.map);
    atl_explanation_free(&e);
    if (!code && s->set.sanity)
        code = check_sanity(s, &how);
    return code;
}

/* ---- one picture ------------------------------------------------------------------------------------------------- */

static int most_probable(const atl_tensor *probabilities)
{
    const float *p = atl_floats(probabilities);
    int top = 0;
    for (int i = 1; i < atl_tensor_count(probabilities); i++)
        top = p[i] > p[top] ? i : top;
    return top;
}

static int write_sheet_of(explain_session *s, const atl_tensor *pixels)
{
    char path[4096];
#ifndef ATLED_HAVE_CAIRO
    (void)pixels;
    (void)path;
    return 0;
#else
    sheet_tile *tile = &s->tiles[s->tile_count];
    if (s->tile_count == 0 || s->file)
        return 0;
    *tile = (sheet_tile){.picture = atl_tensor_copy(pixels), .name = "picture", .probability = NAN, .is_met = 1};
    s->tile_count++;
    output_path(s, s->stem, "sheet.png", path, sizeof path);
    note_file(s, path);
    if (!tile->picture || write_sheet(path, s->tiles, s->tile_count))
        return report_failure("explain");
    fprintf(s->out, "  %-14s %s\n", "sheet", path);
    return 0;
#endif
}

int add_to_explain_report(explain_session *s, const atl_tensor *pixels, const atl_tensor *probabilities)
{
    char name[160], verdict[400];
    html_image images[ATL_EXPLAIN_METHODS + 1] = {{"picture", pixels}};
    html_bar bars[2 * HTML_TOP];
    int count = html_top_bars(probabilities, NULL, &s->labels, bars), image_count = 1;
    for (int i = 0; i < s->tile_count; i++)
        if (strcmp(s->tiles[i].name, "picture") != 0)
            images[image_count++] = (html_image){s->tiles[i].name, s->tiles[i].picture};
    snprintf(verdict, sizeof verdict, "What speaks for class %s, probability %.4f",
             class_text(&s->labels, s->target, name, sizeof name), (double)atl_floats(probabilities)[s->target]);
    html_fact facts[2 + ATL_EXPLAIN_METHODS] = {{"network", s->network.model->name}, {"file", s->path}};
    int fact_count = 2;
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++)
        if (*s->areas[m])
            facts[fact_count++] = (html_fact){atl_explain_method_name((atl_explain_method)m), s->areas[m]};
    const html_picture picture = {.title = s->path,
                                  .verdict = verdict,
                                  .is_good = 1,
                                  .images = images,
                                  .image_count = image_count,
                                  .bars = bars,
                                  .bar_count = count,
                                  .facts = facts,
                                  .fact_count = fact_count};
    return html_report_add(s->report, &picture) ? report_failure("explain") : 0;
}

void free_tiles(explain_session *s)
{
    for (int i = 0; i < s->tile_count; i++)
        atl_tensor_free(s->tiles[i].picture);
    s->tile_count = 0;
}

static void choose_target(explain_session *s, const atl_tensor *probabilities)
{
    char name[160];
    s->target = s->fixed_target >= 0 ? s->fixed_target : most_probable(probabilities);
    fprintf(s->out, "%s: class %s, probability %.4f\n", s->path, class_text(&s->labels, s->target, name, sizeof name),
            (double)atl_floats(probabilities)[s->target]);
    flush_output();
}

static int explain_picture(explain_session *s, const atl_tensor *pixels)
{
    atl_tensor *probabilities = NULL;
    if (atl_explainer_scores(s->explainer, pixels, NULL, &probabilities))
        return report_failure("explain");
    choose_target(s, probabilities);
    int code = 0;
    for (int m = 0; !code && m < ATL_EXPLAIN_METHODS && !was_interrupted(); m++)
        if (is_wanted(s, m)) {
            s->method = (atl_explain_method)m;
            code = explain_one_method(s, pixels);
        }
    if (!code)
        code = write_sheet_of(s, pixels);
    if (!code && s->report && s->tile_count)
        code = add_to_explain_report(s, pixels, probabilities);
    atl_tensor_free(probabilities);
    free_tiles(s);
    return code;
}

static int explain_task(explain_session *s, int64_t task)
{
    s->is_unread = 0;
    if (task == s->set.picture_count)
        return dream_of_class(s);
    s->path = s->set.pictures[task];
    stem_of(s, (int)task, s->stem, sizeof s->stem);
    atl_tensor *pixels = read_photograph(&s->network, s->path, s->set.exact);
    int code = pixels ? explain_picture(s, pixels) : leave_picture_out("explain", &s->unread);
    s->is_unread = !pixels;
    atl_tensor_free(pixels);
    return code;
}

static int explain_all(explain_session *s)
{
    int64_t task, count = 0;
    int code = 0;
    while (!code && (count = take_tasks(&s->work, 1, 1, &task)) > 0) {
        code = begin_task(s);
        if (!code)
            code = explain_task(s, task);
        code = end_task(s, task, code, !was_interrupted());
    }
    code = stop_tasks(&s->work, count < 0 ? EXIT_INTERNAL : code);
    while (next_task_of_others(&s->work) >= 0)
        ;
    if (recalls_results(&s->work))
        s->unread = 0; /* the records tell */
    for (task = 0; !code && task < s->work.tasks && recalls_results(&s->work); task++)
        if (record_of(&s->work, task))
            code = recall_task(s, task);
    return code;
}

int atled_explain(int argc, char **argv)
{
    explain_session s = {.set = {.model = "cifar10",
                                 .output = ".",
                                 .baseline = "black",
                                 .samples = 50,
                                 .masks = 2000,
                                 .steps = 50,
                                 .cells = 7,
                                 .iterations = 256,
                                 .batch = 8}};
    char command[4096];
    int code;
    shell_command(argc, argv, command, sizeof command);
    if (!read_explain_options(&s.set, argc, argv, &code)) {
        end_work(&s.work, &s.set.shard);
        return code;
    }
    s.out = stdout;
    s.progress = start_progress(s.set.quiet || this_rank());
    code = start_explaining(&s);
    if (!code && s.set.report) {
        s.report = html_report_new("atled explain", command, s.set.picture_count);
        code = s.report ? 0 : report_failure("explain");
    }
    if (!code) {
        catch_interrupts();
        code = explain_all(&s);
    }
    if (!code && !shows_results(&s.work))
        code = close_work(&s.work);
    else if (!code && s.report && html_report_write(s.report, s.set.report))
        code = report_failure("explain");
    if (!code)
        code = end_compiling("explain", &s.set.compile);
    if (!code && was_interrupted())
        code = EXIT_GOAL_NOT_MET;
    if (!this_rank())
        code = end_without_pictures("explain", code, s.unread);
    end_explaining(&s);
    return code;
}
