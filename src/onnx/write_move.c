/* Writers of ops that move and repeat elements. */
#include <string.h>

#include "onnx/write.h"
#include "ops/attributes.h"

enum { FLOAT = 1, INT32 = 6, INT64 = 7 };

static int rank_of(const atl_node *x) { return atl_shape_of(x).rank; }
static int axis_of(int axis, int rank) { return axis < 0 ? axis + rank : axis; }
/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* To the shape of y, of which at most one size is unknown; else to that of `like`, if it is given. */
static const char *to_shape_of(onnx_writer *w, const atl_node *y, const char *x, const atl_node *like,
                               const char *like_name)
{
    atl_shape shape = atl_shape_of(y);
    int64_t size[ATL_MAX_RANK];
    int open = 0, zero = 0;
    for (int i = 0; i < shape.rank; i++) {
        size[i] = shape.size[i];
        open += size[i] == ATL_ANY;
        zero |= size[i] == 0;
    }
    if (open <= 1 && !zero)
        return onnx_write_reshape(w, x, shape.rank, size);
    if (!like)
        return onnx_cannot_write(w, "more than one size of %s is unknown", atl_name_of(y));
    return ONNX_EMIT(w, "Reshape", NULL, x, onnx_write_shape_of(w, like, like_name));
}

static const char *reshape(onnx_writer *w, const atl_node *y, const char *const *in)
{
    atl_node *like = atl_input_count(y) > 1 ? atl_input_of(y, 1) : NULL;
    return to_shape_of(w, y, in[0], like, like ? in[1] : NULL);
}

static const char *squeeze(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int axis;
    memcpy(&axis, atl_attributes_of(y), sizeof axis);
    int64_t axes[] = {axis_of(axis, rank_of(atl_input_of(y, 0)))};
    return ONNX_EMIT(w, "Squeeze", NULL, in[0], onnx_write_ints(w, 1, axes));
}

static const char *expand_dims(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const inserted_axes *of = atl_attributes_of(y);
    int64_t axes[ATL_MAX_RANK];
    for (int i = 0; i < of->count; i++)
        axes[i] = axis_of(of->axis[i], rank_of(y));
    return ONNX_EMIT(w, "Unsqueeze", NULL, in[0], onnx_write_ints(w, of->count, axes));
}

static const char *transpose(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const transpose_attributes *of = atl_attributes_of(y);
    int order[ATL_MAX_RANK], rank = rank_of(y), any = 0;
    for (int i = 0; i < rank; i++)
        any |= of->order[i];
    for (int i = 0; i < rank; i++)
        order[i] = any ? axis_of(of->order[i], rank) : rank - 1 - i;
    return onnx_write_transpose(w, in[0], rank, order);
}

static const char *broadcast_like(onnx_writer *w, const atl_node *y, const char *const *in)
{
    (void)y;
    return ONNX_EMIT(w, "Expand", NULL, in[0], onnx_write_shape_of(w, atl_input_of(y, 1), in[1]));
}

static const char *broadcast_to(onnx_writer *w, const atl_node *y, const char *const *in)
{
    atl_shape shape = atl_shape_of(y);
    for (int i = 0; i < shape.rank; i++) /* a size that is unknown is the input's */
        shape.size[i] = shape.size[i] == ATL_ANY ? 1 : shape.size[i];
    return ONNX_EMIT(w, "Expand", NULL, in[0], onnx_write_ints(w, shape.rank, shape.size));
}

static const char *fill(onnx_writer *w, const atl_node *y, const char *const *in)
{
    float value;
    memcpy(&value, atl_attributes_of(y), sizeof value);
    return ONNX_EMIT(w, "Expand", NULL, onnx_write_float(w, value), onnx_write_shape_of(w, atl_input_of(y, 0), in[0]));
}

