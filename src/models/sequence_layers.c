/* Layers on sequences of tokens, in scopes of their own.  They use public functions only, as a user's program would. */
#include "models/layer.h"

#include "atled/op.h"
#include "atled/train.h"
#include "graph/error.h"

atl_node *atl_layer_norm_layer_with(const atl_layer_norm_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_layer_norm_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->x, args->name);
    if (!graph)
        return NULL;
    atl_shape shape = atl_shape_of(args->x);
    char text[160];
    if (shape.rank < 1 || shape.size[shape.rank - 1] == ATL_ANY)
        return atl_builder_error(graph, args->name,
                                 "a layer norm's last dimension must have a known size, but '%s' is %s",
                                 atl_name_of(args->x), atl_shape_text(shape, text, sizeof text));
    int64_t width = shape.size[shape.rank - 1];
    atl_enter(graph, args->name);
    atl_node *y =
        atl_layer_norm(args->x, .scale = atl_variable(graph, "scale", ATL_SHAPE(width), atl_fill_with(1)),
                       .shift = atl_variable(graph, "shift", ATL_SHAPE(width), atl_zeros()), .epsilon = args->epsilon);
    atl_leave(graph);
    return y;
}

atl_node *atl_embedding_layer_with(const atl_embedding_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_embedding_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->ids, args->name);
    if (!graph)
        return NULL;
    if (args->vocabulary < 1 || args->width < 1)
        return atl_builder_error(graph, args->name,
                                 "an embedding has a .vocabulary and a .width of 1 or more, not %lld and %d",
                                 (long long)args->vocabulary, args->width);
    atl_enter(graph, args->name);
    atl_initializer by = args->initializer.kind != ATL_INIT_DEFAULT ? args->initializer : atl_normal(1);
    atl_node *weights = atl_variable(graph, "weights", ATL_SHAPE(args->vocabulary, args->width), by);
    atl_node *y = atl_gather(atl_variable_set_decay(weights, args->decay), args->ids, 0);
    atl_leave(graph);
    return y;
}

/* The queries, keys or values of all heads: [n, heads, tokens, width / heads]. */
static atl_node *heads_of(const atl_attention_layer_args *args, atl_node *x, const char *name, int width, int heads)
{
    return atl_split_heads(atl_dense_layer(x, name, width, .weight_order = args->weight_order,
                                           .initializer = args->initializer, .no_bias = args->no_bias,
                                           .decay = args->decay),
                           heads);
}

/* 1 if x is [n, tokens, known size]; else 0 with the error recorded. */
static int is_sequence(const char *name, const atl_node *x)
{
    atl_shape shape = atl_shape_of(x);
    char text[160];
    if (shape.rank == 3 && shape.size[2] != ATL_ANY)
        return 1;
    return atl_builder_error(atl_graph_of(x), name, "attention takes [n, tokens, d] with a known d, but '%s' is %s",
                             atl_name_of(x), atl_shape_text(shape, text, sizeof text)) != NULL;
}

atl_node *atl_attention_layer_with(const atl_attention_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_attention_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->x, args->name);
    if (!graph)
        return NULL;
    atl_node *context = args->context ? args->context : args->x;
    if (!is_sequence(args->name, args->x) || !is_sequence(args->name, context))
        return NULL;
    int d = (int)atl_shape_of(args->x).size[2];
    int heads = args->heads ? args->heads : 1, width = args->width ? args->width : d;
    if (heads < 1 || width < 1 || width % heads)
        return atl_builder_error(graph, args->name,
                                 "%d heads cannot share a width of %d: .width must be a multiple of .heads", heads,
                                 width);
    atl_enter(graph, args->name);
    atl_node *query = heads_of(args, args->x, "query", width, heads);
    atl_node *key = heads_of(args, context, "key", width, heads);
    atl_node *value = heads_of(args, context, "value", width, heads);
    atl_node *y = atl_attention(query, key, value, .mask = args->mask, .causal = args->causal);
    y = atl_dense_layer(atl_merge_heads(y), "output", d, .weight_order = args->weight_order,
                        .initializer = args->initializer, .no_bias = args->no_bias, .decay = args->decay);
    atl_leave(graph);
    return y;
}
