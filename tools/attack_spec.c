/* atled attack --spec: looks for an input that a property in VNN-LIB describes. */
#include "attack_spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "text.h"
#include "vnnlib.h"

enum { DEFAULT_STEPS = 100, DEFAULT_RESTARTS = 20 };
#define IMPOSSIBLE (-1e30f) /* of conditions that a case does not have */

typedef struct search {
    const attack_options *set;
    spec_property property;
    onnx_file file;
    atl_node *x, *y;                    /* as in the file */
    atl_node *factors, *terms, *offset; /* inputs of the loss: [outputs, K], [inputs, K] or null, [1, K] */
    atl_node *loss, *gradient;
    atl_program *program;
    atl_tensor *pixels, *a, *b, *c; /* the feeds of x, factors, terms and offset */
    int most;                       /* K: conditions of a case, at most */
    double *lowest, *highest;       /* of each input, in the current case */
    double *at, *out;               /* the input and the outputs in double */
    int *condition, conditions;     /* the atoms of the case that are no bounds */
    int64_t runs;
    progress_line progress;
} search;

/* ---- a case ------------------------------------------------------------------------------------------------------ */

/* An atom about one input alone is a bound. */
static int is_bound(const spec_property *p, const spec_atom *a)
{
    return a->count == 1 && p->entry[a->first].variable >= 0 && p->entry[a->first].coefficient != 0;
}

static int count_conditions(const spec_property *p, const spec_case *c)
{
    int count = 0;
    for (int i = 0; i < c->count; i++)
        count += !is_bound(p, &p->atom[c->atom[i]]);
    return count;
}

/* Sorts the atoms of a case into bounds and conditions.  Returns 0 if an input has no bound or none between them. */
static int take_case(search *s, int number, int *missing_out)
{
    const spec_property *p = &s->property;
    const spec_case *c = &p->cases[number];
    int possible = 1;
    s->conditions = 0;
    *missing_out = -1;
    for (int i = 0; i < p->inputs; i++) {
        s->lowest[i] = -INFINITY;
        s->highest[i] = INFINITY;
    }
    for (int i = 0; i < c->count; i++) {
        const spec_atom *a = &p->atom[c->atom[i]];
        const spec_entry *e = &p->entry[a->first];
        if (!is_bound(p, a))
            s->condition[s->conditions++] = c->atom[i];
        else if (e->coefficient > 0)
            s->highest[e->variable] = fmin(s->highest[e->variable], -a->constant / e->coefficient);
        else
            s->lowest[e->variable] = fmax(s->lowest[e->variable], -a->constant / e->coefficient);
    }
    for (int i = 0; i < p->inputs; i++) {
        if (!isfinite(s->lowest[i]) || !isfinite(s->highest[i]))
            *missing_out = i;
        possible &= s->lowest[i] <= s->highest[i];
    }
    return possible && *missing_out < 0;
}

static void set_loss(search *s)
{
    const spec_property *p = &s->property;
    memset(atl_floats(s->a), 0, (size_t)atl_tensor_count(s->a) * sizeof(float));
    if (s->b)
        memset(atl_floats(s->b), 0, (size_t)atl_tensor_count(s->b) * sizeof(float));
    for (int k = 0; k < s->most; k++) {
        const spec_atom *a = k < s->conditions ? &p->atom[s->condition[k]] : NULL;
        atl_floats(s->c)[k] = a ? (float)a->constant : IMPOSSIBLE;
        for (int i = a ? a->first : 0; a && i < a->first + a->count; i++) {
            int v = p->entry[i].variable;
            float *to = v < 0 ? atl_floats(s->a) + (-1 - v) * s->most : atl_floats(s->b) + v * s->most;
            to[k] += (float)p->entry[i].coefficient;
        }
    }
}

/* ---- a point ----------------------------------------------------------------------------------------------------- */

