/* The allowed distance of a float result from the double one. */
#include "battery.h"

#include <stdlib.h>

#include "graph/graph.h"
#include "graph/random.h"
#include "lowering/op_hooks.h"

enum { DRAWS = FEWER(3, 1), MOST_DRAWS = 24, MOST_NODES = 256 };
static const double FLOAT_ROUNDING = 0x1p-24, BFLOAT16_ROUNDING = 0x1p-9; /* relative */

struct oracle {
    int count, draws;
    atl_node *const *nodes; /* as given: kept for more draws */
    const atl_feed *feeds;
    int rounds_products; /* to bfloat16: the operands */
    double factor;       /* sqrt(terms) * 4 */
    atl_reference *exact;
    const atl_tensor *value[MOST_NODES];
    double response[MOST_NODES]; /* the largest change that noise made to any element */
    char *unsure[MOST_NODES];    /* of int32 nodes: elements that noise has changed */
};

/* A set of numbers: open addressing, a power of two of slots, at least half of them NaN, which stands for "empty". */
typedef struct number_set {
    size_t slots;
    double *slot;
    char *is_found; /* of each slot */
} number_set;

/* The slot that holds x, or the empty one where it belongs. */
static size_t slot_of(const number_set *set, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    size_t i = (size_t)((bits * 0x9e3779b97f4a7c15u) >> 32); /* the product of a float's bits ends in 29 zeros */
    for (i &= set->slots - 1; !isnan(set->slot[i]) && set->slot[i] != x;)
        i = (i + 1) & (set->slots - 1);
    return i;
}

static number_set set_of(int64_t count, const double *x)
{
    number_set set = {.slots = 2};
    while (set.slots < 2 * (size_t)count + 2)
        set.slots *= 2;
    set.slot = malloc(set.slots * sizeof *set.slot);
    set.is_found = calloc(set.slots, 1);
    for (size_t i = 0; i < set.slots; i++)
        set.slot[i] = NAN;
    for (int64_t k = 0; k < count; k++)
        if (!isnan(x[k]))
            set.slot[slot_of(&set, x[k] + 0.0)] = x[k] + 0.0; /* -0 is 0 */
    return set;
}

typedef struct noise_attributes {
    uint64_t stream;
    double size;       /* relative */
    uint64_t is_known; /* the node is made of constants alone */
    uint64_t in_place; /* the node is element-wise: an element is compared with those in its place */
} noise_attributes;

/* Marks the elements of the first input that are equal to the same element of another input. */
static void mark_equal_in_place(const atl_node *y, const double *const *x, char *moved)
{
    int inputs = atl_input_count(y);
    int64_t count = atl_shape_count(atl_shape_of(y));
    for (int i = 1; i < inputs; i++)
        for (int64_t k = 0; k < count; k++)
            moved[k] |= x[i][k] == x[0][k];
}

/* Marks the elements of the first input that are equal to any element of another input; NaN is equal to none. */
static void mark_equal_anywhere(const atl_node *y, const double *const *x, char *moved)
{
    int inputs = atl_input_count(y);
    int64_t count = atl_shape_count(atl_shape_of(y));
    number_set own = set_of(count, x[0]);
    for (int i = 1; i < inputs; i++) {
        int64_t elements = atl_shape_count(atl_shape_of(atl_input_of(y, i)));
        for (int64_t k = 0; k < elements; k++)
            own.is_found[slot_of(&own, x[i][k] + 0.0)] |= !isnan(x[i][k]);
    }
    for (int64_t k = 0; k < count; k++)
        moved[k] = !isnan(x[0][k]) && own.is_found[slot_of(&own, x[0][k] + 0.0)];
    free(own.slot);
    free(own.is_found);
}

