/* What the importers of ops call: inputs, attributes, outputs. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

enum { LARGEST_CONSTANT = 1 << 22 }; /* elements of what is computed while reading, where its value is asked for */

int onnx_reject(onnx_op *op, const char *format, ...)
{
    va_list arguments;
    if (*op->why)
        return 0; /* the first reason is the cause */
    va_start(arguments, format);
    vsnprintf(op->why, sizeof op->why, format, arguments);
    va_end(arguments);
    return 0;
}

const char *onnx_failure(const onnx_importer *importer)
{
    const char *first = atl_graph_error(importer->graph);
    return atl_error_count() != importer->errors ? atl_error() : *first ? first : "it could not be read";
}

atl_graph *onnx_graph_of(const onnx_op *op) { return op->importer->graph; }

void *onnx_room(onnx_op *op, int64_t count, size_t size)
{
    void *room = onnx_allocate(op->importer->arena, (size_t)(count > 0 ? count : 1), size);
    if (!room) {
        op->importer->out_of_memory = 1;
        onnx_reject(op, "out of memory");
    }
    return room;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

int onnx_has(const onnx_op *op, int64_t i) { return i < op->inputs && op->input[i] && !op->input[i]->is_missing; }

static onnx_value *needed(onnx_op *op, int64_t i)
{
    if (onnx_has(op, i))
        return op->input[i];
    onnx_reject(op, "it needs an input %lld", (long long)i);
    return NULL;
}

static atl_node *in_order(onnx_op *op, int64_t i, onnx_order order)
{
    onnx_value *value = needed(op, i);
    atl_node *node = value ? onnx_node_in(op->importer, value, order) : NULL;
    if (value && !node)
        onnx_reject(op, "its input '%.200s': %s", value->name, atl_error());
    return node;
}

static atl_node *as_float(atl_node *node)
{
    return node && atl_dtype_of(node) == ATL_INT32 ? atl_cast(node, ATL_FLOAT32) : node;
}

atl_node *onnx_any(onnx_op *op, int64_t i) { return in_order(op, i, ONNX_AS_WRITTEN); }
atl_node *onnx_float(onnx_op *op, int64_t i) { return as_float(in_order(op, i, ONNX_AS_WRITTEN)); }

atl_node *onnx_int(onnx_op *op, int64_t i)
{
    atl_node *node = in_order(op, i, ONNX_AS_WRITTEN);
    return node && atl_dtype_of(node) != ATL_INT32 ? atl_cast(node, ATL_INT32) : node;
}

atl_node *onnx_channels_last(onnx_op *op, int64_t i)
{
    if (needed(op, i) && onnx_rank(op, i) < 3) {
        onnx_reject(op, "its input '%.200s' has %d dimension%s; it takes [batch, channels, ...]", op->input[i]->name,
                    onnx_rank(op, i), atl_plural(onnx_rank(op, i)));
        return NULL;
    }
    return as_float(in_order(op, i, ONNX_CHANNELS_LAST));
}

atl_node *onnx_native(onnx_op *op, int64_t i, onnx_order *order_out)
{
    *order_out = onnx_has(op, i) && op->input[i]->last ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    return in_order(op, i, *order_out);
}

atl_shape onnx_shape(const onnx_op *op, int64_t i) { return onnx_has(op, i) ? op->input[i]->shape : ATL_SCALAR; }
int onnx_rank(const onnx_op *op, int64_t i) { return onnx_shape(op, i).rank; }
onnx_type onnx_type_of(const onnx_op *op, int64_t i) { return onnx_has(op, i) ? op->input[i]->type : ONNX_UNDEFINED; }

int onnx_is_int(const onnx_op *op, int64_t i)
{
    const onnx_value *value = onnx_has(op, i) ? op->input[i] : NULL;
    const atl_node *node = value ? onnx_made_node(value) : NULL;
    return node ? atl_dtype_of(node) == ATL_INT32 : onnx_is_integer(onnx_type_of(op, i));
}

int onnx_axis(onnx_op *op, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    onnx_reject(op, "axis %lld is out of range for %d dimension%s", (long long)axis, rank, atl_plural(rank));
    return -1;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static const char *type_text(onnx_attribute_type type)
{
    static const char *const text[] = {"nothing", "FLOAT",  "INT",  "STRING",  "TENSOR",
                                       "GRAPH",   "FLOATS", "INTS", "STRINGS", "another type"};
    return text[type];
}

const onnx_attribute *onnx_attribute_of(onnx_op *op, const char *name, onnx_attribute_type type)
{
    for (int64_t i = 0; i < op->node->attributes; i++) {
        const onnx_attribute *a = &op->node->attribute[i];
        if (strcmp(a->name, name) != 0)
            continue;
        if (a->type == type)
            return a;
        onnx_reject(op, "its attribute '%s' is of type %s; it takes %s", name, type_text(a->type), type_text(type));
        return NULL;
    }
    return NULL;
}

int64_t onnx_attr_int(onnx_op *op, const char *name, int64_t otherwise)
{
    const onnx_attribute *a = onnx_attribute_of(op, name, ONNX_ATTRIBUTE_INT);
    return a ? a->integer : otherwise;
}

double onnx_attr_float(onnx_op *op, const char *name, double otherwise)
{
    const onnx_attribute *a = onnx_attribute_of(op, name, ONNX_ATTRIBUTE_FLOAT);
    return a ? (double)a->number : otherwise;
}

const char *onnx_attr_text(onnx_op *op, const char *name, const char *otherwise)
{
    const onnx_attribute *a = onnx_attribute_of(op, name, ONNX_ATTRIBUTE_STRING);
    return a ? a->text : otherwise;
}

int onnx_attr_ints(onnx_op *op, const char *name, int most, int64_t *to)
{
    const onnx_attribute *a = onnx_attribute_of(op, name, ONNX_ATTRIBUTE_INTS);
    if (!a)
        return *op->why ? -1 : 0;
    if (a->count > most) {
        onnx_reject(op, "its attribute '%s' has %lld number%s; at most %d fit", name, (long long)a->count,
                    atl_plural(a->count), most);
        return -1;
    }
    if (a->count)
        memcpy(to, a->integers, (size_t)a->count * sizeof *to);
    return (int)a->count;
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

/* Where an unknown size of an output most likely comes from: the same dimension of an input of that rank, else the
 * batch, which is the first. Importers that know better call onnx_batch_from. */
static void guess_batch(const onnx_op *op, onnx_value *value)
{
    for (int axis = 0; axis < value->shape.rank; axis++) {
        if (value->shape.size[axis] != ATL_ANY)
            continue;
        for (int64_t i = 0; i < op->inputs && !value->batch[axis]; i++) {
            const onnx_value *from = op->input[i];
            if (from && axis < from->shape.rank && (from->shape.rank == value->shape.rank || axis == 0))
                value->batch[axis] = from->batch[axis];
        }
    }
}

static int all_constant(const onnx_op *op)
{
    for (int64_t i = 0; i < op->inputs; i++)
        if (op->input[i] && !op->input[i]->is_constant)
            return 0;
    return 1;
}

/* The shape in the file's order of a node with the channels last. */
static atl_shape shape_as_written(atl_shape shape, onnx_order order)
{
    atl_shape written = {.rank = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        written.size[i] = shape.size[onnx_axis_in(order, shape.rank, i)];
    return written;
}

static int give(onnx_op *op, int64_t i, atl_node *node, onnx_order order, onnx_type type)
{
    onnx_value *value = i < op->outputs ? op->output[i] : NULL;
    if (!node)
        return onnx_reject(op, "%s", onnx_failure(op->importer));
    if (!value)
        return 1;
    value->type = type;
    value->shape = shape_as_written(atl_shape_of(node), order);
    int64_t count = atl_shape_count(value->shape);
    value->is_constant = all_constant(op) && count >= 0 && count <= LARGEST_CONSTANT;
    *(order == ONNX_CHANNELS_LAST ? &value->last : order == ONNX_GROUPS_LAST ? &value->grouped : &value->node) = node;
    guess_batch(op, value);
    return 1;
}

int onnx_give(onnx_op *op, int64_t i, atl_node *node)
{
    return give(op, i, node, ONNX_AS_WRITTEN, onnx_type_of(op, 0));
}
int onnx_give_in(onnx_op *op, int64_t i, atl_node *node, onnx_order order)
{
    return give(op, i, node, order, onnx_type_of(op, 0));
}
int onnx_give_type(onnx_op *op, int64_t i, atl_node *node, onnx_type type)
{
    return give(op, i, node, ONNX_AS_WRITTEN, type);
}
onnx_value *onnx_value_with_node(onnx_op *op, const char *name, atl_node *node, onnx_type type)
{
    onnx_op inner = *op;
    onnx_value *value = onnx_room(op, 1, sizeof *value);
    inner.output = &value;
    inner.outputs = 1;
    if (!value)
        return NULL;
    value->name = name;
    if (onnx_give_type(&inner, 0, node, type))
        return value;
    onnx_reject(op, "%s", inner.why);
    return NULL;
}

int onnx_give_known(onnx_op *op, int64_t i, onnx_known *known, onnx_type type)
{
    onnx_value *value = i < op->outputs ? op->output[i] : NULL;
    if (!known)
        return onnx_reject(op, "%s", atl_error());
    if (!value)
        return 1;
    value->type = type;
    value->shape = known->shape;
    value->known = known;
    value->is_constant = 1;
    return 1;
}

int onnx_give_value(onnx_op *op, int64_t i, onnx_value *from)
{
    onnx_value *value = i < op->outputs ? op->output[i] : NULL;
    if (value)
        onnx_copy_value(value, from);
    return 1;
}

void onnx_batch_from(onnx_op *op, int64_t out, const int *from)
{
    onnx_value *value = out < op->outputs ? op->output[out] : NULL;
    for (int i = 0; value && i < value->shape.rank; i++)
        value->batch[i] = from[i] >= 0 && value->shape.size[i] == ATL_ANY ? op->input[0]->batch[from[i]] : 0;
}

/* ---- constants and moves ----------------------------------------------------------------------------------------- */

static atl_node *constant_of(onnx_op *op, atl_tensor *tensor)
{
    atl_node *node = tensor ? atl_constant(op->importer->graph, tensor) : NULL;
    if (!node)
        onnx_reject(op, "%s", atl_error());
    atl_tensor_free(tensor);
    return node;
}

atl_node *onnx_vector(onnx_op *op, int64_t count, const float *values)
{
    return constant_of(op, atl_tensor_of_floats(ATL_SHAPE(count), values));
}

atl_node *onnx_int_vector(onnx_op *op, int64_t count, const int32_t *values)
{
    return constant_of(op, atl_tensor_of_ints(ATL_SHAPE(count), values));
}

atl_node *onnx_scalar(onnx_op *op, double value)
{
    return constant_of(op, atl_tensor_of_floats(ATL_SCALAR, &(float){(float)value}));
}

atl_node *onnx_take(onnx_op *op, atl_node *x, int axis, int64_t count, const int64_t *index)
{
    int32_t *narrow = onnx_room(op, count, sizeof *narrow);
    for (int64_t i = 0; narrow && i < count; i++)
        narrow[i] = (int32_t)index[i];
    return narrow ? atl_gather(x, onnx_int_vector(op, count, narrow), axis) : NULL;
}

static atl_node *axis_moved(atl_node *x, int from, int to)
{
    atl_transpose_args args = {.x = x};
    int rank = atl_shape_of(x).rank, at = 0;
    if (from == to)
        return x;
    for (int i = 0; i < rank; i++)
        if (i == to)
            args.order[i] = from;
        else
            args.order[i] = at += at == from, at++;
    return atl_transpose_with(&args);
}

atl_node *onnx_axis_last(atl_node *x, int axis) { return axis_moved(x, axis, atl_shape_of(x).rank - 1); }
atl_node *onnx_axis_back(atl_node *x, int axis) { return axis_moved(x, atl_shape_of(x).rank - 1, axis); }

static int begins_with(const onnx_concat *shorter, int axis, int64_t parts, atl_node *const *part)
{
    return shorter->axis == axis && shorter->parts < parts &&
           memcmp(shorter->part, part, (size_t)shorter->parts * sizeof *part) == 0;
}

atl_node *onnx_join(onnx_op *op, int axis, int64_t parts, atl_node *const *part)
{
    onnx_importer *importer = op->importer;
    const onnx_concat *longest = NULL;
    for (int i = 0; i < ONNX_LAST_CONCATS && i < importer->concats; i++) {
        const onnx_concat *c = &importer->concat[i];
        if ((!longest || c->parts > longest->parts) && begins_with(c, axis, parts, part))
            longest = c;
    }
    const int64_t replaced = longest ? longest->parts - 1 : 0;
    atl_node **list = onnx_room(op, parts - replaced, sizeof *list);
    if (!list)
        return NULL;
    memcpy(list, part + replaced, (size_t)(parts - replaced) * sizeof *list);
    if (longest)
        list[0] = longest->node;
    atl_node *y = atl_concat_with(axis, (atl_nodes){parts - replaced, list});
    if (y)
        importer->concat[importer->concats++ % ONNX_LAST_CONCATS] = (onnx_concat){y, part, parts, axis};
    return y;
}

atl_node *onnx_sized_by_batch(const onnx_importer *importer, onnx_number size)
{
    atl_slice_args cut = {.x = importer->batch_node};
    for (int i = 0; i < atl_shape_of(importer->batch_node).rank; i++)
        cut.end[i] = i == importer->batch_axis ? 0 : 1;
    atl_node *x = atl_slice_with(&cut);
    if (atl_dtype_of(x) == ATL_INT32)
        x = atl_cast(x, ATL_FLOAT32);
    x = atl_reshape(x, ATL_SHAPE(ATL_ANY, 1));
    if (size.batch != 1)
        x = atl_broadcast_to(x, ATL_SHAPE(-1, (int64_t)size.batch));
    x = atl_reshape(x, ATL_SHAPE(ATL_ANY));
    return size.value != 0 ? atl_pad(x, .after = {(int64_t)size.value}) : x;
}

atl_node *onnx_batch_numbers(onnx_op *op)
{
    onnx_number batch = {.batch = 1};
    atl_node *like = onnx_like(op, 1, &batch);
    atl_node *ones = atl_broadcast_like(onnx_scalar(op, 1), like);
    return atl_cast(atl_cumulative_sum(ones, .exclusive = 1), ATL_INT32);
}

atl_node *onnx_like(onnx_op *op, int rank, const onnx_number *size)
{
    const onnx_importer *importer = op->importer;
    atl_shape shape = {.rank = rank};
    atl_node *like = onnx_scalar(op, 0);
    for (int i = 0; i < rank; i++) {
        shape.size[i] = size[i].batch == 0 ? onnx_saturated(size[i].value) : ATL_ANY;
        if (size[i].batch == 0)
            continue;
        if (!(size[i].batch >= 1 && size[i].batch <= INT32_MAX && size[i].value >= 0 && size[i].value <= INT32_MAX)) {
            if (isnan(size[i].batch))
                onnx_reject(op,
                            "the size of dimension %d depends on an unknown size or batch: fix the sizes of the inputs",
                            i);
            else
                onnx_reject(op, "the size of dimension %d, %.0Lf * batch + %.0Lf, cannot be made: fix the batch", i,
                            size[i].batch, size[i].value);
            return NULL;
        }
        atl_shape column = {.rank = rank};
        for (int k = 0; k < rank; k++)
            column.size[k] = k == i ? ATL_ANY : 1;
        like = atl_add(like, atl_reshape(onnx_sized_by_batch(importer, size[i]), column));
    }
    return atl_broadcast_to(like, shape);
}
