/* Every optimizer against its formula in plain C and double, on a quadratic and on logistic regression; and that it
 * converges. */
#include "support.h"

enum { SIZE = 7, MOST_STEPS = 400 };

/* What the formulas below store for each weight. */
typedef struct memory {
    double w[SIZE], m[SIZE], v[SIZE];
} memory;

typedef struct method {
    const char *name;
    atl_optimizer (*make)(void);
    /* One step: t = 1, 2, ... */
    void (*step)(memory *s, const double *g, int t);
    int steps;    /* enough for the quadratic */
    double start; /* of v */
} method;

#define EACH for (int i = 0; i < SIZE; i++)

static atl_optimizer make_sgd(void) { return atl_sgd(.rate = 0.1); }
static void step_sgd(memory *s, const double *g, int t)
{
    (void)t;
    EACH s->w[i] -= 0.1 * g[i];
}

static atl_optimizer make_momentum(void) { return atl_momentum(.rate = 0.05, .momentum = 0.8); }
static void step_momentum(memory *s, const double *g, int t)
{
    (void)t;
    EACH
    {
        s->m[i] = 0.8 * s->m[i] + g[i];
        s->w[i] -= 0.05 * s->m[i];
    }
}

static atl_optimizer make_nesterov(void) { return atl_nesterov(.rate = 0.05); }
static void step_nesterov(memory *s, const double *g, int t)
{
    (void)t;
    EACH
    {
        s->m[i] = 0.9 * s->m[i] + g[i];
        s->w[i] -= 0.05 * (g[i] + 0.9 * s->m[i]);
    }
}

static atl_optimizer make_rmsprop(void) { return atl_rmsprop(.rate = 0.02, .epsilon = 1e-3); }
static void step_rmsprop(memory *s, const double *g, int t)
{
    (void)t;
    EACH
    {
        s->v[i] = 0.9 * s->v[i] + 0.1 * g[i] * g[i];
        s->w[i] -= 0.02 * g[i] / (sqrt(s->v[i]) + 1e-3);
    }
}

static atl_optimizer make_rmsprop_momentum(void)
{
    return atl_rmsprop(.rate = 0.01, .rho = 0.95, .momentum = 0.5, .epsilon = 1e-3);
}
static void step_rmsprop_momentum(memory *s, const double *g, int t)
{
    (void)t;
    EACH
    {
        s->v[i] = 0.95 * s->v[i] + 0.05 * g[i] * g[i];
        s->m[i] = 0.5 * s->m[i] + g[i] / (sqrt(s->v[i]) + 1e-3);
        s->w[i] -= 0.01 * s->m[i];
    }
}

static atl_optimizer make_adagrad(void) { return atl_adagrad(.rate = 0.5, .start = 0.1); }
static void step_adagrad(memory *s, const double *g, int t)
{
    (void)t;
    EACH
    {
        s->v[i] += g[i] * g[i];
        s->w[i] -= 0.5 * g[i] / (sqrt(s->v[i]) + 1e-8);
    }
}

static atl_optimizer make_adam(void) { return atl_adam(.rate = 0.05); }
static void adam(memory *s, const double *g, int t, double decay)
{
    double rate = 0.05 * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
    EACH
    {
        s->m[i] = 0.9 * s->m[i] + 0.1 * g[i];
        s->v[i] = 0.999 * s->v[i] + 0.001 * g[i] * g[i];
        s->w[i] -= 0.05 * decay * s->w[i] + rate * s->m[i] / (sqrt(s->v[i]) + 1e-8);
    }
}
static void step_adam(memory *s, const double *g, int t) { adam(s, g, t, 0); }

static atl_optimizer make_adamw(void) { return atl_adamw(.rate = 0.05, .weight_decay = 0.02); }
static void step_adamw(memory *s, const double *g, int t) { adam(s, g, t, 0.02); }

static const method methods[] = {
    {"sgd", make_sgd, step_sgd, 200, 0},
    {"momentum", make_momentum, step_momentum, 200, 0},
    {"nesterov", make_nesterov, step_nesterov, 200, 0},
    {"rmsprop", make_rmsprop, step_rmsprop, 300, 0},
    {"rmsprop with momentum", make_rmsprop_momentum, step_rmsprop_momentum, 300, 0},
    {"adagrad", make_adagrad, step_adagrad, 400, 0.1},
    {"adam", make_adam, step_adam, 400, 0},
    {"adamw", make_adamw, step_adamw, 400, 0},
};
enum { METHODS = sizeof methods / sizeof *methods };

/* ---- two problems ------------------------------------------------------------------------------------------------ */

typedef struct problem {
    atl_graph *graph;
    atl_node *w, *cost;
    void (*gradient)(const double *w, double *g);
} problem;

/* sum of c_i (w_i - i / 4)^2 / 2, c_i from 0.5 to 2: the minimum is 0. */
static double stiffness(int i) { return 0.5 + 0.25 * i; }
static double target(int i) { return 0.25 * i; }

static void quadratic_gradient(const double *w, double *g) { EACH g[i] = stiffness(i) * (w[i] - target(i)); }

static problem new_quadratic(void)
{
    float c[SIZE], t[SIZE];
    problem p = {.graph = atl_graph_new(), .gradient = quadratic_gradient};
    EACH c[i] = (float)stiffness(i), t[i] = (float)target(i);
    p.w = atl_variable(p.graph, "w", ATL_SHAPE(SIZE, 1), atl_fill_with(-1)); /* two dimensions: AdamW decays it */
    atl_node *off = atl_sub(atl_reshape(p.w, ATL_SHAPE(SIZE)), atl_vector(p.w, SIZE, t));
    p.cost = atl_scale(atl_sum(atl_mul(atl_vector(p.w, SIZE, c), atl_square(off))), 0.5f);
    return p;
}