/* noise(v, from ...) = v * (1 +- size), any shape; a hash determines the signs.  An element that is equal to one
 * in `from` was moved or selected (the largest of several, a number between a clip's bounds), not computed: it has no
 * noise, and can still be found among them.  A whole number computed from constants has no noise either: the 3 - 1 in
 * the gradient of a cube is exactly 2 in float, too, and with noise its power of a negative number would be NaN, and
 * so would everything computed from it. */
static void reference_noise(const atl_node *y, const double *const *x, double *result)
{
    const noise_attributes noisy = *(const noise_attributes *)atl_attributes_of(y);
    int64_t count = atl_shape_count(atl_shape_of(y));
    char *moved = calloc((size_t)count + 1, 1);
    if (noisy.in_place)
        mark_equal_in_place(y, x, moved);
    else if (atl_input_count(y) > 1)
        mark_equal_anywhere(y, x, moved);
    uint64_t signs = 0;
    for (int64_t i = 0; i < count; i++, signs >>= 1) {
        if (i % 64 == 0)
            signs = atl_random_bits(noisy.stream, (uint64_t)i / 64);
        int is_exact = moved[i] | (noisy.is_known && x[0][i] == rint(x[0][i]));
        double sign =
            (double)(signs & 1) * 2 - 1; /* without a branch, which half of the time would be predicted wrong */
        result[i] = x[0][i] * (1 + sign * (is_exact ? 0 : noisy.size));
    }
    free(moved);
}

static bool infer_noise(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }

static const atl_op noise_op = {.name = "noise",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(noise_attributes),
                                .infer = infer_noise,
                                .reference = reference_noise};

/* An upper bound of the number of terms that one element of the node sums: the number of elements it could read. */
static int64_t terms_of(const atl_node *node)
{
    int64_t terms = 1;
    for (int i = 0; i < node->input_count && !atl_is_elementwise(node->op); i++)
        if (!atl_is_shape_input(node->op, i))
            terms += atl_shape_count(*node->inputs[i]->shape);
    return terms;
}

/* True if the node gets noise.  Constants do not: an exponent of 2.0000001 would make the square of -1 NaN. */
static int is_noisy(const atl_node *node) { return node->dtype == ATL_FLOAT32 && !(node->op->flags & ATL_OP_CONSTANT); }

/* known[n]: node n is a constant, or element-wise of such. */
static char *mark_known(const atl_graph *graph)
{
    char *known = calloc((size_t)graph->count + 1, 1);
    for (int64_t n = 0; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        known[n] = (node->op->flags & ATL_OP_CONSTANT) != 0 || (atl_is_elementwise(node->op) && node->input_count > 0);
        for (int i = 0; i < node->input_count; i++)
            known[n] &= known[node->inputs[i]->index];
    }
    return known;
}

/* Ops whose operands a program that uses bfloat16 may round. */
static int is_product(const atl_op *op) { return strstr(op->name, "conv") || strstr(op->name, "matmul"); }

static atl_node *rounded_to_bfloat16(atl_graph *into, uint64_t stream, atl_node *x)
{
    noise_attributes noise = {stream, BFLOAT16_ROUNDING, 0, 0};
    return x->dtype == ATL_FLOAT32 ? atl_apply_in(into, &noise_op, &noise, 1, &x) : x;
}

