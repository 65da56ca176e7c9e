/* atled attack: changes pictures so little that nobody sees it, until a network errs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "attack_spec.h"
#include "html_report.h"
#include "ranks.h"

/* ---- a finished picture ------------------------------------------------------------------------------------------ */

/* What the second network says of it: added to the result. */
static int ask_transfer(attack_session *s, const atl_attack_result *r, json_t *result)
{
    const attack_pictures *p = &s->pictures;
    int classes = s->transfer.size.classes, top = 0;
    atl_tensor *picture = atl_tensor_of_floats(ATL_SHAPE(1, p->height, p->width, p->channels), r->pixels);
    float *scores = malloc((size_t)classes * sizeof *scores);
    int code = picture && scores ? 0 : report_no_memory("attack");
    if (!code && atl_attacker_scores(s->transfer_attacker, picture, scores))
        code = report_failure("attack");
    for (int i = 1; i < classes && !code; i++)
        top = scores[i] > scores[top] ? i : top;
    if (!code)
        json_object_set_new(result, "transfer_top", json_integer(top));
    atl_tensor_free(picture);
    free(scores);
    return code;
}

/* Everything about it that is the same in every run of the command: no times. */
static json_t *result_of(const attack_session *s, int64_t task, const atl_attack_result *r)
{
    int64_t picture = s->pictures.count ? task / (s->tasks / s->pictures.count) : 0;
    json_t *o = json_object();
    json_object_set_new(o, "task", json_integer(task));
    json_object_set_new(o, "picture", json_integer(r->picture));
    if (s->pictures.path[picture])
        json_object_set_new(o, "path", json_string(s->pictures.path[picture]));
    json_object_set_new(o, "label", json_integer(r->label));
    if (r->target >= 0)
        json_object_set_new(o, "target", json_integer(r->target));
    json_object_set_new(o, "clean_top", json_integer(r->clean_top));
    json_object_set_new(o, "top", json_integer(r->top));
    json_object_set_new(o, "already", json_boolean(r->clean_met));
    json_object_set_new(o, "met", json_boolean(r->met));
    json_object_set_new(o, "margin_before", json_real(r->margin_before));
    json_object_set_new(o, "margin_after", json_real(r->margin_after));
    for (int n = ATL_NORM_LINF; n <= ATL_NORM_L0; n++)
        json_object_set_new(o, atl_norm_name((atl_norm)n), json_real(r->size[n]));
    json_object_set_new(o, "forwards", json_integer(r->forwards));
    json_object_set_new(o, "gradients", json_integer(r->gradients));
    json_object_set_new(o, "zero_gradients", json_integer(r->zero_gradients));
    if (r->course_count > 1) { /* the page of --report draws it */
        json_t *course = json_array();
        for (int i = 0; i < r->course_count; i++) /* enough to draw, and short */
            json_array_append_new(course, json_integer(llround(1e4 * (double)r->course[i])));
        json_object_set_new(o, "course_10000ths", course);
        json_object_set_new(o, "course_every", json_integer(r->course_every));
    }
    if (r->remark[0])
        json_object_set_new(o, "remark", json_string(r->remark));
    return o;
}

static void tell(attack_session *s)
{
    double seconds = seconds_now() - s->start;
    int64_t left = s->work.here - s->done_count;
    show_progress(&s->progress, left == 0, "%lld of %lld done, %lld reached the goal, %.1f s, %.0f s left",
                  (long long)s->done_count, (long long)s->work.here, (long long)s->met_count, seconds,
                  seconds / (double)s->run_count * (double)left);
}

static int watch(void *context, const atl_attack_result *r)
{
    attack_session *s = context;
    int64_t task = s->task[r->position];
    if (s->done[task]) /* by an earlier run; it took part only because all pictures share a change */
        return 0;
    json_t *result = result_of(s, task, r);
    if (!result)
        s->code = report_no_memory("attack");
    if (!s->code && s->transfer_attacker)
        s->code = ask_transfer(s, r, result);
    if (!s->code && s->set.output && !s->set.results_only && !s->set.unrounded)
        s->code = write_result_files(s, task, r);
    if (!s->code)
        s->code = add_result(s, task, result);
    else
        json_decref(result);
    if (!s->code)
        s->code = add_results_of_others(s);
    s->run_count++;
    s->seconds_inside += r->seconds;
    if (!s->code)
        tell(s);
    return s->code != 0;
}

