/* The fooling loop: descends a loss on a network's logits from a start image until the rounded image is classified as
 * the target. */
#include "atled/attack.h"

#include <math.h>
#include <string.h>

#include "atled/gradient.h"
#include "atled/ops.h"
#include "attack/diagnosis.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/option.h"
#include "kernels/kernels.h"

struct atl_fooler {
    atl_node *image, *target, *loss, *probabilities, *gradient;
    atl_fool_loss kind;
    atl_shape shape; /* [1, h, w, c] */
    int64_t classes;
    atl_program *program;
    atl_tensor *label; /* int32 [1], the feed of target */
    double seconds;    /* in the program */
};

/* ---- the network, its loss, its gradient ------------------------------------------------------------------------- */

static int is_one(int64_t size) { return size == 1 || size == ATL_ANY; }

static atl_status check_nodes(const atl_node *image, const atl_node *logits)
{
    char text[160];
    atl_shape in = atl_shape_of(image), out = atl_shape_of(logits);
    if (!image || !logits) {
        const atl_graph *graph = atl_graph_of(image ? image : logits);
        const char *mistake = graph && *atl_graph_error(graph) ? atl_graph_error(graph) : atl_error();
        return atl_set_error(ATL_INVALID, "atl_fooler_new: %s is null%s%s", image ? "logits" : "image",
                             mistake[0] ? ": " : "", mistake);
    }
    if (in.rank != 4 || !is_one(in.size[0]) || in.size[1] < 1 || in.size[2] < 1 || in.size[3] < 1)
        return atl_set_error(ATL_INVALID,
                             "atl_fooler_new: the image '%s' is %s, but must be [1, height, width, channels]",
                             atl_name_of(image), atl_shape_text(in, text, sizeof text));
    if (out.rank != 2 || !is_one(out.size[0]) || out.size[1] < 1)
        return atl_set_error(ATL_INVALID, "atl_fooler_new: the logits '%s' are %s, but must be [1, classes]",
                             atl_name_of(logits), atl_shape_text(out, text, sizeof text));
    return ATL_OK;
}

/* Each loss is a scalar; a smaller one is better for the target. */
static atl_node *loss_of(atl_node *logits, atl_node *target, int64_t classes, atl_fool_loss kind)
{
    atl_node *score = atl_gather_last(logits, target);
    switch (kind) {
    case ATL_LOSS_LOGIT:
        return atl_neg(atl_sum(score));
    case ATL_LOSS_MARGIN: {
        atl_node *others = atl_sub(logits, atl_scale(atl_one_hot(target, classes), 1e30f));
        return atl_sum(atl_sub(atl_reduce_max(others, ATL_AXES(-1)), score));
    }
    case ATL_LOSS_SOFTMAX_MSE:
        return atl_mean_squared_error(atl_softmax(logits), atl_one_hot(target, classes));
    default:
        return atl_sum(atl_sparse_softmax_cross_entropy(logits, target));
    }
}

/* Enters a scope that no other fooler of the graph has. */
static void enter_own_scope(atl_graph *graph)
{
    char name[ATL_NAME_SIZE] = "fool";
    for (int i = 1; atl_find(graph, ATL_NAME("%.200s/target", name)); i++)
        atl_format_name(name, "fool_%d", i);
    atl_enter(graph, name);
}

static atl_status build(atl_fooler *fooler, atl_node *logits, atl_compile_args compile)
{
    atl_graph *graph = atl_graph_of(logits);
    enter_own_scope(graph);
    fooler->target = atl_input(graph, "target", ATL_INT32, ATL_SHAPE(atl_shape_of(logits).size[0]));
    fooler->loss = atl_named(loss_of(logits, fooler->target, fooler->classes, fooler->kind), "loss");
    fooler->probabilities = atl_named(atl_softmax(logits), "probabilities");
    atl_leave(graph);
    fooler->gradient = atl_gradient(fooler->loss, fooler->image);
    compile.graph = graph;
    compile.outputs = ATL_NODES(fooler->loss, fooler->probabilities, fooler->gradient);
    fooler->program = atl_compile_with(&compile);
    fooler->label = atl_tensor_new(ATL_INT32, ATL_SHAPE(1));
    if (!fooler->program)
        return atl_graph_status(graph) ? atl_set_error(atl_graph_status(graph), "%s", atl_graph_error(graph))
                                       : atl_error_status();
    return fooler->label ? ATL_OK : ATL_OUT_OF_MEMORY;
}

