/* Dreams: a picture that a class or a channel responds to most, found by its Fourier coefficients. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atled/attack.h"
#include "atled/gradient.h"
#include "atled/ops.h"
#include "explain/explainer.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

enum { USUAL_ITERATIONS = 256, MOST_ITERATIONS = 1000000, JITTER_PART = 16 };

typedef struct dream_job {
    const atl_dream_args *args;
    atl_explainer *explainer;
    atl_explain_kind kind;
    /* The picture as a graph of its own: coefficients [2, c * h, k], real and imaginary, to [h, w, c]. */
    atl_graph *graph;
    atl_node *coefficients, *slope, *picture, *gradient;
    atl_program *forward, *backward;
    atl_tensor *spectrum, *by_picture, *moments[2]; /* slope: the gradient of the loss with respect to the picture */
    int64_t k;                                      /* frequencies along a row: w / 2 + 1 */
    int jitter, down, right;
    double score;
} dream_job;

/* ---- the picture of its coefficients ----------------------------------------------------------------------------- */

/* [rows, columns]: cos or sin of 2 pi row column / period. */
static atl_node *waves(const atl_node *in, int64_t rows, int64_t columns, int64_t period, int is_sine)
{
    const double turn = 6.28318530717958647692;
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(rows, columns));
    for (int64_t i = 0; value && i < rows * columns; i++) {
        double angle = turn * (double)(i / columns * (i % columns) % period) / (double)period;
        atl_floats(value)[i] = (float)(is_sine ? sin(angle) : cos(angle));
    }
    atl_node *node = value ? atl_constant(atl_graph_of(in), value) : NULL;
    atl_tensor_free(value);
    return node;
}

/* [h, k]: one over the frequency, so that large forms grow as fast as small ones, with the weights of the inverse
 * transform of real signals. */
static atl_node *frequency_scale(const dream_job *job, const atl_node *in)
{
    const atl_explainer *e = job->explainer;
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, e->height, job->k));
    double lowest = 1 / (double)(e->height > e->width ? e->height : e->width);
    for (int64_t i = 0; value && i < e->height * job->k; i++) {
        int64_t u = i / job->k, v = i % job->k;
        double down = (double)(2 * u > e->height ? e->height - u : u) / (double)e->height;
        double twice = v == 0 || 2 * v == e->width ? 1 : 2;
        double frequency = fmax(sqrt(down * down + pow((double)v / (double)e->width, 2)), lowest);
        atl_floats(value)[i] = (float)(twice / frequency / sqrt((double)(e->height * e->width)));
    }
    atl_node *node = value ? atl_constant(atl_graph_of(in), value) : NULL;
    atl_tensor_free(value);
    return node;
}

/* Channels that are independent of each other in photographs (brightness, red against green, blue against yellow, each
 * with its share), as red, green and blue. */
static atl_node *mixed_colours(atl_node *x, int64_t channels)
{
    static const float mix[9] = {0.58f, 0.58f, 0.58f, 0.25f, 0, -0.25f, 0.08f, -0.16f, 0.08f};
    if (channels != 3)
        return x;
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3, 3), mix);
    atl_node *matrix = value ? atl_constant(atl_graph_of(x), value) : NULL;
    atl_tensor_free(value);
    return atl_matmul(x, matrix);
}

/* The real part of the inverse Fourier transform, as products with matrices of cosines and sines. */
static atl_node *picture_of(const dream_job *job, atl_node *coefficients)
{
    const atl_explainer *e = job->explainer;
    int64_t h = e->height, w = e->width, c = e->channels, k = job->k;
    atl_node *scale = frequency_scale(job, coefficients), *part[2];
    if (atl_unstack(coefficients, 0, 2, part))
        return NULL;
    for (int i = 0; i < 2; i++)
        part[i] = atl_reshape(atl_mul(part[i], scale), ATL_SHAPE(c * h, k));
    atl_node *cosine = waves(scale, k, w, w, 0), *sine = waves(scale, k, w, w, 1);
    atl_node *real = atl_sub(atl_matmul(part[0], cosine), atl_matmul(part[1], sine));
    atl_node *imaginary = atl_add(atl_matmul(part[0], sine), atl_matmul(part[1], cosine));
    atl_node *rows[2] = {real, imaginary};
    for (int i = 0; i < 2; i++) {
        rows[i] = atl_transpose(atl_reshape(rows[i], ATL_SHAPE(c, h, w)), .order = {0, 2, 1});
        rows[i] = atl_matmul(atl_reshape(rows[i], ATL_SHAPE(c * w, h)), waves(scale, h, h, h, i));
    }
    atl_node *x = atl_reshape(atl_sub(rows[0], rows[1]), ATL_SHAPE(c, w, h));
    x = mixed_colours(atl_reshape(atl_transpose(x, .order = {2, 1, 0}), ATL_SHAPE(h * w, c)), c);
    return atl_reshape(atl_scale(atl_sigmoid(x), 255), ATL_SHAPE(h, w, c));
}