static int poll_interrupt(void *context)
{
    (void)context;
    return was_interrupted();
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* The tensors and lists of the tasks that are not done. */
typedef struct open_tasks {
    int64_t count;
    atl_tensor *pictures;
    int32_t *labels, *targets;
    int64_t *indices;
} open_tasks;

/* Of the first `count_now` of s->task. */
static int gather(attack_session *s, int64_t count_now, open_tasks *t)
{
    const attack_pictures *p = &s->pictures;
    int64_t each = p->count ? s->tasks / p->count : 1, elements = p->height * p->width * p->channels;
    *t = (open_tasks){.count = count_now};
    size_t count = (size_t)(t->count ? t->count : 1);
    t->pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(t->count, p->height, p->width, p->channels));
    t->labels = malloc(count * sizeof *t->labels);
    t->targets = malloc(count * sizeof *t->targets);
    t->indices = malloc(count * sizeof *t->indices);
    if (!t->pictures || !t->labels || !t->targets || !t->indices)
        return report_no_memory("attack");
    for (int64_t k = 0; k < t->count; k++) {
        int64_t picture = s->task[k] / each;
        memcpy(atl_floats(t->pictures) + k * elements, p->pixels + picture * elements,
               (size_t)elements * sizeof(float));
        t->labels[k] = p->label[picture];
        t->targets[k] = s->targets ? s->targets[s->task[k]] : 0;
        t->indices[k] = p->index[picture];
    }
    return 0;
}

static void free_tasks(open_tasks *t)
{
    atl_tensor_free(t->pictures);
    free(t->labels);
    free(t->targets);
    free(t->indices);
}

/* The first `count` of s->task. */
static int run_tasks(attack_session *s, int64_t count)
{
    const attack_options *set = &s->set;
    open_tasks t;
    int code = gather(s, count, &t);
    atl_status status =
        code ? ATL_OK
             : atl_attack(s->attacker, .method = set->method, .pictures = t.pictures, .labels = t.labels,
                          .targets = t.targets, .goal = s->goal, .norm = (atl_norm)set->norm, .eps = set->eps,
                          .indices = t.indices, .seed = (uint64_t)set->seed, .steps = (int)set->steps,
                          .restarts = (int)set->restarts, .step_size = set->step_size, .confidence = set->confidence,
                          .at_once = set->at_once, .jpeg = (int)set->jpeg, .unrounded = set->unrounded, .watch = watch,
                          .poll = poll_interrupt, .context = s);
    free_tasks(&t);
    end_progress(&s->progress);
    if (code || s->code)
        return code ? code : s->code;
    if (status == ATL_NOT_FINITE)
        return report_error("attack", EXIT_GOAL_NOT_MET, "%s", atl_error());
    if (status && !was_interrupted())
        return report_failure("attack");
    return 0;
}

static int run(attack_session *s)
{
    enum { LEAST = 16 }; /* so that batches are full */
    int64_t least = s->set.at_once ? s->set.at_once : LEAST, count = 0;
    int code = 0;
    s->start = seconds_now();
    if (atl_attack_method_find(s->set.method)->is_shared) { // one change of all pictures, done or not
        for (int64_t i = 0; i < s->tasks; i++)
            s->task[i] = i;
        code = s->done_count < s->tasks ? run_tasks(s, s->tasks) : 0;
    } else {
        while (!code && (count = take_tasks(&s->work, least, s->tasks, s->task)) > 0)
            code = run_tasks(s, count);
    }
    code = stop_tasks(&s->work, count < 0 ? EXIT_INTERNAL : code);
    return code ? code : add_results_of_others(s);
}

int atled_attack(int argc, char **argv)
{
    attack_session s = {.set = {.method = "pgd", .part = ATL_TEST}};
    int code;
    char command[4096];
    shell_command(argc, argv, command, sizeof command);
    if (!read_attack_options(&s.set, argc, argv, &code)) {
        end_work(&s.work, &s.set.shard);
        return code;
    }
    if (s.set.spec) {
        end_work(&s.work, &s.set.shard);
        return attack_spec(&s.set);
    }
    s.progress = start_progress(s.set.quiet || this_rank());
    code = start_attacking(&s);
    if (!code)
        catch_interrupts();
    if (!code)
        code = run(&s);
    int closed = close_results(&s);
    code = code ? code : closed;
    if (!code)
        code = end_compiling("attack", &s.set.compile);
    if (!code && !shows_results(&s.work))
        code = close_work(&s.work);
    else if (!code) {
        if (s.set.report)
            code = write_attack_report(&s, command);
        print_table(&s);
        if (!code)
            code = s.met_count == s.tasks ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
    }
    end_attacking(&s);
    return code;
}
