/* Attacks many pictures at once: each by a thread that asks the network as if it were alone. */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "atled/files.h"
#include "attack/attempt.h"
#include "attack/remarks.h"
#include "attack/shared_change.h"
#include "attack/stored.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

/* All pictures of a call. */
typedef struct job {
    const atl_attack_args *args;
    const atl_attack_method *method;
    atl_attacker *attacker;
    atl_query_queue *queue;
    atl_shared_change shared; /* of a method that has one */
    int64_t pictures, next;
    pthread_mutex_t lock;   /* of next */
    pthread_mutex_t report; /* of watch */
} job;

const char *atl_norm_name(atl_norm norm)
{
    static const char *const names[] = {"linf", "l2", "l1", "l0"};
    return norm >= ATL_NORM_LINF && norm <= ATL_NORM_L0 ? names[norm] : "";
}

static int64_t index_of(const atl_attack_args *args, int64_t position)
{
    return args->indices ? args->indices[position] : position;
}

/* ---- one picture ------------------------------------------------------------------------------------------------- */

static int top_of(int classes, const float *scores)
{
    int top = 0;
    for (int i = 1; i < classes; i++)
        top = scores[i] > scores[top] ? i : top;
    return top;
}

static int least_of(int classes, const float *scores, int except)
{
    int least = except == 0;
    for (int i = 0; i < classes; i++)
        least = i != except && scores[i] < scores[least] ? i : least;
    return least;
}

static int target_of(atl_attempt *a, int64_t index, const float *scores)
{
    const atl_attack_args *args = a->args;
    switch (args->goal) {
    case ATL_GOAL_CLASS:
        return args->targets[index];
    case ATL_GOAL_LEAST_LIKELY:
        return least_of(a->task.classes, scores, a->task.label);
    case ATL_GOAL_RANDOM: {
        int drawn = (int)(atl_attempt_uniform(a) * (a->task.classes - 1));
        return drawn + (drawn >= a->task.label);
    }
    default:
        return -1;
    }
}

static atl_status check_scores(const atl_attempt *a, int64_t picture, const float *scores)
{
    for (int i = 0; i < a->task.classes; i++)
        if (!isfinite(scores[i]))
            return atl_set_error(ATL_NOT_FINITE,
                                 "picture %lld: the score of class %d is %g: are these the weights of this network?",
                                 (long long)picture, i, (double)scores[i]);
    return ATL_OK;
}

/* Levels of the picture, and the unchanged picture's scores. */
static atl_status begin_picture(const job *j, int64_t index, atl_attempt *a, float *scores)
{
    const atl_attack_args *args = j->args;
    const atl_attacker *attacker = j->attacker;
    const float *pixels = atl_floats(args->pictures) + index * attacker->count;
    float *levels = atl_allocate((size_t)attacker->count, sizeof *levels);
    if (!levels)
        return atl_out_of_memory();
    for (int64_t i = 0; i < attacker->count; i++)
        levels[i] = (float)(((double)pixels[i] - attacker->lowest) / attacker->unit);
    atl_status status = atl_attempt_begin(a, levels);
    atl_release(levels);
    a->task.label = args->labels ? args->labels[index] : 0;
    a->task.target = -1;
    if (!status)
        status = atl_query_queue_ask(j->queue, 1, &(atl_query){.pixels = a->original, .scores = scores});
    if (!status)
        status = check_scores(a, index_of(args, index), scores);
    if (status)
        return status;
    atl_remark_on_scores(a, scores);
    a->task.label = args->labels ? a->task.label : top_of(a->task.classes, scores);
    a->task.target = target_of(a, index, scores);
    return ATL_OK;
}

static atl_status run_method(atl_attempt *a)
{
    atl_status status = a->args->jpeg ? atl_run_for_jpeg(a) : a->method->run(a);
    if (!status && a->method->is_minimal && a->task.is_rounded && isfinite(a->unrounded_size))
        status = atl_attempt_polish(a, a->unrounded);
    int has_nothing = a->method->is_minimal && a->task.is_rounded && !a->met && !a->args->own_method;
    if (!status && has_nothing && a->method->run != atl_method_best) { /* a result in the file for every picture */
        atl_attempt_set_steps(a, atl_attack_method_find("best")->steps, 1);
        status = atl_method_best(a);
    }
    return status;
}

