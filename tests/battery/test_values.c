/* Every op's samples: its value as a float program against the oracle; that it has samples; that they use it. */
#include "battery.h"

#define EveryOp(name) FOR_EVERY_OP(values, name)

static int uses(const atl_graph *graph, const atl_op *op)
{
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        if (atl_op_of(atl_graph_node(graph, i)) == op)
            return 1;
    return 0;
}

EveryOp(every_op_has_samples_that_use_it)
{
    int good = 0;
    if (!has_samples_of_its_own(op))
        return; /* part of every sample */
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        cr_expect(s->about && s->about[0], "%s: a sample does not say what it is about", op->name);
        if (s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        cr_expect(t->y, "%s, %s: %s", op->name, s->about, atl_graph_error(t->graph));
        good += t->y && (is_composed(op) || uses(t->graph, op));
        trial_free(t);
    }
    cr_assert(good, "%s has no sample in which it stands", op->name);
}

EveryOp(a_float_program_agrees_with_the_reference)
{
    char text[600];
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        int ok = t->y && floats_agree(1, &t->y, t->feeds, text, sizeof text);
        cr_expect(ok, "%s, %s: %s", op->name, s->about, t->y ? text : atl_graph_error(t->graph));
        trial_free(t);
    }
}

EveryOp(its_own_code_writes_its_result_and_nothing_else)
{
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        atl_program *program = t->y ? atl_compile(t->graph, ATL_NODES(t->y), .check = 1) : NULL;
        int ok = program && !atl_run(program, t->feeds);
        cr_expect(ok, "%s, %s: %s", op->name, s->about, t->y ? atl_error() : atl_graph_error(t->graph));
        atl_program_free(program);
        trial_free(t);
    }
}