/* The nearest float within the bounds; if there is none, the nearest to the lower one. */
static float within(const search *s, int i, double value)
{
    float x = (float)fmin(fmax(value, s->lowest[i]), s->highest[i]);
    x = (double)x < s->lowest[i] ? nextafterf(x, INFINITY) : x;
    x = (double)x > s->highest[i] ? nextafterf(x, -INFINITY) : x;
    return (double)x < s->lowest[i] ? (float)s->lowest[i] : x;
}

static int holds(const search *s)
{
    const spec_property *p = &s->property;
    for (int i = 0; i < s->conditions; i++) {
        double value = atom_value(p, s->condition[i], s->at, s->out);
        if (!(p->atom[s->condition[i]].is_strict ? value < 0 : value <= 0))
            return 0;
    }
    return 1;
}

/* Whether the network's outputs in double precision meet the conditions, too; they are then in `out`. */
static int holds_in_double(search *s, int *code)
{
    atl_tensor *x = atl_tensor_new(ATL_FLOAT64, atl_tensor_shape(s->pixels));
    for (int i = 0; x && i < s->property.inputs; i++)
        atl_doubles(x)[i] = s->at[i];
    atl_reference *reference = x ? atl_reference_run(ATL_NODES(s->y), ATL_FEED(s->x, x)) : NULL;
    const double *y = reference ? atl_doubles(atl_reference_value(reference, s->y)) : NULL;
    *code = y ? 0 : report_failure("attack");
    if (y)
        memcpy(s->out, y, (size_t)s->property.outputs * sizeof *y);
    atl_reference_free(reference);
    atl_tensor_free(x);
    return !*code && holds(s);
}

/* Runs the network at the current point. */
static int run(search *s, int *found)
{
    const atl_feed feeds[] = {{s->x, s->pixels}, {s->factors, s->a}, {s->offset, s->c}, {s->terms, s->b}, {NULL, NULL}};
    const atl_feed fewer[] = {{s->x, s->pixels}, {s->factors, s->a}, {s->offset, s->c}, {NULL, NULL}};
    int code = atl_run(s->program, s->b ? feeds : fewer) ? report_failure("attack") : 0;
    const float *y = code ? NULL : atl_floats(atl_value(s->program, s->y));
    *found = 0;
    s->runs++;
    for (int i = 0; y && i < s->property.outputs; i++) {
        s->out[i] = (double)y[i];
        if (!isfinite(s->out[i]))
            return report_error("attack", EXIT_GOAL_NOT_MET, "the network's output Y_%d is %g", i, s->out[i]);
    }
    for (int i = 0; i < s->property.inputs; i++)
        s->at[i] = fmin(fmax((double)atl_floats(s->pixels)[i], s->lowest[i]), s->highest[i]);
    if (y && holds(s))
        *found = holds_in_double(s, &code);
    return code;
}

static void step(search *s, double size)
{
    const float *g = atl_floats(atl_value(s->program, s->gradient));
    for (int i = 0; g && i < s->property.inputs; i++) {
        double change = size * (s->highest[i] - s->lowest[i]);
        double x = (double)atl_floats(s->pixels)[i] - (g[i] > 0 ? change : g[i] < 0 ? -change : 0);
        atl_floats(s->pixels)[i] = within(s, i, x);
    }
}

/* From the middle of the box first, then from random points. */
static int begin(search *s, int number, int start)
{
    int64_t count = s->property.inputs;
    atl_tensor *chance =
        atl_uniform_tensor(ATL_SHAPE(count), 0, 1,
                           (uint64_t)s->set->seed * 1000003 + (uint64_t)number * 1009 + (uint64_t)start);
    for (int i = 0; chance && i < count; i++) {
        double t = start ? (double)atl_floats(chance)[i] : 0.5;
        atl_floats(s->pixels)[i] = within(s, i, s->lowest[i] + t * (s->highest[i] - s->lowest[i]));
    }
    atl_tensor_free(chance);
    return chance ? 0 : report_no_memory("attack");
}

/* ---- the search -------------------------------------------------------------------------------------------------- */

