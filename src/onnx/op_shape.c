/* Importers of what changes shapes: reshape and its kin, and what repeats. */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* ---- shapes as numbers ------------------------------------------------------------------------------------------- */

/* The sizes of an input; one that depends on something else than the batch is ONNX_UNKNOWN. */
static void sizes_of(const onnx_value *value, onnx_number *size)
{
    for (int i = 0; i < value->shape.rank; i++)
        if (value->shape.size[i] != ATL_ANY)
            size[i] = (onnx_number){.value = (long double)value->shape.size[i]};
        else
            size[i] = value->batch[i] ? (onnx_number){.batch = (long double)value->batch[i]} : ONNX_UNKNOWN;
}

static int import_shape(onnx_op *op)
{
    onnx_number size[ATL_MAX_RANK];
    int rank = onnx_rank(op, 0);
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    sizes_of(op->input[0], size);
    int64_t start = onnx_attr_int(op, "start", 0), end = onnx_attr_int(op, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    onnx_known *known = onnx_new_known(op->importer, 0, ATL_SHAPE(end - start));
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i] = size[start + i];
    return onnx_give_known(op, 0, known, ONNX_INT64);
}

/* The product of all sizes; ONNX_UNKNOWN if it is not a number of batches. */
static onnx_number product_of(const onnx_number *size, int rank)
{
    onnx_number product = {.value = 1};
    for (int i = 0; i < rank; i++) {
        if (product.batch != 0 && size[i].batch != 0)
            return ONNX_UNKNOWN;
        long double batch = size[i].batch != 0 ? product.value * size[i].batch : product.batch * size[i].value;
        product = (onnx_number){.value = product.value * size[i].value, .batch = batch};
    }
    return product;
}

static int import_size(onnx_op *op)
{
    onnx_number size[ATL_MAX_RANK];
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    sizes_of(op->input[0], size);
    onnx_known *known = onnx_new_known(op->importer, 0, ATL_SCALAR);
    if (known)
        known->at[0] = product_of(size, onnx_rank(op, 0));
    return onnx_give_known(op, 0, known, ONNX_INT64);
}

/* ---- reshape ----------------------------------------------------------------------------------------------------- */

static int is_equal(onnx_number a, onnx_number b) { return a.value == b.value && a.batch == b.batch; }

/* Whether `split` has the sizes of `whole`, but two dimensions in the place of the channels. */
static int splits_channels(const onnx_number *whole, int rank, const onnx_number *split)
{
    int ok = rank > 2 && is_equal(whole[0], split[0]) && whole[1].batch == 0 && split[1].batch == 0 &&
             split[2].batch == 0 && split[1].value > 0 && whole[1].value == split[1].value * split[2].value;
    for (int i = 2; ok && i < rank; i++)
        ok = is_equal(whole[i], split[i + 1]);
    return ok;
}

/* The order in which the channels of the input, which is not there as written, can be split in groups, or groups be
 * joined, where they are; then ShuffleNet's shuffle only moves channels of a pixel.  ONNX_AS_WRITTEN: this is something
 * else. */
static onnx_order order_of_channels(const onnx_op *op, const onnx_number *from, const onnx_number *to, int rank)
{
    const onnx_value *x = op->input[0];
    const int before = x->shape.rank;
    if (x->node)
        return ONNX_AS_WRITTEN;
    if (x->last && rank == before + 1 && rank <= ATL_MAX_RANK && splits_channels(from, before, to))
        return ONNX_GROUPS_LAST;
    return x->grouped && rank == before - 1 && splits_channels(to, rank, from) ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
}

/* The input in the sizes asked for; at most one of them may be unknown to the engine, and -1 stands for what is
 * left. */
static int give_reshaped(onnx_op *op, int rank, onnx_number *to, int left_over)
{
    onnx_number from[ATL_MAX_RANK], whole;
    atl_shape shape = {.rank = rank};
    sizes_of(op->input[0], from);
    whole = product_of(from, onnx_rank(op, 0));
    if (left_over >= 0) { /* what is left is the whole over the others, if that is known */
        to[left_over] = (onnx_number){.value = 1};
        onnx_number others = product_of(to, rank);
        onnx_number rest = ONNX_UNKNOWN;
        if (others.batch == 0 && others.value > 0)
            rest = (onnx_number){whole.value / others.value, whole.batch / others.value};
        else if (others.value == 0 && others.batch != 0 && whole.value == 0)
            rest = (onnx_number){whole.batch / others.batch, 0};
        else if (others.batch == 0 && others.value == 0 && whole.value == 0)
            rest = (onnx_number){0, 0};
        to[left_over] = rest;
    }
    const onnx_order order = order_of_channels(op, from, to, rank);
    atl_node *x = order == ONNX_GROUPS_LAST     ? op->input[0]->last
                  : order == ONNX_CHANNELS_LAST ? op->input[0]->grouped
                                                : onnx_any(op, 0);
    if (!x)
        return 0;
    int open = 0;
    for (int i = 0; i < rank; i++) {
        int is_open = to[i].batch != 0;
        shape.size[onnx_axis_in(order, rank, i)] = is_open ? ATL_ANY : onnx_saturated(to[i].value);
        open += is_open;
    }
    if (open > 1)
        return onnx_reject(op, "more than one size of its result is unknown: fix the sizes of the inputs");
    if (!onnx_give_in(op, 0, atl_reshape(x, shape), order))
        return 0;
    for (int i = 0; op->output[0] && i < rank; i++)
        op->output[0]->batch[i] =
            op->output[0]->shape.size[i] == ATL_ANY && to[i].value == 0 && to[i].batch == floorl(to[i].batch)
                ? onnx_saturated(to[i].batch)
                : 0;
    return 1;
}