/* Logistic regression of five points: mean of log(1 + exp(-y x.w)). */
enum { POINTS = 5 };
static double point(int n, int i) { return sin(1 + 3 * n + i) + (i == 0); }
static double side(int n) { return n % 2 ? 1 : -1; }

static void logistic_gradient(const double *w, double *g)
{
    EACH g[i] = 0;
    for (int n = 0; n < POINTS; n++) {
        double z = 0;
        EACH z += point(n, i) * w[i];
        double slope = -side(n) / (1 + exp(side(n) * z)) / POINTS;
        EACH g[i] += slope * point(n, i);
    }
}

static problem new_logistic(void)
{
    float x[POINTS * SIZE], y[POINTS];
    problem p = {.graph = atl_graph_new(), .gradient = logistic_gradient};
    for (int n = 0; n < POINTS; n++) {
        EACH x[n * SIZE + i] = (float)point(n, i);
        y[n] = (float)-side(n);
    }
    atl_tensor *points = atl_tensor_of_floats(ATL_SHAPE(POINTS, SIZE), x);
    p.w = atl_variable(p.graph, "w", ATL_SHAPE(SIZE, 1), atl_fill_with(-1));
    atl_node *z = atl_reshape(atl_matmul(atl_constant(p.graph, points), p.w), ATL_SHAPE(POINTS));
    p.cost = atl_mean(atl_softplus(atl_mul(z, atl_vector(p.w, POINTS, y))));
    atl_tensor_free(points);
    return p;
}

/* Runs both for some steps.  Returns the last cost. */
static double follow(problem p, const method *by, int steps)
{
    memory s = {{0}};
    double g[SIZE], cost = NAN;
    atl_node *step = atl_minimize(p.cost, by->make());
    atl_program *program = atl_compile(p.graph, ATL_NODES(step));
    cr_assert(program, "%s: %s", by->name, atl_graph_error(p.graph));
    EACH s.w[i] = -1, s.v[i] = by->start;
    for (int t = 1; t <= steps; t++) {
        cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s: %s", by->name, atl_error());
        cost = atl_scalar_of(program, step);
        p.gradient(s.w, g);
        by->step(&s, g, t);
        const float *w = atl_floats(atl_variable_value(p.w));
        EACH cr_assert_float_eq(w[i], s.w[i], 1e-4, "%s, step %d: w[%d] is %.8g, not %.8g", by->name, t, i,
                                (double)w[i], s.w[i]);
    }
    atl_program_free(program);
    atl_graph_free(p.graph);
    return cost;
}

Test(optimizer, every_one_follows_its_formula_down_a_quadratic)
{
    for (int k = 0; k < METHODS; k++) {
        double cost = follow(new_quadratic(), &methods[k], methods[k].steps);
        cr_assert_lt(cost, 0.01, "%s: the cost is %g after %d steps", methods[k].name, cost, methods[k].steps);
    }
}

Test(optimizer, every_one_follows_its_formula_on_logistic_regression)
{
    for (int k = 0; k < METHODS; k++) {
        double cost = follow(new_logistic(), &methods[k], 100);
        cr_assert_lt(cost, 0.5, "%s: the cost is %g", methods[k].name, cost);
    }
}

/* One pass over memory for every formula, and no copy: the update of each variable is one step of the plan. */
Test(optimizer, new_values_are_made_in_one_pass_and_in_place)
{
    for (int k = 0; k < METHODS; k++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(30, 20)),
                 *w = atl_variable(g, "w", ATL_SHAPE(30, 20), atl_glorot());
        atl_variable_set_average(w, 0.99f);
        atl_node *step = atl_minimize(atl_sum(atl_mul(x, w)), methods[k].make(), .clip_value = 1);
        atl_program *program = atl_compile(g, ATL_NODES(step), .check = -1);
        int whole = 0;
        for (int64_t i = 0; i < atl_program_step_count(program); i++) {
            atl_step_info info;
            atl_program_step(program, i, &info);
            cr_assert_str_neq(info.implementation, "copy", "%s", methods[k].name);
            whole += !info.prepack && atl_shape_count(info.shape) == 600;
        }
        cr_assert_leq(whole, 2, "%s: %d passes over the weights", methods[k].name,
                      whole); /* the cost's product is one */
        atl_program_free(program);
        atl_graph_free(g);
    }
}

static atl_node *halve(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot, atl_node **new_slot)
{
    (void)o;
    new_slot[0] = atl_add_scalar(slot[0], 1);
    return atl_scale(u->variable, 0.5f);
}

Test(optimizer, one_of_ones_own)
{
    static const atl_optimizer_rule halving = {.name = "halving", .slot = {"times"}, .update = halve};
    problem p = new_quadratic();
    atl_node *step = atl_minimize(p.cost, {.rule = &halving});
    atl_program *program = atl_compile(p.graph, ATL_NODES(step));
    for (int n = 0; n < 3; n++)
        cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK);
    cr_assert_eq(atl_floats(atl_variable_value(p.w))[0], -0.125f);
    cr_assert_eq(atl_floats(atl_variable_value(atl_find(p.graph, "w/halving/times")))[0], 3);
    atl_program_free(program);
    atl_graph_free(p.graph);
}
