/* Importers of gathers and scatters with many indices, of the largest elements, and of reversed sequences. */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

static atl_node *int_scalar(onnx_op *op, int64_t value)
{
    return atl_reshape(onnx_int_vector(op, 1, &(int32_t){(int32_t)value}), ATL_SCALAR);
}

/* The size of that dimension of the data: where it is open, counted when the graph runs.  null: nothing says it. */
static atl_node *size_of_data(onnx_op *op, int axis)
{
    const onnx_value *data = op->input[0];
    onnx_number by_batch = {.batch = (long double)data->batch[axis]};
    onnx_known known = {.count = 1, .at = &by_batch};
    if (data->shape.size[axis] != ATL_ANY)
        return int_scalar(op, data->shape.size[axis]);
    return data->batch[axis]
               ? onnx_node_in(op->importer, &(onnx_value){.known = &known, .type = ONNX_INT64}, ONNX_AS_WRITTEN)
               : NULL;
}

/* Indices below 0 count from the end of that dimension of the data. */
static atl_node *from_end(onnx_op *op, atl_node *indices, int axis)
{
    atl_node *size = size_of_data(op, axis);
    if (!size)
        return indices;
    atl_node *is_negative = atl_int_binary(ATL_INT_LESS, indices, int_scalar(op, 0));
    return atl_int_binary(ATL_INT_ADD, indices, atl_int_binary(ATL_INT_MUL, size, is_negative));
}

/* ---- by element -------------------------------------------------------------------------------------------------- */

/* x cut to the sizes of the indices, but along the axis. */
static atl_node *cut_to(onnx_op *op, atl_node *x, atl_shape indices, int axis)
{
    atl_slice_args cut = {.x = x};
    atl_shape shape = atl_shape_of(x);
    int cuts = 0;
    for (int i = 0; i < shape.rank; i++) {
        if (i == axis || shape.size[i] == indices.size[i])
            continue;
        if (indices.size[i] == ATL_ANY || indices.size[i] > shape.size[i]) {
            onnx_reject(op, "its indices have the size %lld in dimension %d, its data %lld", (long long)indices.size[i],
                        i, (long long)shape.size[i]);
            return NULL;
        }
        cut.end[i] = indices.size[i];
        cuts = 1;
    }
    return cuts ? atl_slice_with(&cut) : x;
}

static int import_gather_elements(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0), *indices = x ? onnx_int(op, 1) : NULL;
    atl_shape shape = onnx_shape(op, 0);
    int axis = indices ? onnx_axis(op, onnx_attr_int(op, "axis", 0), shape.rank) : -1;
    if (axis < 0)
        return 0;
    if (onnx_rank(op, 1) != shape.rank)
        return onnx_reject(op, "its indices have %d dimension%s, its data %d", onnx_rank(op, 1),
                           atl_plural(onnx_rank(op, 1)), shape.rank);
    x = cut_to(op, x, onnx_shape(op, 1), axis);
    if (!x)
        return 0;
    atl_node *y = atl_take_along(onnx_axis_last(x, axis), onnx_axis_last(from_end(op, indices, axis), axis));
    return onnx_give(op, 0, onnx_axis_back(y, axis));
}

/* A reduction that is no sum: of each place of the data with all updates that go there. */
typedef struct scatter_reduction {
    const char *name;
    float neutral; /* of an update that goes elsewhere */
    atl_node *(*reduce)(const atl_reduce_args *args);
    atl_node *(*combine)(atl_node *a, atl_node *b);
} scatter_reduction;

static const scatter_reduction reductions[] = {{"mul", 1, atl_reduce_prod_with, atl_mul},
                                               {"max", -INFINITY, atl_reduce_max_with, atl_maximum},
                                               {"min", INFINITY, atl_reduce_min_with, atl_minimum}};
enum { MOST_PAIRS = 1 << 24 }; /* of an update and a place */

/* null: it is none of them */
static const scatter_reduction *reduction_of(const char *name)
{
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(name, reductions[i].name) == 0)
            return &reductions[i];
    return NULL;
}

/* updates and indices [.., m, 1], both broadcast against the places 0..n-1 in their last dimension, are reduced over m
 * to [.., n].  Data of that shape is then combined with them. */
