/* What the importers of ops are made of.
 *
 * The importer of an op is a function that is given the node of the file, takes its inputs as nodes of the graph or as
 * known numbers, and gives its outputs.  A value of the file may exist in several forms: as a node in the file's order
 * of dimensions, as a node with the channels last, as numbers that are known while reading (shape arithmetic), as a
 * tensor of the file that nobody has asked for. */
#ifndef ATLED_ONNX_IMPORT_H
#define ATLED_ONNX_IMPORT_H

#include <math.h>

#include "atled/onnx.h"
#include "atled/ops.h"
#include "onnx/model.h"

/* value + batch * N, where N is the size that the file leaves open.  long double: whole numbers of 64 bits are
 * exact. */
typedef struct onnx_number {
    long double value, batch;
} onnx_number;
/* Neither a number nor a number of batches: no node is made of it, and nothing is decided by it. */
#define ONNX_UNKNOWN ((onnx_number){.value = NAN, .batch = NAN})

/* Numbers known while reading. */
typedef struct onnx_known {
    int is_float;
    atl_shape shape;
    int64_t count;
    onnx_number *at;
} onnx_known;

/* Order of a node's dimensions: as the file has it; [batch, spatial..., channels]; or, of an image whose channels were
 * split in groups, [batch, spatial..., groups, channels], which the file has as [batch, groups, channels, spatial...].
 * The number is that of the dimensions that move to the end. */
typedef enum onnx_order { ONNX_AS_WRITTEN = 0, ONNX_CHANNELS_LAST, ONNX_GROUPS_LAST } onnx_order;

typedef struct onnx_value onnx_value;

/* A list of values. */
typedef struct onnx_sequence {
    int64_t count;
    onnx_value **element;
} onnx_sequence;

struct onnx_value {
    const char *name;
    onnx_type type;
    atl_shape shape;             /* in the file's order */
    int64_t batch[ATL_MAX_RANK]; /* an unknown size i is batch[i] * N; 0: it depends on something else */
    atl_node *node, *last;       /* in the file's order; with the channels last; either may be missing */
    atl_node *grouped;           /* with groups and channels last; made by a reshape only, where neither of these is */
    const onnx_tensor *tensor;
    onnx_known *known;
    onnx_value *origin;            /* the value that this one is, under another name; null: none */
    const atl_tensor *fed;         /* an input for which the caller gave a value */
    int is_initializer;            /* the tensor becomes a variable, not a constant */
    int is_constant;               /* depends on no input of the model */
    int is_missing;                /* it could not be made */
    int is_absent;                 /* within a function: an optional input that the caller does not give */
    const onnx_sequence *sequence; /* it is a list, and has none of these forms */
};

typedef struct onnx_scope onnx_scope;
typedef struct onnx_importer onnx_importer;
typedef struct onnx_entry onnx_entry;

/* A node of the file that is being read. */
typedef struct onnx_op {
    onnx_importer *importer;
    const onnx_node *node;
    const onnx_entry *entry;
    int64_t version;   /* of the opset */
    const char *scope; /* of the names of the graph's nodes that are made of it; null: none */
    int64_t inputs, outputs;
    onnx_value **input;  /* null: not given */
    onnx_value **output; /* null: nobody reads it */
    char why[1024];      /* why it cannot be read */
} onnx_op;

/* Gives all outputs that are not null, and returns 1; or onnx_reject. */
typedef int onnx_import(onnx_op *op);

/* A line of a family's table. */
struct onnx_entry {
    const char *name;
    int since; /* the opset version from which on this line holds; an older one has a line of its own before it */
    onnx_import *import;
    atl_node *(*unary)(atl_node *x); /* for importers that serve several ops */
    atl_node *(*binary)(atl_node *a, atl_node *b);
    atl_node *(*reduce)(const atl_reduce_args *args);
    int kind;           /* whatever the importer takes it for */
    int most_outputs;   /* 0: 1 */
    const char *domain; /* null: ONNX's own */
    const char *title;  /* "domain:Op"; null: the name alone */
    int takes_sequences;
};
/* The families' tables end with a line without a name. */
const onnx_entry *onnx_find_entry(const char *domain, const char *name, int64_t version);
/* The first version of the op that there is here; 0: it is unknown. */
int onnx_first_version(const char *domain, const char *name);

