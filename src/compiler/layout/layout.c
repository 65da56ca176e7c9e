/* Chooses the layouts of all images: NHWC or nChw16c (blocks of 16 channels).
 *
 * NHWC is the default.  The blocked layout allows Winograd convolution for large 3x3 convolutions, but an image that
 * one node writes in one layout and another node reads in the other needs a reorder.  The pass labels nodes as
 * "blocked" so that
 *
 *     sum of the benefits of the blocked nodes  -  reorder time of every image with a reader in the other layout
 *
 * is large.  It starts with every node blocked that does not lose by it.  Then it changes single nodes as long as that
 * saves time: this shortens blocked regions at ends that do not pay, and includes nodes between two regions.  Finally
 * it drops connected regions that lose as a whole.  The benefits are estimates from sizes only, so the choice is the
 * same in every run. */
#include "compiler/layout/layout.h"

#include <math.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "ops/expression.h"
#include "lowering/op_hooks.h"

enum { MOST_SWEEPS = 16 };

typedef struct chooser {
    const atl_graph *graph;
    const double *measured; /* null: use estimates only */
    char *blocked;
    double *gain;      /* -INFINITY: the node cannot work in blocks */
    unsigned *images;  /* bit i: input i must have the node's layout */
    int32_t *as_plain; /* users of each node that read it in NHWC */
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
    return (double)atl_shape_count(*node->shape) * 4 / atl_costs_in_use()->reorder_bytes;
}

/* The reorder time of the node's value, for the layout in which it is written and those in which it is read. */
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

/* Changes the node's label if that saves time. */
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
    if (saved <= 0 && !(now && saved == 0)) /* a blocked region without benefit becomes NHWC */
        return 0;
    set_label(c, n, !now);
    return 1;
}

/* Changes single nodes, from both ends in turn, as long as that saves time. */
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

/* ---- connected regions ------------------------------------------------------------------------------------------- */

static int64_t root_of(int64_t *parent, int64_t n)
{
    while (parent[n] != n)
        n = parent[n] = parent[parent[n]];
    return n;
}

/* Computes the seconds that each connected region of blocked nodes saves, at the region's root; parent[] leads to the
 * root. */
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
            if (c->images[n] >> i & 1 && !c->blocked[input->index]) /* shared among the readers in that layout */
                saved[root] -= reorder_time(input) / c->as_blocks[input->index];
        }
    }
}

/* Drops regions that lose as a whole, although no single node saves time by leaving: residual networks have such
 * regions.  Returns 1 if there was one. */
static int drop_components_that_lose(chooser *c)
{
    const atl_graph *graph = c->graph;
    int64_t *parent = atl_allocate((size_t)graph->count, sizeof *parent);
    double *saved = atl_allocate((size_t)graph->count, sizeof *saved);
    int dropped = 0;
    if (parent && saved) { /* out of memory: the labels so far are valid */
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