static atl_node *reduced(onnx_op *op, const scatter_reduction *r, atl_node *x, atl_node *updates, atl_node *indices,
                         int axis, int64_t places, atl_node *place)
{
    int64_t pairs = atl_shape_count(atl_shape_of(updates));
    if (pairs < 0 || places == ATL_ANY || (places && pairs > MOST_PAIRS / places)) {
        onnx_reject(op, "its reduction is '%s', for which all sizes must be known, and their product at most 2^24",
                    r->name);
        return NULL;
    }
    atl_node *hit = atl_int_binary(ATL_INT_EQUAL, indices, place);
    atl_node *chosen = atl_select(atl_cast(hit, ATL_FLOAT32), updates, onnx_scalar(op, (double)r->neutral));
    return r->combine(x, r->reduce(&(atl_reduce_args){.x = chosen, .axes = 1, .axis = {axis}}));
}

/* 0..count-1, of that shape. */
static atl_node *numbered(onnx_op *op, int64_t count, atl_shape shape)
{
    int32_t *number = count > 0 && count <= MOST_PAIRS ? onnx_room(op, count, sizeof *number) : NULL;
    for (int64_t i = 0; number && i < count; i++)
        number[i] = (int32_t)i;
    return number ? atl_reshape(onnx_int_vector(op, count, number), shape) : NULL;
}

/* ---- whole numbers ----------------------------------------------------------------------------------------------- */

/* They are moved, not added as float32: what is scattered is the number of each update, from 1 on, which is exact below
 * 2^24.  `taken` are the updates that go to the places of x, and 0 where `number` is 0: there x stays. */
static atl_node *replaced(onnx_op *op, atl_node *x, atl_node *taken, atl_node *number)
{
    return atl_int_binary(ATL_INT_ADD, taken,
                          atl_int_binary(ATL_INT_MUL, x, atl_int_binary(ATL_INT_EQUAL, number, int_scalar(op, 0))));
}

/* 1, 2, ... along the last dimension of the indices, as float32. */
static atl_node *update_numbers(atl_node *indices)
{
    return atl_cumulative_sum(atl_fill(atl_cast(indices, ATL_FLOAT32), 1), .axis = -1);
}

/* x, indices and updates [.., n or m], by element. */
static atl_node *replaced_along(onnx_op *op, atl_node *x, atl_node *updates, atl_node *indices)
{
    atl_node *number = atl_cast(atl_scatter_along(update_numbers(indices), indices, x), ATL_INT32);
    return replaced(op, x, atl_take_along(updates, atl_int_binary(ATL_INT_SUB, number, int_scalar(op, 1))), number);
}

/* flat [n, rest...], updates [tuples..., rest...], linear [tuples...]: by row. */
static atl_node *replaced_rows(onnx_op *op, atl_node *flat, atl_node *updates, atl_node *linear)
{
    atl_shape shape = atl_shape_of(flat);
    shape.size[0] = ATL_ANY;
    atl_node *index = atl_reshape(linear, ATL_SHAPE(ATL_ANY)), *rows = flat;
    while (rows && atl_shape_of(rows).rank > 1) { /* only the number of rows is used */
        atl_slice_args first = {.x = rows};
        first.end[1] = 1;
        rows = atl_squeeze(atl_slice_with(&first), 1);
    }
    atl_node *number = atl_cast(atl_scatter_add(update_numbers(index), index, rows, 0), ATL_INT32);
    atl_node *taken =
        atl_gather(atl_reshape(updates, shape), atl_int_binary(ATL_INT_SUB, number, int_scalar(op, 1)), 0);
    for (int i = 1; i < shape.rank; i++)
        number = atl_expand_dims(number, i);
    return replaced(op, flat, taken, number);
}

/* Updates of whole numbers, which are not reduced, or of real ones; null with the reason. */
static atl_node *updates_of(onnx_op *op)
{
    if (!onnx_is_int(op, 0))
        return onnx_float(op, 2);
    if (strcmp(onnx_attr_text(op, "reduction", "none"), "none") == 0)
        return onnx_int(op, 2);
    onnx_reject(op, "its reduction is '%.40s', which is read for real numbers",
                onnx_attr_text(op, "reduction", "none"));
    return NULL;
}

/* ---- scatters ---------------------------------------------------------------------------------------------------- */