static atl_status build(dream_job *job)
{
    const atl_explainer *e = job->explainer;
    atl_shape spectrum = ATL_SHAPE(2, e->channels, e->height, job->k),
              picture = ATL_SHAPE(e->height, e->width, e->channels);
    job->graph = atl_graph_new();
    job->coefficients = atl_input(job->graph, "coefficients", ATL_FLOAT32, spectrum);
    job->slope = atl_input(job->graph, "slope", ATL_FLOAT32, picture);
    job->picture = picture_of(job, job->coefficients);
    job->gradient = atl_vjp(job->picture, job->coefficients, job->slope);
    job->forward = atl_compile(job->graph, ATL_NODES(job->picture), .threads = e->compile.threads);
    job->backward = atl_compile(job->graph, ATL_NODES(job->gradient), .threads = e->compile.threads);
    job->spectrum = atl_tensor_new(ATL_FLOAT32, spectrum);
    job->by_picture = atl_tensor_new(ATL_FLOAT32, picture);
    for (int i = 0; i < 2; i++)
        job->moments[i] = atl_tensor_new(ATL_FLOAT32, spectrum);
    if (!job->forward || !job->backward || !job->spectrum || !job->by_picture || !job->moments[0] || !job->moments[1])
        return atl_error_status();
    for (int64_t i = 0; i < atl_tensor_count(job->spectrum); i++)
        atl_floats(job->spectrum)[i] = (float)(0.01 * atl_random_normal(job->args->seed, (uint64_t)i));
    return ATL_OK;
}

/* ---- an iteration ------------------------------------------------------------------------------------------------ */

static const float *render(dream_job *job)
{
    if (atl_run(job->forward, ATL_FEED(job->coefficients, job->spectrum)))
        return NULL;
    return atl_floats(atl_value(job->forward, job->picture));
}

/* Where a pixel goes: moved by the jitter, round the edges. */
static int64_t moved(const dream_job *job, int64_t pixel)
{
    const atl_explainer *e = job->explainer;
    return (pixel / e->width + job->down) % e->height * e->width + (pixel % e->width + job->right) % e->width;
}

static atl_status fill(void *data, int64_t i, float *picture)
{
    dream_job *job = data;
    const float *x = render(job);
    int64_t c = job->explainer->channels;
    (void)i;
    for (int64_t p = 0; x && p < job->explainer->height * job->explainer->width; p++)
        memcpy(picture + moved(job, p) * c, x + p * c, (size_t)c * sizeof *x);
    return x ? ATL_OK : atl_error_status();
}

static atl_status take(void *data, int64_t i, const atl_explain_item *item)
{
    dream_job *job = data;
    int64_t c = job->explainer->channels;
    (void)i;
    for (int64_t p = 0; p < job->explainer->height * job->explainer->width; p++)
        for (int64_t k = 0; k < c; k++) {
            float slope = item->gradient[moved(job, p) * c + k];
            if (!isfinite(slope))
                return atl_set_error(ATL_NOT_FINITE, "atl_dream: the gradient is not a finite number");
            atl_floats(job->by_picture)[p * c + k] = -slope;
        }
    return ATL_OK;
}

static int within(const dream_job *job, int iteration, int axis)
{
    uint64_t bits = atl_random_bits(~job->args->seed, (uint64_t)(2 * iteration + axis));
    return (int)(bits % (uint64_t)(2 * job->jitter + 1));
}

static atl_status iterate(dream_job *job, int iteration)
{
    job->down = within(job, iteration, 0);
    job->right = within(job, iteration, 1);
    atl_status status = atl_explain_run(&(atl_explain_job){.explainer = job->explainer,
                                                           .kind = job->kind,
                                                           .target = job->args->target,
                                                           .count = 1,
                                                           .fill = fill,
                                                           .take = take,
                                                           .data = job});
    if (!status)
        status = atl_run(job->backward, ATL_FEEDS({job->coefficients, job->spectrum}, {job->slope, job->by_picture}));
    if (status)
        return status;
    return atl_descend(job->spectrum, atl_value(job->backward, job->gradient),
                       .rate = job->args->rate > 0 ? job->args->rate : 0.05f, .method = ATL_DESCENT_ADAM,
                       .moments = {job->moments[0], job->moments[1]}, .iteration = iteration);
}

/* ---- the result -------------------------------------------------------------------------------------------------- */

