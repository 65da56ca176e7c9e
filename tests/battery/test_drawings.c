/* Every op's samples with their gradients, as DOT that Graphviz accepts. */
#include "battery.h"
#include "config.h"

#ifdef ATLED_HAVE_GRAPHVIZ
#include <graphviz/cgraph.h>
#endif

#define EveryOp(name) FOR_EVERY_OP(drawings, name)

#ifdef ATLED_HAVE_GRAPHVIZ
/* The number of nodes that Graphviz finds in the file; -1 if it does not accept it. */
static int nodes_in(const char *path)
{
    FILE *file = fopen(path, "r");
    Agraph_t *drawing = file ? agread(file, NULL) : NULL;
    int count = drawing && !aglasterr() ? agnnodes(drawing) : -1;
    if (drawing)
        agclose(drawing);
    if (file)
        fclose(file);
    return count;
}

EveryOp(graphviz_accepts_it)
{
    const char *path = scratch_file("drawing.dot");
    functional f;
    for (const atl_sample *s = op->samples; s && is_sample(s); s++) {
        trial *t = trial_new(s, (trial_batch){0});
        if (!s->error && !s->no_gradient && t->y && atl_dtype_of(t->y) == ATL_FLOAT32 && trial_float_input(t, 0))
            trial_differentiate(t, &f);
        cr_expect_eq(atl_write_dot(t->graph, path, .unfolded = true), ATL_OK, "%s, %s: %s", op->name, s->about,
                     atl_error());
        cr_expect_geq(nodes_in(path), atl_graph_node_count(t->graph), "%s, %s", op->name, s->about);
        trial_free(t);
    }
}
#else
EveryOp(graphviz_accepts_it) { cr_skip_test("built without Graphviz: %s", op->name); }
#endif
