/* Names: scopes, uniqueness, lookup. */
#include "graph/names.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "graph/graph.h"
#include "graph/memory.h"

struct name_counter {
    const char *name;
    int64_t next;
    int unhashed;
    UT_hash_handle hh;
};

void atl_names_free(atl_graph *graph)
{
    HASH_CLEAR(hh, graph->counters); /* the counters themselves are in the graph's memory */
    atl_release(graph->by_name);
}

const char *atl_format_name(char *name, const char *format, ...)
{
    va_list arguments;
    if (!name || !format) {
        atl_set_error(ATL_INVALID, "atl_format_name: the %s is null", name ? "format" : "room for the name");
        return NULL;
    }
    va_start(arguments, format);
    int length = vsnprintf(name, ATL_NAME_SIZE, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < ATL_NAME_SIZE)
        return name;
    /* Truncation could make two names equal. */
    atl_set_error(ATL_INVALID, "ATL_NAME makes names of at most %d bytes, but '%.60s...' has %d", ATL_NAME_SIZE - 1,
                  name, length);
    name[0] = 0;
    return NULL;
}

/* "outer/inner" in the graph's memory.  Null if out of memory, here and below: names are also created while a message
 * is written, in any thread that runs a program, and then a failure must leave the graph unchanged. */
static const char *joined(atl_graph *graph, const char *outer, const char *inner)
{
    size_t size = strlen(outer) + strlen(inner) + 2;
    char *text = atl_graph_try_allocate(graph, size);
    if (text)
        snprintf(text, size, "%s%s%s", outer, outer[0] ? "/" : "", inner);
    return text;
}

void atl_enter(atl_graph *graph, const char *scope)
{
    if (!graph)
        return;
    if (!scope) {
        atl_graph_fail(graph, "atl_enter: the scope is null (ATL_NAME gives null for more than %d bytes)",
                       ATL_NAME_SIZE - 1);
        scope = "null"; /* the matching atl_leave needs a scope */
    }
    const char *name = joined(graph, graph->scope, scope);
    if (!name || !ATL_GROW(graph->scopes, graph->scope_depth, graph->scope_capacity)) {
        atl_graph_out_of_memory(graph);
        return;
    }
    graph->scopes[graph->scope_depth++].name = graph->scope;
    graph->scope = name;
}

void atl_leave(atl_graph *graph)
{
    if (!graph || graph->scope_depth == 0) {
        atl_graph_fail(graph, "atl_leave without atl_enter");
        return;
    }
    graph->scope = graph->scopes[--graph->scope_depth].name;
}

static name_counter *counter_of(atl_graph *graph, const char *name)
{
    name_counter *counter;
    HASH_FIND_STR(graph->counters, name, counter);
    if (counter)
        return counter;
    counter = atl_graph_try_allocate(graph, sizeof *counter);
    if (!counter || !(counter->name = joined(graph, "", name)))
        return NULL;
    counter->next = 1;
    HASH_ADD_KEYPTR(hh, graph->counters, counter->name, strlen(counter->name), counter);
    return counter->unhashed ? NULL : counter;
}

/* ---- nodes by name ----------------------------------------------------------------------------------------------- */

/* The entry of the node with that name, or the free entry for it.  A node whose name has changed since it was entered
 * leaves a useless entry. */
static atl_node **place_of_name(atl_node **table, int64_t size, const char *name)
{
    uint64_t mask = (uint64_t)size - 1, at = atl_hash_text(name) & mask;
    while (table[at] && (!table[at]->name || strcmp(table[at]->name, name) != 0))
        at = (at + 1) & mask;
    return &table[at];
}

static atl_node *node_of_name(const atl_graph *graph, const char *name)
{
    return graph->by_name ? *place_of_name(graph->by_name, graph->by_name_size, name) : NULL;
}

/* Doubles the table.  0: out of memory. */
static int grow_table(atl_graph *graph)
{
    int64_t size = graph->by_name_size ? 2 * graph->by_name_size : 64, count = 0;
    atl_node **table = atl_allocate((size_t)size, sizeof *table);
    if (!table)
        return 0;
    for (int64_t i = 0; i < graph->by_name_size; i++)
        if (graph->by_name[i] && graph->by_name[i]->name) {
            atl_node **place = place_of_name(table, size, graph->by_name[i]->name);
            count += !*place; /* entries under an old name may be duplicates */
            *place = graph->by_name[i];
        }
    atl_release(graph->by_name);
    graph->by_name = table;
    graph->by_name_size = size;
    graph->by_name_count = count;
    return 1;
}

