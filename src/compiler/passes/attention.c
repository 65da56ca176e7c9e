/* Attention as one step: softmax(masked(scale q k^T)) v, and its three gradients as another, which never have the
 * scores of all queries and keys in memory at once.
 *
 * The scores S = scale q k^T, the weights P = softmax(S) and their gradients may have no other reader:
 *
 *     y = P v;   dP = dy v^T,  dS = scale softmax_grad(dP, P);   dq = dS k,  dk = dS^T q,  dv = P^T dy
 *
 * A mask is added to the scores, or a select replaces scores by a number: where the mask says so, or, for an attention
 * that looks back only, above a diagonal.  A select's gradient is a select of dS.
 *
 * A transpose that splits or merges heads, [n, t, heads, d] <-> [n, heads, t, d], becomes a part of the step. */
#include <pthread.h>

#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "graph/memory.h"
#include "ops/attention_fused.h"
#include "ops/attributes.h"

typedef struct core {
    const atl_node *p, *q, *k, *v, *y, *dy; /* of the old graph; null: not found */
    const atl_node *mask, *seen;            /* the mask; the triangle of an attention that looks back only */
    const atl_node *dp, *slopes, *ds; /* slopes: the softmax's gradient, not masked, masked; ds: the same, scaled */
    const atl_node *unmasked;         /* the softmax's gradient */
    int selects;                      /* that are still to be found above slopes: 2, 1 or 0 */
    const atl_node *dq, *dk, *dv;
    int32_t readers_of_p, readers_of_slopes, readers_of_ds; /* those found */
    float scale;
    int transposed_k, transposed_dk; /* k is [.., d, t]; so is dk */
    int is_whole;                    /* nothing else reads what is left out */
    atl_attention_options options;
    atl_node *gradient; /* of the new graph */
} core;

typedef struct cores {
    int64_t count;
    core *core;
    int32_t *of;       /* of each old node that is P, slopes, ds, y, dq, dk or dv: its core; else -1 */
    int32_t *merge_of; /* of each old node: the only node that reads it in any way; -1: none, -2: several */
} cores;

static const atl_op *matmul_op, *softmax_op, *softmax_grad_op, *transpose_op, *select_op, *tril_op;