/* x, indices and updates [.., n or m]: the last dimension is that of the axis. */
static int give_scattered(onnx_op *op, atl_node *x, atl_node *updates, atl_node *indices, int axis)
{
    const char *name = onnx_attr_text(op, "reduction", "none");
    const scatter_reduction *r = reduction_of(name);
    int last = atl_shape_of(x).rank - 1;
    int64_t places = last < 0 ? ATL_ANY : atl_shape_of(x).size[last];
    atl_node *y = NULL;
    if (onnx_is_int(op, 0))
        y = replaced_along(op, x, updates, indices);
    else if (r)
        y = reduced(op, r, x, atl_expand_dims(updates, last + 1), atl_expand_dims(indices, last + 1), last, places,
                    numbered(op, places, ATL_SHAPE(places)));
    else if (strcmp(name, "add") == 0)
        y = atl_add(x, atl_scatter_along(updates, indices, x));
    else if (strcmp(name, "none") == 0)
        y = atl_select(atl_scatter_along(atl_fill(updates, 1), indices, x), atl_scatter_along(updates, indices, x), x);
    else
        onnx_reject(op, "its reduction is '%.40s'", name);
    return !*op->why && onnx_give(op, 0, onnx_axis_back(y, axis));
}

/* Indices that are fewer than the data in another dimension are filled up with -1, which scatters nothing. */
static int import_scatter_elements(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0), *indices = x ? onnx_int(op, 1) : NULL, *updates = indices ? updates_of(op) : NULL;
    atl_shape shape = onnx_shape(op, 0), of = onnx_shape(op, 1);
    int axis = updates ? onnx_axis(op, onnx_attr_int(op, "axis", 0), shape.rank) : -1;
    if (axis < 0)
        return 0;
    if (of.rank != shape.rank)
        return onnx_reject(op, "its indices have %d dimension%s, its data %d", of.rank, atl_plural(of.rank),
                           shape.rank);
    indices = from_end(op, indices, axis);
    atl_pad_args pad = {.x = indices, .value = -1}, none = {.x = updates};
    for (int i = 0; i < shape.rank; i++) {
        if (i == axis || of.size[i] == shape.size[i])
            continue;
        if (of.size[i] == ATL_ANY || of.size[i] > shape.size[i])
            return onnx_reject(op, "its indices have the size %lld in dimension %d, its data %lld",
                               (long long)of.size[i], i, (long long)shape.size[i]);
        pad.after[i] = none.after[i] = shape.size[i] - of.size[i];
    }
    indices = onnx_axis_last(atl_pad_with(&pad), axis);
    updates = onnx_axis_last(atl_pad_with(&none), axis);
    x = onnx_axis_last(x, axis);
    return give_scattered(op, x, updates, indices, axis);
}

/* ---- by tuples of indices ---------------------------------------------------------------------------------------- */

/* indices [.., k] of data whose dimensions first..first+k-1 they choose from, as one number [..] in row order.  The
 * first size of the data may be open; their count is then, too. */
static atl_node *linear_index(onnx_op *op, atl_node *indices, atl_shape data, int first, int k, int64_t *count_out)
{
    int last = atl_shape_of(indices).rank - 1;
    atl_node *linear = NULL;
    *count_out = 1;
    for (int i = 0; i < k; i++) {
        int64_t size = data.size[first + i];
        int is_open = size == ATL_ANY && first + i == 0;
        if (!is_open && (size == ATL_ANY || size < 1 || __builtin_mul_overflow(*count_out, size, count_out) ||
                         *count_out > INT32_MAX)) {
            onnx_reject(op, "the sizes of its data must be known, and not too large");
            return NULL;
        }
        atl_slice_args cut = {.x = indices};
        cut.begin[last] = i;
        cut.end[last] = i + 1;
        atl_node *one = from_end(op, atl_squeeze(atl_slice_with(&cut), last), first + i);
        linear =
            linear ? atl_int_binary(ATL_INT_ADD, atl_int_binary(ATL_INT_MUL, linear, int_scalar(op, size)), one) : one;
    }
    if (first == 0 && data.size[0] == ATL_ANY)
        *count_out = ATL_ANY;
    return linear;
}