atl_fooler *atl_fooler_new_with(const atl_fooler_args *args)
{
    if (!args)
        return atl_null_argument("atl_fooler_new", "the options are"), NULL;
    atl_node *image = args->image, *logits = args->logits;
    if (check_nodes(image, logits))
        return NULL;
    if (args->compile.graph || args->compile.outputs.count) {
        atl_set_error(ATL_INVALID,
                      "atl_fooler_new: .compile.graph and .compile.outputs are the fooler's own: leave them out");
        return NULL;
    }
    atl_fooler *fooler = atl_allocate(1, sizeof *fooler);
    if (!fooler) {
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    fooler->image = image;
    fooler->kind = args->loss;
    fooler->shape = atl_shape_of(image);
    fooler->shape.size[0] = 1;
    fooler->classes = atl_shape_of(logits).size[1];
    if (build(fooler, logits, args->compile)) {
        atl_fooler_free(fooler);
        return NULL;
    }
    return fooler;
}

void atl_fooler_free(atl_fooler *fooler)
{
    if (!fooler)
        return;
    atl_program_free(fooler->program);
    atl_tensor_free(fooler->label);
    atl_release(fooler);
}

int atl_fooler_classes(const atl_fooler *fooler) { return fooler ? (int)fooler->classes : 0; }

/* ---- classification ---------------------------------------------------------------------------------------------- */

static atl_status run(atl_fooler *fooler, const atl_tensor *pixels, int target)
{
    double start = atl_seconds_now();
    atl_ints(fooler->label)[0] = target;
    atl_status status = atl_run(fooler->program, ATL_FEEDS({fooler->image, pixels}, {fooler->target, fooler->label}));
    fooler->seconds += atl_seconds_now() - start;
    return status;
}

/* A copy as [1, h, w, c], or null with the error set. */
static atl_tensor *as_batch(const atl_fooler *fooler, const atl_tensor *pixels)
{
    char given[160], requested[160];
    if (!fooler)
        return atl_null_argument("atl_fooler", "the fooler is"), NULL;
    atl_shape shape = atl_tensor_shape(pixels);
    if (shape.rank == 3)
        shape = ATL_SHAPE(1, shape.size[0], shape.size[1], shape.size[2]);
    if (atl_floats(pixels) && atl_shape_equal(shape, fooler->shape))
        return atl_tensor_of_floats(shape, atl_floats(pixels));
    if (!atl_floats(pixels))
        atl_set_error(ATL_INVALID, "the picture is %s, but must be a float32 tensor",
                      pixels ? atl_dtype_name(atl_tensor_dtype(pixels)) : "null");
    else
        atl_set_error(ATL_INVALID, "the picture is %s, but the network takes %s: resize it (atl_fit_image)",
                      atl_shape_text(atl_tensor_shape(pixels), given, sizeof given),
                      atl_shape_text(fooler->shape, requested, sizeof requested));
    return NULL;
}

static const atl_tensor *value_for(atl_fooler *fooler, const atl_tensor *pixels, int target, const atl_node *node)
{
    atl_tensor *picture = as_batch(fooler, pixels);
    atl_status status = picture ? run(fooler, picture, target) : atl_error_status();
    atl_tensor_free(picture);
    return status ? NULL : atl_value(fooler->program, node);
}

const atl_tensor *atl_fooler_classify(atl_fooler *fooler, const atl_tensor *pixels)
{
    return value_for(fooler, pixels, 0, fooler ? fooler->probabilities : NULL);
}

static atl_status check_target(const atl_fooler *fooler, int target)
{
    if (!fooler)
        return atl_null_argument("atl_fooler", "the fooler is");
    if (target >= 0 && target < fooler->classes)
        return ATL_OK;
    return atl_set_error(ATL_INVALID, "target %d: the network has classes 0..%lld", target,
                         (long long)fooler->classes - 1);
}

const atl_tensor *atl_fooler_gradient(atl_fooler *fooler, const atl_tensor *pixels, int target)
{
    return check_target(fooler, target) ? NULL : value_for(fooler, pixels, target, fooler->gradient);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

enum { PIXELS, CLASSIFIED, BEST, MEAN, SQUARE, PICTURES };

typedef struct attempt {
    const atl_fool_args *args;
    atl_fooler *fooler;
    atl_tensor *picture[PICTURES]; /* [1, h, w, c] each */
    double start, confidence;
    int iteration, iterations, patience;
    int rounding; /* classifies the rounded image, and follows its gradient */
    int top;
    double top_probability, loss;
    atl_symptoms seen;
} attempt;

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

/* Reads the probabilities and the gradient of the last run. */
static atl_status read_output(attempt *a)
{
    const float *p = atl_floats(atl_value(a->fooler->program, a->fooler->probabilities));
    const atl_tensor *gradient = atl_value(a->fooler->program, a->fooler->gradient);
    if (!p || !gradient)
        return ATL_OUT_OF_MEMORY;
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
    a->seen.largest_gradient = largest_of(gradient);
    a->seen.finite = isfinite(sum) && isfinite(a->seen.largest_gradient);
    a->loss = atl_scalar_of(a->fooler->program, a->fooler->loss);
    if (a->iteration == 0) {
        a->seen.uniform = (a->top_probability - smallest) * (double)a->fooler->classes;
        a->seen.first_probability = a->seen.probability;
    }
    return ATL_OK;
}

static int is_there(const attempt *a) { return a->top == a->args->target && a->seen.probability >= a->confidence; }

/* Classifies the image; once the unrounded image has reached the goal, classifies its rounded form. */
static atl_status look(attempt *a)
{
    for (;;) {
        if (a->rounding)
            round_into(a->picture[CLASSIFIED], a->picture[PIXELS]);
        const atl_tensor *picture = a->picture[a->rounding ? CLASSIFIED : PIXELS];
        atl_status status = run(a->fooler, picture, a->args->target);
        if (!status)
            status = read_output(a);
        if (status || !is_there(a) || a->rounding)
            return status;
        a->rounding = 1;
    }
}

static void keep_best(attempt *a)
{
    if (a->seen.probability <= a->seen.best_probability && a->iteration > 0)
        return;
    a->seen.best_probability = a->seen.probability;
    copy_into(a->picture[BEST], a->picture[a->rounding ? CLASSIFIED : PIXELS]);
}

static int wants_stop(attempt *a)
{
    const atl_fool_progress progress = {.iteration = a->iteration,
                                        .iterations = a->iterations,
                                        .probability = a->seen.probability,
                                        .top = a->top,
                                        .top_probability = a->top_probability,
                                        .loss = a->loss,
                                        .rounded = a->rounding,
                                        .seconds = atl_seconds_now() - a->start,
                                        .pixels = a->picture[a->rounding ? CLASSIFIED : PIXELS],
                                        .gradient = atl_value(a->fooler->program, a->fooler->gradient)};
    return a->args->watch && a->args->watch(a->args->context, &progress);
}

static atl_status descend(attempt *a)
{
    atl_descent_effect effect;
    int iteration = a->seen.method == ATL_DESCENT_ADAM ? a->iteration : 0;
    atl_status status =
        atl_descend(a->picture[PIXELS], atl_value(a->fooler->program, a->fooler->gradient), .rate = (float)a->seen.rate,
                    .lowest = 0, .highest = 255, .method = a->seen.method,
                    .moments = {a->picture[MEAN], a->picture[SQUARE]}, .iteration = iteration, .effect_out = &effect);
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
static int is_stuck(const attempt *a)
{
    if (!a->seen.finite)
        return 1;
    if (a->patience < 0 || !a->seen.idle)
        return 0;
    return a->seen.idle >= a->patience ||
           (a->seen.moved == 0 && (a->seen.method != ATL_DESCENT_ADAM || a->iteration == 1));
}

static atl_status loop(attempt *a)
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

static atl_status finish(attempt *a, atl_fool_result *result)
{
    int met = a->rounding && is_there(a);
    if (!met) { /* returns the best image, as a file would store it */
        round_into(a->picture[CLASSIFIED], a->picture[BEST]);
        a->rounding = 1;
        double gradient = a->seen.largest_gradient;
        int finite = a->seen.finite;
        atl_status status = run(a->fooler, a->picture[CLASSIFIED], a->args->target);
        if (!status)
            status = read_output(a);
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
    result->pixels = a->picture[CLASSIFIED];
    a->picture[CLASSIFIED] = NULL;
    return ATL_OK;
}

static atl_status check_options(const atl_fool_args *args)
{
    double iterations = atl_option(args->iterations, 500), confidence = atl_option(args->confidence, 0.99);
    if (args->start && args->seed)
        return atl_set_error(ATL_INVALID,
                             "atl_fool: .seed is of the noise that replaces .start: leave one of them out");
    if (args->context && !args->watch)
        return atl_set_error(ATL_INVALID, "atl_fool: .context is passed to .watch, which is null");
    if (iterations < 0)
        return atl_set_error(ATL_INVALID, "atl_fool: .iterations is %d; it must be positive", args->iterations);
    if (!(confidence >= 0 && confidence <= 1))
        return atl_set_error(ATL_INVALID, "atl_fool: .confidence is %g; it must be a probability", confidence);
    if (!(args->rate >= 0))
        return atl_set_error(ATL_INVALID, "atl_fool: .rate is %g; it must be positive", (double)args->rate);
    return ATL_OK;
}

static float default_rate(atl_descent method) { return method == ATL_DESCENT_ADAM ? 2 : 1; }

static atl_status prepare(attempt *a)
{
    const atl_fool_args *args = a->args;
    a->fooler = args->fooler;
    a->start = atl_seconds_now();
    a->iterations = (int)atl_option(args->iterations, 500);
    a->patience = (int)atl_option(args->patience, 25);
    a->confidence = atl_option(args->confidence, 0.99);
    a->seen.loss = a->fooler->kind;
    a->seen.classes = a->fooler->classes;
    a->seen.confidence = a->confidence;
    a->seen.method = args->method == ATL_DESCENT_DEFAULT ? ATL_DESCENT_ADAM : args->method;
    a->seen.rate = atl_option(args->rate, default_rate(a->seen.method));
    a->picture[PIXELS] =
        args->start ? as_batch(a->fooler, args->start) : atl_uniform_tensor(a->fooler->shape, 0, 255, args->seed);
    if (!a->picture[PIXELS])
        return args->start ? ATL_INVALID : ATL_OUT_OF_MEMORY;
    clamp(a->picture[PIXELS]);
    for (int i = CLASSIFIED; i < PICTURES; i++) {
        if (i >= MEAN && a->seen.method != ATL_DESCENT_ADAM)
            break;
        a->picture[i] = atl_tensor_new(ATL_FLOAT32, a->fooler->shape);
        if (!a->picture[i])
            return ATL_OUT_OF_MEMORY;
    }
    return ATL_OK;
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
    attempt a = {.args = args};
    double before = args->fooler->seconds;
    atl_status status = check_target(args->fooler, args->target);
    if (!status)
        status = check_options(args);
    if (!status)
        status = prepare(&a);
    if (!status)
        status = loop(&a);
    if (!status)
        status = finish(&a, args->result_out);
    args->result_out->seconds = atl_seconds_now() - a.start;
    args->result_out->seconds_running = args->fooler->seconds - before;
    for (int i = 0; i < PICTURES; i++)
        atl_tensor_free(a.picture[i]);
    return status;
}
