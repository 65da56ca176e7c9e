/* Random graphs: each node is a sample of some op, applied to earlier nodes.
 *
 * A sample needs inputs of certain shapes and ranges; therefore a node that is chosen as an input is cut or repeated
 * to the right number of elements, reshaped, and mapped into the range.  A kink (relu at 0, a tie of maxima) may lie
 * between the float and the double value; therefore a difference counts only if it also occurs with other values. */
#include "random_graph.h"

#include <stdlib.h>

#include "graph/random.h"

enum { MOST_NODES = 12, MOST_INPUTS = 24, TRIES = 3 };

typedef struct maker {
    atl_graph *graph;
    uint64_t seed, drawn;
    int inputs, nodes;
    struct {
        atl_node *node;
        float low, high;
    } input[MOST_INPUTS];
    atl_node *node[MOST_NODES + MOST_INPUTS]; /* float nodes to choose from */
    atl_node *last;
    char story[1500]; /* which samples were taken */
} maker;

static uint64_t below(maker *m, uint64_t limit) { return atl_random_bits(m->seed, m->drawn++) % limit; }

static atl_node *new_input(maker *m, atl_dtype dtype, atl_shape shape, float low, float high)
{
    if (m->inputs == MOST_INPUTS)
        return NULL;
    atl_node *x = atl_input(m->graph, ATL_NAME("x%d", m->inputs), dtype, shape);
    m->input[m->inputs].low = low;
    m->input[m->inputs].high = high;
    m->input[m->inputs++].node = x;
    return x;
}

/* The node's elements in another shape: repeated, then cut, if the number differs. */
static atl_node *fitted(atl_node *x, atl_shape shape)
{
    int64_t have = atl_shape_count(atl_shape_of(x)), want = atl_shape_count(shape);
    if (atl_shape_equal(atl_shape_of(x), shape))
        return x;
    x = atl_reshape(x, ATL_SHAPE(have));
    for (; have < want; have *= 2)
        x = atl_concat(0, x, x);
    if (have > want)
        x = atl_slice(x, .end = {want});
    return atl_reshape(x, shape);
}

/* Into (low, high). */
static atl_node *squashed(atl_node *x, float low, float high)
{
    return atl_add_scalar(atl_scale(atl_tanh(x), (high - low) / 2), (high + low) / 2);
}

static atl_node *choose_input(maker *m, const atl_sample *s, int i)
{
    atl_shape shape = shape_of_input(s, i);
    float low = s->input[i].low, high = s->input[i].high;
    if (low == 0 && high == 0)
        low = -1, high = 1;
    if (s->input[i].is_int)
        return new_input(m, ATL_INT32, shape, low, high);
    if (m->nodes == 0 || below(m, 4) == 0) {
        atl_node *x = new_input(m, ATL_FLOAT32, shape, low, high);
        if (x)
            return x;
    }
    return m->nodes ? squashed(fitted(m->node[below(m, (uint64_t)m->nodes)], shape), low, high) : NULL;
}

static void keep(maker *m, atl_node *node)
{
    if (node && atl_dtype_of(node) == ATL_FLOAT32 && atl_shape_count(atl_shape_of(node)) > 0 &&
        m->nodes < MOST_NODES + MOST_INPUTS)
        m->node[m->nodes++] = m->last = node;
}

/* A smooth, valid sample of a random op; null if that op has none. */
static const atl_sample *choose_sample(maker *m, const atl_op **op_out)
{
    const atl_sample *good[64];
    int count = 0;
    *op_out = op_at((int)below(m, (uint64_t)op_count()));
    if ((*op_out)->flags & ATL_OP_RANDOM)
        return NULL;
    for (const atl_sample *s = (*op_out)->samples; s && is_sample(s) && count < 64; s++)
        if (!s->error && !s->no_gradient)
            good[count++] = s;
    return count ? good[below(m, (uint64_t)count)] : NULL;
}