/* Data [batch..., chosen..., rest...] as [batch * chosen, rest...]. */
static atl_node *flattened(atl_node *x, int dims)
{
    atl_shape shape = atl_shape_of(x), to = {.rank = shape.rank - dims + 1, .size = {1}};
    for (int i = 0; i < dims; i++)
        to.size[0] = shape.size[i] == ATL_ANY || to.size[0] == ATL_ANY ? ATL_ANY : to.size[0] * shape.size[i];
    for (int i = dims; i < shape.rank; i++)
        to.size[i - dims + 1] = shape.size[i];
    return atl_reshape(x, to);
}

/* The number of the batch that each index belongs to, times `count`: [batch sizes..., 1...]. */
static atl_node *batch_offsets(onnx_op *op, atl_shape data, int batch_dims, int rank, int64_t count)
{
    atl_shape to = {.rank = rank};
    int64_t batches = 1;
    for (int i = 0; i < rank; i++)
        to.size[i] = i < batch_dims ? data.size[i] : 1;
    for (int i = 0; i < batch_dims; i++)
        if (data.size[i] == ATL_ANY || __builtin_mul_overflow(batches, data.size[i], &batches) ||
            batches > INT32_MAX / count) {
            onnx_reject(op, "the sizes of its batch must be known, and not too large");
            return NULL;
        }
    int32_t *offset = onnx_room(op, batches, sizeof *offset);
    for (int64_t i = 0; offset && i < batches; i++)
        offset[i] = (int32_t)(i * count);
    return offset ? atl_reshape(onnx_int_vector(op, batches, offset), to) : NULL;
}

static int import_gather_nd(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0), *indices = x ? onnx_int(op, 1) : NULL;
    atl_shape data = onnx_shape(op, 0), of = onnx_shape(op, 1);
    int64_t batch_dims = onnx_attr_int(op, "batch_dims", 0), count, k = of.rank ? of.size[of.rank - 1] : 0;
    if (!indices)
        return 0;
    if (k < 1 || batch_dims < 0 || batch_dims + k > data.rank || batch_dims >= of.rank)
        return onnx_reject(op, "tuples of %lld indices for %d dimension%s", (long long)k, data.rank,
                           atl_plural(data.rank));
    atl_node *linear = linear_index(op, indices, data, (int)batch_dims, (int)k, &count);
    if (linear && batch_dims) {
        atl_node *offsets = batch_offsets(op, data, (int)batch_dims, of.rank - 1, count);
        linear = offsets ? atl_int_binary(ATL_INT_ADD, linear, offsets) : NULL;
    }
    return linear && onnx_give(op, 0, atl_gather(flattened(x, (int)(batch_dims + k)), linear, 0));
}

/* flat [n, rest...], updates [index sizes..., rest...], linear [index sizes...]. */
static atl_node *reduced_rows(onnx_op *op, const scatter_reduction *r, atl_node *flat, atl_node *updates,
                              atl_node *linear, int64_t places)
{
    atl_shape rows = atl_shape_of(flat), column = {.rank = rows.rank + 1}, row = column;
    int64_t tuples = atl_shape_count(atl_shape_of(linear));
    if (tuples < 0 || rows.rank >= ATL_MAX_RANK) {
        onnx_reject(op, "its reduction is '%s', for which all sizes must be known", r->name);
        return NULL;
    }
    for (int i = 0; i < column.rank; i++) {
        column.size[i] = i ? 1 : tuples;
        row.size[i] = i == 1 ? places : 1;
    }
    rows.size[0] = tuples;
    atl_node *each = atl_expand_dims(atl_reshape(updates, rows), 1); /* [m, 1, rest...] */
    return reduced(op, r, flat, each, atl_reshape(linear, column), 0, places, numbered(op, places, row));
}