static void describe(const job *j, atl_attempt *a, const float *scores, atl_attack_result *result)
{
    const atl_attack_args *args = j->args;
    double levels = args->eps.under ? 255.0 * (double)args->eps.over / (double)args->eps.under : INFINITY;
    result->top = top_of(a->task.classes, scores);
    result->margin_after = atl_attempt_margin(a, scores);
    for (int n = ATL_NORM_LINF; n <= ATL_NORM_L0; n++)
        result->size[n] =
            atl_change_size((atl_norm)n, a->task.count, a->original, a->best) / (n == ATL_NORM_L0 ? 1 : 255);
    double size = atl_change_size(a->task.norm, a->task.count, a->original, a->best);
    levels = args->norm == ATL_NORM_L0 && args->eps.under ? (double)args->eps.over / (double)args->eps.under : levels;
    result->met = result->margin_after > 0 && (result->clean_met || a->met) &&
                  size <= levels * (a->task.is_rounded ? 1 : 1 + 1e-6);
    result->forwards = a->forwards;
    result->gradients = a->gradients;
    result->zero_gradients = a->zero_gradients;
    result->remark = a->remark ? a->remark : "";
    atl_course_end(&a->course, a->task.classes, scores, a->task.target >= 0 ? a->task.target : a->task.label);
    result->course = a->course.probability;
    result->course_count = a->course.count;
    result->course_every = a->course.every ? a->course.every : 1;
}

static atl_status attack_picture(job *j, int64_t index, atl_attempt *a, float *scores)
{
    double start = atl_seconds_now();
    const atl_attack_args *args = j->args;
    atl_attack_result result = {.position = index, .picture = index_of(args, index)};
    atl_status status = begin_picture(j, index, a, scores);
    if (status)
        return status;
    result.label = a->task.label;
    result.target = a->task.target;
    result.clean_top = top_of(a->task.classes, scores);
    result.margin_before = a->clean_margin = atl_attempt_margin(a, scores);
    result.clean_met = result.margin_before > 0;
    int runs = (!result.clean_met || args->attack_wrong) && a->task.eps > 0;
    if (a->task.is_rounded && a->task.norm == ATL_NORM_LINF && a->task.eps > 0 && a->task.eps < 1) {
        atl_attempt_remark(a, "eps is below one level: no change of this size can be stored in 8 bits");
        runs = 0;
    }
    if (runs)
        status = run_method(a);
    if (!status) /* the verdict: the result as a file stores it */
        status = atl_query_queue_ask(j->queue, 1, &(atl_query){.pixels = a->best, .scores = scores});
    if (status)
        return status;
    double margin = isfinite(a->best_margin) ? a->best_margin : result.margin_before; /* as judged before */
    atl_remark_on_margins(a, scores, margin, atl_attempt_margin(a, scores));
    describe(j, a, scores, &result);
    float *pixels = a->unrounded; /* no longer needed */
    for (int64_t i = 0; i < a->task.count; i++)
        pixels[i] = (float)(j->attacker->lowest + j->attacker->unit * (double)a->best[i]);
    result.pixels = pixels;
    void *file = NULL;
    if (args->jpeg)
        status = atl_stored_file(a, &file, &result.jpeg_size);
    if (status)
        return status;
    result.jpeg = file;
    result.seconds = atl_seconds_now() - start;
    pthread_mutex_lock(&j->report);
    if (!atl_query_queue_status(j->queue) && args->watch(args->context, &result)) {
        status = atl_set_error(ATL_STOPPED, "the attack was stopped");
        atl_query_queue_stop(j->queue, status); /* before another thread reports */
    }
    pthread_mutex_unlock(&j->report);
    atl_bytes_free(file);
    return status;
}

/* ---- all pictures ------------------------------------------------------------------------------------------------ */