static void tell(maker *m, const char *op, const char *about)
{
    size_t used = strlen(m->story);
    snprintf(m->story + used, sizeof m->story - used, "%s%s (%s)", used ? ", " : "", op, about);
}

static void make(maker *m)
{
    int wanted = 1 + (int)below(m, MOST_NODES);
    for (int n = 0; n < wanted; n++) {
        const atl_op *op;
        const atl_sample *s = choose_sample(m, &op);
        atl_node *x[ATL_MAX_RULES] = {0};
        int ok = s != NULL;
        for (int i = 0; ok && i < s->inputs; i++)
            ok = (x[i] = choose_input(m, s, i)) != NULL;
        if (!ok)
            continue;
        tell(m, op->name, s->about);
        for (int i = 0; i < s->inputs; i++)
            if (below(m, 4) == 0)
                keep(m, x[i]);
        keep(m, build_sample(s, x));
    }
}

/* The sum of all nodes, with more weight for the last, so that the gradient reaches all of them. */
static atl_node *total(maker *m)
{
    atl_node *sum = atl_mean(atl_square(m->last));
    for (int i = 0; i < m->nodes; i++)
        sum = atl_add(sum, atl_mean(m->node[i]));
    return sum;
}

static void feed(const maker *m, uint64_t attempt, atl_feed *feeds)
{
    for (int i = 0; i < m->inputs; i++) {
        atl_shape shape = atl_shape_of(m->input[i].node);
        uint64_t stream = atl_random_bits(m->seed ^ 0x5eed, attempt * MOST_INPUTS + (uint64_t)i);
        atl_tensor *value = atl_uniform_tensor(shape, m->input[i].low, m->input[i].high, stream);
        if (atl_dtype_of(m->input[i].node) == ATL_INT32) {
            atl_tensor *ints = atl_tensor_new(ATL_INT32, shape);
            for (int64_t k = 0; k < atl_tensor_count(ints); k++)
                atl_ints(ints)[k] = (int32_t)floorf(atl_floats(value)[k]);
            atl_tensor_free(value);
            value = ints;
        }
        feeds[i] = (atl_feed){m->input[i].node, value};
    }
    feeds[m->inputs] = (atl_feed){0};
}

static int compare(const maker *m, int count, atl_node *const *wanted, char *text, size_t size)
{
    int ok = 0;
    for (uint64_t attempt = 0; !ok && attempt < TRIES; attempt++) {
        atl_feed feeds[MOST_INPUTS + 1];
        feed(m, attempt, feeds);
        ok = floats_agree(count, wanted, feeds, text, size);
        for (int i = 0; i < m->inputs; i++)
            atl_tensor_free((atl_tensor *)feeds[i].value);
    }
    return ok;
}

int random_graph_agrees(uint64_t seed, uint64_t number, char *text, size_t size)
{
    maker m = {.graph = atl_graph_new(), .seed = atl_random_bits(seed, number)};
    atl_node *x[MOST_INPUTS], *wanted[MOST_INPUTS + 2];
    char why[800] = "";
    int xs = 0, count = 0, ok = 1;
    make(&m);
    if (m.nodes) {
        for (int i = 0; i < m.inputs; i++)
            if (atl_dtype_of(m.input[i].node) == ATL_FLOAT32)
                x[xs++] = m.input[i].node;
        wanted[count++] = total(&m);
        wanted[count++] = m.last;
        if (xs && wanted[0] &&
            !atl_gradients(.of = {1, wanted}, .by = {xs, x}, .result_out = wanted + count, .unused = ATL_UNUSED_ZEROS))
            count += xs;
        ok = !*atl_graph_error(m.graph);
        if (ok)
            ok = compare(&m, count, wanted, why, sizeof why);
        else
            snprintf(why, sizeof why, "building failed: %s", atl_graph_error(m.graph));
    }
    if (!ok)
        snprintf(text, size, "graph %llu of seed %llu: %s\n  made of %s", (unsigned long long)number,
                 (unsigned long long)seed, why, m.story);
    atl_graph_free(m.graph);
    return ok;
}
