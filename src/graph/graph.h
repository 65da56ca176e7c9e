/* The internal structure of graphs and nodes. */
#ifndef ATLED_GRAPH_GRAPH_H
#define ATLED_GRAPH_GRAPH_H

#include <stdarg.h>
#include <stdatomic.h>

#include "atled/op.h"
#include "atled/ops.h"
#include "graph/error.h"
#include "graph/variables.h"

/* Keeps uthash from exiting when memory runs out. */
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) (element)->unhashed = 1
#include <uthash.h>

/* The value of a variable or a constant; owned by the graph. */
typedef struct atl_storage {
    _Atomic(atl_tensor *) value; /* null until it is first needed; then it stays the same tensor */
    atl_initializer initializer; /* of a variable */
    uint64_t version;            /* the graph's version when the value last changed */
    atl_node *node;
    float decay, rate_scale, average; /* of a variable; kept for src/train, which the graph does not read */
    char is_trainable, is_state;
    char is_unsettled; /* a run that assigns to it and to others has failed when some had their new values */
} atl_storage;

/* The attributes of inputs, variables and constants. */
typedef struct atl_source_type {
    atl_dtype dtype;
    atl_shape shape;
} atl_source_type;

/* The parts of a node's name; consecutive nodes of a scope share a label. */
typedef struct atl_label {
    const char *scope; /* the current scope at creation, "" at the top; interned */
    const char *base;  /* the name set by atl_named, or null for the op's name */
} atl_label;

/* A graph may have millions of nodes, and several copies of each, so a node is small. */
struct atl_node {
    atl_graph *graph;
    const atl_op *op;
    const atl_shape *shape; /* in the graph's memory, shared by neighbours; null until inferred */
    const void *attributes;
    const atl_label *label;
    const char *name;     /* null until somebody asks for it */
    atl_node *forward;    /* the forward node to whose gradient it belongs, or null */
    atl_storage *storage; /* variables and constants; a compiled copy shares the original's */
    union {
        const atl_node *origin; /* in a compiled copy (graph->is_copy): the user's node it stands for */
        atl_node *again; /* otherwise: the node that gradients read in its place, which recomputes the value of a node
                          * marked by atl_recompute, or of one that reads marked nodes; null: none yet */
    };
    int32_t index;
    int32_t mark; /* used by the pass that is running; 0 otherwise */
    int32_t input_count;
    uint8_t dtype;      /* atl_dtype */
    uint8_t recompute;  /* gradients recompute the value */
    uint8_t distinct;   /* never merged with an equal node: it is recomputed on purpose */
    uint8_t read_once;  /* during simplification: only the node being simplified reads the value */
    atl_node *inputs[]; /* the attributes follow them in memory */
};

typedef struct arena_block arena_block;
typedef struct name_counter name_counter;

struct atl_graph {
    atl_node **nodes;
    int64_t count, capacity;
    atl_node **variables;
    int64_t variable_count, variable_capacity;
    atl_node *noise_counter;      /* atl_set_noise_counter, or null */
    atl_node *steps, *count_step; /* atl_step_counter and atl_count_step, or null */
    atl_node **updates;
    int64_t update_count, update_capacity;
    arena_block *blocks;
    const char *scope;      /* the current one */
    const atl_label *label; /* of the last node without a name of its own; or null */
    const atl_shape *shape; /* the last shape stored, or null */
    char is_copy;           /* a compiled copy of another graph */
    struct {
        const char *name;
    } * scopes; /* the enclosing scopes */
    int64_t scope_depth, scope_capacity;
    atl_node *forward;       /* new nodes belong to the gradient of this one */
    const atl_node *copying; /* in a compiled copy: the user's node that is being copied, for messages */
    atl_node **by_name;      /* nodes by name: open addressing */
    int64_t by_name_count, by_name_size;
    name_counter *counters; /* uthash: the next suffix to try for a name */
    _Atomic int64_t named;  /* nodes before this index have names */
    uint64_t seed;
    _Atomic uint64_t version; /* counts changes of variables */
    atl_status broken;        /* not ATL_OK: error holds the first error of a builder */
    char error[ATL_ERROR_SIZE];
    char failure[ATL_ERROR_SIZE]; /* the last failure of another function */
};

/* Memory that lives as long as the graph; zeroed, 16-byte aligned.  Null (with the error recorded on the graph) if
 * there is none. */
void *atl_graph_allocate(atl_graph *graph, size_t bytes);
/* The same, but the graph stays as it is when there is none. */
void *atl_graph_try_allocate(atl_graph *graph, size_t bytes);
const char *atl_graph_copy_text(atl_graph *graph, const char *text);
const char *atl_graph_format_list(atl_graph *graph, const char *format, va_list arguments); /* see atl_graph_format */

/* Records the first error.  Returns null, for builders. */
atl_node *atl_graph_fail(atl_graph *graph, const char *format, ...) ATL_PRINTF(2, 3);

/* atl_apply_with for ops that may have no inputs. `graph` may be null if there are inputs. */
atl_node *atl_apply_in(atl_graph *graph, const atl_op *op, const void *attributes, int count, atl_node *const *inputs);

/* The op of `node`, of any graph, applied to other inputs of the same types and shapes, so nothing is inferred
 * again. */
atl_node *atl_repeat(atl_graph *graph, const atl_node *node, atl_node *const *inputs);

/* A new scope at the top level: "gradients", then "gradients_1", ... */
const char *atl_graph_unique_scope(atl_graph *graph, const char *name);

/* The name of a node of a user's graph; null out of memory, where atl_name_of says something less. */
const char *atl_own_name_of(const atl_node *node);

/* "conv1/conv2d": the scope and op of the node that is being built, for messages; writes text and returns it. */
const char *atl_node_location(const atl_node *node, char *text, size_t size);

static inline int atl_is_shape_input(const atl_op *op, int i) { return (op->shape_inputs >> (i < 31 ? i : 31)) & 1; }
static inline int atl_is_elementwise(const atl_op *op) { return op->map || op->function || op->element; }

/* Null if the descriptor is valid, else what is wrong with it. */
const char *atl_op_fault(const atl_op *op);

/* Checks that a copy of a node with concrete shapes has the type with which the node was built.  Returns 0 with the
 * error recorded. */
int atl_check_same_type(const atl_node *built, atl_node *now);

/* The value of a variable or constant, initialised if necessary; null with the error set. */
atl_tensor *atl_storage_value(atl_storage *storage);
/* Call it after the value has been written. */
void atl_storage_changed(atl_storage *storage);
/* Call it after a run that has failed between its first and its last assignment: see atl_check_settled. */
void atl_storage_unsettled(atl_storage *storage);
/* Sets a variable's first value, from its initializer, the graph's seed and its name. */
atl_status atl_initialize(const atl_node *variable, atl_tensor *value);

/* The shape of NumPy broadcasting; returns 0 if the two shapes are incompatible.  An unknown size with 1 stays
 * unknown. */
int atl_broadcast_shapes(atl_shape a, atl_shape b, atl_shape *result_out);

#endif
