/* The fooling loop: descends a loss on a network's logits from a start image until the rounded image is classified as
 * the target. */
#include <math.h>
#include <string.h>

#include "attack/fooler.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/option.h"
#include "kernels/kernels.h"

static void clamp(atl_tensor *picture) { atl_kernels->clamp_pixels(atl_tensor_count(picture), atl_floats(picture)); }

static void round_into(atl_tensor *to, const atl_tensor *from)
{
    atl_kernels->round_pixels(atl_tensor_count(from), atl_floats(from), atl_floats(to));
}

static void copy_into(atl_tensor *to, const atl_tensor *from)
{
    memcpy(atl_floats(to), atl_floats(from), (size_t)atl_tensor_count(from) * sizeof(float));
}

static double largest_of(const atl_tensor *tensor)
{
    return atl_kernels->largest_magnitude(atl_tensor_count(tensor), atl_floats(tensor));
}

/* Asks the network about the picture, and looks at what it answers. */
static atl_status classify(atl_fool_loop *a, const atl_tensor *picture)
{
    atl_status status = a->ask(a, picture);
    if (status)
        return status;
    const float *p = a->probabilities;
    float smallest = p[0];
    double sum = 0;
    a->top = 0;
    for (int64_t i = 0; i < a->fooler->classes; i++) {
        a->top = p[i] > p[a->top] ? (int)i : a->top;
        smallest = p[i] < smallest ? p[i] : smallest;
        sum += p[i];
    }
    a->top_probability = p[a->top];
    a->seen.probability = p[a->args->target];
    a->seen.largest_gradient = largest_of(a->gradient);
    a->seen.finite = isfinite(sum) && isfinite(a->seen.largest_gradient);
    if (a->iteration == 0) {
        a->seen.uniform = (a->top_probability - smallest) * (double)a->fooler->classes;
        a->seen.first_probability = a->seen.probability;
    }
    return ATL_OK;
}

static int is_there(const atl_fool_loop *a)
{
    return a->top == a->args->target && a->seen.probability >= a->confidence;
}

/* Classifies the image; once the unrounded image has reached the goal, classifies its rounded form. */
static atl_status look(atl_fool_loop *a)
{
    for (;;) {
        if (a->rounding)
            round_into(a->picture[ATL_FOOL_CLASSIFIED], a->picture[ATL_FOOL_PIXELS]);
        const atl_tensor *picture = a->picture[a->rounding ? ATL_FOOL_CLASSIFIED : ATL_FOOL_PIXELS];
        atl_status status = classify(a, picture);
        if (status || !is_there(a) || a->rounding)
            return status;
        a->rounding = 1;
    }
}

static void keep_best(atl_fool_loop *a)
{
    if (a->seen.probability <= a->seen.best_probability && a->iteration > 0)
        return;
    a->seen.best_probability = a->seen.probability;
    copy_into(a->picture[ATL_FOOL_BEST], a->picture[a->rounding ? ATL_FOOL_CLASSIFIED : ATL_FOOL_PIXELS]);
}

static int wants_stop(atl_fool_loop *a)
{
    const atl_fool_progress progress = {.iteration = a->iteration,
                                        .iterations = a->iterations,
                                        .probability = a->seen.probability,
                                        .top = a->top,
                                        .top_probability = a->top_probability,
                                        .loss = a->loss,
                                        .rounded = a->rounding,
                                        .seconds = atl_seconds_now() - a->start,
                                        .pixels = a->picture[a->rounding ? ATL_FOOL_CLASSIFIED : ATL_FOOL_PIXELS],
                                        .gradient = a->gradient};
    return a->args->watch && a->args->watch(a->args->context, &progress);
}

static atl_status descend(atl_fool_loop *a)
{
    atl_descent_effect effect;
    int iteration = a->seen.method == ATL_DESCENT_ADAM ? a->iteration : 0;
    atl_status status =
        atl_descend(a->picture[ATL_FOOL_PIXELS], a->gradient, .rate = (float)a->seen.rate, .lowest = 0, .highest = 255,
                    .method = a->seen.method, .moments = {a->picture[ATL_FOOL_MEAN], a->picture[ATL_FOOL_SQUARE]},
                    .iteration = iteration, .effect_out = &effect);
    if (status)
        return status;
    a->seen.largest_step = effect.largest;
    a->seen.moved = effect.moved;
    a->seen.idle = effect.moved && effect.largest >= ATL_PIXEL_RESOLUTION ? 0 : a->seen.idle + 1;
    a->iteration++;
    return ATL_OK;
}

/* The same pixels give the same gradient: without moments, an iteration that changed nothing is followed by the same
 * one. */
static int is_stuck(const atl_fool_loop *a)
{
    if (!a->seen.finite)
        return 1;
    if (a->patience < 0 || !a->seen.idle)
        return 0;
    return a->seen.idle >= a->patience ||
           (a->seen.moved == 0 && (a->seen.method != ATL_DESCENT_ADAM || a->iteration == 1));
}

static atl_status loop(atl_fool_loop *a)
{
    for (;;) {
        atl_status status = look(a);
        if (status)
            return status;
        keep_best(a);
        a->seen.stopped = wants_stop(a);
        if ((a->rounding && is_there(a)) || a->seen.stopped || a->iteration == a->iterations || is_stuck(a))
            return ATL_OK;
        status = descend(a);
        if (status)
            return status;
    }
}