static int search_case(search *s, int number, int start, int *found)
{
    int steps = s->set->steps ? (int)s->set->steps : DEFAULT_STEPS;
    int code = begin(s, number, start);
    for (int i = 0; i <= steps && !code && !*found && !was_interrupted(); i++) {
        code = run(s, found);
        if (!code && !*found) {
            show_progress(&s->progress, s->runs == 1,
                          "case %d of %d, start %d, step %d: the worst condition misses by %.4g", number + 1,
                          s->property.count, start + 1, i, (double)atl_scalar_of(s->program, s->loss));
            step(s, 0.25 * (1 - (double)i / (steps + 1)));
        }
    }
    return code;
}

static void print_counterexample(const search *s)
{
    for (int i = 0; i < s->property.inputs; i++)
        printf("%s(X_%d %.17g)\n", i ? " " : "(", i, s->at[i]);
    for (int i = 0; i < s->property.outputs; i++)
        printf(" (Y_%d %.17g)%s\n", i, s->out[i], i + 1 == s->property.outputs ? ")" : "");
    flush_output();
}

static int search_all(search *s)
{
    int starts = s->set->restarts ? (int)s->set->restarts : DEFAULT_RESTARTS, found = 0, code = 0, missing;
    for (int start = 0; start < starts && !code && !found; start++)
        for (int i = 0; i < s->property.count && !code && !found && !was_interrupted(); i++) {
            int possible = take_case(s, i, &missing);
            if (missing >= 0)
                code = report_error("attack", EXIT_BAD_FILE, "--spec %s: X_%d has no %s bound", s->set->spec, missing,
                                    isfinite(s->lowest[missing]) ? "upper" : "lower");
            if (code || !possible)
                continue;
            set_loss(s);
            code = search_case(s, i, start, &found);
        }
    end_progress(&s->progress);
    if (found)
        print_counterexample(s);
    else if (!code && s->runs == 0 && !was_interrupted())
        code = report_error("attack", EXIT_GOAL_NOT_MET,
                            "no counterexample can be there: the bounds of the inputs contradict each other");
    else if (!code)
        code = report_error("attack", EXIT_GOAL_NOT_MET, "no counterexample %s%d case%s, %lld run%s",
                            was_interrupted() ? "before the interrupt: " : "was found: ", s->property.count,
                            plural(s->property.count), (long long)s->runs, plural(s->runs));
    return code;
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static int check_sizes(const search *s)
{
    const spec_property *p = &s->property;
    int64_t inputs = atl_shape_count(atl_shape_of(s->x)), outputs = atl_shape_count(atl_shape_of(s->y));
    char text[160];
    if (atl_onnx_input_count(s->file.net) != 1)
        return report_error("attack", EXIT_BAD_FILE, "%s has %lld input%s: --spec needs a network with one",
                            s->set->network.model, (long long)atl_onnx_input_count(s->file.net),
                            plural(atl_onnx_input_count(s->file.net)));
    if (inputs != p->inputs)
        return report_error("attack", EXIT_BAD_FILE, "--spec %s has %d input%s, but that of the network is %s",
                            s->set->spec, p->inputs, plural(p->inputs),
                            atl_shape_text(atl_shape_of(s->x), text, sizeof text));
    if (outputs != p->outputs)
        return report_error("attack", EXIT_BAD_FILE, "--spec %s has %d output%s, but that of the network is %s",
                            s->set->spec, p->outputs, plural(p->outputs),
                            atl_shape_text(atl_shape_of(s->y), text, sizeof text));
    return 0;
}

/* Whether a condition, and not only a bound, names an input. */
static int has_terms(const spec_property *p)
{
    for (int i = 0; i < p->atoms; i++)
        for (int k = p->atom[i].first; k < p->atom[i].first + p->atom[i].count && !is_bound(p, &p->atom[i]); k++)
            if (p->entry[k].variable >= 0)
                return 1;
    return 0;
}

/* The loss is the largest of the conditions' values: at most 0 where all of them hold. */
static int build(search *s)
{
    const spec_property *p = &s->property;
    atl_graph *g = s->file.graph;
    s->most = 1;
    for (int i = 0; i < p->count; i++) {
        int count = count_conditions(p, &p->cases[i]);
        s->most = count > s->most ? count : s->most;
    }
    s->factors = atl_input(g, "spec/factors", ATL_FLOAT32, ATL_SHAPE(p->outputs, s->most));
    s->offset = atl_input(g, "spec/offset", ATL_FLOAT32, ATL_SHAPE(1, s->most));
    atl_node *value = atl_add(atl_matmul(atl_reshape(s->y, ATL_SHAPE(1, p->outputs)), s->factors), s->offset);
    if (has_terms(p)) {
        s->terms = atl_input(g, "spec/terms", ATL_FLOAT32, ATL_SHAPE(p->inputs, s->most));
        value = atl_add(value, atl_matmul(atl_reshape(s->x, ATL_SHAPE(1, p->inputs)), s->terms));
        s->b = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(p->inputs, s->most));
    }
    s->loss = atl_sum(atl_reduce_max(value, .axis = {-1}, .axes = 1));
    s->gradient = atl_gradient(s->loss, s->x);
    atl_compile_args compile = compile_args_of(&s->set->compile);
    compile.graph = g;
    compile.outputs = ATL_NODES(s->y, s->loss, s->gradient);
    s->program = atl_graph_status(g) ? NULL : atl_compile_with(&compile);
    if (!s->program)
        return report_graph_failure("attack", g);
    s->pixels = atl_tensor_new(ATL_FLOAT32, atl_shape_of(s->x));
    s->a = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(p->outputs, s->most));
    s->c = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, s->most));
    s->lowest = malloc((size_t)p->inputs * sizeof(double));
    s->highest = malloc((size_t)p->inputs * sizeof(double));
    s->at = malloc((size_t)p->inputs * sizeof(double));
    s->out = malloc((size_t)p->outputs * sizeof(double));
    s->condition = malloc((size_t)(p->atoms + 1) * sizeof(int));
    int is_complete =
        s->pixels && s->a && s->c && s->lowest && s->highest && s->at && s->out && s->condition && (!s->terms || s->b);
    return is_complete ? 0 : report_no_memory("attack");
}

