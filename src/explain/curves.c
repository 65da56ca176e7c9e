/* Insertion and deletion: the probability while pixels are exchanged in the order of a map. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "explain/explainer.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { USUAL_STEPS = 100, MOST_STEPS = 100000 };

typedef struct ranked {
    float value;
    int64_t pixel;
} ranked;

typedef struct curves_job {
    const atl_explain_curves_args *args;
    const float *x, *baseline; /* null: zeros */
    float *blurred, *scratch;
    ranked *order;
    int steps;
    int64_t pixels, channels;
    float *curve[2]; /* deletion, insertion */
} curves_job;

void atl_explain_curves_free(atl_explain_curves *curves)
{
    if (!curves)
        return;
    atl_tensor_free(curves->deletion);
    atl_tensor_free(curves->insertion);
    *curves = (atl_explain_curves){0};
}

/* The largest first; of equal ones the first in row order. */
static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return (x->pixel > y->pixel) - (x->pixel < y->pixel);
}

/* ---- the blurred picture ----------------------------------------------------------------------------------------- */

/* Blurs lines of `count` elements that lie `stride` apart; beyond the ends lies the last element. */
static void blur_line(const float *from, float *to, int64_t count, int64_t stride, double deviation)
{
    int64_t radius = (int64_t)ceil(3 * deviation);
    for (int64_t i = 0; i < count; i++) {
        double sum = 0, weights = 0;
        for (int64_t k = i - radius; k <= i + radius; k++) {
            double weight = exp(-0.5 * (double)((k - i) * (k - i)) / (deviation * deviation));
            sum += weight * (double)from[(k < 0 ? 0 : k >= count ? count - 1 : k) * stride];
            weights += weight;
        }
        to[i * stride] = (float)(sum / weights);
    }
}

static void blur(curves_job *job)
{
    const atl_explainer *e = job->args->explainer;
    double shorter = (double)(e->height < e->width ? e->height : e->width);
    double deviation = job->args->blur > 0 ? (double)job->args->blur : 5 * shorter / 224;
    int64_t row = e->width * e->channels;
    for (int64_t k = 0; k < row; k++)
        blur_line(job->x + k, job->scratch + k, e->height, row, deviation);
    for (int64_t y = 0; y < e->height; y++)
        for (int64_t c = 0; c < e->channels; c++)
            blur_line(job->scratch + y * row + c, job->blurred + y * row + c, e->width, e->channels, deviation);
}

/* ---- the curves -------------------------------------------------------------------------------------------------- */

/* Pictures 0 to steps are those of the deletion, then those of the insertion. */
static atl_status fill(void *data, int64_t i, float *picture)
{
    const curves_job *job = data;
    int is_insertion = i > job->steps;
    int64_t step = is_insertion ? i - job->steps - 1 : i;
    int64_t exchanged = (int64_t)((double)step * (double)job->pixels / job->steps + 0.5);
    size_t bytes = (size_t)job->channels * sizeof(float);
    memcpy(picture, is_insertion ? job->blurred : job->x, (size_t)job->pixels * bytes);
    for (int64_t k = 0; k < exchanged; k++) {
        int64_t at = job->order[k].pixel * job->channels;
        if (is_insertion)
            memcpy(picture + at, job->x + at, bytes);
        else if (job->baseline)
            memcpy(picture + at, job->baseline + at, bytes);
        else
            memset(picture + at, 0, bytes);
    }
    return ATL_OK;
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    curves_job *job = data;
    int is_insertion = i > job->steps;
    job->curve[is_insertion][is_insertion ? i - job->steps - 1 : i] = item->probabilities[job->args->target];
    return ATL_OK;
}

static double area(const float *curve, int steps)
{
    double sum = 0;
    for (int i = 0; i < steps; i++)
        sum += ((double)curve[i] + (double)curve[i + 1]) / 2 / steps;
    return sum;
}

