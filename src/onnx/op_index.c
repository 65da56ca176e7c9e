/* Importers of what takes elements by their place: slice, gather, pad, one-hot. */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* ---- slice ------------------------------------------------------------------------------------------------------- */

typedef struct slice_list {
    int count;
    int64_t begin[ATL_MAX_RANK], end[ATL_MAX_RANK], axis[ATL_MAX_RANK], step[ATL_MAX_RANK];
} slice_list;

static int read_slice(onnx_op *op, slice_list *s)
{
    int from_inputs = op->version >= 10, ends, axes, steps = 0;
    s->count =
        from_inputs ? onnx_whole(op, 1, ATL_MAX_RANK, s->begin) : onnx_attr_ints(op, "starts", ATL_MAX_RANK, s->begin);
    ends = s->count < 0  ? -1
           : from_inputs ? onnx_whole(op, 2, ATL_MAX_RANK, s->end)
                         : onnx_attr_ints(op, "ends", ATL_MAX_RANK, s->end);
    axes = ends < 0          ? -1
           : !from_inputs    ? onnx_attr_ints(op, "axes", ATL_MAX_RANK, s->axis)
           : onnx_has(op, 3) ? onnx_whole(op, 3, ATL_MAX_RANK, s->axis)
                             : 0;
    if (axes >= 0 && from_inputs && onnx_has(op, 4))
        steps = onnx_whole(op, 4, ATL_MAX_RANK, s->step);
    if (axes < 0 || steps < 0 || ends != s->count || (axes && axes != s->count) || (steps && steps != s->count))
        return onnx_reject(op, "it needs as many starts, ends, axes and steps");
    unsigned seen = 0;
    for (int i = 0; i < s->count; i++) {
        int axis = onnx_axis(op, axes ? s->axis[i] : i, onnx_rank(op, 0));
        if (axis < 0)
            return 0;
        if (seen >> axis & 1)
            return onnx_reject(op, "axis %d is given twice", axis);
        seen |= 1u << axis;
        s->axis[i] = axis;
        s->step[i] = steps ? s->step[i] : 1;
        if (s->step[i] == 0 || s->step[i] < -(1 << 30) || s->step[i] > (1 << 30))
            return onnx_reject(op, "a step of %lld", (long long)s->step[i]);
    }
    return 1;
}