static int reshape_to(onnx_op *op, const onnx_number *asked, int64_t rank, int zero_is_zero)
{
    onnx_number to[ATL_MAX_RANK], from[ATL_MAX_RANK];
    int left_over = -1;
    if (rank > ATL_MAX_RANK)
        return onnx_reject(op, "its result has %lld dimensions; the limit is %d", (long long)rank, ATL_MAX_RANK);
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    sizes_of(op->input[0], from);
    for (int i = 0; i < rank; i++) {
        to[i] = asked[i];
        if (asked[i].batch == 0 && asked[i].value == 0 && !zero_is_zero) {
            if (i >= onnx_rank(op, 0))
                return onnx_reject(op, "size %d of its result is to be that of its input, which has %d", i,
                                   onnx_rank(op, 0));
            to[i] = from[i];
        } else if (asked[i].batch == 0 && asked[i].value == -1) {
            if (left_over >= 0)
                return onnx_reject(op, "two sizes of its result are -1");
            left_over = i;
        } else if (asked[i].value < 0)
            return onnx_reject(op, "size %d of its result is %lld", i, (long long)asked[i].value);
    }
    /* Two open sizes that are the input's: it keeps its first dimensions, and the rest is reshaped. */
    return give_reshaped(op, (int)rank, to, left_over);
}

static int import_reshape(onnx_op *op)
{
    const onnx_known *shape = onnx_numbers(op, 1);
    return shape && reshape_to(op, shape->at, shape->count, onnx_attr_int(op, "allowzero", 0) != 0);
}

static int import_flatten(onnx_op *op)
{
    onnx_number from[ATL_MAX_RANK], to[2];
    int rank = onnx_rank(op, 0);
    int64_t axis = onnx_attr_int(op, "axis", 1);
    int first = axis == rank ? rank : onnx_axis(op, axis, rank);
    if (!onnx_has(op, 0) || first < 0)
        return onnx_reject(op, "it needs an input 0");
    sizes_of(op->input[0], from);
    to[0] = product_of(from, first);
    to[1] = product_of(from + first, rank - first);
    return give_reshaped(op, 2, to, isnan(to[0].value) && !isnan(to[1].value) ? 0 : isnan(to[1].value) ? 1 : -1);
}

/* ---- single dimensions ------------------------------------------------------------------------------------------- */

/* The axes of an attribute or, since opset 13, an input, as a set of bits of `rank`; *given_out: their number. 0 with
 * the reason. */
static int axes_as_set(onnx_op *op, int since_input, int rank, unsigned *set_out, int *given_out)
{
    int64_t axes[ATL_MAX_RANK];
    int count = op->version < since_input ? onnx_attr_ints(op, "axes", ATL_MAX_RANK, axes)
                : onnx_has(op, 1)         ? onnx_whole(op, 1, ATL_MAX_RANK, axes)
                                          : 0;
    *set_out = 0;
    *given_out = count;
    for (int i = 0; i < count; i++) {
        int axis = onnx_axis(op, axes[i], rank);
        if (axis < 0)
            return 0;
        if (*set_out >> axis & 1)
            return onnx_reject(op, "axis %d is given twice", axis);
        *set_out |= 1u << axis;
    }
    return count >= 0 && !*op->why;
}

static int import_squeeze(onnx_op *op)
{
    atl_shape shape = onnx_shape(op, 0), to = {0};
    atl_node *x = onnx_any(op, 0);
    unsigned set;
    int given, from[ATL_MAX_RANK];
    if (!x || !axes_as_set(op, 13, shape.rank, &set, &given))
        return 0;
    for (int i = 0; i < shape.rank; i++) {
        int gone = given ? set >> i & 1 : shape.size[i] == 1;
        if (gone && shape.size[i] != 1 && shape.size[i] != ATL_ANY)
            return onnx_reject(op, "dimension %d, which it takes away, has the size %lld", i, (long long)shape.size[i]);
        if (gone)
            continue;
        from[to.rank] = i;
        to.size[to.rank++] = shape.size[i];
    }
    for (int i = shape.rank - 1; i >= 0; i--)
        if (given ? set >> i & 1 : shape.size[i] == 1)
            x = atl_squeeze(x, i);
    if (!onnx_give(op, 0, x))
        return 0;
    onnx_batch_from(op, 0, from);
    return 1;
}