/* Says why the node cannot be read; returns 0. */
int onnx_reject(onnx_op *op, const char *format, ...) ATL_PRINTF(2, 3);

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

int onnx_has(const onnx_op *op, int64_t i);
/* As float32 in the file's order of dimensions (int32 is converted); null, with the reason, if it is missing. */
atl_node *onnx_float(onnx_op *op, int64_t i);
atl_node *onnx_int(onnx_op *op, int64_t i);           /* as int32 */
atl_node *onnx_any(onnx_op *op, int64_t i);           /* of either type */
atl_node *onnx_channels_last(onnx_op *op, int64_t i); /* float32; at least three dimensions */
/* In the order in which it is there: channels last if it is there like that. */
atl_node *onnx_native(onnx_op *op, int64_t i, onnx_order *order_out);
/* A node of the value in that order, of its own type. */
atl_node *onnx_node_in(onnx_importer *importer, onnx_value *value, onnx_order order);
/* A node of the value in any order, if one was made. */
atl_node *onnx_made_node(const onnx_value *value);
atl_shape onnx_shape(const onnx_op *op, int64_t i);
int onnx_rank(const onnx_op *op, int64_t i);
onnx_type onnx_type_of(const onnx_op *op, int64_t i);
/* Whether it is there as int32.  Quantized values are whole numbers in float32, through which a gradient passes. */
int onnx_is_int(const onnx_op *op, int64_t i);
/* 0..rank-1, or -1 with the reason. */
int onnx_axis(onnx_op *op, int64_t axis, int rank);
/* Where dimension `axis` of the file is in that order. */
int onnx_axis_in(onnx_order order, int rank, int axis);

/* The numbers of an input that must be known; null with the reason.  Constants that were computed by nodes are run. */
const onnx_known *onnx_numbers(onnx_op *op, int64_t i);
/* The same, where none may depend on an unknown size. */
const onnx_known *onnx_plain_numbers(onnx_op *op, int64_t i);
/* The same as whole numbers: at most `most`; the count, or -1 with the reason. */
int onnx_whole(onnx_op *op, int64_t i, int most, int64_t *to);
/* One number, whatever the shape; 0 with the reason. */
int onnx_one(onnx_op *op, int64_t i, double *to);
int onnx_one_whole(onnx_op *op, int64_t i, int64_t *to);
/* If they are known already or stand in the file; null, and no reason, else. */
const onnx_known *onnx_if_known(onnx_importer *importer, onnx_value *value);
int64_t onnx_saturated(long double x);

/* ---- attributes -------------------------------------------------------------------------------------------------- */

/* null: not given.  One of the wrong type makes the op fail once it is done. */
const onnx_attribute *onnx_attribute_of(onnx_op *op, const char *name, onnx_attribute_type type);
int64_t onnx_attr_int(onnx_op *op, const char *name, int64_t otherwise);
double onnx_attr_float(onnx_op *op, const char *name, double otherwise);
const char *onnx_attr_text(onnx_op *op, const char *name, const char *otherwise);
/* Their number, at most `most`, or 0 if not given; -1 with the reason if there are more. */
int onnx_attr_ints(onnx_op *op, const char *name, int most, int64_t *to);

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

/* The type is input 0's unless one is given. All return 1, or 0 with the reason if node is null. */
int onnx_give(onnx_op *op, int64_t i, atl_node *node);
int onnx_give_in(onnx_op *op, int64_t i, atl_node *node, onnx_order order);
int onnx_give_type(onnx_op *op, int64_t i, atl_node *node, onnx_type type);
int onnx_give_known(onnx_op *op, int64_t i, onnx_known *known, onnx_type type);
/* The same value under another name. */
int onnx_give_value(onnx_op *op, int64_t i, onnx_value *value);
/* `value` becomes the same as `from` and keeps its name.  An initializer is one variable, with one name, for all. */
void onnx_copy_value(onnx_value *value, onnx_value *from);
/* A value with that node, which is no output; null with the reason if node is null. */
onnx_value *onnx_value_with_node(onnx_op *op, const char *name, atl_node *node, onnx_type type);
/* After giving: unknown size i of output `out` is that of dimension from[i] of input 0; -1: leave it. */
void onnx_batch_from(onnx_op *op, int64_t out, const int *from);

