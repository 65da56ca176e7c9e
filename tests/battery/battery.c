/* Samples built and differentiated. */
#include "battery.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "graph/graph.h"
#include "ops/ops.h"
#include "roots.h"

/* The built-in ops, then the builders that are made of them. */
int op_count(void)
{
    int64_t ops;
    int composed;
    atl_builtin_ops(&ops);
    atl_composed_ops(&composed);
    return (int)ops + composed;
}

const atl_op *op_at(int index)
{
    int64_t ops;
    int composed;
    const atl_op *const *op = atl_builtin_ops(&ops), *const *other = atl_composed_ops(&composed);
    if (index < 0 || index >= ops + composed)
        return NULL;
    return index < ops ? op[index] : other[index - ops];
}

int is_composed(const atl_op *op) { return atl_op_fault(op) != NULL; }

enum { OPS_IN_A_CASE = FEWER(1, 16) };

void test_ops(int first, void (*test)(const atl_op *op))
{
    for (int i = first; i < first + OPS_IN_A_CASE && i < op_count(); i++) {
        fprintf(stderr, "%s\n", op_at(i)->name);
        restart_random();
        test(op_at(i));
    }
}

struct criterion_test_params op_parameters(void)
{
    static int first[512]; /* plain numbers: rows may not hold pointers */
    int cases = 0;
    for (int i = 0; i < op_count(); i += OPS_IN_A_CASE)
        first[cases++] = i;
    return cr_make_param_array(int, first, (size_t)cases);
}

int has_samples_of_its_own(const atl_op *op)
{
    return !(op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT));
}

atl_node *build_sample(const atl_sample *sample, atl_node *const *x)
{
    return sample->unary ? sample->unary(x[0]) : sample->binary ? sample->binary(x[0], x[1]) : sample->build(x);
}

static atl_tensor *input_value(const atl_sample *sample, int i, atl_shape shape)
{
    float low = sample->input[i].low, high = sample->input[i].high;
    if (low == 0 && high == 0)
        low = -1, high = 1;
    return sample->input[i].is_int ? random_ints(shape, (int)low, (int)high) : random_tensor(shape, low, high);
}

static atl_shape with_first(atl_shape shape, int replace, int64_t size)
{
    if (replace && shape.rank)
        shape.size[0] = size;
    return shape;
}

trial *trial_new(const atl_sample *sample, trial_batch batch)
{
    trial *t = calloc(1, sizeof *t);
    t->sample = sample;
    t->graph = atl_graph_new();
    for (int i = 0; i < sample->inputs; i++) {
        atl_shape shape = shape_of_input(sample, i);
        int replaced = (batch.inputs >> i) & 1;
        t->x[i] = atl_input(t->graph, ATL_NAME("x%d", i), sample->input[i].is_int ? ATL_INT32 : ATL_FLOAT32,
                            with_first(shape, replaced, batch.built));
        trial_feed(t, t->x[i], input_value(sample, i, with_first(shape, replaced, batch.fed)));
    }
    t->y = build_sample(sample, t->x);
    t->last[0] = t->y;
    t->count = 1;
    return t;
}

void trial_free(trial *t)
{
    for (int i = 0; i < t->feed_count; i++)
        atl_tensor_free((atl_tensor *)t->feeds[i].value);
    atl_graph_free(t->graph);
    free(t);
}

void trial_feed(trial *t, const atl_node *node, atl_tensor *value)
{
    int i = 0;
    while (i < t->feed_count && t->feeds[i].node != node)
        i++;
    if (i == t->feed_count)
        t->feed_count++;
    else
        atl_tensor_free((atl_tensor *)t->feeds[i].value);
    t->feeds[i] = (atl_feed){node, value};
}

const atl_tensor *trial_value(const trial *t, const atl_node *node)
{
    for (int i = 0; i < t->feed_count; i++)
        if (t->feeds[i].node == node)
            return t->feeds[i].value;
    return NULL;
}

/* The shape of y when run: it may have unknown sizes in the graph. */
static atl_shape concrete_shape(const trial *t, const atl_node *y)
{
    if (atl_shape_count(atl_shape_of(y)) >= 0)
        return atl_shape_of(y);
    atl_reference *reference = atl_reference_run(ATL_NODES((atl_node *)y), t->feeds);
    atl_shape shape = atl_tensor_shape(reference ? atl_reference_value(reference, y) : NULL);
    atl_reference_free(reference);
    return shape;
}

