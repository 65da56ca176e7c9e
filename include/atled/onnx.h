/* ONNX: a model file becomes nodes of a graph, and nodes of a graph, gradients included, become a model file.
 *
 *     atl_onnx *net = atl_onnx_load(g, "efficientnet_lite0.onnx");
 *     atl_node *image = atl_onnx_input(net, "input"), *logits = atl_onnx_output(net, "logits");
 *
 * Shapes are those of the file, so images are [batch, channels, height, width].  Convolutions and the ops between them
 * run with the channels last; only inputs and outputs of such a part are transposed.  Initializers become variables
 * with their names. */
#ifndef ATLED_ONNX_H
#define ATLED_ONNX_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_onnx atl_onnx;
typedef struct atl_onnx_report atl_onnx_report;

/* The value of a symbolic size of the file: {"height", 224}. */
typedef struct atl_onnx_size {
    const char *symbol; /* null ends the list */
    int64_t size;
} atl_onnx_size;
#define ATL_ONNX_SIZES(...) ATL_ARRAY_(atl_onnx_size, __VA_ARGS__, {NULL, 0})

/* A tensor for an input, by the input's name. */
typedef struct atl_onnx_value {
    const char *name; /* null ends the list */
    const atl_tensor *value;
} atl_onnx_value;
#define ATL_ONNX_VALUES(...) ATL_ARRAY_(atl_onnx_value, __VA_ARGS__, {NULL, NULL})

/* A node that replaces an input, of the input's type and shape: for example a preprocessed image. */
typedef struct atl_onnx_binding {
    const char *name; /* null ends the list; "": the first input that is not an initializer */
    atl_node *node;
} atl_onnx_binding;
#define ATL_ONNX_BINDINGS(...) ATL_ARRAY_(atl_onnx_binding, __VA_ARGS__, {NULL, NULL})

typedef struct atl_onnx_args {
    atl_graph *graph;  /* after a failure it cannot be used: give the model a new graph to keep another one */
    const char *path;  /* of the file; or null, and a model in memory: */
    const void *bytes; /* must outlive the call */
    size_t byte_count;
    int64_t batch; /* the first size of the inputs, if the file leaves it symbolic; 0 or ATL_ANY: unknown */
    const atl_onnx_size *sizes; /* values of other symbols; those that are missing stay unknown: ATL_ANY */
    /* Values of inputs, for models whose shapes depend on the value of an input (a Reshape to a shape that is fed).
     * They are used only if a value must be known when the graph is built, and then become part of the graph.  They
     * also define the symbolic sizes of inputs. */
    const atl_onnx_value *known;
    const atl_onnx_binding *bindings;
    /* The contents of the model, and what is not supported, also on failure; null: not needed. */
    atl_onnx_report **report_out;
    int end_;
} atl_onnx_args;

/* Null on failure, with the message in atl_error() and on the graph: ATL_BAD_FILE if the model is not valid,
 * ATL_UNSUPPORTED if a part of it is not supported; the report lists all such parts.  IR version 3 and newer; each op
 * as the opset of the model defines it.  float16, bfloat16 and double become float32; integers become int32 and
 * saturate; booleans become float32 0 and 1. */
ATL_API atl_onnx *atl_onnx_load_with(const atl_onnx_args *args);
#define atl_onnx_load(...) atl_onnx_load_with(ATL_OPTIONS_(atl_onnx_args, __VA_ARGS__))
ATL_API void atl_onnx_free(atl_onnx *net); /* the nodes stay with the graph; null is allowed */

/* By name, or null.  Initializers are not inputs. */
ATL_API atl_node *atl_onnx_input(const atl_onnx *net, const char *name);
ATL_API atl_node *atl_onnx_output(const atl_onnx *net, const char *name);
/* By their order in the file; null if out of range. */
ATL_API int64_t atl_onnx_input_count(const atl_onnx *net);
ATL_API const char *atl_onnx_input_name(const atl_onnx *net, int64_t index);
ATL_API int64_t atl_onnx_output_count(const atl_onnx *net);
ATL_API const char *atl_onnx_output_name(const atl_onnx *net, int64_t index);
/* The node of any value of the file, by its name, with the file's order of dimensions; null if there is none. */
ATL_API atl_node *atl_onnx_value_node(atl_onnx *net, const char *name);

