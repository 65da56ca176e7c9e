/* Runs many pictures through one program of an explainer, in batches. */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "explain/explainer.h"
#include "graph/error.h"

/* The feeds of one run. */
typedef struct batch_run {
    atl_tensor *pictures, *targets;
    int64_t size;  /* of the batch */
    int64_t first; /* picture */
    int64_t count; /* of pictures; the rest of the batch repeats the last one */
} batch_run;

/* Pictures that do not fill a batch run one by one if they are few: another size would need a plan of its own. */
static batch_run next_run(atl_explainer *e, const atl_kind_program *k, int64_t first, int64_t left)
{
    int alone = e->fixed_batch < 0 && (k->batch == 1 || left * 2 <= k->batch);
    batch_run run = {alone ? e->picture : e->pictures, alone ? e->one_target : e->targets, alone ? 1 : k->batch, first,
                     1};
    run.count = left < run.size ? left : run.size;
    return run;
}

static atl_status fill(const atl_explain_job *job, const batch_run *run)
{
    int64_t pixels = atl_explain_pixels(job->explainer);
    float *to = atl_floats(run->pictures);
    for (int64_t i = 0; i < run->size; i++, to += pixels) {
        atl_ints(run->targets)[i] = job->target;
        if (i >= run->count) {
            memcpy(to, to - pixels, (size_t)pixels * sizeof *to);
            continue;
        }
        atl_status status = job->fill(job->data, run->first + i, to);
        if (status)
            return status;
    }
    return ATL_OK;
}

/* Example i of an output whose first size is the batch; null if the output is. */
static const float *example(const atl_tensor *value, int64_t i)
{
    if (!value)
        return NULL;
    return atl_floats(value) + i * (atl_tensor_count(value) / atl_tensor_shape(value).size[0]);
}

/* A network that says NaN has no explanation. */
static atl_status check_finite(const atl_explain_job *job, const atl_explain_item *item)
{
    for (int64_t i = 0; i < job->explainer->classes; i++)
        if (!isfinite(item->scores[i]))
            return atl_set_error(
                ATL_NOT_FINITE,
                "atl_explain: the score of class %lld is not a finite number: are these the weights of "
                "this network?",
                (long long)i);
    return ATL_OK;
}

static atl_status take(const atl_explain_job *job, const atl_kind_program *k, const batch_run *run)
{
    const atl_explainer *e = job->explainer;
    const atl_tensor *layer = job->kind == ATL_KIND_LAYER ? atl_value(k->program, e->layer) : NULL;
    const atl_tensor *gradient = k->gradient ? atl_value(k->program, k->gradient) : NULL;
    const atl_tensor *scores = atl_value(k->program, e->scores),
                     *probabilities = atl_value(k->program, e->probabilities);
    if (!scores || !probabilities || (k->gradient && !gradient) || (job->kind == ATL_KIND_LAYER && !layer))
        return atl_error_status();
    for (int64_t i = 0; i < run->count; i++) {
        atl_explain_item item = {example(scores, i), example(probabilities, i), example(gradient, i),
                                 example(layer, i)};
        atl_status status = check_finite(job, &item);
        if (!status)
            status = job->take(job->data, run->first + i, &item);
        if (status)
            return status;
    }
    return ATL_OK;
}

static atl_status tell(const atl_explain_job *job, int64_t done)
{
    const atl_explain_args *args = job->args;
    int64_t all = job->all ? job->all : job->count;
    if (args && args->watch && args->watch(args->context, job->done_before + done, all))
        return atl_set_error(ATL_STOPPED, "atl_explain: stopped after %lld of %lld picture%s",
                             (long long)(job->done_before + done), (long long)all, atl_plural(all));
    return ATL_OK;
}

atl_status atl_explain_run(const atl_explain_job *job)
{
    atl_explainer *e = job->explainer;
    atl_kind_program *k = &e->kind[job->kind];
    atl_status status = atl_explain_prepare(e, job->kind);
    if (!status) /* another kind may have had another batch */
        status = atl_explain_feeds(e, k->batch);
    for (int64_t done = 0; !status && done < job->count;) {
        batch_run run = next_run(e, k, done, job->count - done);
        status = fill(job, &run);
        if (!status)
            status = atl_run(k->program, ATL_FEEDS({e->image, run.pictures}, {e->target, run.targets}));
        if (!status)
            status = take(job, k, &run);
        done += run.count;
        if (!status)
            status = tell(job, done);
    }
    return status;
}
