/* The gradient of the score, alone or times the picture, with relu's own gradient or another. */
#include "explain/methods.h"

#include "graph/error.h"
#include "graph/memory.h"

typedef struct gradient_job {
    atl_explain_task *task;
    double *value; /* [h, w, c] */
} gradient_job;

static atl_status fill(void *data, int64_t i, float *picture)
{
    return atl_explain_fill_picture(((gradient_job *)data)->task, i, picture);
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    gradient_job *job = data;
    const atl_explain_task *task = job->task;
    int times_input = task->args->method == ATL_EXPLAIN_GRADIENT_INPUT;
    (void)i;
    task->result->score = (double)item->scores[task->args->target];
    for (int64_t k = 0; k < task->elements; k++) {
        double factor = times_input ? (double)task->x[k] - (double)atl_baseline_at(task, k) : 1;
        job->value[k] = factor * (double)item->gradient[k];
    }
    return ATL_OK;
}

static atl_explain_kind kind_of(atl_explain_method method)
{
    return method == ATL_EXPLAIN_GUIDED          ? ATL_KIND_GUIDED
           : method == ATL_EXPLAIN_DECONVOLUTION ? ATL_KIND_DECONVOLUTION
                                                 : ATL_KIND_GRADIENT;
}

atl_status atl_explain_by_gradient(atl_explain_task *task)
{
    gradient_job job = {task, atl_allocate((size_t)task->elements, sizeof(double))};
    if (!job.value)
        return atl_out_of_memory();
    atl_status status = atl_explain_job_of(
        task,
        (atl_explain_job){.kind = kind_of(task->args->method), .count = 1, .fill = fill, .take = take, .data = &job});
    if (!status)
        status = atl_explain_finish_channels(task, job.value, 1);
    atl_release(job.value);
    return status;
}