static const char *size_ratio(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *size[2];
    for (int i = 0; i < 2; i++) {
        int64_t count = atl_shape_count(atl_shape_of(atl_input_of(y, i)));
        size[i] = count >= 0 ? onnx_write_float(w, (float)count)
                             : onnx_write_cast(w, ONNX_EMIT(w, "Size", NULL, in[i]), FLOAT);
    }
    return ONNX_EMIT(w, "Div", NULL, size[0], size[1]);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static const char *concat(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const concat_attributes *of = atl_attributes_of(y);
    return onnx_emit_two(w, "Concat", atl_input_count(y), in,
                         ONNX_ATTRIBUTES({"axis", .integer = axis_of(of->axis, rank_of(y))}), NULL);
}

/* The part of a concat's gradient that belongs to one of its inputs: inputs are the gradient, then the concat's. */
static const char *concat_part(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const concat_attributes *of = atl_attributes_of(y);
    int axis = axis_of(of->axis, rank_of(y));
    int64_t begin = 0, size = atl_shape_of(y).size[axis];
    for (int i = 0; i < of->part; i++) {
        int64_t before = atl_shape_of(atl_input_of(y, 1 + i)).size[axis];
        if (before == ATL_ANY)
            return onnx_cannot_write(w, "a concat along a size that is unknown");
        begin += before;
    }
    return size == ATL_ANY ? onnx_cannot_write(w, "a concat along a size that is unknown")
                           : onnx_write_slice(w, in[0], axis, begin, begin + size, 1);
}

/* begin, end and step of dimension i, which may be counted from the end. */
static void slice_range(const slice_attributes *of, int i, int64_t *begin, int64_t *end, int64_t *step)
{
    *begin = of->begin[i];
    *end = of->end[i] == 0 ? INT64_MAX : of->end[i];
    *step = of->stride[i] ? of->stride[i] : 1;
}

static const char *slice(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t begin[ATL_MAX_RANK], end[ATL_MAX_RANK], step[ATL_MAX_RANK], axis[ATL_MAX_RANK];
    int rank = rank_of(y), count = 0;
    for (int i = 0; i < rank; i++) {
        slice_range(atl_attributes_of(y), i, &begin[count], &end[count], &step[count]);
        axis[count] = i;
        count += begin[count] != 0 || end[count] != INT64_MAX || step[count] != 1;
    }
    return !count ? in[0]
                  : ONNX_EMIT(w, "Slice", NULL, in[0], onnx_write_ints(w, count, begin), onnx_write_ints(w, count, end),
                              onnx_write_ints(w, count, axis), onnx_write_ints(w, count, step));
}

/* Zeros between the elements along an axis: element i comes to i * step. */
static const char *spread(onnx_writer *w, const char *x, atl_shape *shape, int axis, int64_t step)
{
    int64_t wide[ATL_MAX_RANK + 1], pads[2 * ATL_MAX_RANK + 2] = {0};
    int rank = shape->rank;
    for (int i = 0; i <= rank; i++)
        wide[i] = i <= axis ? shape->size[i] : i == axis + 1 ? 1 : shape->size[i - 1];
    pads[rank + 1 + axis + 1] = step - 1;
    x = onnx_write_reshape(w, x, rank + 1, wide);
    x = ONNX_EMIT(w, "Pad", NULL, x, onnx_write_ints(w, 2 * (rank + 1), pads));
    int64_t length = (shape->size[axis] - 1) * step + 1;
    shape->size[axis] *= step;
    x = onnx_write_reshape(w, x, rank, shape->size);
    shape->size[axis] = length;
    return onnx_write_slice(w, x, axis, 0, length, 1);
}

/* The gradient of a slice: inputs are the gradient, and what was sliced. */
static const char *unslice(onnx_writer *w, const atl_node *y, const char *const *in)
{
    atl_shape from = atl_shape_of(atl_input_of(y, 0)), whole = atl_shape_of(y);
    int64_t pads[2 * ATL_MAX_RANK] = {0}, begin, end, step;
    const char *x = in[0];
    for (int i = 0; i < whole.rank; i++) {
        slice_range(atl_attributes_of(y), i, &begin, &end, &step);
        if (begin == 0 && end == INT64_MAX && step == 1)
            continue;
        if (whole.size[i] == ATL_ANY || from.size[i] == ATL_ANY)
            return onnx_cannot_write(w, "the gradient of a slice along a size that is unknown");
        if (step != 1) {
            int open = 0;
            for (int k = 0; k < from.rank; k++)
                open += from.size[k] == ATL_ANY;
            if (open > 1)
                return onnx_cannot_write(w, "the gradient of a slice with strides, of more than one unknown size");
            x = spread(w, x, &from, i, step);
        }
        pads[i] = begin < 0 ? begin + whole.size[i] : begin;
        pads[whole.rank + i] = whole.size[i] - pads[i] - from.size[i];
    }
    return ONNX_EMIT(w, "Pad", NULL, x, onnx_write_ints(w, 2 * whole.rank, pads));
}

static const char *pad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const pad_attributes *of = atl_attributes_of(y);
    int rank = rank_of(y);
    int64_t pads[2 * ATL_MAX_RANK];
    memcpy(pads, of->before, (size_t)rank * sizeof *pads);
    memcpy(pads + rank, of->after, (size_t)rank * sizeof *pads);
    if (atl_dtype_of(y) == ATL_INT32) {
        int64_t none[1] = {0};
        const char *value = onnx_write_reshape(w, onnx_write_int32s(w, 1, &(int32_t){(int32_t)of->value}), 0, none);
        return ONNX_EMIT(w, "Pad", NULL, in[0], onnx_write_ints(w, 2 * rank, pads), value);
    }
    return ONNX_EMIT(w, "Pad", NULL, in[0], onnx_write_ints(w, 2 * rank, pads), onnx_write_float(w, of->value));
}

