/* Integrated gradients: (x - b) times the integral of the gradient on the line from the baseline to the picture. */
#include "explain/methods.h"

#include <math.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/option.h"

enum { USUAL_STEPS = 50, USUAL_MOST_STEPS = 1600 };

typedef struct integral {
    atl_explain_task *task;
    double *sum; /* [h, w, c] */
    double *point, *weight;
    int steps;
} integral;

/* Picture `steps` is the picture itself, and the next one the baseline. */
static double position(const integral *in, int64_t i)
{
    return i < in->steps ? (double)(float)in->point[i] : i == in->steps ? 1 : 0;
}

static atl_status fill(void *data, int64_t i, float *picture)
{
    const integral *in = data;
    const atl_explain_task *task = in->task;
    double a = position(in, i);
    for (int64_t k = 0; k < task->elements; k++) {
        double b = (double)atl_baseline_at(task, k);
        picture[k] = a == 1 ? task->x[k] : (float)(b + a * ((double)task->x[k] - b));
    }
    return ATL_OK;
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    integral *in = data;
    const atl_explain_task *task = in->task;
    double score = (double)item->scores[task->args->target];
    if (i == in->steps)
        task->result->score = score;
    else if (i > in->steps)
        task->result->baseline_score = score;
    for (int64_t k = 0; k < task->elements && i < in->steps; k++)
        in->sum[k] += in->weight[i] * (double)item->gradient[k];
    return ATL_OK;
}

/* Makes the sum the attribution, and its error a number. */
static void judge(const integral *in)
{
    const atl_explain_task *task = in->task;
    atl_explanation *result = task->result;
    double sum = 0, size = 0, change = result->score - result->baseline_score;
    for (int64_t k = 0; k < task->elements; k++) {
        in->sum[k] *= (double)task->x[k] - (double)atl_baseline_at(task, k);
        sum += in->sum[k];
        size += fabs(in->sum[k]);
    }
    result->steps = in->steps;
    result->completeness_error = sum - change;
    double scale = change != 0 ? fabs(change) : size;
    result->completeness = scale > 0 ? fabs(result->completeness_error) / scale : 0;
}

static atl_status integrate(integral *in, int steps, int64_t all)
{
    in->steps = steps;
    atl_gauss_legendre(steps, in->point, in->weight);
    for (int64_t k = 0; k < in->task->elements; k++)
        in->sum[k] = 0;
    atl_status status = atl_explain_job_of(in->task, (atl_explain_job){.kind = ATL_KIND_GRADIENT,
                                                                       .count = steps + 2,
                                                                       .fill = fill,
                                                                       .take = take,
                                                                       .data = in,
                                                                       .all = all});
    if (!status)
        judge(in);
    return status;
}

/* Doubles the steps until the sum is complete. */
static atl_status integrate_until_complete(integral *in, int steps, int most, double tolerance)
{
    for (;;) {
        int64_t before = in->task->result->pictures;
        atl_status status = integrate(in, steps, before + steps + 2);
        if (status || in->task->result->completeness <= tolerance || steps >= most)
            return status;
        steps = steps <= most / 2 ? 2 * steps : most;
    }
}

atl_status atl_explain_by_integration(atl_explain_task *task)
{
    const atl_explain_args *args = task->args;
    int most = args->most_steps ? args->most_steps : USUAL_MOST_STEPS;
    int steps = args->steps ? args->steps : USUAL_STEPS;
    double tolerance = atl_option((double)args->tolerance, 0.01);
    if (steps > most && args->most_steps)
        steps = most;
    else if (steps > most)
        most = steps;
    integral in = {.task = task,
                   .sum = atl_allocate((size_t)task->elements, sizeof(double)),
                   .point = atl_allocate((size_t)most, sizeof(double)),
                   .weight = atl_allocate((size_t)most, sizeof(double))};
    atl_status status = in.sum && in.point && in.weight ? ATL_OK : atl_out_of_memory();
    if (!status)
        status = integrate_until_complete(&in, tolerance == 0 ? most : steps, most, tolerance);
    if (!status)
        status = atl_explain_finish_channels(task, in.sum, 1);
    atl_release(in.sum);
    atl_release(in.point);
    atl_release(in.weight);
    return status;
}
