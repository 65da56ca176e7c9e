/* Copies weights, or their moving averages, from one graph to another. */
#include "atled/train.h"

#include <stdio.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/variables.h"

atl_node *atl_average_of(const atl_node *variable)
{
    char *name = variable ? atl_format_text("%s/average", atl_name_of(variable)) : NULL;
    atl_node *average = name ? atl_find(atl_graph_of(variable), name) : NULL;
    atl_release(name);
    return average;
}

/* The variable whose value is copied to `to`; null with the error set. */
static atl_node *source_of(const atl_node *to, const atl_graph *from, int averages)
{
    char want[160], have[160];
    const char *name = atl_name_of(to);
    atl_node *variable = atl_find(from, name);
    if (!variable || !atl_op_of(variable) || atl_variable_value(variable) == NULL) {
        atl_set_error(ATL_INVALID, "copy_variables: the graph copied from has no variable '%s'", name);
        return NULL;
    }
    if (atl_dtype_of(variable) != atl_dtype_of(to) || !atl_shape_equal(atl_shape_of(variable), atl_shape_of(to))) {
        atl_set_error(ATL_INVALID, "copy_variables: '%s' is %s in the graph copied from, but %s in the other", name,
                      atl_shape_text(atl_shape_of(variable), have, sizeof have),
                      atl_shape_text(atl_shape_of(to), want, sizeof want));
        return NULL;
    }
    if (atl_check_settled(variable))
        return NULL;
    atl_node *average = averages ? atl_average_of(variable) : NULL;
    return average ? average : variable;
}

atl_status atl_copy_variables(atl_graph *to, const atl_graph *from, bool averages)
{
    atl_nodes all = atl_variables(to);
    if (!to || !from)
        return atl_set_error(ATL_INVALID, "copy_variables: the graph is null");
    for (int64_t i = 0; i < all.count; i++)
        if (!atl_variable_is_state(all.node[i]) && !source_of(all.node[i], from, averages))
            return ATL_INVALID;
    atl_status status = ATL_OK;
    for (int64_t i = 0; !status && i < all.count; i++)
        if (!atl_variable_is_state(all.node[i]))
            status = atl_variable_assign(all.node[i], atl_variable_value(source_of(all.node[i], from, averages)));
    return status;
}
