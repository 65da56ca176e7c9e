/* The public call: checks the arguments, runs the method, and what methods share. */
#include "explain/methods.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"

static const struct {
    const char *name, *about;
    atl_explain_function *run;
} methods[ATL_EXPLAIN_METHODS] = {
    {"gradient", "the gradient of the score", atl_explain_by_gradient},
    {"gradient-input", "gradient times (picture - baseline)", atl_explain_by_gradient},
    {"smooth-grad", "the mean gradient of noisy copies", atl_explain_by_smooth_grad},
    {"integrated", "the gradient integrated from the baseline to the picture", atl_explain_by_integration},
    {"guided", "the gradient with positive gradients only through active relus", atl_explain_by_gradient},
    {"deconvolution", "the gradient with positive gradients only through all relus", atl_explain_by_gradient},
    {"grad-cam", "channels of a layer, weighted by their mean gradient", atl_explain_by_cam},
    {"grad-cam-plus", "the same, with pixels weighted as by Grad-CAM++", atl_explain_by_cam},
    {"layer-cam", "a layer, each element weighted by its positive gradient", atl_explain_by_cam},
    {"occlusion", "what the score loses when a window is covered", atl_explain_by_occlusion},
    {"rise", "the mean of random masks, weighted by the probability they leave", atl_explain_by_rise},
};

static int is_method(atl_explain_method method) { return method >= 0 && method < ATL_EXPLAIN_METHODS; }
const char *atl_explain_method_name(atl_explain_method method) { return is_method(method) ? methods[method].name : ""; }
const char *atl_explain_method_about(atl_explain_method method)
{
    return is_method(method) ? methods[method].about : "";
}

void atl_explanation_free(atl_explanation *explanation)
{
    if (!explanation)
        return;
    atl_tensor_free(explanation->attribution);
    atl_tensor_free(explanation->map);
    atl_tensor_free(explanation->layer_map);
    atl_tensor_free(explanation->layer_weights);
    *explanation = (atl_explanation){0};
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static atl_status check_counts(const atl_explain_args *args)
{
    const struct {
        const char *name;
        int value;
    } counts[] = {{"samples", args->samples},     {"steps", args->steps},         {"most_steps", args->most_steps},
                  {"window[0]", args->window[0]}, {"window[1]", args->window[1]}, {"stride[0]", args->stride[0]},
                  {"stride[1]", args->stride[1]}, {"cells", args->cells}};
    enum { MOST = 10000000 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].value < 0 || counts[i].value > MOST)
            return atl_set_error(ATL_INVALID, "atl_explain: .%s is %d, but must be 0 to %d", counts[i].name,
                                 counts[i].value, MOST);
    return ATL_OK;
}

static atl_status check_args(const atl_explain_args *args)
{
    const atl_explainer *e = args->explainer;
    if (!is_method(args->method))
        return atl_set_error(ATL_INVALID, "atl_explain: there is no method %d", (int)args->method);
    if (args->target < 0 || args->target >= e->classes)
        return atl_set_error(ATL_INVALID, "atl_explain: target %d: the network has classes 0..%lld", args->target,
                             (long long)e->classes - 1);
    if (!(args->deviation >= 0 && args->deviation <= 1e6f))
        return atl_set_error(ATL_INVALID, "atl_explain: .deviation is %g, but must be 0 to 1e6 grey levels",
                             (double)args->deviation);
    if (!(args->share >= 0 && args->share <= 1))
        return atl_set_error(ATL_INVALID, "atl_explain: .share is %g, but must be 0 to 1", (double)args->share);
    if (!(args->tolerance >= 0) && args->tolerance != ATL_ZERO)
        return atl_set_error(ATL_INVALID, "atl_explain: .tolerance is %g, but must not be negative",
                             (double)args->tolerance);
    return check_counts(args);
}