static const char *reverse(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const reverse_attributes *of = atl_attributes_of(y);
    const char *x = in[0];
    for (int i = 0; i < of->count; i++)
        x = onnx_write_slice(w, x, axis_of(of->axis[i], rank_of(y)), -1, -INT64_MAX, -1);
    return x;
}

static const char *tile(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const tile_attributes *of = atl_attributes_of(y);
    return ONNX_EMIT(w, "Tile", NULL, in[0], onnx_write_ints(w, (int)of->count, of->times));
}

/* The gradient of a tile: [.., times * n, ..] as [.., times, n, ..], summed over the times. */
static const char *untile(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const tile_attributes *of = atl_attributes_of(y);
    int64_t wide[2 * ATL_MAX_RANK], axes[ATL_MAX_RANK];
    int rank = rank_of(y), open = 0;
    for (int i = 0; i < rank; i++) {
        axes[i] = 2 * i;
        wide[2 * i] = of->times[i];
        wide[2 * i + 1] = atl_shape_of(y).size[i];
        open += wide[2 * i + 1] == ATL_ANY;
    }
    if (open > 1)
        return onnx_cannot_write(w, "the gradient of a tile of more than one unknown size");
    return ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = 0}),
                     onnx_write_reshape(w, in[0], 2 * rank, wide), onnx_write_ints(w, rank, axes));
}

/* ---- by index ---------------------------------------------------------------------------------------------------- */

static int int_attribute(const atl_node *y)
{
    int value;
    memcpy(&value, atl_attributes_of(y), sizeof value);
    return value;
}

/* An index out of range takes 0 here, and nothing is scattered there; ONNX counts one below 0 from the end, and has no
 * others. */
typedef struct checked_index {
    const char *index; /* within range */
    const char *valid; /* BOOL: whether it was; null: it always is */
} checked_index;

static checked_index checked(onnx_writer *w, const atl_node *indices, const char *name, int64_t size)
{
    const char *maker = atl_op_of(indices)->name;
    checked_index c = {.index = name};
    int32_t zero = 0, last = size > INT32_MAX || size < 1 ? INT32_MAX : (int32_t)(size - 1);
    if (strcmp(maker, "top_k") == 0 || strcmp(maker, "argmax") == 0)
        return c;
    const char *low = onnx_write_int32s(w, 1, &zero), *high = onnx_write_int32s(w, 1, &last);
    int64_t none[1] = {0};
    low = onnx_write_reshape(w, low, 0, none);
    high = onnx_write_reshape(w, high, 0, none);
    c.index = ONNX_EMIT(w, "Min", NULL, ONNX_EMIT(w, "Max", NULL, name, low), high);
    c.valid = ONNX_EMIT(w, "Equal", NULL, c.index, name);
    return c;
}

