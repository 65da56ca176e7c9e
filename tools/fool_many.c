/* atled fool for several targets, which run at the same time. */
#include <stdlib.h>
#include <string.h>

#include "fool_session.h"

/* ---- the course -------------------------------------------------------------------------------------------------- */

/* Room for one more probability; 0 without memory. */
static int grow(fool_record *r)
{
    if (r->count < r->room)
        return 1;
    int room = r->room ? 2 * r->room : 64;
    double *more = realloc(r->course, (size_t)room * sizeof *more);
    if (!more)
        return 0;
    r->course = more;
    r->room = room;
    return 1;
}

static void tell_progress(fool_session *s)
{
    double seconds = seconds_now() - s->begun;
    int here = (int)s->work.here, left = here - s->done;
    char time_left[40] = "";
    if (s->done)
        snprintf(time_left, sizeof time_left, ", %.0f s left", seconds / s->done * left);
    show_progress(&s->progress, s->iterations_in_all == 0, "%d of %d done, %d fooled  %.1f iterations/s%s", s->done,
                  here, s->met, seconds > 0 ? (double)s->iterations_in_all / seconds : 0, time_left);
}

static bool watch(void *context, int position, const atl_fool_progress *now)
{
    fool_session *s = context;
    fool_record *r = &s->records[s->task[position]];
    tell_progress(s);
    s->iterations_in_all += now->iteration > 0;
    if (grow(r))
        r->course[r->count++] = now->probability;
    else
        s->code = report_no_memory("fool");
    return s->code || was_interrupted();
}

/* ---- a target that is done --------------------------------------------------------------------------------------- */

/* Writes the file and reads it back.  The network alone may differ in rounding from what it said in a run of many: if
 * so, goes on from the file. */
static int write_target(fool_session *s, fool_record *r, const char *path, atl_fool_result *result, atl_tensor **file)
{
    if (atl_write_png(path, result->pixels))
        return report_failure("fool");
    int code = read_fooled(s, path, file, &r->verdict);
    if (code || r->verdict.met || !result->met || result->iterations >= s->set.iterations)
        return code;
    while (r->room <= s->set.iterations && !code) {
        r->count = r->room;
        code = grow(r) ? 0 : report_no_memory("fool");
    }
    atl_tensor_free(result->pixels);
    result->pixels = NULL;
    s->probability = r->course;
    return code ? code : descend_from(s, path, result, file, &r->verdict);
}

/* The verdicts are told in the order of the targets, whichever ends first: on those before the first target that still
 * runs, or, at the end, on all that are done. */
static void tell_verdicts(fool_session *s, int is_end)
{
    char path[4096];
    for (; s->told < s->running; s->told++) {
        int position = (int)s->task[s->told];
        fool_record *r = &s->records[position];
        if (!r->is_done && !is_end)
            return;
        if (!r->is_done)
            continue;
        s->target = s->targets[position];
        path_for_target(s, s->target, s->set.output, path, sizeof path);
        keep_fooled(s, position, path, &r->result, r->file, &r->verdict);
        r->file = NULL;
    }
}

static bool keep_target(void *context, int at, atl_fool_result *result)
{
    fool_session *s = context;
    int position = (int)s->task[at];
    fool_record *r = &s->records[position];
    char path[4096];
    atl_tensor *file = NULL;
    s->target = s->targets[position];
    path_for_target(s, s->target, s->set.output, path, sizeof path);
    if (!s->code)
        s->code = write_target(s, r, path, result, &file);
    s->probability = r->course;
    if (!s->code)
        s->code = draw_fooled(s, result, file, &r->verdict);
    r->result = *result;
    r->result.pixels = NULL; /* freed by the caller */
    r->is_done = !s->code;
    if (!s->code && !was_interrupted() && keeps_records(&s->work))
        s->code = keep_record(&s->work, position, record_of_target(s, position));
    s->done++;
    if (!s->code && !recalls_results(&s->work) && s->set.sheet)
        r->file = file;
    else
        atl_tensor_free(file);
    if (!recalls_results(&s->work))
        tell_verdicts(s, 0);
    tell_progress(s);
    return s->code != 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* The report has the targets in their order, so it is made of the files when all are done. */
static int report_targets(fool_session *s)
{
    char path[4096];
    int code = 0;
    for (int i = 0; i < s->target_count && !code; i++) {
        fool_record *r = &s->records[i];
        if (!r->is_done)
            continue;
        s->target = s->targets[i];
        s->probability = r->course;
        path_for_target(s, s->target, s->set.output, path, sizeof path);
        atl_tensor *file = atl_read_image(path);
        code = file ? add_to_fool_report(s, path, &r->result, file, &r->verdict) : report_failure("fool");
        atl_tensor_free(file);
    }
    return code;
}

/* The first `count` of s->task. */
static int run_targets(fool_session *s, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        s->chosen[i] = s->targets[s->task[i]];
    s->running = count;
    s->told = 0;
    atl_status status =
        atl_fool_many(s->fooler, .count = (int)count, .targets = s->chosen, .start = s->start,
                      .method = fool_descents[s->set.method], .iterations = (int)s->set.iterations,
                      .rate = (float)s->set.rate, .confidence = (float)s->set.confidence,
                      .at_once = (int)s->set.at_once, .watch = watch, .done = keep_target, .context = s);
    if (!recalls_results(&s->work))
        tell_verdicts(s, 1);
    end_progress(&s->progress);
    if (!s->code && status && !was_interrupted())
        return report_error("fool", status == ATL_INVALID ? EXIT_INTERNAL : exit_code_of(status), "%s", atl_error());
    return s->code;
}

int fool_many(fool_session *s)
{
    enum { LEAST = 8 }; /* so that batches are full */
    size_t targets = (size_t)s->target_count;
    int64_t least = s->set.at_once ? s->set.at_once : LEAST, count = 0;
    s->records = calloc(targets, sizeof *s->records);
    s->task = malloc(targets * sizeof *s->task);
    s->chosen = malloc(targets * sizeof *s->chosen);
    if (!s->records || !s->task || !s->chosen)
        return report_no_memory("fool");
    double *own_course = s->probability;
    int code = 0;
    s->begun = seconds_now();
    while (!code && (count = take_tasks(&s->work, least, s->target_count, s->task)) > 0)
        code = run_targets(s, count);
    code = stop_tasks(&s->work, count < 0 ? EXIT_INTERNAL : code);
    while (next_task_of_others(&s->work) >= 0)
        ;
    for (int i = 0; i < s->target_count && !code && recalls_results(&s->work); i++)
        code = record_of(&s->work, i) ? recall_target(s, i) : 0;
    if (!code && s->report && shows_results(&s->work))
        code = report_targets(s);
    s->probability = own_course;
    return code;
}
