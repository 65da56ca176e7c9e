/* The attributes of variables that optimizers and files of weights ask for; a graph only keeps them. */
#include "atled/train.h"
#include "graph/graph.h"

/* The variable's storage, or null with the error recorded.  A null variable is no new error: it passes through. */
static atl_storage *storage_of(atl_node *variable, const char *setter)
{
    if (!variable)
        return NULL;
    if (variable->op->flags & ATL_OP_VARIABLE)
        return variable->storage;
    atl_builder_error(variable->graph, setter, "'%s' is the result of %s, not a variable", atl_name_of(variable),
                      variable->op->name);
    return NULL;
}

static const atl_storage *known(const atl_node *variable)
{
    return variable && variable->op->flags & ATL_OP_VARIABLE ? variable->storage : NULL;
}

atl_node *atl_variable_set_trainable(atl_node *variable, bool trainable)
{
    atl_storage *storage = storage_of(variable, "variable_set_trainable");
    if (storage && trainable && variable->dtype != ATL_FLOAT32)
        return atl_builder_error(variable->graph, "variable_set_trainable",
                                 "'%s' is %s; only float32 variables can be trained", atl_name_of(variable),
                                 atl_dtype_name(variable->dtype));
    if (storage)
        storage->is_trainable = trainable;
    return storage ? variable : NULL;
}

atl_node *atl_variable_set_decay(atl_node *variable, float decay)
{
    atl_storage *storage = storage_of(variable, "variable_set_decay");
    if (storage)
        storage->decay = decay;
    return storage ? variable : NULL;
}

atl_node *atl_variable_set_rate_scale(atl_node *variable, float scale)
{
    atl_storage *storage = storage_of(variable, "variable_set_rate_scale");
    if (storage)
        storage->rate_scale = scale;
    return storage ? variable : NULL;
}

atl_node *atl_variable_set_average(atl_node *variable, float decay)
{
    atl_storage *storage = storage_of(variable, "variable_set_average");
    if (storage && !(decay >= 0 && decay < 1))
        return atl_builder_error(variable->graph, "variable_set_average",
                                 "the decay of '%s' is %g; it must be in [0, 1)", atl_name_of(variable), (double)decay);
    if (storage)
        storage->average = decay;
    return storage ? variable : NULL;
}

atl_node *atl_variable_set_state(atl_node *variable, bool is_state)
{
    atl_storage *storage = storage_of(variable, "variable_set_state");
    if (storage)
        storage->is_state = is_state;
    return storage ? variable : NULL;
}

bool atl_variable_is_trainable(const atl_node *variable)
{
    return known(variable) ? known(variable)->is_trainable : false;
}
bool atl_variable_is_state(const atl_node *variable) { return known(variable) ? known(variable)->is_state : false; }
float atl_variable_decay(const atl_node *variable) { return known(variable) ? known(variable)->decay : 0; }
float atl_variable_rate_scale(const atl_node *variable) { return known(variable) ? known(variable)->rate_scale : 0; }
float atl_variable_average(const atl_node *variable) { return known(variable) ? known(variable)->average : 0; }
