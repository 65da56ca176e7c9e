/* What an ONNX file says, as structs: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 *
 * Names are zero-terminated UTF-8 without zero bytes; "" stands for a missing one.  Tensors store the position of their
 * data, which is read when it is needed (tensor_data.h).  Everything is allocated in the arena of the reader. */
#ifndef ATLED_ONNX_MODEL_H
#define ATLED_ONNX_MODEL_H

#include "atled/tensor.h"
#include "onnx/arena.h"
#include "onnx/wire.h"

enum { ONNX_LONGEST_NAME = 4096, ONNX_DEEPEST = 32, ONNX_MOST_NODES = 200000 };

typedef enum onnx_type {
    ONNX_UNDEFINED = 0,
    ONNX_FLOAT,
    ONNX_UINT8,
    ONNX_INT8,
    ONNX_UINT16,
    ONNX_INT16,
    ONNX_INT32,
    ONNX_INT64,
    ONNX_STRING,
    ONNX_BOOL,
    ONNX_FLOAT16,
    ONNX_DOUBLE,
    ONNX_UINT32,
    ONNX_UINT64,
    ONNX_COMPLEX64,
    ONNX_COMPLEX128,
    ONNX_BFLOAT16,
    ONNX_UINT4 = 21,
    ONNX_INT4,
    ONNX_UINT2 = 25,
    ONNX_INT2,
    ONNX_TYPES
} onnx_type;

typedef struct onnx_tensor {
    const char *name;
    onnx_type type;
    int rank; /* above ATL_MAX_RANK: more than can be read */
    int64_t size[ATL_MAX_RANK];
    onnx_source *source;
    int64_t begin, end; /* of the message in the source */
    int is_external;
    const char *location;   /* external: a path below the model's folder */
    int64_t offset, length; /* external: length -1 if not given */
} onnx_tensor;

/* The numbers are those of AttributeProto.type. */
typedef enum onnx_attribute_type {
    ONNX_ATTRIBUTE_NONE = 0,
    ONNX_ATTRIBUTE_FLOAT,
    ONNX_ATTRIBUTE_INT,
    ONNX_ATTRIBUTE_STRING,
    ONNX_ATTRIBUTE_TENSOR,
    ONNX_ATTRIBUTE_GRAPH,
    ONNX_ATTRIBUTE_FLOATS,
    ONNX_ATTRIBUTE_INTS,
    ONNX_ATTRIBUTE_STRINGS,
    ONNX_ATTRIBUTE_OTHER /* a type that no op here takes */
} onnx_attribute_type;

typedef struct onnx_attribute {
    const char *name;
    const char *reference; /* of the function's attribute that stands here; "" if none does */
    onnx_attribute_type type;
    int64_t integer;
    float number;
    const char *text;
    int64_t count; /* of the list */
    int64_t *integers;
    float *numbers;
    const char **texts;
    onnx_tensor *tensor;
    struct onnx_graph *graph;
} onnx_attribute;

typedef struct onnx_node {
    const char *name, *op, *domain;
    const char
        *scopes; /* that the exporter tells: "['', 'features', 'features.0', 'conv2d']", the last the node's own */
    int64_t inputs, outputs, attributes;
    const char **input, **output;
    onnx_attribute *attribute;
} onnx_node;

/* An input or output of a graph. */
typedef struct onnx_port {
    const char *name;
    onnx_type type;   /* ONNX_UNDEFINED: not said, or no tensor */
    const char *kind; /* "sequence", "map", "optional", "sparse tensor": what it is if it is no tensor; else null */
    int rank;         /* -1: not said */
    int64_t size[ATL_MAX_RANK];       /* ATL_ANY: not said, or a symbol */
    const char *symbol[ATL_MAX_RANK]; /* "" if there is none */
} onnx_port;

typedef struct onnx_graph {
    const char *name;
    int64_t nodes, inputs, outputs, initializers;
    onnx_node *node;
    onnx_port *input, *output;
    onnx_tensor *initializer;
    int has_sparse; /* a sparse initializer, which is not read */
} onnx_graph;

typedef struct onnx_opset {
    const char *domain; /* "" for ai.onnx */
    int64_t version;
} onnx_opset;

typedef struct onnx_function {
    const char *name, *domain;
    int64_t inputs, outputs, nodes, defaults, opsets;
    const char **input, **output;
    onnx_node *node;
    onnx_attribute *default_value;
    onnx_opset *opset;
} onnx_function;

typedef struct onnx_model {
    int64_t ir_version;
    const char *producer;
    int64_t opsets, functions;
    onnx_opset *opset;
    onnx_function *function;
    onnx_graph graph;
    int has_graph;
} onnx_model;

/* 1, or 0 with the message set. */
int onnx_parse_model(onnx_source *source, onnx_arena *arena, onnx_model *model_out);
/* A file that holds one tensor (TensorProto, as test data has them). */
int onnx_parse_tensor(onnx_source *source, onnx_arena *arena, onnx_tensor *tensor_out);

/* "FLOAT", "INT64", ...; "type 99". */
const char *onnx_type_name(onnx_type type);

#endif