/* A new input of y's shape, fed with random values. */
static atl_node *add_weights(trial *t, const char *name, const atl_node *y)
{
    atl_node *weights = atl_input(t->graph, name, ATL_FLOAT32, atl_shape_of(y));
    if (weights)
        trial_feed(t, weights, random_tensor(concrete_shape(t, y), 0.5f, 1.5f));
    return weights;
}

atl_node *trial_float_input(const trial *t, int i)
{
    for (int k = 0; k < t->sample->inputs; k++)
        if (!t->sample->input[k].is_int && i-- == 0)
            return t->x[k];
    return NULL;
}

int trial_differentiate(trial *t, functional *functional_out)
{
    atl_node *weights[ATL_MAX_RULES], *x[ATL_MAX_RULES], *result[ATL_MAX_RULES];
    int xs = 0;
    while (xs < ATL_MAX_RULES && (x[xs] = trial_float_input(t, xs)))
        xs++;
    *functional_out = (functional){.count = t->count};
    for (int i = 0; i < t->count; i++) {
        weights[i] = add_weights(t, ATL_NAME("w%d_%d", t->order, i), t->last[i]);
        functional_out->y[i] = t->last[i];
        functional_out->weights[i] = trial_value(t, weights[i]);
    }
    if (atl_gradients(.of = {t->count, t->last}, .by = {xs, x}, .result_out = result, .seeds = {t->count, weights},
                      .unused = ATL_UNUSED_ZEROS))
        return 0;
    memcpy(t->last, result, sizeof *result * (size_t)xs);
    t->count = xs;
    t->order++;
    return 1;
}

/* ---- central differences ----------------------------------------------------------------------------------------- */

enum { MOST_ELEMENTS = 12, DIRECTIONS = 2 };
enum { CHECKED_ELEMENTS = FEWER(MOST_ELEMENTS, 2), CHECKED_DIRECTIONS = FEWER(DIRECTIONS, 1) };

/* sum(weights * value(y)) at x + step * direction, minus the same at x - step * direction. */
static int difference(const trial *t, const functional *f, const atl_node *x, const atl_tensor *direction, double step,
                      double *result_out)
{
    atl_feed feeds[MOST_FEEDS + 1];
    atl_reference *side[2];
    memcpy(feeds, t->feeds, sizeof feeds);
    for (int s = 0; s < 2; s++) {
        atl_tensor *at = atl_tensor_convert(trial_value(t, x), ATL_FLOAT64);
        for (int64_t k = 0; k < atl_tensor_count(at); k++)
            atl_doubles(at)[k] += (s ? -step : step) * atl_doubles(direction)[k];
        for (int i = 0; i < t->feed_count; i++)
            if (feeds[i].node == x)
                feeds[i].value = at;
        side[s] = atl_reference_run((atl_nodes){f->count, f->y}, feeds);
        atl_tensor_free(at);
    }
    *result_out = 0;
    for (int i = 0; side[0] && side[1] && i < f->count; i++) {
        const atl_tensor *up = atl_reference_value(side[0], f->y[i]), *down = atl_reference_value(side[1], f->y[i]);
        for (int64_t k = 0; k < atl_tensor_count(up); k++)
            *result_out += element_of(f->weights[i], k) * (atl_doubles(up)[k] - atl_doubles(down)[k]);
    }
    int ok = side[0] && side[1];
    atl_reference_free(side[0]);
    atl_reference_free(side[1]);
    return ok;
}

/* Compares the slope along one direction, with Richardson's extrapolation from a step and its half.  Kinks may be
 * near, and curvature differs; the step that agrees best counts, since a wrong gradient agrees at no step. */
static int slope_agrees(const trial *t, const functional *f, const atl_node *x, const atl_tensor *direction,
                        double analytic, double scale, double *numeric_out)
{
    static const double steps[] = {1e-4, 1e-3, 1e-5, 1e-2};
    double best = INFINITY;
    for (int i = 0; i < 4 && !(best <= 1e-6 * scale); i++) {
        double whole, half, h = steps[i];
        if (!difference(t, f, x, direction, h, &whole) || !difference(t, f, x, direction, h / 2, &half))
            return 0;
        double numeric = (4 * half / h - whole / (2 * h)) / 3;
        double off = fabs(numeric - analytic);
        if (off < best || i == 0) {
            best = off;
            *numeric_out = numeric;
        }
    }
    return best <= 1e-6 * scale;
}