static int64_t clamped(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* One axis: begin, end and step of a forward slice of x, or of x reversed along the axis.  0: nothing is left. */
static int slice_axis(int64_t size, int64_t begin, int64_t end, int64_t step, atl_slice_args *cut, int axis)
{
    if (step > 0) {
        begin = clamped(begin < 0 ? begin + size : begin, 0, size);
        end = clamped(end < 0 ? end + size : end, 0, size);
    } else { /* element k of the reversed dimension is size - 1 - k */
        int64_t first = clamped(begin < 0 ? begin + size : begin, -1, size - 1);
        int64_t last = end < -size ? -1 : clamped(end < 0 ? end + size : end, -1, size - 1);
        begin = size - 1 - first;
        end = size - 1 - last;
        step = -step;
    }
    cut->begin[axis] = begin;
    cut->end[axis] = end;
    cut->stride[axis] = step;
    return begin < end;
}

static int import_slice(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    atl_shape shape = onnx_shape(op, 0);
    slice_list s = {0};
    if (!x || !read_slice(op, &s))
        return 0;
    atl_slice_args cut = {0};
    int reversed[ATL_MAX_RANK], reversals = 0, empty = 0;
    for (int i = 0; i < s.count; i++) {
        int axis = (int)s.axis[i], there = onnx_axis_in(order, shape.rank, axis);
        int64_t size = shape.size[axis];
        if (size == ATL_ANY) { /* only what does not depend on it */
            int whole = s.begin[i] == 0 && s.end[i] >= INT32_MAX && s.step[i] > 0;
            if (s.step[i] < 0 || (!whole && (s.begin[i] < 0) != (s.end[i] < 0) && s.end[i] < INT32_MAX))
                return onnx_reject(op, "the size of dimension %d is unknown: fix it", axis);
            cut.begin[there] = s.begin[i];
            cut.end[there] = s.end[i] >= INT32_MAX ? 0 : s.end[i];
            cut.stride[there] = s.step[i];
            continue;
        }
        if (s.step[i] < 0)
            reversed[reversals++] = there;
        if (!slice_axis(size, s.begin[i], s.end[i], s.step[i], &cut, there)) {
            shape.size[axis] = 0;
            empty = 1;
        }
    }
    if (empty && atl_shape_count(shape) == 0)
        return onnx_give_known(op, 0, onnx_new_known(op->importer, onnx_is_float(onnx_type_of(op, 0)), shape),
                               onnx_type_of(op, 0));
    cut.x = reversals ? atl_reverse_with(x, reversals, reversed) : x;
    if (!onnx_give_in(op, 0, atl_slice_with(&cut), order))
        return 0;
    for (int i = 0; op->output[0] && i < s.count; i++)
        if (!(s.begin[i] == 0 && s.end[i] >= INT32_MAX && s.step[i] == 1))
            op->output[0]->batch[s.axis[i]] = 0;
    return 1;
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */

/* Indices below 0 count from the end.  Known ones become a constant; null with the reason. */
static atl_node *indices_from_end(onnx_op *op, int64_t input, int64_t size)
{
    atl_node *indices = onnx_int(op, input);
    const onnx_known *known = indices && op->input[input]->is_constant ? onnx_numbers(op, input) : NULL;
    if (!indices)
        return NULL;
    int any = !known;
    for (int64_t i = 0; known && i < known->count; i++) {
        any |= known->at[i].value < 0;
        if (size != ATL_ANY && (known->at[i].value < (long double)-size || known->at[i].value >= (long double)size)) {
            onnx_reject(op, "index %lld is out of range for a dimension of %lld", (long long)known->at[i].value,
                        (long long)size);
            return NULL;
        }
    }
    if (!any)
        return indices;
    if (size == ATL_ANY) {
        if (known)
            onnx_reject(op, "an index counts from the end of a dimension whose size is unknown: fix it");
        return known ? NULL : indices;
    }
    atl_node *zero = atl_reshape(onnx_int_vector(op, 1, &(int32_t){0}), ATL_SCALAR),
             *n = atl_reshape(onnx_int_vector(op, 1, &(int32_t){(int32_t)size}), ATL_SCALAR);
    return atl_int_binary(ATL_INT_ADD, indices,
                          atl_int_binary(ATL_INT_MUL, n, atl_int_binary(ATL_INT_LESS, indices, zero)));
}

static int import_gather(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0);
    atl_shape shape = onnx_shape(op, 0);
    int axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", 0), shape.rank) : -1, from[ATL_MAX_RANK], at = 0;
    atl_node *indices = axis < 0 ? NULL : indices_from_end(op, 1, shape.size[axis]);
    int more = onnx_rank(op, 1);
    if (!indices || shape.rank - 1 + more > ATL_MAX_RANK)
        return onnx_reject(op, "its result has %d dimensions; the limit is %d", shape.rank - 1 + more, ATL_MAX_RANK);
    if (!onnx_give(op, 0, atl_gather(x, indices, axis)))
        return 0;
    for (int i = 0; i < axis; i++)
        from[at++] = i;
    for (int i = 0; i < more; i++)
        from[at++] = -1;
    for (int i = axis + 1; i < shape.rank; i++)
        from[at++] = i;
    onnx_batch_from(op, 0, from);
    for (int i = 0; op->output[0] && i < more; i++)
        op->output[0]->batch[axis + i] = op->input[1]->batch[i];
    return 1;
}

/* The elements along the axis where the condition holds, which must be known. */
static int import_compress(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0);
    const onnx_known *condition = x ? onnx_plain_numbers(op, 1) : NULL;
    const onnx_attribute *given = onnx_attribute_of(op, "axis", ONNX_ATTRIBUTE_INT);
    int64_t *index = condition ? onnx_room(op, condition->count, sizeof *index) : NULL, count = 0;
    if (!index)
        return 0;
    for (int64_t i = 0; i < condition->count; i++)
        if (condition->at[i].value != 0)
            index[count++] = i;
    int axis = given ? onnx_axis(op, given->integer, onnx_rank(op, 0)) : 0;
    if (axis < 0 || count == 0)
        return onnx_reject(op, "nothing is left");
    return onnx_give(op, 0, onnx_take(op, given ? x : atl_reshape(x, ATL_SHAPE(ATL_ANY)), axis, count, index));
}