/* x where the index was valid, else 0; the truth values are given `inner` more dimensions at their end. */
static const char *where_valid(onnx_writer *w, checked_index c, int inner, int rank, const atl_node *x,
                               const char *name)
{
    int64_t axes[ATL_MAX_RANK];
    const char *valid = c.valid;
    if (!valid)
        return name;
    for (int i = 0; i < inner; i++)
        axes[i] = rank + i;
    if (inner)
        valid = ONNX_EMIT(w, "Unsqueeze", NULL, valid, onnx_write_ints(w, inner, axes));
    const char *zero = onnx_write_float(w, 0);
    return ONNX_EMIT(w, "Where", NULL, valid, name,
                     atl_dtype_of(x) == ATL_INT32 ? onnx_write_cast(w, zero, INT32) : zero);
}

static const char *gather(onnx_writer *w, const atl_node *y, const char *const *in)
{
    atl_shape x = atl_shape_of(atl_input_of(y, 0));
    int axis = axis_of(int_attribute(y), x.rank), of = rank_of(atl_input_of(y, 1));
    checked_index c = checked(w, atl_input_of(y, 1), in[1], x.size[axis]);
    const char *z = ONNX_EMIT(w, "Gather", ONNX_ATTRIBUTES({"axis", .integer = axis}), in[0], c.index);
    return where_valid(w, c, x.rank - axis - 1, of, y, z);
}

const char *onnx_unsqueezed(onnx_writer *w, const char *x, int axis)
{
    int64_t axes[] = {axis};
    return ONNX_EMIT(w, "Unsqueeze", NULL, x, onnx_write_ints(w, 1, axes));
}

static const char *zeros_like(onnx_writer *w, const atl_node *like, const char *name)
{
    return ONNX_EMIT(w, "Expand", NULL, onnx_write_float(w, 0), onnx_write_shape_of(w, like, name));
}

/* updates, indices, like: along axis 0; other axes are moved there. */
static const char *scatter_add(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int rank = rank_of(y), axis = axis_of(int_attribute(y), rank), of = rank_of(atl_input_of(y, 1)),
        order[ATL_MAX_RANK], back[ATL_MAX_RANK], at = 0;
    checked_index c = checked(w, atl_input_of(y, 1), in[1], atl_shape_of(y).size[axis]);
    const char *zeros = zeros_like(w, atl_input_of(y, 2), in[2]),
               *updates = where_valid(w, c, rank - axis - 1, of, y, in[0]);
    if (axis) {
        order[at++] = axis;
        for (int i = 0; i < rank; i++)
            if (i != axis)
                order[at++] = i;
        for (int i = 0; i < rank; i++)
            back[order[i]] = i;
        zeros = onnx_write_transpose(w, zeros, rank, order);
        int moved[ATL_MAX_RANK], to = 0;
        for (int i = 0; i < of; i++)
            moved[to++] = axis + i;
        for (int i = 0; i < rank + of - 1; i++)
            if (i < axis || i >= axis + of)
                moved[to++] = i;
        updates = onnx_write_transpose(w, updates, rank + of - 1, moved);
    }
    const char *index = onnx_write_cast(w, onnx_unsqueezed(w, c.index, of), 7);
    const char *z = ONNX_EMIT(w, "ScatterND", ONNX_ATTRIBUTES({"reduction", .text = "add"}), zeros, index, updates);
    return axis ? onnx_write_transpose(w, z, rank, back) : z;
}

static const char *take_along(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int last = rank_of(y) - 1;
    checked_index c = checked(w, atl_input_of(y, 1), in[1], atl_shape_of(atl_input_of(y, 0)).size[last]);
    return where_valid(w, c, 0, 0, y,
                       ONNX_EMIT(w, "GatherElements", ONNX_ATTRIBUTES({"axis", .integer = last}), in[0], c.index));
}

static const char *scatter_along(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int last = rank_of(y) - 1;
    checked_index c = checked(w, atl_input_of(y, 1), in[1], atl_shape_of(y).size[last]);
    return ONNX_EMIT(w, "ScatterElements", ONNX_ATTRIBUTES({"axis", .integer = last}, {"reduction", .text = "add"}),
                     zeros_like(w, atl_input_of(y, 2), in[2]), c.index, where_valid(w, c, 0, 0, y, in[0]));
}