static atl_attempt attempt_for(const job *j, int64_t index)
{
    const atl_attack_args *args = j->args;
    atl_attempt a = {.args = args,
                     .method = j->method,
                     .attacker = j->attacker,
                     .queue = j->queue,
                     .shared = &j->shared,
                     .forwards = j->shared.forwards,
                     .gradients = j->shared.gradients,
                     .seed = atl_random_bits(args->seed, (uint64_t)index_of(args, index))};
    double unit = args->norm == ATL_NORM_L0 ? 1 : 255;
    a.task = (atl_attempt_task){.height = j->attacker->shape.rank == 4 ? j->attacker->shape.size[1] : 0,
                                .channels = j->attacker->shape.rank == 4 ? j->attacker->shape.size[3] : 1,
                                .classes = j->attacker->classes,
                                .norm = args->norm,
                                .eps = args->eps.under && !j->method->is_minimal
                                           ? unit * (double)args->eps.over / (double)args->eps.under
                                       : args->eps.under && args->eps.over == 0 ? 0
                                                                                : INFINITY,
                                .steps = args->steps ? args->steps : j->method->steps,
                                .restarts = args->restarts ? args->restarts : j->method->restarts,
                                .step_size = 255 * args->step_size,
                                .is_rounded = !args->unrounded};
    a.limit = a.task.eps;
    return a;
}