onnx_known *onnx_new_known(onnx_importer *importer, int is_float, atl_shape shape);
/* A node of that shape whose unknown sizes are the batch's; only its shape is used.  null: a size is not known. */
atl_node *onnx_like(onnx_op *op, int rank, const onnx_number *size);
/* A vector of batch * N + value elements, of which only the shape is used. */
atl_node *onnx_sized_by_batch(const onnx_importer *importer, onnx_number size);
/* 0, 1, ..., N - 1 as int32, where N is the size that the file leaves open. */
atl_node *onnx_batch_numbers(onnx_op *op);

/* ---- shared by families ------------------------------------------------------------------------------------------ */

int onnx_import_unary(onnx_op *op);
/* Inputs 0 and 1 by a binary builder, in whichever order of dimensions they are there. */
int onnx_import_binary(onnx_op *op);
/* float32 constants in the graph of the importer. */
atl_node *onnx_scalar(onnx_op *op, double value);
atl_node *onnx_vector(onnx_op *op, int64_t count, const float *values);
atl_node *onnx_int_vector(onnx_op *op, int64_t count, const int32_t *values);
/* x [.., n, ..] at constant indices along an axis. */
atl_node *onnx_take(onnx_op *op, atl_node *x, int axis, int64_t count, const int64_t *index);
/* x, which is scaled already, rounded, plus the zero point, within the limits of that type; null with the reason. */
atl_node *onnx_quantized_to(onnx_op *op, atl_node *x, atl_node *zero, onnx_type type);
/* NumPy's matmul of nodes; null with the reason. */
atl_node *onnx_matmul(onnx_op *op, atl_node *a, atl_node *b);
/* scale * x / sqrt(mean of x^2 + epsilon), over the dimensions from `axis` on; a negative one counts from the end. */
atl_node *onnx_rms_norm(atl_node *x, atl_node *scale, int axis, float epsilon);
/* x * sigmoid(alpha * x), and alpha * x + beta clipped to 0..1. */
atl_node *onnx_swish(atl_node *x, float alpha);
atl_node *onnx_hard_sigmoid(atl_node *x, float alpha, float beta);
/* x within bounds; NaN: there is none on that side. */
atl_node *onnx_clipped(atl_node *x, double low, double high);
/* x with dimensions moved so that `axis` is the last one, and back. */
atl_node *onnx_axis_last(atl_node *x, int axis);
atl_node *onnx_axis_back(atl_node *x, int axis);
/* The parts one after the other.  Where they begin with those of an earlier concat, that one and the rest: DenseNet's
 * layers read all before them, and so nothing is copied twice, and the gradient of the earlier parts is summed as a
 * whole.  The list of the parts is the importer's memory. */
atl_node *onnx_join(onnx_op *op, int axis, int64_t parts, atl_node *const *part);
atl_graph *onnx_graph_of(const onnx_op *op);
/* Memory of the importer: freed when the model has been read. */
void *onnx_room(onnx_op *op, int64_t count, size_t size);
/* Reads the nodes of a graph within an attribute, in the scope of the op; its outputs become those of the op.  given:
 * the values of its inputs; null if it has none. */
int onnx_import_subgraph(onnx_op *op, const onnx_graph *graph, onnx_value *const *given);

/* Whether the types of the inputs are those that the op takes, and agree; 0 with the reason (types.c). */
int onnx_check_types(onnx_op *op);

/* Shape arithmetic: evaluates the op if its inputs are known and it is one of those that shapes are computed with.  1:
 * it has given its output; 0: it is not to be evaluated; -1: it must be and cannot, with the reason. */
int onnx_evaluate(onnx_op *op);

#endif
