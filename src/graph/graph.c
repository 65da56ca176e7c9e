/* Graphs: nodes in order of creation, their memory, the first error. */
#include "graph/graph.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "graph/names.h"

enum {
    SMALLEST_BLOCK = 1 << 16,
    LARGEST_BLOCK = 1 << 23
}; /* bytes; each block is twice as large as the previous one */

struct arena_block {
    arena_block *next;
    size_t used, size;
    _Alignas(16) char memory[];
};

atl_graph *atl_graph_new(void)
{
    atl_graph *graph = atl_allocate(1, sizeof *graph);
    if (!graph) {
        atl_out_of_memory();
        return NULL;
    }
    graph->scope = "";
    graph->version = 1;
    return graph;
}

void atl_graph_free(atl_graph *graph)
{
    if (!graph)
        return;
    atl_names_free(graph);
    for (int64_t i = 0; i < graph->count; i++)
        if (graph->nodes[i]->storage && graph->nodes[i]->storage->node == graph->nodes[i])
            atl_tensor_free(graph->nodes[i]->storage->value);
    for (arena_block *block = graph->blocks, *next; block; block = next) {
        next = block->next;
        atl_release(block);
    }
    atl_release(graph->nodes);
    atl_release(graph->variables);
    atl_release(graph->updates);
    atl_release(graph->scopes);
    atl_release(graph);
}

/* Adds a block with room for that many bytes in front of the others; null: out of memory. */
static arena_block *add_block(atl_graph *graph, size_t bytes)
{
    const arena_block *last = graph->blocks;
    size_t whole = last ? 2 * (sizeof *last + last->size) : SMALLEST_BLOCK;
    whole = whole > LARGEST_BLOCK ? LARGEST_BLOCK : whole;
    if (bytes > SIZE_MAX - sizeof *last)
        return NULL;
    whole = whole < sizeof *last + bytes ? sizeof *last + bytes : whole;
    arena_block *block = atl_allocate_aligned(whole);
    if (!block)
        return NULL;
    *block = (arena_block){.next = graph->blocks, .size = whole - sizeof *block};
    return graph->blocks = block;
}

void *atl_graph_try_allocate(atl_graph *graph, size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    arena_block *block = graph->blocks;
    if ((!block || block->size - block->used < bytes) && !(block = add_block(graph, bytes)))
        return NULL;
    void *memory = block->memory + block->used;
    block->used += bytes;
    return memset(memory, 0, bytes); /* here, just before it is written */
}

void *atl_graph_allocate(atl_graph *graph, size_t bytes)
{
    void *memory = atl_graph_try_allocate(graph, bytes);
    if (!memory)
        atl_graph_out_of_memory(graph);
    return memory;
}

const char *atl_graph_copy_text(atl_graph *graph, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = atl_graph_allocate(graph, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

const char *atl_graph_format_list(atl_graph *graph, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = atl_graph_allocate(graph, size);
    if (text)
        vsnprintf(text, size, format, arguments);
    return text;
}

const char *atl_graph_format(atl_graph *graph, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = atl_graph_format_list(graph, format, arguments);
    va_end(arguments);
    return text;
}

/* Stores the thread's message, if it is the graph's first error. */
static atl_node *record(atl_graph *graph, atl_status status)
{
    if (!graph->broken) {
        snprintf(graph->error, sizeof graph->error, "%s", atl_error());
        graph->broken = status;
    }
    return NULL;
}

/* A message that passes on what a call said ("constant: out of memory") passes its status on, too. */
static atl_status status_of(const char *text)
{
    size_t length = strlen(text), tail = strlen(atl_error());
    return tail && tail <= length && strcmp(text + length - tail, atl_error()) == 0 ? atl_error_status() : ATL_INVALID;
}

atl_node *atl_graph_fail(atl_graph *graph, const char *format, ...)
{
    char text[ATL_ERROR_SIZE];
    va_list arguments;
    if (!graph)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return record(graph, atl_set_error(status_of(text), "%s", text));
}

atl_node *atl_builder_error(atl_graph *graph, const char *builder, const char *format, ...)
{
    char text[ATL_ERROR_SIZE];
    va_list arguments;
    if (!graph)
        return NULL;
    if (!builder || !format)
        return atl_graph_fail(graph, "atl_builder_error: the %s is null", builder ? "message" : "builder's name");
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return atl_graph_fail(graph, "%s%s%s: %s", graph->scope, graph->scope[0] ? "/" : "", builder, text);
}

atl_node *atl_graph_out_of_memory(atl_graph *graph) { return graph ? record(graph, atl_out_of_memory()) : NULL; }

/* Several threads may run programs of one graph, and fail. */
static pthread_mutex_t failures = PTHREAD_MUTEX_INITIALIZER;

atl_status atl_graph_note_failure(atl_graph *graph, atl_status status)
{
    if (graph && status) {
        pthread_mutex_lock(&failures);
        snprintf(graph->failure, sizeof graph->failure, "%s", atl_error());
        pthread_mutex_unlock(&failures);
    }
    return status;
}

const char *atl_graph_error(const atl_graph *graph)
{
    if (!graph)
        return "the graph is null";
    if (graph->broken)
        return graph->error;
    pthread_mutex_lock(&failures);
    int has_failed = graph->failure[0] != 0;
    pthread_mutex_unlock(&failures);
    return has_failed ? graph->failure : "";
}

int64_t atl_graph_node_count(const atl_graph *graph) { return graph ? graph->count : 0; }

atl_node *atl_graph_node(const atl_graph *graph, int64_t index)
{
    return graph && index >= 0 && index < graph->count ? graph->nodes[index] : NULL;
}

atl_graph *atl_graph_of(const atl_node *node) { return node ? node->graph : NULL; }
const atl_op *atl_op_of(const atl_node *node) { return node ? node->op : NULL; }
atl_dtype atl_dtype_of(const atl_node *node) { return node ? (atl_dtype)node->dtype : ATL_FLOAT32; }
atl_shape atl_shape_of(const atl_node *node) { return node && node->shape ? *node->shape : ATL_SCALAR; }
int64_t atl_index_of(const atl_node *node) { return node ? node->index : 0; }
int64_t atl_input_count(const atl_node *node) { return node ? node->input_count : 0; }
atl_node *atl_forward_of(const atl_node *node) { return node ? node->forward : NULL; }

atl_node *atl_input_of(const atl_node *node, int64_t index)
{
    return node && index >= 0 && index < node->input_count ? node->inputs[index] : NULL;
}

atl_status atl_graph_status(const atl_graph *graph)
{
    return graph ? graph->broken : atl_null_argument("atl_graph_status", "the graph is");
}