static void find_ops(void)
{
    static const struct {
        const char *name;
        const atl_op **op;
    } wanted[] = {{"matmul", &matmul_op},       {"softmax", &softmax_op}, {"softmax_grad", &softmax_grad_op},
                  {"transpose", &transpose_op}, {"select", &select_op},   {"tril", &tril_op}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        *wanted[i].op = atl_op_named(wanted[i].name);
}

static int is_softmax(const atl_node *node)
{
    static pthread_once_t found = PTHREAD_ONCE_INIT;
    pthread_once(&found, find_ops);
    return node->op == softmax_op;
}

/* ---- what is looked for ------------------------------------------------------------------------------------------ */

/* A product of batches of matrices, both with all leading dimensions. */
static const matmul_options *batched_product(const atl_node *node)
{
    const matmul_options *options = node->attributes;
    if (node->op != matmul_op || node->inputs[0]->shape->rank != node->inputs[1]->shape->rank)
        return NULL;
    return options;
}

static int is_product(const atl_node *node, int transpose_a, int transpose_b)
{
    const matmul_options *options = batched_product(node);
    return options && (options->transpose_a != 0) == transpose_a && (options->transpose_b != 0) == transpose_b;
}

/* x times one number: x and the number; null if it is not. */
static const atl_node *scaled(const atl_node *node, float *scale)
{
    for (int i = 0; i < 2 && node->op->flags & ATL_OP_PRODUCT && node->input_count == 2; i++)
        if (atl_is_uniform(node->inputs[i], scale) && atl_shape_equal(*node->inputs[1 - i]->shape, *node->shape))
            return node->inputs[1 - i];
    return NULL;
}

/* A select between x and a number: x, the number, and if the condition keeps x; null if it is not.  */
static const atl_node *selected(const atl_node *node, float *number, int *keeps)
{
    for (*keeps = 1; node->op == select_op && *keeps >= 0; --*keeps) {
        const atl_node *x = node->inputs[*keeps ? 1 : 2];
        if (atl_is_uniform(node->inputs[*keeps ? 2 : 1], number) && atl_shape_equal(*x->shape, *node->shape))
            return x;
    }
    return NULL;
}

static int only_reader(const atl_rewrite *r, const atl_node *node) { return r->uses[node->index] == 1; }

/* The scores before a triangle hides some of them; the scores themselves if none does. */
static const atl_node *before_triangle(const atl_node *scores, core *c)
{
    float number, ones;
    int keeps;
    const atl_node *x = selected(scores, &number, &keeps), *seen = x ? scores->inputs[0] : NULL;
    if (!x || !keeps || seen->op != tril_op || !atl_is_uniform(seen->inputs[0], &ones) || ones == 0 ||
        seen->shape->rank < 2 || x->shape->rank < 2)
        return scores;
    for (int i = 1; i <= 2; i++)
        if (seen->shape->size[seen->shape->rank - i] != x->shape->size[x->shape->rank - i])
            return scores;
    c->seen = seen;
    c->options.causal = 1;
    c->options.diagonal = *(const int *)seen->attributes;
    c->options.unseen = number;
    return x;
}

/* The scores before a mask. */
static const atl_node *before_mask(const atl_node *scores, core *c)
{
    int keeps;
    const atl_node *x = selected(scores, &c->options.hidden, &keeps);
    if (x && atl_attention_can_mask(*scores->inputs[0]->shape, *scores->shape)) {
        c->mask = scores->inputs[0];
        c->options.mask_kind = keeps ? ATL_MASK_KEEPS : ATL_MASK_HIDES;
        return x;
    }
    float scale;
    for (int i = 0; i < 2 && scores->op->flags & ATL_OP_SUM && scores->input_count == 2; i++) {
        x = scores->inputs[i];
        const atl_node *mask = scores->inputs[1 - i], *product = scaled(x, &scale);
        if ((product ? product : x)->op != matmul_op || !atl_shape_equal(*x->shape, *scores->shape) ||
            !atl_attention_can_mask(*mask->shape, *scores->shape))
            continue;
        c->mask = mask;
        c->options.mask_kind = ATL_MASK_ADDED;
        return x;
    }
    return scores;
}

/* The scores before the softmax; 0 if these are no such product. */
static int find_scores(const atl_rewrite *r, core *c)
{
    const atl_node *scores = c->p->inputs[0], *seen = before_triangle(scores, c), *product = before_mask(seen, c);
    if ((seen != scores && !only_reader(r, scores)) || (product != seen && !only_reader(r, seen)))
        return 0;
    scores = product;
    c->selects = (c->seen != NULL) + (c->mask && c->options.mask_kind != ATL_MASK_ADDED);
    const atl_node *before = scaled(scores, &c->scale);
    if (!only_reader(r, scores) || (before && !only_reader(r, before)))
        return 0;
    if (before)
        scores = before;
    else
        c->scale = 1;
    const matmul_options *options = batched_product(scores);
    if (!options || options->transpose_a)
        return 0;
    c->transposed_k = !options->transpose_b;
    c->q = scores->inputs[0];
    c->k = scores->inputs[1];
    int rank = c->p->shape->rank;
    return atl_shape_count(*c->q->shape) > 0 && atl_shape_count(*c->k->shape) > 0 &&
           atl_attention_pays(c->p->shape->size[rank - 2], c->p->shape->size[rank - 1]);
}

/* Notes the node as that part of its core, if it has none yet. */
static void note(cores *all, int32_t n, const atl_node **place, const atl_node *node, int32_t *readers)
{
    if (*place)
        return;
    *place = node;
    all->of[node->index] = n;
    ++*readers;
}

static int32_t core_with(const cores *all, const atl_node *node, size_t place)
{
    int32_t n = all->of[node->index];
    return n >= 0 && *(const atl_node **)(void *)((char *)&all->core[n] + place) == node ? n : -1;
}
#define CORE_WITH(all, node, place) core_with(all, node, offsetof(core, place))

static void look_at_product(cores *all, const atl_node *node)
{
    const atl_node *a = node->inputs[0], *b = node->inputs[1];
    int32_t n = CORE_WITH(all, a, p);
    core *c = n >= 0 ? &all->core[n] : NULL;
    if (c && is_product(node, 0, 0) && atl_shape_count(*b->shape) > 0) {
        note(all, n, &c->y, node, &c->readers_of_p);
        c->v = c->y == node ? b : c->v;
        return;
    }
    if (c && is_product(node, 1, 0)) {
        note(all, n, &c->dv, node, &c->readers_of_p);
        return;
    }
    n = CORE_WITH(all, a, ds);
    c = n >= 0 ? &all->core[n] : NULL;
    if (c && b == c->k && is_product(node, 0, c->transposed_k))
        note(all, n, &c->dq, node, &c->readers_of_ds);
    else if (c && b == c->q && is_product(node, 1, 0))
        note(all, n, &c->dk, node, &c->readers_of_ds);
    n = CORE_WITH(all, b, ds);
    c = n >= 0 ? &all->core[n] : NULL;
    if (c && a == c->q && is_product(node, 1, 0)) {
        note(all, n, &c->dk, node, &c->readers_of_ds);
        c->transposed_dk = c->dk == node;
    }
}

/* The gradient of the scores before the selects and the scaling: one of them more has been found. */
static void add_slopes(core *c, const atl_node *node)
{
    c->slopes = node;
    if (!c->selects && c->scale == 1)
        c->ds = node;
}

/* The gradient of the select that hides some scores: the triangle's comes first. */
static void look_at_select(const atl_rewrite *r, cores *all, const atl_node *node)
{
    float number;
    int keeps;
    const atl_node *x = selected(node, &number, &keeps);
    int32_t n = x ? CORE_WITH(all, x, slopes) : -1;
    core *c = n >= 0 ? &all->core[n] : NULL;
    if (!c || !c->selects || number != 0 || !only_reader(r, x))
        return;
    int is_triangle = c->seen && c->slopes == c->unmasked;
    if (node->inputs[0] != (is_triangle ? c->seen : c->mask) ||
        keeps != (is_triangle || c->options.mask_kind == ATL_MASK_KEEPS))
        return;
    c->selects--;
    all->of[node->index] = n;
    add_slopes(c, node);
}

/* Nodes come in order: what is looked for is built on what has been found. */
static void look_at(const atl_rewrite *r, cores *all, const atl_node *node)
{
    float scale;
    int32_t n;
    const atl_node *slopes;
    if (is_softmax(node)) {
        core *c = &all->core[all->count];
        *c = (core){.p = node};
        if (node->shape->rank >= 2 && find_scores(r, c))
            all->of[node->index] = (int32_t)all->count++;
    } else if (node->op == softmax_grad_op && (n = CORE_WITH(all, node->inputs[1], p)) >= 0) {
        core *c = &all->core[n];
        note(all, n, &c->unmasked, node, &c->readers_of_p);
        if (c->unmasked == node) {
            c->dp = node->inputs[0];
            add_slopes(c, node);
        }
    } else if (node->op == select_op)
        look_at_select(r, all, node);
    else if (node->op == matmul_op)
        look_at_product(all, node);
    else if ((slopes = scaled(node, &scale)) && (n = CORE_WITH(all, slopes, slopes)) >= 0 && !all->core[n].selects &&
             scale == all->core[n].scale)
        note(all, n, &all->core[n].ds, node, &all->core[n].readers_of_slopes);
}

/* True if no other node reads the scores, the weights or their gradients. */
static int is_whole(const atl_rewrite *r, core *c)
{
    if (!c->y || r->uses[c->p->index] != c->readers_of_p)
        return 0;
    if (!c->slopes && !c->dv)
        return 1;
    if (!c->slopes || !c->ds || !c->dp || !is_product(c->dp, 0, 1) || c->dp->inputs[1] != c->v ||
        !only_reader(r, c->dp) || r->uses[c->ds->index] != c->readers_of_ds ||
        (c->ds != c->slopes && r->uses[c->slopes->index] != 1))
        return 0;
    c->dy = c->dp->inputs[0];
    return (!c->dv || c->dv->inputs[1] == c->dy) && (c->dq || c->dk);
}

/* ---- transposes -------------------------------------------------------------------------------------------------- */

static int swaps_heads(const atl_node *node)
{
    int order[ATL_MAX_RANK];
    if (node->op != transpose_op || node->shape->rank != 4)
        return 0;
    atl_transpose_order(node, order);
    return order[0] == 0 && order[1] == 2 && order[2] == 1 && order[3] == 3;
}

/* The transpose that is the only reader of the node; null if there is none. */
static const atl_node *merge_of(const atl_rewrite *r, const cores *all, const atl_node *node)
{
    int32_t reader = node ? all->merge_of[node->index] : -1;
    return reader >= 0 && swaps_heads(r->from->nodes[reader]) && r->uses[node->index] == 1 ? r->from->nodes[reader]
                                                                                           : NULL;
}

static void set_options(const atl_rewrite *r, const cores *all, core *c)
{
    const struct {
        const atl_node *node;
        int bit, is_result;
    } list[] = {{c->q, ATL_MERGED_Q, 0},   {c->transposed_k ? NULL : c->k, ATL_MERGED_K, 0},
                {c->v, ATL_MERGED_V, 0},   {c->y, ATL_MERGED_Y, 1},
                {c->dy, ATL_MERGED_DY, 0}, {c->dq, ATL_MERGED_DQ, 1},
                {c->dv, ATL_MERGED_DV, 1}, {c->transposed_dk ? NULL : c->dk, ATL_MERGED_DK, 1}};
    c->options.scale = c->scale;
    c->options.transposed_k = c->transposed_k;
    c->options.transposed_dk = c->transposed_dk;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i].node && (list[i].is_result ? merge_of(r, all, list[i].node) != NULL : swaps_heads(list[i].node)))
            c->options.merged |= list[i].bit;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static void end_cores(atl_rewrite *r)
{
    cores *all = r->context;
    if (!all)
        return;
    atl_release(all->core);
    atl_release(all->of);
    atl_release(all->merge_of);
    atl_release(all);
}

