/* Finds the layer for the Grad-CAM family, and how its map is laid out. */
#include <string.h>

#include "atled/op.h"
#include "explain/explainer.h"
#include "graph/error.h"
#include "graph/memory.h"

/* ---- nodes on the way from the image to the scores --------------------------------------------------------------- */

/* A layer depends on weights, too: preprocessing is none. */
enum { FROM_IMAGE = 1, TO_SCORES = 2, FROM_WEIGHTS = 4, ON_THE_WAY = 7 };

static int is_op(const atl_node *node, const char *name)
{
    const atl_op *op = atl_op_of(node);
    return op && strcmp(op->name, name) == 0;
}

/* One byte for each node up to the scores; null if out of memory. */
static char *mark_nodes(const atl_node *image, const atl_node *scores)
{
    const atl_graph *graph = atl_graph_of(scores);
    int64_t last = atl_index_of(scores);
    char *mark = atl_allocate((size_t)last + 1, 1);
    if (!mark)
        return NULL;
    for (int64_t i = 0; i <= last; i++) {
        const atl_node *node = atl_graph_node(graph, i);
        mark[i] = (char)(node == image ? FROM_IMAGE : is_op(node, "variable") ? FROM_WEIGHTS : 0);
        for (int k = 0; k < atl_input_count(node); k++)
            mark[i] |= mark[atl_index_of(atl_input_of(node, k))];
    }
    mark[last] |= TO_SCORES;
    for (int64_t i = last; i >= 0; i--)
        for (int k = 0; mark[i] & TO_SCORES && k < atl_input_count(atl_graph_node(graph, i)); k++)
            mark[atl_index_of(atl_input_of(atl_graph_node(graph, i), k))] |= TO_SCORES;
    return mark;
}

static int is_pooling(const atl_node *node)
{
    const atl_op *op = atl_op_of(node);
    return op && strstr(op->name, "pool") != NULL;
}

static int is_known(int64_t size) { return size > 0 || size == ATL_ANY; }

/* [n, h, w, c] or [n, c, h, w] with more than one pixel. */
static int is_map(const atl_node *node)
{
    atl_shape s = atl_shape_of(node);
    int larger = 0;
    if (s.rank != 4 || atl_dtype_of(node) != ATL_FLOAT32 || !is_known(s.size[0]))
        return 0;
    for (int i = 1; i < 4; i++) {
        if (s.size[i] < 1)
            return 0;
        larger += s.size[i] > 1;
    }
    return larger >= 2;
}