/* Labels to rows of off and on; labels below 0 count from the end, those out of range are off everywhere. */
static int import_one_hot(onnx_op *op)
{
    int64_t depth;
    double values[2];
    int rank = onnx_rank(op, 0) + 1;
    int axis = onnx_axis(op, onnx_attr_int(op, "axis", -1), rank);
    const onnx_known *of = onnx_plain_numbers(op, 2);
    if (axis < 0 || !of || of->count != 2 || !onnx_one_whole(op, 1, &depth))
        return onnx_reject(op, "it needs a depth, and two values");
    for (int i = 0; i < 2; i++)
        values[i] = (double)of->at[i].value;
    if (depth < 1 || depth > (1 << 28) || rank > ATL_MAX_RANK)
        return onnx_reject(op, "a depth of %lld", (long long)depth);
    atl_node *labels = onnx_int(op, 0);
    if (!labels)
        return 0;
    atl_node *zero = atl_reshape(onnx_int_vector(op, 1, &(int32_t){0}), ATL_SCALAR),
             *n = atl_reshape(onnx_int_vector(op, 1, &(int32_t){(int32_t)depth}), ATL_SCALAR);
    labels =
        atl_int_binary(ATL_INT_ADD, labels, atl_int_binary(ATL_INT_MUL, n, atl_int_binary(ATL_INT_LESS, labels, zero)));
    atl_node *y =
        atl_add_scalar(atl_scale(atl_one_hot(labels, depth), (float)(values[1] - values[0])), (float)values[0]);
    y = onnx_axis_back(y, axis);
    onnx_type type = onnx_type_of(op, 2);
    return onnx_give_type(op, 0, onnx_is_integer(type) ? atl_cast(y, ATL_INT32) : y, type);
}

/* ---- pad --------------------------------------------------------------------------------------------------------- */

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

/* Element i of a dimension that begins `before` elements before its first: which one of 0..size-1 is it? */
static int64_t padded_from(int64_t i, int64_t size, int mode)
{
    if (mode == PAD_EDGE)
        return clamped(i, 0, size - 1);
    if (mode == PAD_WRAP)
        return (i % size + size) % size;
    int64_t period = size > 1 ? 2 * (size - 1) : 1;
    i = (i % period + period) % period;
    return i < size ? i : period - i;
}

/* x with a dimension padded by its own elements. */
static atl_node *pad_by_own(onnx_op *op, atl_node *x, int axis, int64_t before, int64_t after, int mode)
{
    int64_t size = atl_shape_of(x).size[axis], count = before + size + after;
    if (size == ATL_ANY || size < 1 || count < 1 || count > (1 << 26)) {
        onnx_reject(op, "a dimension of %lld element%s, padded by %lld and %lld", (long long)size, atl_plural(size),
                    (long long)before, (long long)after);
        return NULL;
    }
    int64_t *index = onnx_room(op, count, sizeof *index);
    for (int64_t i = 0; index && i < count; i++)
        index[i] = padded_from(i - before, size, mode);
    return index ? onnx_take(op, x, axis, count, index) : NULL;
}

/* Negative padding cuts. */
static atl_node *pad_constant(atl_node *x, int rank, const int64_t *before, const int64_t *after, float value)
{
    atl_slice_args cut = {.x = x};
    atl_pad_args pad = {.value = value};
    int cuts = 0, pads = 0;
    for (int i = 0; i < rank; i++) {
        cut.begin[i] = before[i] < 0 ? -before[i] : 0;
        cut.end[i] = after[i] < 0 ? after[i] : 0;
        pad.before[i] = before[i] > 0 ? before[i] : 0;
        pad.after[i] = after[i] > 0 ? after[i] : 0;
        cuts |= before[i] < 0 || after[i] < 0;
        pads |= before[i] > 0 || after[i] > 0;
    }
    pad.x = cuts ? atl_slice_with(&cut) : x;
    return pads ? atl_pad_with(&pad) : pad.x;
}