/* The graph again, with noise after each float node.  copy[i] stands for node i; its users read noisy[i]. */
static int copy_with_noise(const oracle *o, atl_graph *into, uint64_t stream, atl_node **copy, atl_node **noisy)
{
    const atl_graph *graph = o->nodes[0]->graph;
    char *known = mark_known(graph);
    int64_t n = 0;
    for (; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        atl_node **inputs = calloc((size_t)node->input_count + 1, sizeof *inputs); /* after the node itself */
        int values = 0;
        for (int i = 0; i < node->input_count; i++) {
            int64_t index = node->inputs[i]->index;
            int by_shape =
                atl_is_shape_input(node->op, i) || (i < 32 && (atl_hooks_of(node)->workspace_inputs >> i) & 1);
            inputs[i + 1] = by_shape ? copy[index] : noisy[index];
            if (o->rounds_products && !by_shape && is_product(node->op) && inputs[i + 1])
                inputs[i + 1] =
                    rounded_to_bfloat16(into, atl_random_bits(stream ^ 0xbf16, (uint64_t)(n * 64 + i)), inputs[i + 1]);
        }
        copy[n] = atl_apply_in(into, node->op, node->attributes, node->input_count, inputs + 1);
        int in_place = atl_is_elementwise(node->op), moves = !is_product(node->op);
        for (int i = 0; i < node->input_count && moves; i++)
            if (!atl_is_shape_input(node->op, i) && node->inputs[i]->dtype == ATL_FLOAT32 &&
                (!in_place || atl_shape_equal(*node->inputs[i]->shape, *node->shape)))
                inputs[++values] = inputs[i + 1];
        inputs[0] = copy[n];
        noise_attributes own = {atl_random_bits(stream, (uint64_t)n), FLOAT_ROUNDING, (uint64_t)known[n],
                                (uint64_t)in_place};
        noisy[n] = copy[n] && is_noisy(node) ? atl_apply_in(into, &noise_op, &own, 1 + values, inputs) : copy[n];
        free(inputs);
        if (!noisy[n])
            break;
        copy[n]->storage = node->storage;
    }
    free(known);
    return n == graph->count;
}

/* Records the changes of this draw. */
static void take_up(oracle *o, const atl_reference *reference, atl_node *const *nodes)
{
    for (int i = 0; i < o->count; i++) {
        const atl_tensor *value = atl_reference_value(reference, nodes[i]);
        int64_t count = atl_tensor_count(o->value[i]);
        for (int64_t k = 0; k < count; k++) {
            double exact = element_of(o->value[i], k), change = fabs(element_of(value, k) - exact);
            if (isnan(change) && !isnan(exact)) /* noise left the domain: (-1)^3 */
                change = 0;
            if (change > 0)
                o->unsure[i][k] = 1;
            o->response[i] =
                fmax(o->response[i], fmax(change, fabs(exact) * FLOAT_ROUNDING)); /* its own rounding at least */
        }
    }
}

static int draw(oracle *o)
{
    const atl_graph *graph = o->nodes[0]->graph;
    const atl_feed *feeds = o->feeds;
    uint64_t stream = atl_random_bits(test_seed(), (uint64_t)o->draws++);
    atl_graph *into = atl_graph_new();
    atl_node **copy = calloc((size_t)graph->count, sizeof *copy), **noisy = calloc((size_t)graph->count, sizeof *noisy);
    atl_node *wanted[MOST_NODES];
    atl_feed fed[MOST_FEEDS + 1] = {{0}};
    int ok = copy_with_noise(o, into, stream, copy, noisy);
    for (int i = 0; ok && i < o->count; i++)
        wanted[i] = noisy[o->nodes[i]->index];
    for (int i = 0; ok && feeds && feeds[i].node; i++)
        fed[i] = (atl_feed){copy[feeds[i].node->index], feeds[i].value};
    atl_reference *reference = ok ? atl_reference_run((atl_nodes){o->count, wanted}, fed) : NULL;
    if (reference)
        take_up(o, reference, wanted);
    atl_reference_free(reference);
    atl_graph_free(into);
    free(copy);
    free(noisy);
    return reference != NULL;
}

oracle *oracle_new(int count, atl_node *const *nodes, const atl_feed *feeds)
{
    return oracle_new_rounding(count, nodes, feeds, 0);
}

