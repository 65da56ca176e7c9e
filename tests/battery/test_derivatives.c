/* Every op's samples: first, second and third order against central differences in double, and as float programs
 * against the double references.
 * Minutes: 5 */
#include "battery.h"

#define EveryOp(name) FOR_EVERY_OP(derivatives, name)

static int has_gradient(const atl_sample *s, const trial *t)
{
    return !s->error && !s->no_gradient && t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && trial_float_input(t, 0);
}

/* The largest element of what was differentiated last. */
static double largest_of(const trial *t)
{
    double largest = 0;
    atl_reference *reference = atl_reference_run((atl_nodes){t->count, (atl_node *const *)t->last}, t->feeds);
    for (int i = 0; reference && i < t->count; i++) {
        const atl_tensor *value = atl_reference_value(reference, t->last[i]);
        for (int64_t k = 0; k < atl_tensor_count(value); k++)
            largest = fmax(largest, fabs(element_of(value, k)));
    }
    atl_reference_free(reference);
    return largest;
}

/* Differentiates one sample `order` times, and compares only the last order.  Returns 0 with the reason. */
static int order_agrees(trial *t, int order, char *text, size_t size)
{
    functional f;
    for (int k = 0; k < order; k++)
        if (!trial_differentiate(t, &f)) {
            snprintf(text, size, "%s", atl_graph_error(t->graph));
            return 0;
        }
    for (int i = 0; i < t->count; i++)
        if (!gradient_agrees(t, &f, trial_float_input(t, i), t->last[i], text, size))
            return 0;
    return floats_agree(t->count, t->last, t->feeds, text, size);
}

static void check_op(const atl_op *op, int order)
{
    char text[600];
    double largest = 0;
    int tried = 0, good = 0, left_out = 0;
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        trial *t = trial_new(s, (trial_batch){0});
        if (has_gradient(s, t)) {
            int ok = order_agrees(t, order, text, sizeof text);
            cr_expect(ok, "%s, %s, order %d: %s", op->name, s->about, order, text);
            tried++;
            good += ok;
            largest = ok ? fmax(largest, largest_of(t)) : largest;
        } else if (s->no_gradient && t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && trial_float_input(t, 0))
            left_out++;
        trial_free(t);
    }
    cr_expect(tried || !left_out || op->flags & (ATL_OP_STOPS_GRADIENT | ATL_OP_STRAIGHT_THROUGH),
              "%s: no sample lets its gradient be looked at", op->name);
    report_order(op, order, good < tried ? "wrong" : !tried ? "none" : largest > 0 ? "yes" : "zero");
}

EveryOp(first_order) { check_op(op, 1); }
EveryOp(second_order) { check_op(op, 2); }
EveryOp(third_order) { check_op(op, 3); }
