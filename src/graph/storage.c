/* The values of variables and constants, and the initialisation of variables. */
#include "graph/graph.h"

#include <math.h>
#include <string.h>

#include "common/hash.h"
#include "graph/memory.h"
#include "graph/orthogonal.h"
#include "graph/random.h"
#include "graph/tensor.h"

atl_initializer atl_zeros(void) { return (atl_initializer){.kind = ATL_INIT_ZEROS}; }
atl_initializer atl_fill_with(float value) { return (atl_initializer){.kind = ATL_INIT_CONSTANT, .a = value}; }
atl_initializer atl_uniform(float lowest, float highest)
{
    return (atl_initializer){.kind = ATL_INIT_UNIFORM, .a = lowest, .b = highest};
}
atl_initializer atl_normal(float deviation) { return (atl_initializer){.kind = ATL_INIT_NORMAL, .b = deviation}; }
atl_initializer atl_truncated_normal(float deviation)
{
    return (atl_initializer){.kind = ATL_INIT_TRUNCATED_NORMAL, .b = deviation};
}
atl_initializer atl_glorot(void) { return (atl_initializer){.kind = ATL_INIT_GLOROT}; }
atl_initializer atl_he(void) { return (atl_initializer){.kind = ATL_INIT_HE}; }
atl_initializer atl_orthogonal(float gain) { return (atl_initializer){.kind = ATL_INIT_ORTHOGONAL, .a = gain}; }

void atl_set_seed(atl_graph *graph, uint64_t seed)
{
    if (graph)
        graph->seed = seed;
}

/* The graph's seed mixed with the name: variables get different streams, and a new variable does not change
 * the others. */
static uint64_t stream_of(const atl_node *variable, const char *name)
{
    return atl_random_bits(variable->graph->seed, atl_hash_text(name));
}

/* Inputs and outputs of one unit, for weights [.., in, out]: kernel size * in and kernel size * out. */
static void fans_of(atl_shape shape, double *in_out, double *out_out)
{
    double taps = 1;
    for (int i = 0; i + 2 < shape.rank; i++)
        taps *= (double)shape.size[i];
    *out_out = shape.rank > 0 ? (double)shape.size[shape.rank - 1] * taps : 1;
    *in_out = shape.rank > 1 ? (double)shape.size[shape.rank - 2] * taps : *out_out;
}

static double truncated_normal(uint64_t stream, uint64_t i)
{
    double x = atl_random_normal(stream, i);
    for (uint64_t again = 1; fabs(x) > 2; again++)
        x = atl_random_normal(stream + again, i);
    return x;
}

static atl_status fill_integers(atl_tensor *value, int32_t integer)
{
    for (int64_t i = 0; i < value->count; i++)
        ((int32_t *)value->data)[i] = integer;
    return ATL_OK;
}

atl_status atl_initialize(const atl_node *variable, atl_tensor *value)
{
    atl_initializer by = variable->storage->initializer;
    const char *name = atl_own_name_of(variable);
    if (!name) /* no other will do: the values would be other ones */
        return atl_out_of_memory();
    uint64_t stream = stream_of(variable, name);
    float *w = value->data;
    double in, out;
    fans_of(value->shape, &in, &out);
    if (by.kind == ATL_INIT_INTEGER)
        return fill_integers(value, by.integer);
    if (by.kind == ATL_INIT_ORTHOGONAL)
        return atl_fill_orthogonal(w, value->shape, by.a, stream);
    if (by.kind == ATL_INIT_GLOROT) {
        by.b = (float)sqrt(6 / (in + out));
        by.a = -by.b;
    } else if (by.kind == ATL_INIT_HE)
        by.b = (float)sqrt(2 / in);
    for (int64_t i = 0; i < value->count; i++)
        switch (by.kind) {
        case ATL_INIT_UNIFORM:
        case ATL_INIT_GLOROT:
            w[i] = atl_random_between(by.a, by.b, stream, (uint64_t)i);
            break;
        case ATL_INIT_NORMAL:
        case ATL_INIT_HE:
            w[i] = (float)(by.a + by.b * atl_random_normal(stream, (uint64_t)i));
            break;
        case ATL_INIT_TRUNCATED_NORMAL:
            w[i] = (float)(by.a + by.b * truncated_normal(stream, (uint64_t)i));
            break;
        default:
            w[i] = by.a; /* zeros have a = 0 */
        }
    return ATL_OK;
}