static atl_status run_method(const atl_explain_args *args)
{
    atl_explainer *e = args->explainer;
    atl_explain_task task = {.args = args,
                             .explainer = e,
                             .pixels = e->height * e->width,
                             .elements = e->height * e->width * e->channels,
                             .result = args->result_out};
    task.x = atl_explain_picture(e, "the picture", args->pixels);
    if (!task.x)
        return ATL_INVALID;
    task.baseline = args->baseline ? atl_explain_picture(e, "the baseline", args->baseline) : NULL;
    if (args->baseline && !task.baseline)
        return ATL_INVALID;
    return methods[args->method].run(&task);
}

atl_status atl_explain_with(const atl_explain_args *args)
{
    if (!args)
        return atl_null_argument("atl_explain", "the options are");
    if (!args->result_out)
        return atl_null_argument("atl_explain", ".result_out is");
    *args->result_out = (atl_explanation){0};
    if (!args->explainer)
        return atl_null_argument("atl_explain", "the explainer is");
    double start = atl_seconds_now();
    atl_status status = check_args(args);
    if (!status)
        status = run_method(args);
    if (status)
        atl_explanation_free(args->result_out);
    else
        args->result_out->seconds = atl_seconds_now() - start;
    return status;
}

/* ---- what methods share ------------------------------------------------------------------------------------------ */

atl_status atl_explain_job_of(atl_explain_task *task, atl_explain_job job)
{
    job.explainer = task->explainer;
    job.target = task->args->target;
    job.args = task->args;
    job.done_before = task->result->pictures;
    if (!job.all)
        job.all = job.done_before + job.count;
    atl_status status = atl_explain_run(&job);
    task->result->pictures += job.count;
    task->result->batch = task->explainer->kind[job.kind].batch;
    return status;
}

atl_status atl_explain_fill_picture(void *data, int64_t i, float *picture)
{
    const atl_explain_task *task = data;
    (void)i;
    memcpy(picture, task->x, (size_t)task->elements * sizeof *picture);
    return ATL_OK;
}

atl_status atl_explain_check_finite(const atl_tensor *attribution)
{
    for (int64_t i = 0; i < atl_tensor_count(attribution); i++)
        if (!isfinite(atl_floats(attribution)[i]))
            return atl_set_error(ATL_NOT_FINITE,
                                 "atl_explain: the attribution of element %lld is not a finite number: the network's "
                                 "gradient overflows, or is not defined, at this picture",
                                 (long long)i);
    return ATL_OK;
}

static atl_status make_tensors(atl_explain_task *task, atl_shape shape)
{
    const atl_explainer *e = task->explainer;
    task->result->attribution = atl_tensor_new(ATL_FLOAT32, shape);
    task->result->map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(e->height, e->width));
    return task->result->attribution && task->result->map ? ATL_OK : atl_error_status();
}

atl_status atl_explain_finish_channels(atl_explain_task *task, const double *sum, double factor)
{
    const atl_explainer *e = task->explainer;
    atl_status status = make_tensors(task, ATL_SHAPE(e->height, e->width, e->channels));
    if (status)
        return status;
    float *attribution = atl_floats(task->result->attribution), *map = atl_floats(task->result->map);
    for (int64_t i = 0; i < task->elements; i++)
        attribution[i] = (float)(sum[i] * factor);
    for (int64_t i = 0; i < task->pixels; i++)
        for (int64_t c = 0; c < e->channels; c++)
            map[i] = fmaxf(map[i], fabsf(attribution[i * e->channels + c]));
    return atl_explain_check_finite(task->result->attribution);
}

atl_status atl_explain_finish_pixels(atl_explain_task *task, const double *attribution)
{
    const atl_explainer *e = task->explainer;
    atl_status status = make_tensors(task, ATL_SHAPE(e->height, e->width));
    if (status)
        return status;
    for (int64_t i = 0; i < task->pixels; i++)
        atl_floats(task->result->attribution)[i] = atl_floats(task->result->map)[i] = (float)attribution[i];
    return atl_explain_check_finite(task->result->attribution);
}
