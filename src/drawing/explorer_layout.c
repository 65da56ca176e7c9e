/* The layout of one scope of the explorer. */
#include <string.h>

#include "config.h"
#include "drawing/drawing.h"
#include "drawing/explorer.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { GAP = 16, ROW = 76 };

/* Each box in the row below its lowest input, rows filled from the left.  Edges run from earlier to later boxes except
 * within a cycle of scopes, which the number of rounds bounds. */
static atl_status place_in_rows(const explorer_layout *l)
{
    enum { MOST_ROUNDS = 64 };
    int32_t *row = atl_allocate((size_t)l->count, sizeof *row),
            *right = atl_allocate((size_t)l->count + 1, sizeof *right);
    if (!row || !right) {
        atl_release(row);
        atl_release(right);
        return atl_out_of_memory();
    }
    int changed = 1;
    for (int round = 0; changed && round < MOST_ROUNDS; round++) {
        changed = 0;
        for (int64_t i = 0; i < l->edges; i++)
            if (row[l->edge[i][1]] <= row[l->edge[i][0]] && row[l->edge[i][0]] + 1 < l->count) {
                row[l->edge[i][1]] = row[l->edge[i][0]] + 1;
                changed = 1;
            }
    }
    for (int64_t i = 0; i < l->count; i++) {
        l->at[i][0] = right[row[i]] + l->width[i] / 2;
        l->at[i][1] = row[i] * ROW + EXPLORER_HEIGHT / 2;
        right[row[i]] += l->width[i] + GAP;
    }
    atl_release(row);
    atl_release(right);
    return ATL_OK;
}

#ifdef ATLED_HAVE_GRAPHVIZ

#include <gvc.h>

/* Graphviz's time grows faster than the number of boxes and edges. */
enum { MOST_BOXES = 400, MOST_EDGES = 1200 };

static void set(void *object, const char *name, const char *value)
{
    agsafeset(object, (char *)name, (char *)value, (char *)"");
}

/* One that fails to be laid out returns 0. */
static int place_by_graphviz(GVC_t *context, Agraph_t *graph, const explorer_layout *l, Agnode_t **node)
{
    char text[32];
    set(graph, "nodesep", "0.22");
    set(graph, "ranksep", "0.5");
    for (int64_t i = 0; i < l->count; i++) {
        snprintf(text, sizeof text, "%lld", (long long)i);
        if (!(node[i] = agnode(graph, text, 1)))
            return 0;
        set(node[i], "shape", "box");
        set(node[i], "fixedsize", "true");
        set(node[i], "label", "");
        int inches = l->width[i] * 100 / 72; /* in hundredths, so that no decimal separator depends on the locale */
        snprintf(text, sizeof text, "%d.%02d", inches / 100, inches % 100);
        set(node[i], "width", text);
        snprintf(text, sizeof text, "0.%02d", EXPLORER_HEIGHT * 100 / 72);
        set(node[i], "height", text);
    }
    for (int64_t i = 0; i < l->edges; i++)
        if (!agedge(graph, node[l->edge[i][0]], node[l->edge[i][1]], NULL, 1))
            return 0;
    if (gvLayout(context, graph, "dot"))
        return 0;
    double top = GD_bb(graph).UR.y;
    for (int64_t i = 0; i < l->count; i++) {
        l->at[i][0] = (int32_t)(ND_coord(node[i]).x + 0.5);
        l->at[i][1] = (int32_t)(top - ND_coord(node[i]).y + 0.5);
    }
    gvFreeLayout(context, graph);
    return 1;
}

atl_status explorer_place(const explorer_layout *l)
{
    if (l->count > MOST_BOXES || l->edges > MOST_EDGES)
        return place_in_rows(l);
    Agnode_t **node = atl_allocate((size_t)l->count + 1, sizeof(Agnode_t *));
    if (!node)
        return atl_out_of_memory();
    dot_lock_graphviz();
    GVC_t *context = gvContext();
    Agraph_t *graph = context ? agopen((char *)"scope", Agstrictdirected, NULL) : NULL;
    int placed = graph && place_by_graphviz(context, graph, l, node);
    if (graph)
        agclose(graph);
    if (context)
        gvFreeContext(context);
    dot_unlock_graphviz();
    atl_release(node);
    return placed ? ATL_OK : place_in_rows(l);
}

#else

atl_status explorer_place(const explorer_layout *layout) { return place_in_rows(layout); }

#endif