static atl_status run(curves_job *job)
{
    const atl_explain_curves_args *args = job->args;
    atl_explain_curves *result = args->result_out;
    size_t elements = (size_t)(job->pixels * job->channels);
    job->order = atl_allocate((size_t)job->pixels, sizeof *job->order);
    job->blurred = atl_allocate(elements, sizeof(float));
    job->scratch = atl_allocate(elements, sizeof(float));
    result->deletion = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->steps + 1));
    result->insertion = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->steps + 1));
    if (!job->order || !job->blurred || !job->scratch || !result->deletion || !result->insertion)
        return atl_out_of_memory();
    for (int64_t i = 0; i < job->pixels; i++)
        job->order[i] = (ranked){atl_floats(args->map)[i], i};
    qsort(job->order, (size_t)job->pixels, sizeof *job->order, by_rank);
    blur(job);
    job->curve[0] = atl_floats(result->deletion);
    job->curve[1] = atl_floats(result->insertion);
    atl_status status = atl_explain_run(&(atl_explain_job){.explainer = args->explainer,
                                                           .kind = ATL_KIND_SCORES,
                                                           .target = args->target,
                                                           .count = 2 * (job->steps + 1),
                                                           .fill = fill,
                                                           .take = take,
                                                           .data = job});
    result->deletion_area = area(job->curve[0], job->steps);
    result->insertion_area = area(job->curve[1], job->steps);
    return status;
}

static atl_status check(const atl_explain_curves_args *args, curves_job *job)
{
    char text[160];
    const atl_explainer *e = args->explainer;
    if (args->target < 0 || args->target >= e->classes)
        return atl_set_error(ATL_INVALID, "atl_explain_judge: target %d: the network has classes 0..%lld", args->target,
                             (long long)e->classes - 1);
    if (args->steps < 0 || args->steps > MOST_STEPS || !(args->blur >= 0 && args->blur < 1e4f))
        return atl_set_error(ATL_INVALID, "atl_explain_judge: .steps %d must be 0 to %d, .blur %g 0 to 10000",
                             args->steps, MOST_STEPS, (double)args->blur);
    if (!atl_floats(args->map) || !atl_shape_equal(atl_tensor_shape(args->map), ATL_SHAPE(e->height, e->width)))
        return atl_set_error(ATL_INVALID, "atl_explain_judge: the map is %s, but must be float32 [%lld, %lld]",
                             args->map ? atl_shape_text(atl_tensor_shape(args->map), text, sizeof text) : "null",
                             (long long)e->height, (long long)e->width);
    for (int64_t i = 0; i < e->height * e->width; i++)
        if (!isfinite(atl_floats(args->map)[i]))
            return atl_set_error(ATL_INVALID, "atl_explain_judge: element %lld of the map is not a finite number",
                                 (long long)i);
    job->x = atl_explain_picture(e, "the picture", args->pixels);
    job->baseline = args->baseline ? atl_explain_picture(e, "the baseline", args->baseline) : NULL;
    return job->x && (job->baseline || !args->baseline) ? ATL_OK : ATL_INVALID;
}

atl_status atl_explain_judge_with(const atl_explain_curves_args *args)
{
    if (!args || !args->result_out)
        return atl_null_argument("atl_explain_judge", args ? ".result_out is" : "the options are");
    *args->result_out = (atl_explain_curves){0};
    if (!args->explainer)
        return atl_null_argument("atl_explain_judge", "the explainer is");
    curves_job job = {.args = args,
                      .steps = args->steps ? args->steps : USUAL_STEPS,
                      .pixels = args->explainer->height * args->explainer->width,
                      .channels = args->explainer->channels};
    atl_status status = check(args, &job);
    if (!status)
        status = run(&job);
    if (status)
        atl_explain_curves_free(args->result_out);
    atl_release(job.order);
    atl_release(job.blurred);
    atl_release(job.scratch);
    return status;
}
