/* Occlusion: what the score loses when a window of the picture is replaced by the baseline. */
#include "explain/methods.h"

#include "graph/error.h"
#include "graph/memory.h"

enum { SHARE_OF_SIDE = 14, LEAST_WINDOW = 4 };

typedef struct occlusion_job {
    atl_explain_task *task;
    int64_t window[2], stride[2], windows[2];
    double *sum;
    int64_t *covered; /* by so many windows */
} occlusion_job;

typedef struct rectangle {
    int64_t top, left, bottom, right;
} rectangle;

/* Picture 0 is the whole one; the others have one window each, in row order.  The last windows end at the border. */
static rectangle window_of(const occlusion_job *job, int64_t i)
{
    const atl_explainer *e = job->task->explainer;
    int64_t row = (i - 1) / job->windows[1], column = (i - 1) % job->windows[1];
    rectangle r = {row * job->stride[0], column * job->stride[1], 0, 0};
    r.bottom = r.top + job->window[0] < e->height ? r.top + job->window[0] : e->height;
    r.right = r.left + job->window[1] < e->width ? r.left + job->window[1] : e->width;
    return r;
}

static atl_status fill(void *data, int64_t i, float *picture)
{
    const occlusion_job *job = data;
    const atl_explainer *e = job->task->explainer;
    atl_status status = atl_explain_fill_picture(job->task, i, picture);
    if (i == 0 || status)
        return status;
    rectangle r = window_of(job, i);
    for (int64_t y = r.top; y < r.bottom; y++)
        for (int64_t k = (y * e->width + r.left) * e->channels; k < (y * e->width + r.right) * e->channels; k++)
            picture[k] = atl_baseline_at(job->task, k);
    return ATL_OK;
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    occlusion_job *job = data;
    double score = (double)item->scores[job->task->args->target];
    if (i == 0) {
        job->task->result->score = score;
        return ATL_OK;
    }
    rectangle r = window_of(job, i);
    for (int64_t y = r.top; y < r.bottom; y++)
        for (int64_t x = r.left; x < r.right; x++) {
            job->sum[y * job->task->explainer->width + x] += job->task->result->score - score;
            job->covered[y * job->task->explainer->width + x]++;
        }
    return ATL_OK;
}

static int64_t option(int given, int64_t usual) { return given ? given : usual; }

static void choose_windows(occlusion_job *job)
{
    const atl_explainer *e = job->task->explainer;
    const atl_explain_args *args = job->task->args;
    const int64_t side[2] = {e->height, e->width};
    int64_t usual = (side[0] < side[1] ? side[0] : side[1]) / SHARE_OF_SIDE;
    usual = usual > LEAST_WINDOW ? usual : LEAST_WINDOW;
    for (int i = 0; i < 2; i++) {
        job->window[i] = option(args->window[i], usual);
        job->stride[i] = option(args->stride[i], job->window[i] > 1 ? job->window[i] / 2 : 1);
        int64_t beyond = side[i] - job->window[i];
        job->windows[i] = beyond > 0 ? (beyond + job->stride[i] - 1) / job->stride[i] + 1 : 1;
    }
}

atl_status atl_explain_by_occlusion(atl_explain_task *task)
{
    occlusion_job job = {.task = task,
                         .sum = atl_allocate((size_t)task->pixels, sizeof(double)),
                         .covered = atl_allocate((size_t)task->pixels, sizeof(int64_t))};
    choose_windows(&job);
    atl_status status = job.sum && job.covered ? ATL_OK : atl_out_of_memory();
    if (!status)
        status = atl_explain_job_of(task, (atl_explain_job){.kind = ATL_KIND_SCORES,
                                                            .count = job.windows[0] * job.windows[1] + 1,
                                                            .fill = fill,
                                                            .take = take,
                                                            .data = &job});
    for (int64_t i = 0; !status && i < task->pixels; i++)
        job.sum[i] = job.covered[i] ? job.sum[i] / (double)job.covered[i] : 0;
    if (!status)
        status = atl_explain_finish_pixels(task, job.sum);
    atl_release(job.sum);
    atl_release(job.covered);
    return status;
}
