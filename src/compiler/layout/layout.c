/* Choosing layouts for whole chains.
 *
 * NHWC is the good default.  Blocks of 16 channels let the large 3x3 convolutions run by Winograd's method, but an image that is
 * made in one layout and wanted in the other has to be reordered. The rule: of all ways to put the label "blocked" on nodes that
 * can work so, take one with
 *
 *     sum of the gains of the blocked nodes  -  reorder time of every image that somebody wants otherwise than it is made
 *
 * large: everything that does not lose by it starts out blocked, then single nodes change over as long as that helps, which eats
 * blocked chains up from the ends where they do not pay and takes in what lies between two of them, and stretches that lose as a
 * whole are given up.  The gains are estimates from sizes alone, so the choice is the same on every run. */
#include "compiler/layout/layout.h"

#include <math.h>

#include "graph/memory.h"
#include "ops/expression.h"
#include "lowering/op_hooks.h"

enum { MOST_SWEEPS = 16 };
static const double REORDER_BYTES_PER_SECOND = 5e9; /* of the image: read and written, two threads */

typedef struct chooser {
    const atl_graph *graph;
    const double *measured; /* null: estimates only */
    char *blocked;
    double *gain;      /* -INFINITY: cannot */
    unsigned *images;  /* inputs that are wanted as the node works */
    int32_t *as_plain; /* users of each node that want it plain */
    int32_t *as_blocks;
} chooser;

static double gain_of(const atl_node *node, unsigned *images)
{
    *images = 0;
    if (atl_hooks_of(node)->blocked_benefit)
        return atl_hooks_of(node)->blocked_benefit(node, images);
    return atl_is_elementwise(node->op) ? atl_expression_blocked_benefit(node, images) : -INFINITY;
}

static double reorder_time(const atl_node *node)
{
    return (double)atl_shape_count(*node->shape) * 4 / REORDER_BYTES_PER_SECOND;
}

/* Time lost on the node's value as it is made and wanted. */
static double mismatch(const chooser *c, int64_t n, int blocked, int32_t as_plain, int32_t as_blocks)
{
    return (blocked ? as_plain : as_blocks) > 0 ? reorder_time(c->graph->nodes[n]) : 0;
}

static void set_label(chooser *c, int64_t n, int blocked)
{
    const atl_node *node = c->graph->nodes[n];
    int more = blocked - c->blocked[n];
    c->blocked[n] = (char)blocked;
    for (int i = 0; i < node->input_count && i < 32; i++)
        if (c->images[n] >> i & 1) {
            c->as_plain[node->inputs[i]->index] -= more;
            c->as_blocks[node->inputs[i]->index] += more;
        }
}

/* Changes the node over if that saves time. */
static int change_over(chooser *c, int64_t n)
{
    const atl_node *node = c->graph->nodes[n];
    int now = c->blocked[n];
    double saved = now ? -c->gain[n] : c->gain[n];
    saved +=
        mismatch(c, n, now, c->as_plain[n], c->as_blocks[n]) - mismatch(c, n, !now, c->as_plain[n], c->as_blocks[n]);
    for (int i = 0; i < node->input_count && i < 32; i++) {
        if (!(c->images[n] >> i & 1))
            continue;
        int64_t k = node->inputs[i]->index;
        int one = now ? 1 : -1;
        saved += mismatch(c, k, c->blocked[k], c->as_plain[k], c->as_blocks[k]) -
                 mismatch(c, k, c->blocked[k], c->as_plain[k] + one, c->as_blocks[k] - one);
    }
    if (saved <= 0 && !(now && saved == 0)) /* a blocked stretch that gains nothing becomes plain */
        return 0;
    set_label(c, n, !now);
    return 1;
}

/* Single nodes change over, from both ends in turn, as long as that helps. */
static void improve(chooser *c, int any)
{
    const atl_graph *graph = c->graph;
    for (int sweep = 0, changed = any; changed && sweep < MOST_SWEEPS; sweep++) {
        changed = 0;
        for (int64_t k = 0; k < graph->count; k++) {
            int64_t n = sweep % 2 ? graph->count - 1 - k : k; /* from both ends in turn */
            if (c->gain[n] > -INFINITY)
                changed |= change_over(c, n);
        }
    }
}

/* ---- whole stretches -------------------------------------------------------------------------------------------------- */

