/* SmoothGrad: the mean gradient at noisy copies of the picture. */
#include "explain/methods.h"

#include <math.h>
#include <string.h>

#include "atled/ops.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

enum { USUAL_SAMPLES = 50 };

/* The noise is a graph of its own, so that it runs on all threads: sample i depends on the seed and i alone. */
typedef struct smooth_job {
    atl_explain_task *task;
    double *sum; /* [h, w, c] */
    int samples;
    atl_graph *graph;
    atl_node *picture, *counter, *noisy;
    atl_program *program;
    atl_tensor *x, *number;
} smooth_job;

/* Box & Muller 1958. */
static atl_node *normal_noise(atl_node *like, atl_node *counter, uint64_t seed)
{
    const float two_pi = 6.28318530717958648f;
    atl_node *size = atl_uniform_noise(like, counter, .seed = atl_random_bits(seed, 0) | 1);
    atl_node *angle = atl_uniform_noise(like, counter, .seed = atl_random_bits(seed, 1) | 1);
    atl_node *radius = atl_sqrt(atl_scale(atl_log(atl_add_scalar(atl_neg(size), 1)), -2));
    return atl_mul(radius, atl_cos(atl_scale(angle, two_pi)));
}

/* 0.15 times the range of the pixels. */
static float usual_deviation(const atl_explain_task *task)
{
    float lowest = task->x[0], highest = task->x[0];
    for (int64_t i = 1; i < task->elements; i++) {
        lowest = fminf(lowest, task->x[i]);
        highest = fmaxf(highest, task->x[i]);
    }
    return 0.15f * (highest - lowest);
}

static atl_status make_noise(smooth_job *job)
{
    const atl_explain_task *task = job->task;
    const atl_explainer *e = task->explainer;
    atl_shape shape = ATL_SHAPE(e->height, e->width, e->channels);
    float deviation = task->args->deviation != 0 ? task->args->deviation : usual_deviation(task);
    job->graph = atl_graph_new();
    job->picture = atl_input(job->graph, "picture", ATL_FLOAT32, shape);
    job->counter = atl_input(job->graph, "counter", ATL_INT32, ATL_SCALAR);
    atl_node *noise = normal_noise(job->picture, job->counter, task->args->seed);
    job->noisy = atl_add(job->picture, atl_scale(noise, deviation));
    job->program = atl_compile(job->graph, ATL_NODES(job->noisy), .threads = e->compile.threads);
    job->x = atl_tensor_of_floats(shape, task->x);
    job->number = atl_tensor_new(ATL_INT32, ATL_SCALAR);
    return job->program && job->x && job->number ? ATL_OK : atl_error_status();
}

/* The last picture is the picture itself, for its score. */
static atl_status fill(void *data, int64_t i, float *picture)
{
    smooth_job *job = data;
    if (i == job->samples)
        return atl_explain_fill_picture(job->task, i, picture);
    atl_ints(job->number)[0] = (int32_t)i;
    atl_status status = atl_run(job->program, ATL_FEEDS({job->picture, job->x}, {job->counter, job->number}));
    if (!status && !atl_value(job->program, job->noisy))
        status = atl_error_status();
    if (!status)
        memcpy(picture, atl_floats(atl_value(job->program, job->noisy)), (size_t)job->task->elements * sizeof *picture);
    return status;
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    smooth_job *job = data;
    if (i == job->samples)
        job->task->result->score = (double)item->scores[job->task->args->target];
    for (int64_t k = 0; k < job->task->elements && i < job->samples; k++)
        job->sum[k] += (double)item->gradient[k];
    return ATL_OK;
}

atl_status atl_explain_by_smooth_grad(atl_explain_task *task)
{
    smooth_job job = {.task = task,
                      .sum = atl_allocate((size_t)task->elements, sizeof(double)),
                      .samples = task->args->samples ? task->args->samples : USUAL_SAMPLES};
    atl_status status = job.sum ? make_noise(&job) : atl_out_of_memory();
    if (!status)
        status = atl_explain_job_of(task, (atl_explain_job){.kind = ATL_KIND_GRADIENT,
                                                            .count = job.samples + 1,
                                                            .fill = fill,
                                                            .take = take,
                                                            .data = &job});
    if (!status)
        status = atl_explain_finish_channels(task, job.sum, 1.0 / job.samples);
    atl_program_free(job.program);
    atl_graph_free(job.graph);
    atl_tensor_free(job.x);
    atl_tensor_free(job.number);
    atl_release(job.sum);
    return status;
}
