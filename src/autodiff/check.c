/* The gradient checker: compares analytic gradients with central differences, both in double through the ops'
 * references. */
#include <math.h>

#include "atled/gradient.h"
#include "atled/ops.h"
#include "atled/reference.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/random.h"

enum { DEFAULT_ELEMENTS = 64 };
static const double DEFAULT_STEP = 1e-3, KINK_KEEPS = 0.75, KINK_MATTERS = 1e-4;

/* Where differences of a step and of half of it disagree by more than this, there are kinks between, too slight to be
 * told from a curve: smaller steps miss them.  Rounding errors set the limit. */
static const double AGREES = 3e-6;
enum { STEPS = 4 };

typedef struct checker {
    const atl_check_args *args;
    atl_node *loss;      /* a scalar */
    atl_node **gradient; /* of the loss with respect to each x */
    atl_feed *feeds;     /* our own for each x, and the caller's for other inputs */
    atl_tensor **point;  /* of each x, in double */
    double scale;        /* root mean square of the gradients: differences are relative to it */
    atl_gradient_check result;
} checker;

/* The sum of node * fixed random weights in +-[0.5, 1.5]; null with the error set. */
static atl_node *weighted_sum(const checker *c, atl_node *node, uint64_t stream)
{
    atl_reference *now = node ? atl_reference_run(ATL_NODES(node), c->feeds) : NULL;
    if (!now)
        return NULL;
    atl_shape shape = atl_tensor_shape(atl_reference_value(now, node));
    atl_reference_free(now);
    atl_tensor *weights = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; weights && i < atl_tensor_count(weights); i++) {
        float u = atl_random_uniform(stream, (uint64_t)i);
        atl_floats(weights)[i] = u < 0.5f ? -0.5f - 2 * u : 2 * u - 0.5f;
    }
    atl_node *constant = weights ? atl_constant(node->graph, weights) : NULL;
    atl_tensor_free(weights);
    return atl_sum(atl_mul(node, constant));
}

static int differentiate(checker *c)
{
    return !atl_gradients(ATL_NODES(c->loss), c->args->by, c->gradient, .unused = ATL_UNUSED_ZEROS);
}

/* The scalar whose gradient is checked: for first order sum(y w); for second order the sum of that one's gradients,
 * with new weights. */
static int make_loss(checker *c)
{
    c->loss = weighted_sum(c, c->args->of, 1);
    if (!c->loss || !differentiate(c))
        return 0;
    if (c->args->order != 2)
        return 1;
    atl_node *sum = NULL;
    for (int64_t i = 0; i < c->args->by.count; i++) {
        atl_node *term = weighted_sum(c, c->gradient[i], 2 + (uint64_t)i);
        sum = sum ? atl_add(sum, term) : term;
        if (!sum)
            return 0;
    }
    c->loss = sum;
    return differentiate(c);
}

/* The loss at the current point.  NaN on failure, with the error set. */
static double loss_now(const checker *c)
{
    atl_reference *now = atl_reference_run(ATL_NODES(c->loss), c->feeds);
    double value = now ? atl_doubles(atl_reference_value(now, c->loss))[0] : NAN;
    if (now && !isfinite(value)) {
        atl_set_error(ATL_INVALID,
                      "gradient check: the sum of '%s' is %g there or a step beside it, which has no differences; take "
                      "other values",
                      atl_name_of(c->args->of), value);
        value = NAN;
    }
    atl_reference_free(now);
    return value;
}

typedef struct difference {
    double central, jump; /* the derivative, and the difference of the two one-sided derivatives */
} difference;

static difference difference_of(const checker *c, double *x, double here, double step)
{
    double at = *x;
    *x = at + step;
    double right = loss_now(c);
    *x = at - step;
    double left = loss_now(c);
    *x = at;
    return (difference){(right - left) / (2 * step), (right - 2 * here + left) / step};
}

typedef struct differences {
    difference wide, narrow; /* of a step, and of half of it */
} differences;

static double disagreement(const differences *d) { return fabs(d->wide.central - d->narrow.central); }

/* Half the step halves the difference of the one-sided derivatives of a smooth function, but not that at a kink. */
static int is_kink(const differences *d, double size)
{
    return fabs(d->wide.jump) > KINK_MATTERS * size && fabs(d->narrow.jump) > KINK_KEEPS * fabs(d->wide.jump);
}

/* Those of the first step that meets no kink, else of that whose differences agree best. */
static differences best_differences(const checker *c, double *x, double here, double size)
{
    double step = (c->args->step > 0 ? c->args->step : DEFAULT_STEP) * fmax(1, fabs(*x));
    differences best = {{NAN, NAN}, {NAN, NAN}};
    for (int i = 0; i < STEPS; i++, step /= 10) {
        differences d = {difference_of(c, x, here, step), difference_of(c, x, here, step / 2)};
        if (i == 0 || disagreement(&d) < disagreement(&best))
            best = d;
        size = fmax(size, fabs(d.narrow.central));
        if (is_kink(&best, size) || !(disagreement(&d) > AGREES * size)) /* NaN included */
            break;
    }
    return best;
}