oracle *oracle_new_rounding(int count, atl_node *const *nodes, const atl_feed *feeds, int rounds_products)
{
    const atl_graph *graph = nodes[0]->graph;
    oracle *o = calloc(1, sizeof *o);
    int64_t most = 1;
    if (count > MOST_NODES) {
        atl_set_error(ATL_INVALID, "the oracle takes up to %d nodes, not %d", MOST_NODES, count);
        free(o);
        return NULL;
    }
    o->rounds_products = rounds_products;
    o->count = count;
    o->nodes = nodes;
    o->feeds = feeds;
    o->exact = atl_reference_run((atl_nodes){count, nodes}, feeds);
    int ok = o->exact != NULL;
    for (int i = 0; ok && i < count; i++) {
        o->value[i] = atl_reference_value(o->exact, nodes[i]);
        o->unsure[i] = calloc((size_t)atl_tensor_count(o->value[i]) + 1, 1);
    }
    for (int64_t n = 0; n < graph->count; n++)
        most = terms_of(graph->nodes[n]) > most ? terms_of(graph->nodes[n]) : most;
    o->factor = 4 * sqrt((double)most);
    for (int i = 0; ok && i < DRAWS; i++)
        ok = draw(o);
    if (ok)
        return o;
    oracle_free(o);
    return NULL;
}

void oracle_free(oracle *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->count; i++)
        free(o->unsure[i]);
    atl_reference_free(o->exact);
    free(o);
}

const atl_tensor *oracle_value(const oracle *o, int i) { return o->value[i]; }

/* An element may differ by the bound; an int32 element must not, unless noise changed it, too. */
static int is_within_bound(const oracle *o, int i, const atl_tensor *value, char *text, size_t size)
{
    const atl_tensor *exact = o->value[i];
    int is_int = atl_tensor_dtype(value) == ATL_INT32;
    double bound = is_int ? 0 : o->response[i] * o->factor + 0x1p-120; /* values below float's range may become 0 */
    for (int64_t k = 0; k < atl_tensor_count(exact); k++) {
        double a = element_of(value, k), b = element_of(exact, k), off = fabs(a - b);
        if (a == b || (isnan(a) && isnan(b)) || off <= bound || (is_int && o->unsure[i][k]))
            continue;
        snprintf(text, size, "element %lld is %.9g, the reference %.9g: off by %.3g, bound %.3g (seed %llu)",
                 (long long)k, a, b, off, bound, (unsigned long long)test_seed());
        return 0;
    }
    return 1;
}

int oracle_accepts(oracle *o, int i, const atl_tensor *value, char *text, size_t size)
{
    char have[160], want[160];
    const atl_tensor *exact = o->value[i];
    if (!value) {
        snprintf(text, size, "there is no value: %s", atl_error());
        return 0;
    }
    if (!atl_shape_equal(atl_tensor_shape(value), atl_tensor_shape(exact))) {
        snprintf(text, size, "the value is %s, the reference %s",
                 atl_shape_text(atl_tensor_shape(value), have, sizeof have),
                 atl_shape_text(atl_tensor_shape(exact), want, sizeof want));
        return 0;
    }
    int ok = is_within_bound(o, i, value, text, size);
    while (!ok && o->draws < MOST_DRAWS && draw(o)) /* three draws may miss an effect of noise: a broken tie */
        ok = is_within_bound(o, i, value, text, size);
    return ok;
}

int floats_agree(int count, atl_node *const *nodes, const atl_feed *feeds, char *text, size_t size)
{
    char why[300] = "";
    atl_program *program = atl_compile(nodes[0]->graph, {count, nodes});
    if (!program || atl_run(program, feeds)) {
        snprintf(text, size, "the program does not %s: %s", program ? "run" : "compile", atl_error());
        atl_program_free(program);
        return 0;
    }
    oracle *o = oracle_new(count, nodes, feeds);
    int ok = o != NULL;
    if (!o)
        snprintf(text, size, "the reference does not run: %s", atl_error());
    for (int i = 0; ok && i < count; i++) {
        ok = oracle_accepts(o, i, atl_value(program, nodes[i]), why, sizeof why);
        if (!ok)
            snprintf(text, size, "%s: %s", atl_name_of(nodes[i]), why);
    }
    oracle_free(o);
    atl_program_free(program);
    return ok;
}