static atl_status finish(atl_fool_loop *a, atl_fool_result *result)
{
    int met = a->rounding && is_there(a);
    if (!met) { /* returns the best image, as a file would store it */
        round_into(a->picture[ATL_FOOL_CLASSIFIED], a->picture[ATL_FOOL_BEST]);
        a->rounding = 1;
        double gradient = a->seen.largest_gradient;
        int finite = a->seen.finite;
        atl_status status = classify(a, a->picture[ATL_FOOL_CLASSIFIED]);
        if (status)
            return status;
        met = is_there(a);
        a->seen.largest_gradient = gradient;
        a->seen.finite = finite;
    }
    result->met = met;
    result->iterations = a->seen.iterations = a->iteration;
    result->probability = a->seen.probability;
    result->top = a->top;
    result->top_probability = a->top_probability;
    a->seen.rounding_lost = a->seen.best_probability >= a->confidence;
    if (!met)
        result->trouble = atl_diagnose(&a->seen, result->message, sizeof result->message);
    result->pixels = a->picture[ATL_FOOL_CLASSIFIED];
    a->picture[ATL_FOOL_CLASSIFIED] = NULL;
    return ATL_OK;
}

atl_status atl_fool_check(const char *function, const atl_fool_args *args)
{
    double iterations = atl_option(args->iterations, 500), confidence = atl_option(args->confidence, 0.99);
    if (args->start && args->seed)
        return atl_set_error(ATL_INVALID, "%s: .seed is of the noise that replaces .start: leave one of them out",
                             function);
    if (args->context && !args->watch)
        return atl_set_error(ATL_INVALID, "%s: .context is passed to .watch, which is null", function);
    if (iterations < 0)
        return atl_set_error(ATL_INVALID, "%s: .iterations is %d; it must be positive", function, args->iterations);
    if (!(confidence >= 0 && confidence <= 1))
        return atl_set_error(ATL_INVALID, "%s: .confidence is %g; it must be a probability", function, confidence);
    if (!(args->rate >= 0))
        return atl_set_error(ATL_INVALID, "%s: .rate is %g; it must be positive", function, (double)args->rate);
    return ATL_OK;
}

static float default_rate(atl_descent method) { return method == ATL_DESCENT_ADAM ? 2 : 1; }

static atl_status prepare(atl_fool_loop *a)
{
    const atl_fool_args *args = a->args;
    a->start = atl_seconds_now();
    a->iterations = (int)atl_option(args->iterations, 500);
    a->patience = (int)atl_option(args->patience, 25);
    a->confidence = atl_option(args->confidence, 0.99);
    a->seen.loss = a->fooler->kind;
    a->seen.classes = a->fooler->classes;
    a->seen.confidence = a->confidence;
    a->seen.method = args->method == ATL_DESCENT_DEFAULT ? ATL_DESCENT_ADAM : args->method;
    a->seen.rate = atl_option(args->rate, default_rate(a->seen.method));
    a->picture[ATL_FOOL_PIXELS] = args->start ? atl_fooler_picture(a->fooler, args->start)
                                              : atl_uniform_tensor(a->fooler->shape, 0, 255, args->seed);
    if (!a->picture[ATL_FOOL_PIXELS])
        return args->start ? ATL_INVALID : ATL_OUT_OF_MEMORY;
    clamp(a->picture[ATL_FOOL_PIXELS]);
    for (int i = ATL_FOOL_CLASSIFIED; i < ATL_FOOL_PICTURES; i++) {
        if (i >= ATL_FOOL_MEAN && a->seen.method != ATL_DESCENT_ADAM)
            break;
        a->picture[i] = atl_tensor_new(ATL_FLOAT32, a->fooler->shape);
        if (!a->picture[i])
            return ATL_OUT_OF_MEMORY;
    }
    return ATL_OK;
}

atl_status atl_fool_loop_run(atl_fool_loop *a, atl_fool_result *result)
{
    atl_status status = prepare(a);
    if (!status)
        status = loop(a);
    if (!status)
        status = finish(a, result);
    result->seconds = atl_seconds_now() - a->start;
    for (int i = 0; i < ATL_FOOL_PICTURES; i++) {
        atl_tensor_free(a->picture[i]);
        a->picture[i] = NULL;
    }
    return status;
}

/* ---- one target alone -------------------------------------------------------------------------------------------- */

static atl_status ask_program(atl_fool_loop *a, const atl_tensor *picture)
{
    atl_fooler *fooler = a->fooler;
    atl_status status = atl_fooler_run(fooler, picture, a->args->target);
    if (status)
        return status;
    a->probabilities = atl_floats(atl_value(fooler->program, fooler->probabilities));
    a->gradient = atl_value(fooler->program, fooler->gradient);
    a->loss = atl_scalar_of(fooler->program, fooler->loss);
    return a->probabilities && a->gradient ? ATL_OK : ATL_OUT_OF_MEMORY;
}

atl_status atl_fool_with(const atl_fool_args *args)
{
    if (!args)
        return atl_null_argument("atl_fool", "the options are");
    if (!args->result_out)
        return atl_set_error(ATL_INVALID, "atl_fool: .result_out is null");
    *args->result_out = (atl_fool_result){0};
    if (!args->fooler)
        return atl_set_error(ATL_INVALID, "atl_fool: the fooler is null: %s", atl_error());
    atl_fool_loop a = {.args = args, .fooler = args->fooler, .ask = ask_program};
    double before = args->fooler->seconds;
    atl_status status = atl_fooler_check_target(args->fooler, args->target);
    if (!status)
        status = atl_fool_check("atl_fool", args);
    if (!status)
        status = atl_fool_loop_run(&a, args->result_out);
    args->result_out->seconds_running = args->fooler->seconds - before;
    return status;
}
