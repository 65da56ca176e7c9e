/* A finished picture of atled attack: its files, its certificate and its record.  The network goes on meanwhile. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "compile_options.h"

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

/* ---- in the background ------------------------------------------------------------------------------------------- */

/* The result in double precision and the files take longer than most attacks. */
typedef struct finished_picture {
    int64_t task;
    json_t *result;
    atl_attack_result attack; /* with copies of the pixels and of the JPEG file; no course, no remark */
} finished_picture;

static void free_finished(finished_picture *f)
{
    json_decref(f->result);
    free((void *)(uintptr_t)f->attack.pixels);
    free((void *)(uintptr_t)f->attack.jpeg);
    free(f);
}

static void *copy_of(const void *bytes, size_t size)
{
    void *copy = malloc(size ? size : 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

/* Null without memory; the result is taken over either way. */
static finished_picture *new_finished(const attack_session *s, int64_t task, const atl_attack_result *r, json_t *result)
{
    const attack_pictures *p = &s->pictures;
    finished_picture *f = calloc(1, sizeof *f);
    if (!f) {
        json_decref(result);
        return NULL;
    }
    *f = (finished_picture){.task = task, .result = result, .attack = *r};
    f->attack.pixels = copy_of(r->pixels, (size_t)(p->height * p->width * p->channels) * sizeof *r->pixels);
    f->attack.jpeg = r->jpeg ? copy_of(r->jpeg, r->jpeg_size) : NULL;
    f->attack.course = NULL;
    f->attack.remark = "";
    if (result && f->attack.pixels && (f->attack.jpeg || !r->jpeg))
        return f;
    free_finished(f);
    return NULL;
}

int note_failure(attack_session *s, int code)
{
    pthread_mutex_lock(&s->mutex);
    s->code = s->code ? s->code : code;
    code = s->code;
    pthread_mutex_unlock(&s->mutex);
    return code;
}

static int is_done(attack_session *s, int64_t task)
{
    pthread_mutex_lock(&s->mutex);
    int done = s->done[task] != NULL;
    pthread_mutex_unlock(&s->mutex);
    return done;
}

static void finish_picture(void *context, void *job)
{
    attack_session *s = context;
    finished_picture *f = job;
    int code = note_failure(s, 0);
    if (!code && s->set.output && !s->set.results_only && !s->set.unrounded)
        code = note_failure(s, write_result_files(s, f->task, &f->attack));
    pthread_mutex_lock(&s->mutex);
    if (!s->code)
        s->code = add_result(s, f->task, json_incref(f->result));
    if (!s->code)
        s->code = add_results_of_others(s);
    s->run_count++;
    s->seconds_inside += f->attack.seconds;
    if (!s->code)
        tell(s);
    pthread_mutex_unlock(&s->mutex);
    free_finished(f);
}

int start_finishing(attack_session *s)
{
    int threads = compile_args_of(&s->set.compile).threads;
    pthread_mutex_init(&s->mutex, NULL);
    s->jobs = start_jobs(threads ? threads : omp_get_max_threads(), finish_picture, s);
    return s->jobs ? 0 : report_no_memory("attack");
}

int end_finishing(attack_session *s)
{
    if (!s->jobs)
        return 0;
    finish_jobs(s->jobs);
    s->jobs = NULL;
    end_progress(&s->progress);
    pthread_mutex_destroy(&s->mutex);
    return s->code;
}

int finish_result(void *context, const atl_attack_result *r)
{
    attack_session *s = context;
    int64_t task = s->task[r->position];
    if (is_done(s, task)) /* by an earlier run; it took part only because all pictures share a change */
        return 0;
    json_t *result = result_of(s, task, r);
    int code = result && s->transfer_attacker ? ask_transfer(s, r, result) : 0;
    if (note_failure(s, code)) {
        json_decref(result);
        return 1;
    }
    finished_picture *f = new_finished(s, task, r, result);
    if (!f)
        return note_failure(s, report_no_memory("attack")) != 0;
    add_job(s->jobs, f);
    return note_failure(s, 0) != 0;
}
