/* Every op's samples with an unknown first dimension: built and compiled once, run at several sizes. */
#include "battery.h"

#define EveryOp(name) FOR_EVERY_OP(batches, name)

/* The inputs whose first dimension is that of input 0: their batch changes together. */
static unsigned batched_inputs(const atl_sample *s)
{
    unsigned inputs = 0;
    for (int i = 0; i < s->inputs; i++)
        if (s->input[0].rank > 0 && s->input[i].rank > 0 && s->input[i].size[0] == s->input[0].size[0])
            inputs |= 1u << i;
    return inputs;
}

/* True if the sample can be built with this first dimension, as a value and as a gradient. */
static int can_be_built(const atl_sample *s, unsigned inputs, int64_t size)
{
    trial *t = trial_new(s, (trial_batch){inputs, size, size});
    int ok = t->y != NULL;
    trial_free(t);
    return ok;
}

/* Compares the trial with unknown sizes with the oracle of a trial whose sizes are known. */
static void check_size(const atl_op *op, const atl_sample *s, trial *any, atl_program *program, unsigned inputs,
                       int64_t size, int differentiated)
{
    char text[600];
    functional f;
    atl_feed feeds[MOST_FEEDS + 1] = {{0}};
    trial *known = trial_new(s, (trial_batch){inputs, size, size});
    int ok = !differentiated || trial_differentiate(known, &f);
    for (int i = 0; ok && i < any->feed_count; i++) /* created in the same order in both graphs */
        feeds[i] = (atl_feed){any->feeds[i].node, known->feeds[i].value};
    if (ok && atl_run(program, feeds)) {
        cr_expect(0, "%s, %s, batch %lld: %s", op->name, s->about, (long long)size, atl_error());
        ok = 0;
    }
    oracle *o = ok ? oracle_new(known->count, known->last, known->feeds) : NULL;
    for (int i = 0; o && i < known->count; i++)
        cr_expect(oracle_accepts(o, i, atl_value(program, any->last[i]), text, sizeof text),
                  "%s, %s, batch %lld: %s: %s", op->name, s->about, (long long)size, atl_name_of(any->last[i]), text);
    oracle_free(o);
    trial_free(known);
}

/* micro_batch: examples at a time; 0: the compiler's choice. */
static void check_sample(const atl_op *op, const atl_sample *s, int differentiated, int micro_batch)
{
    unsigned inputs = batched_inputs(s);
    int64_t first = s->input[0].size[0], second = 2 * first + 1;
    functional f;
    if (!inputs || !can_be_built(s, inputs, second))
        return; /* its first dimension is not a batch */
    trial *t = trial_new(s, (trial_batch){inputs, ATL_ANY, first});
    int wanted = t->y && (!differentiated || (atl_dtype_of(t->y) == ATL_FLOAT32 && trial_float_input(t, 0)));
    cr_expect(t->y, "%s, %s, unknown batch: %s", op->name, s->about, atl_graph_error(t->graph));
    if (wanted && differentiated && !trial_differentiate(t, &f)) {
        cr_expect(0, "%s, %s, unknown batch: %s", op->name, s->about, atl_graph_error(t->graph));
        wanted = 0;
    }
    atl_program *program =
        wanted ? atl_compile(t->graph, (atl_nodes){t->count, t->last}, .micro_batch = micro_batch) : NULL;
    if (wanted)
        cr_expect(program, "%s, %s, unknown batch: %s", op->name, s->about, atl_error());
    for (int again = 0; program && again < 3; again++)
        check_size(op, s, t, program, inputs, again == 1 ? second : first, differentiated);
    atl_program_free(program);
    trial_free(t);
}

EveryOp(values_at_two_sizes)
{
    for (const atl_sample *s = op->samples; s && is_sample(s); s++)
        if (!s->error)
            check_sample(op, s, 0, 0);
}

EveryOp(gradients_at_two_sizes)
{
    for (const atl_sample *s = op->samples; s && is_sample(s); s++)
        if (!s->error && !s->no_gradient)
            check_sample(op, s, 1, 0);
}

EveryOp(values_and_gradients_one_example_at_a_time)
{
    for (const atl_sample *s = op->samples; s && is_sample(s); s++)
        for (int differentiated = 0; !s->error && differentiated <= !s->no_gradient; differentiated++)
            check_sample(op, s, differentiated, 1);
}