/* A batch that the file leaves open is 1. */
static int open_network_of_spec(search *s)
{
    s->file.graph = atl_graph_new();
    s->file.net = s->file.graph ? atl_onnx_load(s->file.graph, s->set->network.model, .batch = 1) : NULL;
    if (!s->file.net)
        return report_failure("attack");
    s->x = atl_onnx_input(s->file.net, atl_onnx_input_name(s->file.net, 0));
    s->y = atl_onnx_output(s->file.net, atl_onnx_output_name(s->file.net, 0));
    return s->x && s->y ? 0 : report_error("attack", EXIT_BAD_FILE, "%s has no input or output", s->set->network.model);
}

int attack_spec(const attack_options *set)
{
    search s = {.set = set, .progress = start_progress(set->quiet)};
    const used_file files[] = {{"spec", set->spec, FILE_READ, ANY_FORMAT, NULL}, TIMING_FILE(&set->compile), {0}};
    int code = check_files("attack", files);
    if (!code)
        code = begin_compiling("attack", &set->compile);
    if (!code)
        code = read_vnnlib("attack", set->spec, &s.property);
    if (!code)
        code = open_network_of_spec(&s);
    if (!code)
        code = check_sizes(&s);
    if (!code)
        code = build(&s);
    if (!code) {
        catch_interrupts();
        code = search_all(&s);
    }
    int ended = end_compiling("attack", &set->compile);
    atl_program_free(s.program);
    atl_tensor *const tensors[] = {s.pixels, s.a, s.b, s.c};
    for (int i = 0; i < 4; i++)
        atl_tensor_free(tensors[i]);
    close_onnx(&s.file);
    free_property(&s.property);
    free(s.lowest);
    free(s.highest);
    free(s.at);
    free(s.out);
    free(s.condition);
    return code ? code : ended;
}
