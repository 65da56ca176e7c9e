/* Every op's samples: first, second and third order against central differences in double, and as float programs against the
 * double references. */
#include "battery.h"

#define EveryOp(name) FOR_EVERY_OP(derivatives, name)

static int has_gradient(const atl_sample *s, const trial *t)
{
    return !s->error && !s->no_gradient && t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && trial_float_input(t, 0);
}

/* One sample, `order` times differentiated; only the last order is compared.  Adds to *largest what the gradients are. */
static void check_order(const atl_op *op, const atl_sample *s, trial *t, int order, double *largest)
{
    char text[600];
    functional f;
    for (int k = 0; k < order; k++)
        if (!trial_differentiate(t, &f)) {
            cr_expect(0, "%s, %s, order %d: %s", op->name, s->about, k + 1, atl_graph_error(t->graph));
            return;
        }
    for (int i = 0; i < t->count; i++)
        cr_expect(gradient_agrees(t, &f, trial_float_input(t, i), t->last[i], text, sizeof text),
                  "%s, %s, order %d: %s", op->name, s->about, order, text);
    cr_expect(floats_agree(t->count, t->last, t->feeds, text, sizeof text), "%s, %s, order %d, float32: %s", op->name,
              s->about, order, text);
    atl_reference *reference = atl_reference_run((atl_nodes){t->count, t->last}, t->feeds);
    for (int i = 0; reference && i < t->count; i++) {
        const atl_tensor *value = atl_reference_value(reference, t->last[i]);
        for (int64_t k = 0; k < atl_tensor_count(value); k++)
            *largest = fmax(*largest, fabs(element_of(value, k)));
    }
    atl_reference_free(reference);
}

static void check_op(const atl_op *op, int order)
{
    double largest = 0;
    int tried = 0;
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        trial *t = trial_new(s, (trial_batch){0});
        if (has_gradient(s, t)) {
            tried++;
            check_order(op, s, t, order, &largest);
        }
        trial_free(t);
    }
    report_order(op, order, !tried ? "no float result of a float input" : largest > 0 ? "yes" : "zero");
}

EveryOp(first_order) { check_op(op_under_test(*index), 1); }
EveryOp(second_order) { check_op(op_under_test(*index), 2); }
EveryOp(third_order) { check_op(op_under_test(*index), 3); }