/* Several threads may need a value for the first time at once, each for its own program.  All compute the same value;
 * the first one is kept. */
atl_tensor *atl_storage_value(atl_storage *storage)
{
    atl_tensor *value = storage->value, *none = NULL;
    if (value)
        return value;
    value = atl_tensor_new(storage->node->dtype, *storage->node->shape);
    if (value && atl_initialize(storage->node, value)) {
        atl_tensor_free(value);
        value = NULL;
    }
    if (!value) {
        atl_graph_note_failure(storage->node->graph, ATL_OUT_OF_MEMORY);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&storage->value, &none, value))
        return value;
    atl_tensor_free(value);
    return none; /* which holds the other thread's by now */
}

void atl_storage_changed(atl_storage *storage)
{
    storage->is_unsettled = 0;
    storage->version = atomic_fetch_add(&storage->node->graph->version, 1) + 1;
}

void atl_storage_unsettled(atl_storage *storage)
{
    atl_storage_changed(storage);
    storage->is_unsettled = 1;
}

atl_status atl_check_settled(const atl_node *variable)
{
    if (!variable->storage->is_unsettled)
        return ATL_OK;
    return atl_set_error(ATL_INVALID,
                         "'%s' and others: a step has failed when some of them had their new values, so they are "
                         "neither saved nor copied; load a checkpoint",
                         atl_name_of(variable));
}

void atl_variable_adopt(atl_node *variable, atl_tensor *value)
{
    atl_storage *storage = variable->storage;
    if (!storage->value) {
        storage->value = value;
    } else { /* programs may hold the address of the elements, so they are copied */
        memmove(storage->value->data, value->data, (size_t)value->count * atl_dtype_size(value->dtype));
        atl_tensor_free(value);
    }
    atl_storage_changed(storage);
}

static atl_storage *variable_storage(const atl_node *variable)
{
    if (variable && variable->op->flags & ATL_OP_VARIABLE)
        return variable->storage;
    atl_set_error(ATL_INVALID, "'%s' is not a variable", variable ? atl_name_of(variable) : "(null)");
    return NULL;
}

const atl_tensor *atl_variable_value(const atl_node *variable)
{
    atl_storage *storage = variable_storage(variable);
    return storage ? atl_storage_value(storage) : NULL;
}

const atl_tensor *atl_constant_value(const atl_node *node)
{
    return node->op->flags & ATL_OP_CONSTANT ? atl_storage_value(node->storage) : NULL;
}

atl_status atl_variable_assign(atl_node *variable, const atl_tensor *value)
{
    char expected[160], given[160];
    atl_storage *storage = variable_storage(variable);
    if (!storage)
        return ATL_INVALID;
    if (!value || value->dtype != variable->dtype || !atl_shape_equal(value->shape, *variable->shape))
        return atl_graph_note_failure(variable->graph,
                                      atl_set_error(ATL_INVALID, "variable '%s' is %s %s, but the value given is %s %s",
                                                    atl_name_of(variable), atl_dtype_name(variable->dtype),
                                                    atl_shape_text(*variable->shape, expected, sizeof expected),
                                                    value ? atl_dtype_name(value->dtype) : "null",
                                                    atl_shape_text(atl_tensor_shape(value), given, sizeof given)));
    if (!storage->value) {
        storage->value = atl_tensor_copy(value);
        if (!storage->value)
            return atl_graph_note_failure(variable->graph, ATL_OUT_OF_MEMORY);
    } else
        memmove(storage->value->data, value->data, (size_t)value->count * atl_dtype_size(value->dtype));
    atl_storage_changed(storage);
    return ATL_OK;
}

atl_nodes atl_variables(const atl_graph *graph)
{
    return graph ? (atl_nodes){graph->variable_count, graph->variables} : (atl_nodes){0, NULL};
}