static int find_cores(atl_rewrite *r)
{
    const atl_graph *from = r->from;
    int64_t most = 0;
    cores *all = r->context = atl_allocate(1, sizeof *all);
    if (!all)
        return 0;
    for (int64_t n = 0; n < from->count; n++)
        most += is_softmax(from->nodes[n]);
    all->core = atl_allocate((size_t)most + 1, sizeof *all->core);
    all->of = atl_allocate((size_t)from->count, sizeof *all->of);
    all->merge_of = atl_allocate((size_t)from->count, sizeof *all->merge_of);
    if (!all->core || !all->of || !all->merge_of)
        return 0;
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        all->of[n] = all->merge_of[n] = -1;
        for (int i = 0; i < node->input_count; i++) {
            int32_t *reader = &all->merge_of[node->inputs[i]->index];
            *reader = *reader == -1 ? (int32_t)n : -2;
        }
        if (r->needed[n])
            look_at(r, all, node);
    }
    for (int64_t n = 0; n < all->count; n++) {
        core *c = &all->core[n];
        c->is_whole = is_whole(r, c);
        if (c->is_whole)
            set_options(r, all, c);
    }
    return 1;
}

/* The new node of an operand, before the transpose that splits its heads. */
static atl_node *operand(const atl_rewrite *r, const core *c, const atl_node *old, int bit)
{
    return r->of[(c->options.merged & bit ? old->inputs[0] : old)->index];
}