static int is_tokens(const atl_node *node)
{
    atl_shape s = atl_shape_of(node);
    return s.rank == 3 && atl_dtype_of(node) == ATL_FLOAT32 && s.size[1] > 1 && s.size[2] > 1;
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

/* Past what moves a map without changing it. */
static atl_node *before_moves(atl_node *node)
{
    while ((is_op(node, "transpose") || is_op(node, "stop_gradient")) && is_map(atl_input_of(node, 0)))
        node = atl_input_of(node, 0);
    return node;
}

/* The last node of a kind up to `last` on the way; null if there is none. */
static atl_node *last_of(const atl_graph *graph, const char *mark, int64_t last, int (*is)(const atl_node *))
{
    for (int64_t i = last; i >= 0; i--)
        if (mark[i] == ON_THE_WAY && is(atl_graph_node(graph, i)))
            return atl_graph_node(graph, i);
    return NULL;
}

static int is_attention(const atl_node *node) { return is_op(node, "softmax") && atl_shape_of(node).rank >= 3; }

/* The tokens that the last attention reads, and that a residual adds to its result: after it, a class token that the
 * scores are computed from depends on no other token. */
static atl_node *tokens_before(const atl_graph *graph, const char *mark, const atl_node *attention, int64_t last)
{
    int64_t at = atl_index_of(attention);
    for (int64_t i = at + 1; i <= last; i++) {
        const atl_node *sum = atl_graph_node(graph, i);
        for (int k = 0; k < 2 && mark[i] == ON_THE_WAY && is_op(sum, "add") && is_tokens(sum); k++) {
            atl_node *kept = atl_input_of(sum, k);
            if (is_tokens(kept) && atl_index_of(kept) < at && mark[atl_index_of(kept)] == ON_THE_WAY)
                return kept;
        }
    }
    return last_of(graph, mark, at, is_tokens);
}

static atl_node *find_layer(const atl_graph *graph, const char *mark, int64_t last)
{
    atl_node *map = last_of(graph, mark, last, is_map), *tokens = last_of(graph, mark, last, is_tokens);
    const atl_node *attention = last_of(graph, mark, last, is_attention);
    if (tokens && attention && (!map || atl_index_of(tokens) > atl_index_of(map)))
        return tokens_before(graph, mark, attention, last);
    if (!map)
        return NULL;
    map = before_moves(map);
    if (is_pooling(map) && is_map(atl_input_of(map, 0)))
        map = before_moves(atl_input_of(map, 0));
    return is_op(map, "input") ? NULL : map;
}

atl_node *atl_explain_layer(atl_node *image, atl_node *scores)
{
    if (!image || !scores || atl_graph_of(image) != atl_graph_of(scores) ||
        atl_index_of(image) > atl_index_of(scores)) {
        atl_set_error(ATL_INVALID, "atl_explain_layer: it takes an image, and scores that are computed from it");
        return NULL;
    }
    char *mark = mark_nodes(image, scores);
    if (!mark) {
        atl_out_of_memory();
        return NULL;
    }
    atl_node *layer = find_layer(atl_graph_of(scores), mark, atl_index_of(scores));
    atl_release(mark);
    if (!layer || layer == image) {
        atl_set_error(ATL_INVALID, "atl_explain_layer: there is no map and no row of tokens between image and scores");
        return NULL;
    }
    return layer;
}

/* ---- its form ---------------------------------------------------------------------------------------------------- */

/* The grid of as many patches as there are tokens, but for a few that come first, such as a class token. */
static int tokens_form(atl_shape s, int64_t height, int64_t width, atl_layer_form *form)
{
    enum { MOST_EXTRA = 16 };
    for (int64_t first = 0; first <= MOST_EXTRA && first < s.size[1]; first++)
        for (int64_t patch = 1; patch <= height && patch <= width; patch++)
            if (height % patch == 0 && width % patch == 0 && height / patch * (width / patch) == s.size[1] - first) {
                *form = (atl_layer_form){height / patch, width / patch, s.size[2], first, 0};
                return 1;
            }
    return 0;
}

/* |log of the ratio| of a map's proportions to the picture's, without the log: at least 1. */
static double distortion(int64_t h, int64_t w, int64_t height, int64_t width)
{
    double ratio = (double)h * (double)width / ((double)w * (double)height);
    return ratio < 1 ? 1 / ratio : ratio;
}

atl_status atl_explain_form_of(const atl_node *layer, int64_t height, int64_t width, atl_layer_form *form_out)
{
    char text[160];
    atl_shape s = atl_shape_of(layer);
    if (is_tokens(layer) && tokens_form(s, height, width, form_out))
        return ATL_OK;
    if (!is_map(layer))
        return atl_set_error(
            ATL_INVALID,
            "atl_explain: the layer '%s' is %s; it must be a map [n, h, w, channels] or [n, channels, h, "
            "w], or tokens [n, tokens, channels] of which all but a few make a grid like the picture's "
            "(%lld x %lld)",
            atl_name_of(layer), atl_shape_text(s, text, sizeof text), (long long)height, (long long)width);
    *form_out = (atl_layer_form){s.size[1], s.size[2], s.size[3], 0, 0};
    if (distortion(s.size[2], s.size[3], height, width) < distortion(s.size[1], s.size[2], height, width))
        *form_out = (atl_layer_form){s.size[2], s.size[3], s.size[1], 0, 1};
    return ATL_OK;
}