static double channel_mean(const dream_job *job, const atl_explain_item *item)
{
    const atl_layer_form *f = &job->explainer->form;
    double sum = 0;
    int64_t area = f->height * f->width, channel = job->args->target;
    for (int64_t i = 0; i < area; i++)
        sum += (double)item->layer[f->channels_first ? channel * area + i : (f->first + i) * f->channels + channel];
    return sum / (double)area;
}

static atl_status fill_rounded(void *data, int64_t i, float *picture)
{
    const dream_job *job = data;
    (void)i;
    memcpy(picture, atl_floats(*job->args->pixels_out), (size_t)atl_explain_pixels(job->explainer) * sizeof *picture);
    return ATL_OK;
}

static atl_status take_score(void *data, int64_t i, const atl_explain_item *item)
{
    dream_job *job = data;
    (void)i;
    job->score = job->args->of_channel ? channel_mean(job, item) : (double)item->scores[job->args->target];
    return ATL_OK;
}

static atl_status finish(dream_job *job)
{
    const atl_dream_args *args = job->args;
    const float *x = render(job);
    atl_tensor *pixels = x ? atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(job->explainer->height, job->explainer->width,
                                                                   job->explainer->channels))
                           : NULL;
    for (int64_t i = 0; pixels && i < atl_tensor_count(pixels); i++)
        atl_floats(pixels)[i] = rintf(x[i]);
    *args->pixels_out = pixels;
    if (!pixels)
        return atl_error_status();
    int target = args->of_channel ? 0 : args->target; /* the class of which a gradient is computed, and not used */
    atl_status status = atl_explain_run(&(atl_explain_job){.explainer = job->explainer,
                                                           .kind = args->of_channel ? ATL_KIND_LAYER : ATL_KIND_SCORES,
                                                           .target = target,
                                                           .count = 1,
                                                           .fill = fill_rounded,
                                                           .take = take_score,
                                                           .data = job});
    if (!status && args->score_out)
        *args->score_out = job->score;
    return status;
}

static atl_status check(const atl_dream_args *args)
{
    const atl_explainer *e = args->explainer;
    if (args->of_channel && !e->layer)
        return atl_set_error(ATL_INVALID, "atl_dream: the network has no layer whose channels could be shown");
    int64_t count = args->of_channel ? e->form.channels : e->classes;
    if (args->target < 0 || args->target >= count)
        return atl_set_error(ATL_INVALID, "atl_dream: target %d: there are %s 0..%lld", args->target,
                             args->of_channel ? "channels" : "classes", (long long)count - 1);
    if (args->iterations < 0 || args->iterations > MOST_ITERATIONS || !(args->rate >= 0 && args->rate < 1e6f))
        return atl_set_error(ATL_INVALID, "atl_dream: .iterations %d must be 0 to %d, and .rate %g not negative",
                             args->iterations, MOST_ITERATIONS, (double)args->rate);
    return ATL_OK;
}

static atl_status dream(dream_job *job)
{
    const atl_dream_args *args = job->args;
    int iterations = args->iterations ? args->iterations : USUAL_ITERATIONS;
    atl_status status = build(job);
    for (int i = 0; i < iterations && !status; i++) {
        status = iterate(job, i);
        if (!status && args->watch && args->watch(args->context, i + 1, iterations))
            break;
    }
    return status ? status : finish(job);
}

atl_status atl_dream_with(const atl_dream_args *args)
{
    if (!args || !args->pixels_out)
        return atl_null_argument("atl_dream", args ? ".pixels_out is" : "the options are");
    *args->pixels_out = NULL;
    if (!args->explainer)
        return atl_null_argument("atl_dream", "the explainer is");
    atl_explainer *e = args->explainer;
    int64_t shorter = e->height < e->width ? e->height : e->width;
    dream_job job = {.args = args,
                     .explainer = e,
                     .kind = args->of_channel ? ATL_KIND_CHANNEL : ATL_KIND_GRADIENT,
                     .k = e->width / 2 + 1,
                     .jitter = args->jitter < 0 ? 0 : (int)(args->jitter ? args->jitter : shorter / JITTER_PART)};
    if (job.jitter >= shorter)
        job.jitter = (int)shorter - 1;
    atl_status status = check(args);
    if (!status)
        status = dream(&job);
    if (status) {
        atl_tensor_free(*args->pixels_out);
        *args->pixels_out = NULL;
    }
    atl_program_free(job.forward);
    atl_program_free(job.backward);
    atl_graph_free(job.graph);
    atl_tensor_free(job.spectrum);
    atl_tensor_free(job.by_picture);
    atl_tensor_free(job.moments[0]);
    atl_tensor_free(job.moments[1]);
    return status;
}