/* Enters the node by its unique name. */
static int enter_name(atl_graph *graph, atl_node *node)
{
    if (2 * graph->by_name_count >= graph->by_name_size && !grow_table(graph))
        return 0;
    *place_of_name(graph->by_name, graph->by_name_size, node->name) = node;
    graph->by_name_count++;
    return 1;
}

/* ---- unique names ------------------------------------------------------------------------------------------------ */

/* The requested name, or the same name with the first free suffix. */
static const char *unique_name(atl_graph *graph, const char *requested)
{
    if (!node_of_name(graph, requested))
        return requested;
    name_counter *counter = counter_of(graph, requested);
    size_t size = strlen(requested) + 24;
    char *name = counter ? atl_graph_try_allocate(graph, size) : NULL;
    while (name) {
        snprintf(name, size, "%s_%lld", requested, (long long)counter->next++);
        if (!node_of_name(graph, name))
            break;
    }
    return name;
}

const char *atl_graph_unique_scope(atl_graph *graph, const char *name)
{
    const char *key = atl_graph_format(graph, "scope:%s", name); /* separate from the counters of node names */
    name_counter *counter = key ? counter_of(graph, key) : NULL;
    if (!counter) {
        atl_graph_out_of_memory(graph);
        return NULL;
    }
    if (counter->next++ == 1)
        return atl_graph_copy_text(graph, name);
    return atl_graph_format(graph, "%s_%lld", name, (long long)counter->next - 2);
}

/* 0: out of memory; the node then has no name yet. */
static int give_name(atl_node *node)
{
    atl_graph *graph = node->graph;
    const char *scope = node->label->scope;
    if (node->forward)
        scope = joined(graph, scope, node->forward->name ? node->forward->name : "");
    const char *requested = scope ? joined(graph, scope, node->label->base ? node->label->base : node->op->name) : NULL;
    const char *name = requested ? unique_name(graph, requested) : NULL;
    node->name = name;
    if (name && enter_name(graph, node))
        return 1;
    node->name = NULL;
    return 0;
}

/* 0: out of memory; the next call goes on where this one has stopped. */
static int give_pending_names(atl_graph *graph)
{
    static pthread_mutex_t lock =
        PTHREAD_MUTEX_INITIALIZER; /* any thread that runs a program may name nodes in messages */
    int ok = 1;
    pthread_mutex_lock(&lock);
    while (ok && graph->named < graph->count) {
        ok = give_name(graph->nodes[graph->named]);
        graph->named += ok;
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

int atl_give_names(const atl_graph *graph)
{
    return graph->named >= graph->count || give_pending_names(graph->nodes[0]->graph);
}

const char *atl_name_of(const atl_node *node)
{
    if (!node)
        return NULL;
    if (node->graph->is_copy && node->origin)
        return atl_name_of(node->origin);
    int is_named = node->index < node->graph->named || give_pending_names(node->graph);
    return is_named && node->name ? node->name : node->op->name; /* the latter only if memory ran out */
}

const char *atl_own_name_of(const atl_node *node)
{
    int is_named = node->index < node->graph->named || give_pending_names(node->graph);
    return is_named ? node->name : NULL;
}

atl_node *atl_find(const atl_graph *graph, const char *name)
{
    if (!graph || !name)
        return NULL;
    give_pending_names((atl_graph *)graph); /* names are a cache: this does not change the graph's meaning */
    return node_of_name(graph, name);
}

atl_node *atl_named(atl_node *node, const char *format, ...)
{
    va_list arguments;
    if (!node)
        return NULL;
    if (!format)
        return atl_graph_fail(node->graph, "atl_named: the name is null");
    va_start(arguments, format);
    const char *name = atl_graph_format_list(node->graph, format, arguments);
    va_end(arguments);
    atl_label *label = name ? atl_graph_allocate(node->graph, sizeof *label) : NULL;
    if (!label)
        return node;
    *label = (atl_label){.scope = node->label->scope, .base = name};
    node->label = label;
    if (node->index >= node->graph->named)
        return node;
    node->name = NULL; /* it already has a name, which is replaced */
    if (!give_name(node))
        atl_graph_out_of_memory(node->graph);
    return node;
}

const char *atl_node_location(const atl_node *node, char *text, size_t size)
{
    const char *own = node->label->base ? node->label->base : node->op->name;
    if (node->graph->copying)
        node = node->graph->copying;
    if (node->index < node->graph->named && node->name)
        snprintf(text, size, "%s", node->name);
    else if (node->forward)
        snprintf(text, size, "%s/%s/%s", node->label->scope, atl_name_of(node->forward), own);
    else
        snprintf(text, size, "%s%s%s", node->label->scope, node->label->scope[0] ? "/" : "", own);
    return text;
}