static int64_t root_of(int64_t *parent, int64_t n)
{
    while (parent[n] != n)
        n = parent[n] = parent[parent[n]];
    return n;
}

/* Seconds that each connected stretch of blocked nodes saves in all, at its root; parent[] leads there. */
static void sum_up(const chooser *c, int64_t *parent, double *saved)
{
    const atl_graph *graph = c->graph;
    for (int64_t n = 0; n < graph->count; n++)
        parent[n] = n;
    for (int64_t n = 0; n < graph->count; n++)
        for (int i = 0; c->blocked[n] && i < graph->nodes[n]->input_count && i < 32; i++) {
            int64_t k = graph->nodes[n]->inputs[i]->index;
            if (c->images[n] >> i & 1 && c->blocked[k])
                parent[root_of(parent, n)] = root_of(parent, k);
        }
    for (int64_t n = 0; n < graph->count; n++) {
        if (!c->blocked[n])
            continue;
        int64_t root = root_of(parent, n);
        saved[root] += c->gain[n] - mismatch(c, n, 1, c->as_plain[n], c->as_blocks[n]);
        for (int i = 0; i < graph->nodes[n]->input_count && i < 32; i++) {
            const atl_node *input = graph->nodes[n]->inputs[i];
            if (c->images[n] >> i & 1 && !c->blocked[input->index]) /* shared among those who want it */
                saved[root] -= reorder_time(input) / c->as_blocks[input->index];
        }
    }
}

/* A stretch can lose as a whole though no single node gains by leaving it: residual nets are such.  1 if there was one. */
static int drop_components_that_lose(chooser *c)
{
    const atl_graph *graph = c->graph;
    int64_t *parent = atl_allocate((size_t)graph->count, sizeof *parent);
    double *saved = atl_allocate((size_t)graph->count, sizeof *saved);
    int dropped = 0;
    if (parent && saved) { /* without memory for it, the labels are as good as they are */
        sum_up(c, parent, saved);
        for (int64_t n = 0; n < graph->count; n++)
            if (c->blocked[n] && saved[root_of(parent, n)] <= 0) {
                dropped = 1;
                set_label(c, n, 0);
            }
    }
    atl_release(parent);
    atl_release(saved);
    return dropped;
}

static void choose(chooser *c, const char *needed, int64_t count, atl_node *const *outputs)
{
    const atl_graph *graph = c->graph;
    int any = 0;
    for (int64_t n = 0; n < graph->count; n++) {
        c->gain[n] = needed[n] ? gain_of(graph->nodes[n], &c->images[n]) : -INFINITY;
        if (c->measured && c->gain[n] > -INFINITY && !isnan(c->measured[n]))
            c->gain[n] = c->measured[n];
        c->blocked[n] = c->gain[n] >= 0;
        any |= c->gain[n] > 0;
    }
    for (int64_t n = 0; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        c->blocked[n] &= any;
        for (int i = 0; needed[n] && i < node->input_count; i++)
            if (!atl_is_shape_input(node->op, i))
                ++*(i < 32 && c->images[n] >> i & 1 && c->blocked[n] ? &c->as_blocks[node->inputs[i]->index]
                                                                     : &c->as_plain[node->inputs[i]->index]);
    }
    for (int64_t i = 0; i < count; i++)
        c->as_plain[outputs[i]->index]++;
    improve(c, any);
    if (drop_components_that_lose(c))
        improve(c, any);
}

char *atl_choose_layouts(const atl_graph *graph, const char *needed, int64_t count, atl_node *const *outputs,
                         int allowed, const double *gain)
{
    size_t n = (size_t)graph->count;
    chooser c = {.graph = graph, .measured = gain, .blocked = atl_allocate(n, 1)};
    if (!allowed || !c.blocked)
        return c.blocked;
    c.gain = atl_allocate(n, sizeof *c.gain);
    c.images = atl_allocate(n, sizeof *c.images);
    c.as_plain = atl_allocate(n, sizeof *c.as_plain);
    c.as_blocks = atl_allocate(n, sizeof *c.as_blocks);
    int ok = c.gain && c.images && c.as_plain && c.as_blocks;
    if (ok)
        choose(&c, needed, count, outputs);
    atl_release(c.gain);
    atl_release(c.images);
    atl_release(c.as_plain);
    atl_release(c.as_blocks);
    if (ok)
        return c.blocked;
    atl_release(c.blocked);
    return NULL;
}