static const char *gather_last(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int last = rank_of(y);
    int64_t axes[] = {last};
    checked_index c = checked(w, atl_input_of(y, 1), in[1], atl_shape_of(atl_input_of(y, 0)).size[last]);
    const char *z = ONNX_EMIT(w, "GatherElements", ONNX_ATTRIBUTES({"axis", .integer = last}), in[0],
                              onnx_unsqueezed(w, c.index, last));
    return where_valid(w, c, 0, 0, y, ONNX_EMIT(w, "Squeeze", NULL, z, onnx_write_ints(w, 1, axes)));
}

static const char *scatter_last(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int last = rank_of(y) - 1;
    checked_index c = checked(w, atl_input_of(y, 1), in[1], atl_shape_of(y).size[last]);
    return ONNX_EMIT(w, "ScatterElements", ONNX_ATTRIBUTES({"axis", .integer = last}),
                     zeros_like(w, atl_input_of(y, 2), in[2]), onnx_unsqueezed(w, c.index, last),
                     onnx_unsqueezed(w, where_valid(w, c, 0, 0, y, in[0]), last));
}

static const char *one_hot(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t depth[] = {atl_shape_of(y).size[rank_of(y) - 1]};
    float values[] = {0, 1};
    /* Of the types that the standard allows, onnxruntime has only some together: int64 for both.  Indices have at least
     * one dimension. */
    const char *index = onnx_write_cast(w, in[0], INT64);
    /* ONNX counts numbers below 0 from the end; here they are no class. */
    const char *is_negative = ONNX_EMIT(w, "Less", NULL, index, onnx_write_ints(w, 1, (const int64_t[]){0}));
    const char *beyond = ONNX_EMIT(w, "Where", NULL, is_negative, onnx_write_ints(w, 1, depth), index);
    index = atl_shape_of(atl_input_of(y, 0)).rank ? beyond : onnx_write_reshape(w, beyond, 0, (const int64_t[1]){0});
    if (rank_of(y) == 1)
        index = onnx_write_reshape(w, index, 1, (const int64_t[]){1});
    const char *z =
        ONNX_EMIT(w, "OneHot", NULL, index, onnx_write_ints(w, 1, depth), onnx_write_floats(w, ATL_SHAPE(2), values));
    return rank_of(y) == 1 ? onnx_write_reshape(w, z, 1, depth) : z;
}

static const char *top_k(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *places = NULL, *k = onnx_write_ints(w, 1, &((const top_attributes *)atl_attributes_of(y))->k);
    const char *const inputs[] = {in[0], k};
    return onnx_emit_two(w, "TopK", 2, inputs, NULL, &places) ? onnx_write_cast(w, places, INT32) : NULL;
}

static const char *argmax(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int axis = axis_of(int_attribute(y), rank_of(atl_input_of(y, 0)));
    return onnx_write_cast(w,
                           ONNX_EMIT(w, "ArgMax",
                                     ONNX_ATTRIBUTES({"axis", .integer = axis}, {"keepdims", .integer = 0}), in[0]),
                           INT32);
}

static const char *tril(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t none[1] = {0}, k[] = {int_attribute(y)};
    return ONNX_EMIT(w, "Trilu", ONNX_ATTRIBUTES({"upper", .integer = 0}), in[0],
                     onnx_write_reshape(w, onnx_write_ints(w, 1, k), 0, none));
}

const onnx_write_entry onnx_written_moves[] = {{"argmax", argmax},
                                               {"broadcast_like", broadcast_like},
                                               {"broadcast_to", broadcast_to},
                                               {"concat", concat},
                                               {"concat_part", concat_part},
                                               {"expand_dims", expand_dims},
                                               {"fill", fill},
                                               {"flatten", reshape},
                                               {"gather", gather},
                                               {"gather_last", gather_last},
                                               {"one_hot", one_hot},
                                               {"pad", pad},
                                               {"reshape", reshape},
                                               {"reshape_like", reshape},
                                               {"reverse", reverse},
                                               {"scatter_add", scatter_add},
                                               {"scatter_along", scatter_along},
                                               {"scatter_last", scatter_last},
                                               {"size_ratio", size_ratio},
                                               {"slice", slice},
                                               {"squeeze", squeeze},
                                               {"take_along", take_along},
                                               {"tile", tile},
                                               {"top_k", top_k},
                                               {"transpose", transpose},
                                               {"tril", tril},
                                               {"unslice", unslice},
                                               {"untile", untile},
                                               {0}};
