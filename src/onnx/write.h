/* What the files share that write a graph as an ONNX file.  A writer of an op emits nodes of ONNX that compute the same
 * from the same inputs; values are names. */
#ifndef ATLED_ONNX_WRITE_H
#define ATLED_ONNX_WRITE_H

#include "atled/onnx.h"
#include "atled/op.h"
#include "atled/ops.h"
#include "onnx/arena.h"

enum { ONNX_WRITTEN_OPSET = 17, ONNX_WRITTEN_IR = 8 };

/* A message of the wire format that grows. */
typedef struct onnx_bytes {
    unsigned char *at;
    int64_t size, capacity;
    int failed; /* out of memory */
} onnx_bytes;
void onnx_put_int(onnx_bytes *to, int field, int64_t value);
void onnx_put_float(onnx_bytes *to, int field, float value);
void onnx_put_text(onnx_bytes *to, int field, const char *text);
void onnx_put_bytes(onnx_bytes *to, int field, const void *data, int64_t size);
/* Only the field's number and the size of what follows. */
void onnx_put_extent(onnx_bytes *to, int field, int64_t size);
/* The inner message, which is freed. */
void onnx_put_message(onnx_bytes *to, int field, onnx_bytes *inner);

typedef struct onnx_weight {
    onnx_bytes head; /* of the TensorProto, all but its data */
    const void *data;
    int64_t size; /* bytes */
} onnx_weight;

typedef struct onnx_writer {
    atl_graph *graph;
    const atl_onnx *types_of; /* null: types are the graph's own */
    onnx_arena arena;
    onnx_bytes nodes; /* fields of the GraphProto */
    onnx_weight *weight;
    int64_t weights, weight_capacity;
    const char **name;    /* of the value of each node, by index; null: not written */
    const char **written; /* by index: its name in the order [n, c, ...], where that is there too */
    int64_t nodes_known;  /* of both */
    int64_t made;         /* names */
    int signs;            /* that each of these begins with */
    char why[600];        /* why it cannot be written */
} onnx_writer;

/* An attribute of an ONNX node; the list ends with one without a name. */
typedef struct onnx_written_attribute {
    const char *name;
    int count; /* of integers; 0: another kind */
    const int64_t *integers;
    int64_t integer;
    int is_float;
    float number;
    const char *text;
} onnx_written_attribute;
#define ONNX_ATTRIBUTES(...) ((const onnx_written_attribute[]){__VA_ARGS__, {NULL}})

/* Emits a node with one output and returns its name; with `second`, a node with two outputs, and *second is the name of
 * the other.  The input "" stands for an omitted one.  Null after a failure; null inputs give null. */
const char *onnx_emit_two(onnx_writer *w, const char *op, int inputs, const char *const *input,
                          const onnx_written_attribute *attributes, const char **second);
#define ONNX_EMIT(w, op, attributes, ...)                                                                              \
    onnx_emit_two((w), (op), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                            \
                  (const char *const[]){__VA_ARGS__}, (attributes), NULL)
/* Says why; returns null. */
const char *onnx_cannot_write(onnx_writer *w, const char *format, ...) ATL_PRINTF(2, 3);

/* Constants. */
const char *onnx_write_float(onnx_writer *w, float value);
const char *onnx_write_floats(onnx_writer *w, atl_shape shape, const float *values);
const char *onnx_write_ints(onnx_writer *w, int count, const int64_t *values);
const char *onnx_write_int32s(onnx_writer *w, int count, const int32_t *values);
/* The value's sizes as int64: a constant if they are known, else computed from the value. */
const char *onnx_write_shape_of(onnx_writer *w, const atl_node *x, const char *name);
/* In another order, and as other shapes; a size of -1 is what is left. */
const char *onnx_write_transpose(onnx_writer *w, const char *x, int rank, const int *order);
const char *onnx_write_reshape(onnx_writer *w, const char *x, int rank, const int64_t *size);
const char *onnx_write_slice(onnx_writer *w, const char *x, int axis, int64_t begin, int64_t end, int64_t step);
/* 1 where x is not 0, as BOOL; and back. */
const char *onnx_write_truth(onnx_writer *w, const char *x);
const char *onnx_write_cast(onnx_writer *w, const char *x, int64_t onnx_type);

/* x with a dimension of 1 inserted before dimension `axis` (write_move.c). */
const char *onnx_unsqueezed(onnx_writer *w, const char *x, int axis);

/* The writer of an op: from the names of its inputs to that of its value. */
typedef const char *onnx_write_op(onnx_writer *w, const atl_node *y, const char *const *in);
typedef struct onnx_write_entry {
    const char *op; /* of atled; null ends the table */
    onnx_write_op *write;
    const char *onnx; /* for those that are one op of ONNX */
} onnx_write_entry;
extern const onnx_write_entry onnx_written_elements[], onnx_written_moves[], onnx_written_sums[], onnx_written_images[],
    onnx_written_products[];

#endif