/* ---- the report -------------------------------------------------------------------------------------------------- */

/* An op of the model. */
typedef struct atl_onnx_op_info {
    const char *domain; /* "" for ONNX's own */
    const char *op;
    int64_t version; /* of its opset */
    int64_t count;   /* of its nodes */
} atl_onnx_op_info;

/* An input or output of the model. */
typedef struct atl_onnx_port {
    const char *name;
    const char *type; /* "FLOAT", "INT64", ..., or its kind if it is not a tensor */
    bool has_shape;   /* false: the file does not say */
    atl_shape shape;
} atl_onnx_port;

/* A node that is not supported. */
typedef struct atl_onnx_problem {
    const char *node; /* its name, or that of its first output */
    const char *op;
    int64_t version;
    const char *why;
} atl_onnx_problem;

ATL_API void atl_onnx_report_free(atl_onnx_report *report);                  /* null is allowed */
ATL_API int64_t atl_onnx_report_ir_version(const atl_onnx_report *report);   /* of the file's format */
ATL_API const char *atl_onnx_report_producer(const atl_onnx_report *report); /* what wrote the file, as it says */
/* Lists, each with its count and an entry by index, from 0: the kinds of ops, the inputs, the outputs, and the nodes
 * that are not supported.  An index out of range gives an empty entry.  Names live as long as the report. */
ATL_API int64_t atl_onnx_report_op_count(const atl_onnx_report *report);
ATL_API atl_onnx_op_info atl_onnx_report_op(const atl_onnx_report *report, int64_t index);
ATL_API int64_t atl_onnx_report_input_count(const atl_onnx_report *report); /* without initializers */
ATL_API atl_onnx_port atl_onnx_report_input(const atl_onnx_report *report, int64_t index);
ATL_API int64_t atl_onnx_report_output_count(const atl_onnx_report *report);
ATL_API atl_onnx_port atl_onnx_report_output(const atl_onnx_report *report, int64_t index);
ATL_API int64_t atl_onnx_report_weight_count(const atl_onnx_report *report); /* numbers in initializers */
ATL_API int64_t atl_onnx_report_problem_count(const atl_onnx_report *report);
ATL_API atl_onnx_problem atl_onnx_report_problem(const atl_onnx_report *report, int64_t index);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct atl_onnx_write_args {
    const char *path;
    atl_nodes outputs;
    /* A model that was read into this graph: its inputs and outputs are written with the types that its file gives
     * them, such as int64, bool or float16.  null: all are float32 or int32, as in the graph. */
    const atl_onnx *types_of;
    int end_;
} atl_onnx_write_args;

/* The nodes, with all that they are computed from, as a model of opset 17: inputs, weights and outputs under their
 * names, an unknown first size as the symbol "batch".  Gradients are nodes like others.  An op that ONNX lacks is
 * written as several of ONNX's ops.  ATL_UNSUPPORTED, with the node's name, for one that cannot be written: random
 * numbers, assignments, unknown sizes.  Expanding an op may add nodes to the graph. */
ATL_API atl_status atl_onnx_write_with(const atl_onnx_write_args *args);
#define atl_onnx_write(...) atl_onnx_write_with(ATL_OPTIONS_(atl_onnx_write_args, __VA_ARGS__))

/* ---- tensors of test data ---------------------------------------------------------------------------------------- */

/* Reads a file with one tensor (TensorProto), as in ONNX's test data.  Types as for atl_onnx_load.  Null on
 * failure; the caller frees it. */
ATL_API atl_tensor *atl_read_onnx_tensor(const char *path);

/* All supported ops, in alphabetical order: "domain:Op", or "Op" for ONNX's own. */
ATL_API int64_t atl_onnx_op_count(void);
ATL_API const char *atl_onnx_op_name(int64_t index);

#ifdef __cplusplus
}
#endif
#endif
