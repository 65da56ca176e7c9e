/* Fools a network for many targets at once: each target by a thread that runs the loop as if it were alone; the queue
 * answers what they ask. */
#include <math.h>
#include <pthread.h>

#include "attack/fooler.h"
#include "attack/queue.h"
#include "graph/error.h"
#include "graph/memory.h"

/* All targets of a call. */
typedef struct job {
    const atl_fool_many_args *args;
    atl_fooler *fooler;
    atl_query_queue *queue;
    int next, stopped;
    pthread_mutex_t lock;   /* of next and stopped */
    pthread_mutex_t report; /* of the callbacks */
} job;

/* One thread, and the memory with which it asks. */
typedef struct asker {
    job *job;
    int position;
    float *scores, *probabilities, *weights; /* [classes] each */
    atl_tensor *gradient;                    /* [1, h, w, c] */
} asker;

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void softmax(int64_t classes, const float *scores, float *probabilities)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < classes; i++)
        most = !((double)scores[i] <= most) ? (double)scores[i] : most; /* a NaN stays */
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] - most);
    for (int64_t i = 0; i < classes; i++)
        probabilities[i] = (float)(exp((double)scores[i] - most) / sum);
}

static atl_status ask_queue(atl_fool_loop *loop, const atl_tensor *picture)
{
    asker *a = loop->asker;
    atl_query q = {.pixels = atl_floats(picture),
                   .scores = a->scores,
                   .gradient = atl_floats(a->gradient),
                   .class = loop->args->target};
    switch (loop->fooler->kind) {
    case ATL_LOSS_LOGIT:
        a->weights[q.class] = -1;
        q.weights = a->weights;
        q.mix[ATL_TERM_WEIGHTED] = 1;
        break;
    case ATL_LOSS_MARGIN:
        q.mix[ATL_TERM_MARGIN] = 1;
        break;
    case ATL_LOSS_SOFTMAX_MSE:
        q.mix[ATL_TERM_OWN] = 1;
        break;
    default:
        q.mix[ATL_TERM_CROSS_ENTROPY] = 1;
    }
    atl_status status = atl_query_queue_ask(a->job->queue, 1, &q);
    a->weights[q.class] = 0;
    softmax(loop->fooler->classes, a->scores, a->probabilities);
    loop->probabilities = a->probabilities;
    loop->gradient = a->gradient;
    loop->loss = q.loss;
    return status;
}

static int is_stopped(job *j)
{
    pthread_mutex_lock(&j->lock);
    int stopped = j->stopped;
    pthread_mutex_unlock(&j->lock);
    return stopped;
}

static void stop(job *j)
{
    pthread_mutex_lock(&j->lock);
    j->stopped = 1;
    pthread_mutex_unlock(&j->lock);
}

/* The loop's callback: hands the progress on, and ends the loop when a callback has asked for it. */
static bool watch(void *context, const atl_fool_progress *progress)
{
    asker *a = context;
    const atl_fool_many_args *args = a->job->args;
    if (args->watch && !is_stopped(a->job)) {
        pthread_mutex_lock(&a->job->report);
        if (args->watch(args->context, a->position, progress))
            stop(a->job);
        pthread_mutex_unlock(&a->job->report);
    }
    return is_stopped(a->job);
}

/* ---- the targets ------------------------------------------------------------------------------------------------- */

static int take_target(job *j)
{
    pthread_mutex_lock(&j->lock);
    int position = j->next < j->args->count && !j->stopped ? j->next++ : -1;
    pthread_mutex_unlock(&j->lock);
    return position;
}

static atl_fool_args args_for(const job *j, int position)
{
    const atl_fool_many_args *args = j->args;
    return (atl_fool_args){.fooler = j->fooler,
                           .target = args->count ? args->targets[position] : 0,
                           .start = args->start,
                           .seed = args->seed,
                           .method = args->method,
                           .iterations = args->iterations,
                           .rate = args->rate,
                           .confidence = args->confidence,
                           .patience = args->patience};
}

static atl_status fool_target(asker *a)
{
    job *j = a->job;
    atl_fool_args args = args_for(j, a->position);
    args.watch = watch;
    args.context = a;
    atl_fool_loop loop = {.args = &args, .fooler = j->fooler, .ask = ask_queue, .asker = a};
    atl_fool_result result = {0};
    atl_status status = atl_fool_loop_run(&loop, &result);
    if (status)
        return status;
    pthread_mutex_lock(&j->report);
    if (j->args->done(j->args->context, a->position, &result))
        stop(j);
    pthread_mutex_unlock(&j->report);
    atl_tensor_free(result.pixels);
    return ATL_OK;
}

static void *fool_targets(void *context)
{
    job *j = context;
    size_t classes = (size_t)j->fooler->classes;
    asker a = {.job = j,
               .scores = atl_allocate(classes, sizeof(float)),
               .probabilities = atl_allocate(classes, sizeof(float)),
               .weights = atl_allocate(classes, sizeof(float)),
               .gradient = atl_tensor_new(ATL_FLOAT32, j->fooler->shape)};
    atl_status status = a.scores && a.probabilities && a.weights && a.gradient ? ATL_OK : atl_out_of_memory();
    while (!status && !atl_query_queue_status(j->queue) && (a.position = take_target(j)) >= 0)
        status = fool_target(&a);
    if (status)
        atl_query_queue_stop(j->queue, status);
    atl_release(a.scores);
    atl_release(a.probabilities);
    atl_release(a.weights);
    atl_tensor_free(a.gradient);
    atl_query_queue_leave(j->queue);
    return NULL;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static atl_status check(const atl_fool_many_args *args)
{
    if (!args->fooler)
        return atl_set_error(ATL_INVALID, "atl_fool_many: the fooler is null: %s", atl_error());
    if (!args->done || args->count < 0 || (args->count && !args->targets))
        return atl_set_error(ATL_INVALID, "atl_fool_many: %s",
                             !args->done       ? ".done is null"
                             : args->count < 0 ? ".count is negative"
                                               : ".targets is null");
    if (args->at_once < 0)
        return atl_set_error(ATL_INVALID, "atl_fool_many: .at_once is %d; it must be positive", args->at_once);
    for (int i = 0; i < args->count; i++) {
        atl_status status = atl_fooler_check_target(args->fooler, args->targets[i]);
        if (status)
            return status;
    }
    const job j = {.args = args, .fooler = args->fooler};
    const atl_fool_args one = args_for(&j, 0);
    return atl_fool_check("atl_fool_many", &one);
}

atl_status atl_fool_many_with(const atl_fool_many_args *args)
{
    if (!args)
        return atl_null_argument("atl_fool_many", "the options are");
    atl_status status = check(args);
    if (!status)
        status = atl_fooler_share(args->fooler);
    if (!status)
        status = atl_attacker_find_sizes(args->fooler->shared);
    if (status || args->count == 0)
        return status;
    job j = {.args = args, .fooler = args->fooler};
    int askers = atl_query_queue_askers(args->fooler->shared, args->at_once, args->count);
    j.queue = atl_query_queue_new(args->fooler->shared, askers, NULL, NULL);
    if (!j.queue)
        return atl_error_status();
    pthread_mutex_init(&j.lock, NULL);
    pthread_mutex_init(&j.report, NULL);
    status = atl_query_queue_run(j.queue, askers, fool_targets, &j);
    if (!status && j.stopped)
        status = atl_set_error(ATL_STOPPED, "atl_fool_many was stopped by a callback");
    atl_query_queue_free(j.queue);
    pthread_mutex_destroy(&j.lock);
    pthread_mutex_destroy(&j.report);
    return status;
}