/* Paddings by dimension of the file, from attributes or inputs. */
static int read_pads(onnx_op *op, int rank, int64_t *before, int64_t *after, double *value)
{
    int64_t pads[2 * ATL_MAX_RANK], axes[ATL_MAX_RANK];
    int attributes = op->version < 11, count, given = 0;
    *value = attributes ? onnx_attr_float(op, "value", 0) : 0;
    count = attributes ? onnx_attr_ints(op, "pads", 2 * ATL_MAX_RANK, pads) : onnx_whole(op, 1, 2 * ATL_MAX_RANK, pads);
    if (count < 0 || (!attributes && onnx_has(op, 2) && !onnx_one(op, 2, value)))
        return 0;
    if (!attributes && onnx_has(op, 3) && (given = onnx_whole(op, 3, ATL_MAX_RANK, axes)) < 0)
        return 0;
    int axes_count = onnx_has(op, 3) ? given : rank;
    if (count != 2 * axes_count)
        return onnx_reject(op, "it has %d padding%s for %d dimension%s", count, atl_plural(count), axes_count,
                           atl_plural(axes_count));
    for (int i = 0; i < axes_count; i++) {
        int axis = onnx_has(op, 3) ? onnx_axis(op, axes[i], rank) : i;
        if (axis < 0)
            return 0;
        if (pads[i] > (1 << 30) || pads[axes_count + i] > (1 << 30) || pads[i] < -(1 << 30) ||
            pads[axes_count + i] < -(1 << 30))
            return onnx_reject(op, "a padding of %lld", (long long)pads[i]);
        before[axis] = pads[i];
        after[axis] = pads[axes_count + i];
    }
    return 1;
}

static int import_pad(onnx_op *op)
{
    static const char *const name[] = {"constant", "reflect", "edge", "wrap"};
    onnx_order order;
    int rank = onnx_rank(op, 0), mode = 0;
    int64_t before[ATL_MAX_RANK] = {0}, after[ATL_MAX_RANK] = {0}, b[ATL_MAX_RANK] = {0}, a[ATL_MAX_RANK] = {0};
    double value;
    const char *asked = onnx_attr_text(op, "mode", "constant");
    atl_node *x = onnx_native(op, 0, &order);
    if (!x || !read_pads(op, rank, before, after, &value))
        return 0;
    while (mode < 4 && strcmp(asked, name[mode]) != 0)
        mode++;
    if (mode == 4)
        return onnx_reject(op, "its mode is '%.40s'", asked);
    for (int i = 0; i < rank; i++) {
        b[onnx_axis_in(order, rank, i)] = before[i];
        a[onnx_axis_in(order, rank, i)] = after[i];
    }
    if (mode == PAD_CONSTANT)
        x = pad_constant(x, rank, b, a, (float)value);
    for (int i = 0; mode != PAD_CONSTANT && x && i < rank; i++)
        if (b[i] || a[i])
            x = pad_by_own(op, x, i, b[i], a[i], mode);
    return !*op->why && onnx_give_in(op, 0, x, order);
}

/* Where numbers that are known are not 0: [dimensions, count]. */
static int import_non_zero(onnx_op *op)
{
    const onnx_known *x = onnx_numbers(op, 0);
    int64_t count = 0, at = 0;
    for (int64_t i = 0; x && i < x->count; i++) {
        if (isnan(x->at[i].batch))
            return onnx_reject(op, "its input depends on an unknown size or batch: fix the sizes of the inputs");
        count += x->at[i].value != 0 || x->at[i].batch != 0;
    }
    onnx_known *y = x ? onnx_new_known(op->importer, 0, ATL_SHAPE(x->shape.rank, count)) : NULL;
    for (int64_t i = 0; y && i < x->count; i++) {
        if (x->at[i].value == 0 && x->at[i].batch == 0)
            continue;
        int64_t rest = i;
        for (int d = x->shape.rank - 1; d >= 0; d--) {
            y->at[d * count + at].value = (long double)(rest % x->shape.size[d]);
            rest /= x->shape.size[d];
        }
        at++;
    }
    return x && onnx_give_known(op, 0, y, ONNX_INT64);
}

const onnx_entry onnx_indexing[] = {{"Compress", 9, import_compress},
                                    {"Gather", 1, import_gather},
                                    {"NonZero", 9, import_non_zero},
                                    {"OneHot", 9, import_one_hot},
                                    {"Pad", 2, import_pad},
                                    {"Slice", 1, import_slice},
                                    {0}};