/* Along one element, chosen by `which`, or along a random direction (-1). */
static int one_slope_agrees(const trial *t, const functional *f, const atl_node *x, const atl_tensor *gradient,
                            int64_t which, double largest, char *text, size_t size)
{
    double analytic = 0, scale = 0, numeric = NAN;
    atl_tensor *direction = atl_tensor_new(ATL_FLOAT64, atl_tensor_shape(gradient));
    for (int64_t k = 0; k < atl_tensor_count(gradient); k++) {
        double d = which >= 0 ? k == which : (double)random_below(2000) / 1000 - 1;
        atl_doubles(direction)[k] = d;
        analytic += d * atl_doubles(gradient)[k];
        scale += fabs(d) * largest;
    }
    int ok = slope_agrees(t, f, x, direction, analytic, scale, &numeric);
    if (!ok && which >= 0)
        snprintf(text, size, "d/d%s, element %lld: the gradient is %.12g, central differences give %.12g (seed %llu)",
                 atl_name_of(x), (long long)which, analytic, numeric, (unsigned long long)test_seed());
    else if (!ok)
        snprintf(text, size, "d/d%s, along a random direction: %.12g, central differences give %.12g (seed %llu)",
                 atl_name_of(x), analytic, numeric, (unsigned long long)test_seed());
    atl_tensor_free(direction);
    return ok;
}

/* The sum of |weights| times the largest value: the scale relative to which a gradient is zero. */
static double size_of(const functional *f, const atl_feed *feeds)
{
    double size = 0;
    atl_reference *reference = atl_reference_run((atl_nodes){f->count, f->y}, feeds);
    for (int i = 0; reference && i < f->count; i++) {
        const atl_tensor *value = atl_reference_value(reference, f->y[i]);
        for (int64_t k = 0; k < atl_tensor_count(value); k++)
            size += fabs(element_of(f->weights[i], k) * element_of(value, k));
    }
    atl_reference_free(reference);
    return size;
}

int gradient_agrees(const trial *t, const functional *f, const atl_node *x, const atl_node *gradient, char *text,
                    size_t size)
{
    char have[160], want[160];
    atl_reference *reference = atl_reference_run(ATL_NODES((atl_node *)gradient), t->feeds);
    if (!reference) {
        snprintf(text, size, "the reference of the gradient does not run: %s", atl_error());
        return 0;
    }
    const atl_tensor *value = atl_reference_value(reference, gradient);
    int64_t count = atl_tensor_count(value);
    int ok = atl_shape_equal(atl_tensor_shape(value), atl_tensor_shape(trial_value(t, x)));
    if (!ok)
        snprintf(text, size, "d/d%s is %s, but it must be %s", atl_name_of(x),
                 atl_shape_text(atl_tensor_shape(value), have, sizeof have),
                 atl_shape_text(atl_tensor_shape(trial_value(t, x)), want, sizeof want));
    double largest = size_of(f, t->feeds) * 1e-4; /* smaller values are below the resolution of differences in double */
    for (int64_t k = 0; ok && k < count; k++)
        largest = fmax(largest, fabs(atl_doubles(value)[k]));
    if (largest == 0)
        largest = 1e-9;
    for (int64_t k = 0; ok && k < count && k < MOST_ELEMENTS; k++) {
        int64_t which = count <= MOST_ELEMENTS ? k : (int64_t)random_below((uint64_t)count);
        ok = k >= CHECKED_ELEMENTS || one_slope_agrees(t, f, x, value, which, largest, text, size);
    }
    for (int k = 0; ok && k < DIRECTIONS && count > MOST_ELEMENTS; k++) {
        if (k < CHECKED_DIRECTIONS)
            ok = one_slope_agrees(t, f, x, value, -1, largest, text, size);
        else
            skip_random((uint64_t)count);
    }
    atl_reference_free(reference);
    return ok;
}

void report_order(const atl_op *op, int order, const char *result)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/derivatives", ATLED_BUILD_ROOT);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/derivatives/%s.%d", ATLED_BUILD_ROOT, op->name, order);
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "%s\n", result);
        fclose(file);
    }
}
