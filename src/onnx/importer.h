/* What the files that drive the importers share: the state of one reading. */
#ifndef ATLED_ONNX_IMPORTER_H
#define ATLED_ONNX_IMPORTER_H

#include "atled/program.h"
#include "onnx/import.h"

enum { ONNX_DEEPEST_FUNCTION = 64, ONNX_MOST_PROBLEMS = 1000 };

typedef struct onnx_problem_list {
    atl_onnx_problem *problem;
    int64_t count, capacity;
} onnx_problem_list;

struct atl_onnx_report {
    onnx_arena arena;
    int64_t ir_version;
    const char *producer;
    atl_onnx_op_info *op;
    int64_t op_count, op_capacity;
    atl_onnx_port *input, *output;
    int64_t inputs, outputs, weights;
    onnx_problem_list problems;
};

/* What the model says about itself, for the report. 0: out of memory. */
int onnx_describe_model(atl_onnx_report *report, const onnx_model *model);

/* Concats made last, which longer ones may begin with. */
enum { ONNX_LAST_CONCATS = 32 };
typedef struct onnx_concat {
    atl_node *node, *const *part;
    int64_t parts;
    int axis;
} onnx_concat;

struct onnx_importer {
    atl_graph *graph;
    onnx_arena *arena;
    const onnx_model *model;
    const atl_onnx_args *args;
    const char *folder; /* of the model; null if it was read from memory */
    onnx_scope *scope;
    const char *entered; /* the scope of the graph's names in which an op is imported; null: none of its own */
    atl_onnx_report *report;
    const onnx_opset *opset; /* of the model, or of the function that is being expanded */
    int64_t opsets;
    int depth;                /* of functions and graphs */
    const char *batch_symbol; /* of the size N; null: none is open */
    atl_node *batch_node;     /* an input with that size */
    int batch_axis;           /* there */
    atl_feed *feed;           /* inputs for which the caller gave values; ends with a null node */
    int64_t feeds;
    int64_t made;    /* nodes of the file, after expansion */
    uint64_t errors; /* of the thread, when the node that is being read was begun */
    int out_of_memory;
    onnx_concat concat[ONNX_LAST_CONCATS]; /* a ring */
    int64_t concats;
};

struct atl_onnx {
    onnx_arena arena;
    onnx_importer importer;
    int64_t inputs, outputs;
    onnx_value **input, **output;
};

/* The type that the file gives to the input or the output of that node; undefined if the node is neither, or the model
 * null. */
onnx_type onnx_type_in_file(const atl_onnx *net, const atl_node *node);

/* The name without slashes in front, which no node's name may begin with. */
const char *onnx_without_slashes(const char *name);
/* Nodes that are made from now on are named in that scope; null: in none of the file's.  Returns the one before. */
const char *onnx_name_in(onnx_importer *importer, const char *scope);
/* The scope in which the exporter has the op's node: what it tells, else what the name says, as in
 * "/features/features.0/Conv".  It lies in the importer's memory.  Null: none. */
const char *onnx_scope_of(onnx_op *op);
/* Names the nodes of the op's outputs after those outputs, within op->scope. */
void onnx_name_outputs(onnx_op *op);

/* Names to values.  Graphs within graphs see the values around them; functions do not. */
struct onnx_scope {
    onnx_scope *parent;
    onnx_value **slot; /* open addressing */
    size_t slots, used;
};
onnx_value *onnx_lookup(const onnx_scope *scope, const char *name);
/* A new value of that name; null with a reason in the message: it is there already, or out of memory. */
onnx_value *onnx_new_value(onnx_importer *importer, const char *name);

/* All nodes, in order.  Those that cannot be read go to the report; 0 if any could not. */
int onnx_import_nodes(onnx_importer *importer, int64_t count, const onnx_node *node);
/* Initializers of a graph become values. */
int onnx_import_initializers(onnx_importer *importer, const onnx_graph *graph);
/* Why a builder has just failed.  The graph's own error is the first one, which may be another node's. */
const char *onnx_failure(const onnx_importer *importer);
/* Each problem is noted once. */
void onnx_add_problem(onnx_importer *importer, const char *node, const char *op, int64_t version, const char *why);
/* Counts ops and finds those that no importer reads, with those of functions and of graphs within. */
void onnx_survey(onnx_importer *importer, int64_t count, const onnx_node *node);
const onnx_function *onnx_find_function(const onnx_importer *importer, const onnx_node *node);
int64_t onnx_opset_version(const onnx_importer *importer, const char *domain);
int onnx_expand_function(onnx_op *op, const onnx_function *function);

#endif
