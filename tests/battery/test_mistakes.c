/* Every op's samples that must fail, and null inputs. */
#include "battery.h"

#define EveryOp(name) FOR_EVERY_OP(mistakes, name)

/* True if the message starts with a scope whose last part is an op: "conv2d: ...", "conv1d/conv2d: ..." or "variable
 * 'x': ...". */
static int starts_with_an_op(const char *message)
{
    size_t length = strcspn(message, ": ");
    for (size_t slash; (slash = strcspn(message, "/")) < length; length -= slash + 1)
        message += slash + 1;
    for (int i = 0; i < op_count(); i++)
        if (strlen(op_at(i)->name) == length && !strncmp(message, op_at(i)->name, length))
            return 1;
    return 0;
}

EveryOp(a_mistake_is_explained)
{
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (!s->error)
            continue;
        trial *t = trial_new(s, (trial_batch){0});
        const char *message = atl_graph_error(t->graph);
        cr_expect_null(t->y, "%s, %s: was built, but is a mistake", op->name, s->about);
        cr_expect(strstr(message, s->error), "%s, %s: the message \"%s\" does not mention \"%s\"", op->name, s->about,
                  message, s->error);
        cr_expect(starts_with_an_op(message), "%s, %s: the message \"%s\" does not start with its place", op->name,
                  s->about, message);
        cr_expect_null(atl_compile(t->graph, ATL_NODES(t->x[0])), "%s, %s: a graph with a mistake was compiled",
                       op->name, s->about);
        trial_free(t);
    }
}

EveryOp(null_passes_quietly)
{
    atl_node *none[ATL_MAX_RULES] = {0}, *x[ATL_MAX_RULES];
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        if (s->error)
            continue;
        cr_expect_null(build_sample(s, none), "%s, %s: something was made of nothing", op->name, s->about);
        for (int missing = 0; missing < s->inputs; missing++) {
            trial *t = trial_new(s, (trial_batch){0});
            memcpy(x, t->x, sizeof x);
            x[missing] = NULL;
            build_sample(s, x);                              /* null, unless that input is optional */
            const char *message = atl_graph_error(t->graph); /* if several targets are possible, one must be given */
            cr_expect(!*message || strstr(message, "no target is given"), "%s, %s, input %d null: %s", op->name,
                      s->about, missing, message);
            trial_free(t);
        }
    }
}