static int import_scatter_nd(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0), *indices = x ? onnx_int(op, 1) : NULL, *updates = indices ? updates_of(op) : NULL;
    atl_shape data = onnx_shape(op, 0), of = onnx_shape(op, 1);
    int64_t count, k = of.rank ? of.size[of.rank - 1] : 0;
    if (!updates)
        return 0;
    if (k < 1 || k > data.rank)
        return onnx_reject(op, "tuples of %lld indices for %d dimension%s", (long long)k, data.rank,
                           atl_plural(data.rank));
    atl_node *linear = linear_index(op, indices, data, 0, (int)k, &count), *flat = linear ? flattened(x, (int)k) : NULL;
    if (!flat)
        return 0;
    const char *reduction = onnx_attr_text(op, "reduction", "none");
    const scatter_reduction *r = reduction_of(reduction);
    atl_node *scattered = r || onnx_is_int(op, 0) ? NULL : atl_scatter_add(updates, linear, flat, 0), *y;
    if (onnx_is_int(op, 0))
        y = replaced_rows(op, flat, updates, linear);
    else if (r)
        y = reduced_rows(op, r, flat, updates, linear, count);
    else if (strcmp(reduction, "add") == 0)
        y = atl_add(flat, scattered);
    else if (strcmp(reduction, "none") == 0)
        y = atl_select(atl_scatter_add(atl_fill(updates, 1), linear, flat, 0), scattered, flat);
    else
        return onnx_reject(op, "its reduction is '%.40s'", reduction);
    return !*op->why && onnx_give(op, 0, atl_reshape_like(y, x));
}

/* ---- the largest, and sequences ---------------------------------------------------------------------------------- */

static int import_top_k(onnx_op *op)
{
    int64_t k;
    int rank = onnx_rank(op, 0), axis = onnx_axis(op, onnx_attr_int(op, "axis", -1), rank);
    atl_node *x = onnx_float(op, 0);
    if (op->version < 10)
        k = onnx_attr_int(op, "k", 0);
    else if (!onnx_one_whole(op, 1, &k))
        return 0;
    if (!x || axis < 0)
        return 0;
    x = onnx_axis_last(x, axis);
    atl_node *places = atl_top_k(onnx_attr_int(op, "largest", 1) ? x : atl_neg(x), k),
             *values = atl_take_along(x, places);
    if (onnx_is_int(op, 0))
        values = atl_cast(values, ATL_INT32);
    return onnx_give(op, 0, onnx_axis_back(values, axis)) &&
           onnx_give_type(op, 1, onnx_axis_back(places, axis), ONNX_INT64);
}

static atl_node *part_of(atl_node *x, int axis, int64_t begin, int64_t end)
{
    atl_slice_args cut = {.x = x};
    cut.begin[axis] = begin;
    cut.end[axis] = end;
    return atl_slice_with(&cut);
}

/* The first elements of each sequence in the opposite order. */
static int import_reverse_sequence(onnx_op *op)
{
    enum { MOST_SEQUENCES = 4096 };
    int64_t length[MOST_SEQUENCES];
    atl_node *x = onnx_any(op, 0), *row[MOST_SEQUENCES];
    atl_shape shape = onnx_shape(op, 0);
    int batch = x ? onnx_axis(op, onnx_attr_int(op, "batch_axis", 1), shape.rank) : -1,
        time = onnx_axis(op, onnx_attr_int(op, "time_axis", 0), shape.rank);
    int count = batch < 0 || time < 0 ? -1 : onnx_whole(op, 1, MOST_SEQUENCES, length);
    if (count < 1 || batch == time || shape.size[batch] != count || shape.size[time] == ATL_ANY)
        return onnx_reject(op, "it needs a length for each sequence, and known sizes");
    for (int i = 0; i < count; i++) {
        if (length[i] < 0 || length[i] > shape.size[time])
            return onnx_reject(op, "a length of %lld", (long long)length[i]);
        row[i] = part_of(x, batch, i, i + 1);
        if (length[i] < 2)
            continue;
        atl_node *turned = atl_reverse(part_of(row[i], time, 0, length[i]), time);
        row[i] = length[i] == shape.size[time]
                     ? turned
                     : atl_concat(time, turned, part_of(row[i], time, length[i], shape.size[time]));
    }
    return onnx_give(op, 0, count == 1 ? row[0] : atl_concat_with(batch, (atl_nodes){count, row}));
}

const onnx_entry onnx_scatters[] = {
    {"GatherElements", 11, import_gather_elements},   {"GatherND", 11, import_gather_nd},
    {"ReverseSequence", 10, import_reverse_sequence}, {"Scatter", 9, import_scatter_elements},
    {"ScatterElements", 11, import_scatter_elements}, {"ScatterND", 11, import_scatter_nd},
    {"TopK", 1, import_top_k, .most_outputs = 2},     {0}};
