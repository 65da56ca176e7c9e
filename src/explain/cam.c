/* Grad-CAM, Grad-CAM++ and LayerCAM: the channels of a layer, weighted by the gradient of the score. */
#include "explain/methods.h"

#include <string.h>

#include "atled/files.h"
#include "graph/error.h"

typedef struct cam_job {
    atl_explain_task *task;
    atl_layer_form form;
} cam_job;

/* The index of an element in the layer's value of one picture. */
static int64_t at(const atl_layer_form *f, int64_t pixel, int64_t channel)
{
    return f->channels_first ? channel * f->height * f->width + pixel : (f->first + pixel) * f->channels + channel;
}

static double positive(double x) { return x > 0 ? x : 0; }

/* The weight of a channel for Grad-CAM++: its positive gradients, each times g^2 / (2 g^2 + sum(A) g^3), which is 0
 * where that is not defined. */
static double weight_by_pixel(const cam_job *job, const atl_explain_item *item, int64_t channel)
{
    const atl_layer_form *f = &job->form;
    double activation = 0, weight = 0;
    for (int64_t i = 0; i < f->height * f->width; i++)
        activation += (double)item->layer[at(f, i, channel)];
    for (int64_t i = 0; i < f->height * f->width; i++) {
        double g = (double)item->gradient[at(f, i, channel)], below = 2 + activation * g;
        if (g > 0 && below != 0)
            weight += g / below;
    }
    return weight;
}

static double mean_gradient(const cam_job *job, const atl_explain_item *item, int64_t channel)
{
    const atl_layer_form *f = &job->form;
    double sum = 0;
    for (int64_t i = 0; i < f->height * f->width; i++)
        sum += (double)item->gradient[at(f, i, channel)];
    return sum / (double)(f->height * f->width);
}

/* Adds a channel to the map. */
static void add_channel(const cam_job *job, const atl_explain_item *item, int64_t channel, double *map)
{
    const atl_layer_form *f = &job->form;
    int by_element = job->task->args->method == ATL_EXPLAIN_LAYER_CAM;
    double weight = 0;
    if (!by_element) {
        weight = job->task->args->method == ATL_EXPLAIN_GRAD_CAM ? mean_gradient(job, item, channel)
                                                                 : weight_by_pixel(job, item, channel);
        atl_floats(job->task->result->layer_weights)[channel] = (float)weight;
    }
    for (int64_t i = 0; i < f->height * f->width; i++) {
        int64_t k = at(f, i, channel);
        map[i] += (double)item->layer[k] * (by_element ? positive((double)item->gradient[k]) : weight);
    }
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    cam_job *job = data;
    atl_explanation *result = job->task->result;
    int64_t pixels = job->form.height * job->form.width;
    (void)i;
    result->score = (double)item->scores[job->task->args->target];
    result->layer_map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->form.height, job->form.width));
    atl_tensor *sum = atl_tensor_new(ATL_FLOAT64, ATL_SHAPE(pixels));
    if (job->task->args->method != ATL_EXPLAIN_LAYER_CAM)
        result->layer_weights = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->form.channels));
    int ok = result->layer_map && sum && (result->layer_weights || job->task->args->method == ATL_EXPLAIN_LAYER_CAM);
    for (int64_t c = 0; ok && c < job->form.channels; c++)
        add_channel(job, item, c, atl_doubles(sum));
    for (int64_t k = 0; ok && k < pixels; k++)
        atl_floats(result->layer_map)[k] = (float)atl_doubles(sum)[k];
    atl_tensor_free(sum);
    return ok ? ATL_OK : atl_error_status();
}

static atl_status fill(void *data, int64_t i, float *picture)
{
    return atl_explain_fill_picture(((cam_job *)data)->task, i, picture);
}

/* The layer's map in the picture's size; with only its positive part, if asked for. */
static atl_tensor *enlarged(const cam_job *job, int only_positive)
{
    const atl_explainer *e = job->task->explainer;
    const float *from = atl_floats(job->task->result->layer_map);
    atl_tensor *map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->form.height, job->form.width, 1));
    for (int64_t i = 0; map && i < job->form.height * job->form.width; i++)
        atl_floats(map)[i] = only_positive && !(from[i] > 0) ? 0 : from[i];
    atl_tensor *large = map ? atl_resize_image(map, e->height, e->width) : NULL;
    atl_tensor_free(map);
    atl_tensor *result = large ? atl_tensor_of_floats(ATL_SHAPE(e->height, e->width), atl_floats(large)) : NULL;
    atl_tensor_free(large);
    return result;
}

atl_status atl_explain_by_cam(atl_explain_task *task)
{
    cam_job job = {task, task->explainer->form};
    atl_status status = atl_explain_job_of(
        task, (atl_explain_job){.kind = ATL_KIND_LAYER, .count = 1, .fill = fill, .take = take, .data = &job});
    if (status)
        return status;
    task->result->attribution = enlarged(&job, 0);
    task->result->map = enlarged(&job, 1);
    return task->result->attribution && task->result->map ? atl_explain_check_finite(task->result->attribution)
                                                          : atl_error_status();
}