static int import_unsqueeze(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0);
    int64_t axes[ATL_MAX_RANK];
    int before = onnx_rank(op, 0), given, from[ATL_MAX_RANK], at = 0;
    unsigned set;
    int count = !x                 ? -1
                : op->version < 13 ? onnx_attr_ints(op, "axes", ATL_MAX_RANK, axes)
                                   : onnx_whole(op, 1, ATL_MAX_RANK, axes);
    if (count < 0)
        return 0;
    if (before + count > ATL_MAX_RANK)
        return onnx_reject(op, "its result has %d dimensions; the limit is %d", before + count, ATL_MAX_RANK);
    if (!axes_as_set(op, 13, before + count, &set, &given))
        return 0;
    for (int i = 0; i < before + count; i++) {
        from[i] = set >> i & 1 ? -1 : at++;
        if (set >> i & 1)
            x = atl_expand_dims(x, i);
    }
    if (!onnx_give(op, 0, x))
        return 0;
    onnx_batch_from(op, 0, from);
    return 1;
}

/* ---- repeated ---------------------------------------------------------------------------------------------------- */

/* x, of sizes `own`, broadcast against `count` sizes, both ways. */
static int give_broadcast(onnx_op *op, atl_node *x, const onnx_number *own, int count, const onnx_number *against)
{
    atl_shape from = atl_shape_of(x), to = {.rank = count > from.rank ? count : from.rank};
    onnx_number size[ATL_MAX_RANK];
    int open = 0;
    for (int i = 0; i < to.rank; i++) {
        int a = i - (to.rank - from.rank), b = i - (to.rank - count);
        size[i] = b >= 0 ? against[b] : (onnx_number){.value = 1};
        int keeps = a >= 0 && (from.size[a] != 1 || (size[i].batch == 0 && size[i].value == 1));
        open |= !keeps && size[i].batch != 0;
        size[i] = keeps ? own[a] : size[i];
        to.size[i] = size[i].batch != 0 || keeps ? ATL_ANY : onnx_saturated(size[i].value);
        to.size[i] = keeps && a >= 0 ? from.size[a] : to.size[i];
    }
    atl_node *like = open ? onnx_like(op, to.rank, size) : NULL;
    if (*op->why)
        return 0;
    for (int i = 0; i < to.rank; i++) /* -1 keeps x's */
        to.size[i] =
            i >= to.rank - from.rank && from.size[i - (to.rank - from.rank)] == to.size[i] ? ATL_ANY : to.size[i];
    if (!onnx_give(op, 0, open ? atl_broadcast_like(x, like) : atl_broadcast_to(x, to)))
        return 0;
    for (int i = 0; op->output[0] && i < to.rank; i++)
        op->output[0]->batch[i] = op->output[0]->shape.size[i] == ATL_ANY ? onnx_saturated(size[i].batch) : 0;
    return 1;
}

static int import_expand(onnx_op *op)
{
    const onnx_known *shape = onnx_numbers(op, 1);
    onnx_number own[ATL_MAX_RANK];
    atl_node *x = shape ? onnx_any(op, 0) : NULL;
    if (!x)
        return 0;
    if (shape->count > ATL_MAX_RANK)
        return onnx_reject(op, "its result has %lld dimensions; the limit is %d", (long long)shape->count,
                           ATL_MAX_RANK);
    sizes_of(op->input[0], own);
    return give_broadcast(op, x, own, (int)shape->count, shape->at);
}

/* A dimension of 1 may be repeated as often as the batch says. */
static int import_tile(onnx_op *op)
{
    const onnx_known *times = onnx_numbers(op, 1);
    onnx_number own[ATL_MAX_RANK], against[ATL_MAX_RANK];
    int64_t plain[ATL_MAX_RANK];
    atl_node *x = times ? onnx_any(op, 0) : NULL;
    atl_shape shape = onnx_shape(op, 0);
    int open = 0;
    if (!x)
        return 0;
    if (times->count != shape.rank)
        return onnx_reject(op, "it has %lld numbers of repeats for %d dimensions", (long long)times->count, shape.rank);
    sizes_of(op->input[0], own);
    for (int i = 0; i < shape.rank; i++) {
        int by_batch = times->at[i].batch != 0;
        if (by_batch && shape.size[i] != 1)
            return onnx_reject(op, "the batch size says how often dimension %d is repeated, whose size is not 1", i);
        open |= by_batch;
        plain[i] = by_batch ? 1 : onnx_saturated(times->at[i].value);
        own[i] = (onnx_number){own[i].value * (long double)plain[i], own[i].batch * (long double)plain[i]};
        against[i] = by_batch ? times->at[i] : (onnx_number){.value = 1};
    }
    x = atl_tile_with(x, shape.rank, plain);
    return x && open ? give_broadcast(op, x, own, shape.rank, against) : onnx_give(op, 0, x);
}

const onnx_entry onnx_shapes[] = {
    {"Expand", 8, import_expand}, {"Flatten", 1, import_flatten},     {"Reshape", 5, import_reshape},
    {"Shape", 1, import_shape},   {"Size", 1, import_size},           {"Squeeze", 1, import_squeeze},
    {"Tile", 6, import_tile},     {"Unsqueeze", 1, import_unsqueeze}, {0}};