static atl_node *mask_of(const atl_rewrite *r, const core *c) { return c->mask ? r->of[c->mask->index] : NULL; }

static atl_node *forward(const atl_rewrite *r, const core *c)
{
    atl_attention_options options = c->options; /* of the gradients nothing, so that equal nodes are equal */
    options.merged &= ATL_MERGED_Q | ATL_MERGED_K | ATL_MERGED_V | ATL_MERGED_Y;
    options.transposed_dk = 0;
    return atl_attention_fused(&options, operand(r, c, c->q, ATL_MERGED_Q), operand(r, c, c->k, ATL_MERGED_K),
                               operand(r, c, c->v, ATL_MERGED_V), mask_of(r, c));
}

static atl_node *gradient(const atl_rewrite *r, core *c)
{
    if (!c->gradient)
        c->gradient = atl_attention_fused_grad(&c->options, operand(r, c, c->q, ATL_MERGED_Q),
                                               operand(r, c, c->k, ATL_MERGED_K), operand(r, c, c->v, ATL_MERGED_V),
                                               r->of[c->y->index], operand(r, c, c->dy, ATL_MERGED_DY), mask_of(r, c));
    return c->gradient;
}

static atl_node *attended(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const cores *all = r->context;
    int32_t n = all->of[old->index];
    if (n < 0 && swaps_heads(old) && (n = all->of[old->inputs[0]->index]) >= 0) {
        const core *c = &all->core[n];
        const atl_node *x = old->inputs[0];
        int bit = x == c->y ? ATL_MERGED_Y : x == c->dq ? ATL_MERGED_DQ : x == c->dk ? ATL_MERGED_DK : ATL_MERGED_DV;
        int is_result = x == c->y || x == c->dq || x == c->dk || x == c->dv;
        return c->is_whole && is_result && c->options.merged & bit ? inputs[0] : NULL;
    }
    core *c = n >= 0 && all->core[n].is_whole ? &all->core[n] : NULL;
    if (!c)
        return NULL;
    if (old == c->y)
        return forward(r, c);
    if (old == c->dq)
        return gradient(r, c);
    return old == c->dk   ? atl_attention_fused_part(gradient(r, c), 1)
           : old == c->dv ? atl_attention_fused_part(gradient(r, c), 2)
                          : NULL;
}

const atl_pass atl_attention_pass = {.is_candidate = is_softmax,
                                     .rule = attended,
                                     .begin = find_cores,
                                     .end = end_cores,
                                     .needs_use_counts = 1,
                                     .merges = 1};