static void *attack_pictures(void *context)
{
    job *j = context;
    float *scores = atl_allocate((size_t)j->attacker->classes, sizeof *scores);
    atl_status status = scores ? ATL_OK : atl_out_of_memory();
    while (!status && !atl_query_queue_status(j->queue)) {
        pthread_mutex_lock(&j->lock);
        int64_t index = j->next < j->pictures ? j->next++ : -1;
        pthread_mutex_unlock(&j->lock);
        if (index < 0)
            break;
        atl_attempt a = attempt_for(j, index);
        status = attack_picture(j, index, &a, scores);
        atl_attempt_end(&a);
    }
    if (status)
        atl_query_queue_stop(j->queue, status);
    atl_release(scores);
    atl_query_queue_leave(j->queue);
    return NULL;
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static atl_status check_method(const atl_attack_args *args, const atl_attack_method **method_out)
{
    const char *name = args->method ? args->method : "pgd";
    const atl_attack_method *m = args->own_method ? args->own_method : atl_attack_method_find(name);
    *method_out = m;
    if (!m)
        return atl_set_error(ATL_INVALID, "atl_attack: there is no method '%s'", name);
    if (!m->run || !m->name || (m->is_shared && args->own_method))
        return atl_set_error(ATL_INVALID, "atl_attack: .own_method has no name or no function, or .is_shared");
    if (!atl_norm_name(args->norm)[0] || !(m->norms >> args->norm & 1))
        return atl_set_error(ATL_INVALID, "atl_attack: the method %s has no norm %s", m->name,
                             atl_norm_name(args->norm)[0] ? atl_norm_name(args->norm) : "of that number");
    if (args->eps.under < 0 || args->eps.over < 0 || (args->eps.under == 0 && args->eps.over != 0))
        return atl_set_error(ATL_INVALID, "atl_attack: .eps is %lld/%lld, but must not be negative",
                             (long long)args->eps.over, (long long)args->eps.under);
    if (args->eps.under == 0 && !m->is_minimal)
        return atl_set_error(ATL_INVALID, "atl_attack: the method %s needs .eps", m->name);
    if (args->norm == ATL_NORM_LINF && args->eps.over > args->eps.under)
        return atl_set_error(ATL_INVALID, "atl_attack: .eps is %lld/%lld, more than the whole range of a pixel",
                             (long long)args->eps.over, (long long)args->eps.under);
    return ATL_OK;
}

static atl_status check_classes(const char *what, int64_t count, const int32_t *class, int classes)
{
    for (int64_t i = 0; class && i < count; i++)
        if (class[i] < 0 || class[i] >= classes)
            return atl_set_error(ATL_INVALID, "atl_attack: %s[%lld] is %d, but the network has classes 0..%d", what,
                                 (long long)i, class[i], classes - 1);
    return ATL_OK;
}

static atl_status check(const atl_attack_args *args)
{
    char given[160], wanted[160];
    const atl_attacker *a = args->attacker;
    if (!a || !args->pictures || !args->watch)
        return atl_set_error(ATL_INVALID, "atl_attack: %s is null%s%s",
                             !a                ? "the attacker"
                             : !args->pictures ? ".pictures"
                                               : ".watch",
                             !a && atl_error()[0] ? ": " : "", !a ? atl_error() : "");
    atl_shape shape = atl_tensor_shape(args->pictures), expected = a->shape;
    expected.size[0] = shape.size[0];
    if (!atl_floats(args->pictures) || !atl_shape_equal(shape, expected))
        return atl_set_error(ATL_INVALID, "atl_attack: the pictures are %s, but the network takes float32 %s",
                             atl_shape_text(shape, given, sizeof given),
                             atl_shape_text(a->shape, wanted, sizeof wanted));
    if (args->goal < ATL_GOAL_LEAVE || args->goal > ATL_GOAL_LEAST_LIKELY)
        return atl_set_error(ATL_INVALID, "atl_attack: .goal is %d", (int)args->goal);
    if (args->goal == ATL_GOAL_CLASS && !args->targets)
        return atl_set_error(ATL_INVALID, "atl_attack: .targets are missing");
    if (args->steps < 0 || args->restarts < 0 || args->at_once < 0 || !(args->step_size >= 0) ||
        !(args->confidence >= 0))
        return atl_set_error(ATL_INVALID, "atl_attack: .steps, .restarts, .step_size and .confidence must not be "
                                          "negative");
    if (check_classes(".labels", shape.size[0], args->labels, a->classes))
        return ATL_INVALID;
    return check_classes(".targets", shape.size[0], args->goal == ATL_GOAL_CLASS ? args->targets : NULL, a->classes);
}

/* The change that all pictures share, by a queue of its own. */
static atl_status find_shared_change(job *j)
{
    const atl_attack_args *args = j->args;
    if (args->goal == ATL_GOAL_RANDOM || args->goal == ATL_GOAL_LEAST_LIKELY)
        return atl_set_error(ATL_INVALID,
                             "atl_attack: the method %s has one change for all pictures: give it a class "
                             "as the goal, or none",
                             j->method->name);
    if (args->eps.over == 0)
        return ATL_OK;
    atl_attempt shape = attempt_for(j, 0);
    shape.task.count = j->attacker->count;
    shape.queue = atl_query_queue_new(j->attacker, 1, args->poll, args->context);
    if (!shape.queue)
        return atl_error_status();
    atl_status status = atl_shared_change_find(&shape, &j->shared);
    atl_query_queue_leave(shape.queue);
    atl_query_queue_free(shape.queue);
    return status;
}

atl_status atl_attack_with(const atl_attack_args *args)
{
    if (!args)
        return atl_null_argument("atl_attack", "the options are");
    job j = {.args = args, .attacker = args->attacker};
    atl_status status = check(args);
    if (!status)
        status = check_method(args, &j.method);
    if (!status)
        status = atl_check_jpeg(args, j.method, args->attacker->shape);
    if (!status)
        status = atl_attacker_find_sizes(args->attacker);
    if (status)
        return status;
    j.pictures = atl_tensor_shape(args->pictures).size[0];
    int askers = atl_query_queue_askers(j.attacker, args->at_once, j.pictures);
    if (askers == 0)
        return ATL_OK;
    status = j.method->is_shared ? find_shared_change(&j) : ATL_OK;
    j.queue = status ? NULL : atl_query_queue_new(j.attacker, askers, args->poll, args->context);
    if (!j.queue) {
        atl_shared_change_free(&j.shared);
        return status ? status : atl_error_status();
    }
    pthread_mutex_init(&j.lock, NULL);
    pthread_mutex_init(&j.report, NULL);
    status = atl_query_queue_run(j.queue, askers, attack_pictures, &j);
    atl_query_queue_free(j.queue);
    atl_shared_change_free(&j.shared);
    pthread_mutex_destroy(&j.lock);
    pthread_mutex_destroy(&j.report);
    return status;
}