static int check_element(checker *c, int64_t which, int64_t index, double analytic, double here)
{
    double *x = &atl_doubles(c->point[which])[index];
    differences d = best_differences(c, x, here, fmax(fabs(analytic), c->scale));
    double numeric =
        (4 * d.narrow.central - d.wide.central) / 3; /* Richardson extrapolation: the error goes from h^2 to h^4 */
    double size = fmax(fmax(fabs(analytic), fabs(numeric)), c->scale);
    if (isnan(numeric)) {
        atl_set_error(ATL_INVALID,
                      "gradient check: beside element %lld of '%s', %g, the value is not a number: the point is at the "
                      "edge of a domain",
                      (long long)index, atl_name_of(c->args->by.node[which]), *x);
        return 0;
    }
    if (is_kink(&d, size)) {
        c->result.kinks++;
        return 1;
    }
    double error = size > 0 ? fabs(analytic - numeric) / size : 0;
    c->result.checked++;
    if (!(error <= c->result.worst)) {
        c->result.worst = error;
        c->result.analytic = analytic;
        c->result.numeric = numeric;
        c->result.x = c->args->by.node[which];
        c->result.index = index;
    }
    return 1;
}

static int check_all(checker *c)
{
    atl_nodes gradients = {c->args->by.count, c->gradient};
    atl_reference *analytic = atl_reference_run(gradients, c->feeds);
    double here = loss_now(c), squares = 0;
    int64_t most = c->args->most > 0 ? c->args->most : DEFAULT_ELEMENTS, elements = 0;
    int ok = analytic != NULL && !isnan(here);
    if (analytic && !ok)
        atl_set_error(
            ATL_INVALID,
            "gradient check: '%s' is not a number for what is fed, so it has no differences; feed other values",
            atl_name_of(c->args->of));
    for (int64_t i = 0; ok && i < c->args->by.count; i++) {
        const atl_tensor *dx = atl_reference_value(analytic, c->gradient[i]);
        for (int64_t k = 0; k < atl_tensor_count(dx); k++, elements++)
            squares += atl_doubles(dx)[k] * atl_doubles(dx)[k];
    }
    c->scale = elements ? sqrt(squares / (double)elements) : 0;
    for (int64_t i = 0; ok && i < c->args->by.count; i++) {
        const double *dx = atl_doubles(atl_reference_value(analytic, c->gradient[i]));
        int64_t count = atl_tensor_count(c->point[i]), checked = count < most ? count : most;
        for (int64_t k = 0; ok && k < checked; k++) {
            int64_t index = k * count / checked;
            ok = check_element(c, i, index, dx[index], here);
        }
    }
    atl_reference_free(analytic);
    return ok;
}

static int is_one_of(const atl_node *node, atl_nodes list)
{
    for (int64_t i = 0; i < list.count; i++)
        if (list.node[i] == node)
            return 1;
    return 0;
}

/* Copies the xs' values to double tensors, which are fed instead. */
static int take_points(checker *c)
{
    const atl_check_args *args = c->args;
    int64_t given = 0;
    while (args->feeds && args->feeds[given].node)
        given++;
    c->gradient = atl_allocate((size_t)args->by.count, sizeof *c->gradient);
    c->point = atl_allocate((size_t)args->by.count, sizeof *c->point);
    c->feeds = atl_allocate((size_t)(args->by.count + given + 1), sizeof *c->feeds);
    if (!c->gradient || !c->point || !c->feeds)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; i < args->by.count; i++) {
        const atl_node *x = args->by.node[i];
        const atl_tensor *value = NULL;
        for (int64_t k = 0; k < given && x; k++)
            if (args->feeds[k].node == x)
                value = args->feeds[k].value;
        if (x && !value && x->op->flags & ATL_OP_VARIABLE)
            value = atl_variable_value(x);
        if (!value) {
            atl_set_error(ATL_INVALID, "gradient check: '%s' is neither fed nor a variable",
                          x ? atl_name_of(x) : "(null)");
            return 0;
        }
        c->point[i] = atl_tensor_convert(value, ATL_FLOAT64);
        c->feeds[i] = (atl_feed){x, c->point[i]};
        if (!c->point[i])
            return 0;
    }
    atl_feed *next = c->feeds + args->by.count;
    for (int64_t k = 0; k < given; k++)
        if (!is_one_of(args->feeds[k].node, args->by))
            *next++ = args->feeds[k];
    return 1;
}

atl_status atl_check_gradient_with(const atl_check_args *args)
{
    if (!args)
        return atl_null_argument("atl_check_gradient", "the options are");
    checker c = {.args = args};
    if (!args->of || args->by.count < 1 || !args->by.node || !args->result_out || args->order < 0 || args->order > 2)
        return atl_set_error(
            ATL_INVALID, "gradient check: it takes a y, at least one x, an order of 1 or 2, and room for the result");
    if (args->most < 0 || !(args->step >= 0))
        return atl_set_error(ATL_INVALID, "gradient check: .most and .step must be positive, or 0 for the default");
    *args->result_out = (atl_gradient_check){0};
    int ok = take_points(&c) && make_loss(&c) && check_all(&c);
    for (int64_t i = 0; c.point && i < args->by.count; i++)
        atl_tensor_free(c.point[i]);
    atl_release(c.point);
    atl_release(c.gradient);
    atl_release(c.feeds);
    if (!ok)
        return ATL_INVALID;
    *args->result_out = c.result;
    return ATL_OK;
}
