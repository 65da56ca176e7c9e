/* RISE: the mean of random masks, each weighted by the probability of the class that the masked picture has. */
#include "explain/methods.h"

#include <math.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

enum { USUAL_MASKS = 2000, USUAL_CELLS = 7 };

typedef struct rise_job {
    atl_explain_task *task;
    int64_t masks, cells;
    double share;
    int64_t kept; /* masks in memory: those of a batch */
    float *mask;  /* [kept, h, w] */
    float *grid;  /* [cells + 1, cells + 1] */
    double *sum;
} rise_job;

/* Where a pixel lies between cells. */
static int64_t cell_of(double position, double cell, int64_t last, double *part_out)
{
    double x = (position + 0.5) / cell - 0.5;
    x = x < 0 ? 0 : x > (double)last ? (double)last : x;
    int64_t below = (int64_t)x < last ? (int64_t)x : last - 1;
    *part_out = x - (double)below;
    return below;
}

/* A random grid of zeros and ones with one cell more than the picture has in each direction, enlarged without edges,
 * and moved by a random part of a cell. */
static void draw_mask(rise_job *job, int64_t i, float *mask)
{
    const atl_explainer *e = job->task->explainer;
    uint64_t stream = atl_random_bits(job->task->args->seed, (uint64_t)i);
    int64_t side = job->cells + 1;
    double tall = ceil((double)e->height / (double)job->cells), wide = ceil((double)e->width / (double)job->cells);
    double down = floor(tall * (double)atl_random_uniform(stream, 0));
    double right = floor(wide * (double)atl_random_uniform(stream, 1));
    for (int64_t k = 0; k < side * side; k++)
        job->grid[k] = (double)atl_random_uniform(stream, (uint64_t)k + 2) < job->share ? 1 : 0;
    for (int64_t y = 0; y < e->height; y++) {
        double below, beside;
        int64_t row = cell_of((double)y + down, tall, side - 1, &below);
        for (int64_t x = 0; x < e->width; x++) {
            int64_t column = cell_of((double)x + right, wide, side - 1, &beside);
            const float *g = job->grid + row * side + column;
            double above = (double)g[0] + beside * ((double)g[1] - (double)g[0]);
            double under = (double)g[side] + beside * ((double)g[side + 1] - (double)g[side]);
            mask[y * e->width + x] = (float)(above + below * (under - above));
        }
    }
}

static float *mask_of(const rise_job *job, int64_t i) { return job->mask + i % job->kept * job->task->pixels; }

/* The last picture is the whole one, for its score. */
static atl_status fill(void *data, int64_t i, float *picture)
{
    rise_job *job = data;
    const atl_explain_task *task = job->task;
    int64_t channels = task->explainer->channels;
    if (i == job->masks)
        return atl_explain_fill_picture(job->task, i, picture);
    float *mask = mask_of(job, i);
    draw_mask(job, i, mask);
    for (int64_t k = 0; k < task->elements; k++) {
        float b = atl_baseline_at(task, k);
        picture[k] = b + mask[k / channels] * (task->x[k] - b);
    }
    return ATL_OK;
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    rise_job *job = data;
    int target = job->task->args->target;
    if (i == job->masks) {
        job->task->result->score = (double)item->scores[target];
        return ATL_OK;
    }
    double weight = (double)item->probabilities[target] / ((double)job->masks * job->share);
    const float *mask = mask_of(job, i);
    for (int64_t k = 0; k < job->task->pixels; k++)
        job->sum[k] += weight * (double)mask[k];
    return ATL_OK;
}

atl_status atl_explain_by_rise(atl_explain_task *task)
{
    const atl_explain_args *args = task->args;
    rise_job job = {.task = task,
                    .masks = args->samples ? args->samples : USUAL_MASKS,
                    .cells = args->cells ? args->cells : USUAL_CELLS,
                    .share = args->share != 0 ? (double)args->share : 0.5,
                    .kept = task->explainer->most};
    if (job.cells > task->explainer->height || job.cells > task->explainer->width)
        return atl_set_error(ATL_INVALID,
                             "atl_explain: .cells is %lld, more than the picture has pixels in a direction",
                             (long long)job.cells);
    job.sum = atl_allocate((size_t)task->pixels, sizeof(double));
    job.mask = atl_allocate((size_t)(job.kept * task->pixels), sizeof(float));
    job.grid = atl_allocate((size_t)((job.cells + 1) * (job.cells + 1)), sizeof(float));
    atl_status status = job.sum && job.mask && job.grid ? ATL_OK : atl_out_of_memory();
    if (!status)
        status = atl_explain_job_of(task, (atl_explain_job){.kind = ATL_KIND_SCORES,
                                                            .count = job.masks + 1,
                                                            .fill = fill,
                                                            .take = take,
                                                            .data = &job});
    if (!status)
        status = atl_explain_finish_pixels(task, job.sum);
    atl_release(job.sum);
    atl_release(job.mask);
    atl_release(job.grid);
    return status;
}
