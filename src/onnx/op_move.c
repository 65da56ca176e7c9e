/* Importers of what moves elements: transpose, concat, split, depth and space. */
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* ---- transpose --------------------------------------------------------------------------------------------------- */

/* Whether an array with the channels last gets the file's order of images.  Element-wise ops that follow, such as the
 * scale of a layer, then still run with the channels last; if nobody reads the other order, nothing moves. */
static int puts_channels_first(const int *from, int rank)
{
    for (int i = 0; i < rank; i++)
        if (from[i] != (i == 0 ? 0 : i == 1 ? rank - 1 : i - 1))
            return 0;
    return rank > 3;
}

/* Whether groups of channels change places with the channels in them, and nothing else moves. */
static int swaps_groups(const int *from, int rank)
{
    for (int i = 0; i < rank; i++)
        if (from[i] != (i == 1 ? 2 : i == 2 ? 1 : i))
            return 0;
    return rank > 3;
}

static atl_node *with_last_two_swapped(atl_node *x)
{
    atl_transpose_args args = {.x = x};
    const int rank = atl_shape_of(x).rank;
    for (int i = 0; i < rank; i++)
        args.order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return atl_transpose_with(&args);
}

static int give_transposed(onnx_op *op, const int *from, int rank)
{
    const onnx_value *given = op->input[0];
    if (given->grouped && !given->node && swaps_groups(from, rank))
        return onnx_give_in(op, 0, with_last_two_swapped(given->grouped), ONNX_GROUPS_LAST);
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    if (!x)
        return 0;
    if (order == ONNX_AS_WRITTEN && puts_channels_first(from, rank))
        return onnx_give_in(op, 0, x, ONNX_CHANNELS_LAST);
    atl_transpose_args args = {.x = x};
    int moved = 0;
    for (int i = 0; i < rank; i++) {
        args.order[i] = onnx_axis_in(order, rank, from[i]);
        moved |= args.order[i] != i;
    }
    return onnx_give(op, 0, moved ? atl_transpose_with(&args) : x);
}

static int import_transpose(onnx_op *op)
{
    int64_t perm[ATL_MAX_RANK];
    int rank = onnx_rank(op, 0), count = onnx_attr_ints(op, "perm", ATL_MAX_RANK, perm), from[ATL_MAX_RANK];
    unsigned seen = 0;
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    if (count < 0 || (count && count != rank))
        return onnx_reject(op, "its attribute 'perm' should have %d number%s", rank, atl_plural(rank));
    for (int i = 0; i < rank; i++) {
        from[i] = count ? onnx_axis(op, perm[i], rank) : rank - 1 - i;
        if (from[i] < 0 || seen >> from[i] & 1)
            return onnx_reject(op, "its attribute 'perm' is no permutation");
        seen |= 1u << from[i];
    }
    if (!give_transposed(op, from, rank))
        return 0;
    onnx_batch_from(op, 0, from);
    return 1;
}

/* ---- concat and split -------------------------------------------------------------------------------------------- */

static int import_concat(onnx_op *op)
{
    int rank = onnx_rank(op, 0), axis = onnx_axis(op, onnx_attr_int(op, "axis", 1), rank), last = 0;
    atl_node **part = onnx_room(op, op->inputs, sizeof *part);
    int64_t batches = 0, parts = 0;
    if (axis < 0 || !part || op->inputs < 1 || op->inputs > 100000)
        return onnx_reject(op, "it needs inputs of at least one dimension");
    for (int64_t i = 0; i < op->inputs; i++) {
        if (!onnx_has(op, i) || onnx_rank(op, i) != rank)
            return onnx_reject(op, "its inputs must have as many dimensions");
        last |= op->input[i]->last != NULL;
        batches += op->input[i]->batch[axis];
    }
    onnx_order order = last ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    for (int64_t i = 0; i < op->inputs; i++) {
        if (onnx_shape(op, i).size[axis] == 0)
            continue; /* nothing to add */
        if (!(part[parts++] = onnx_node_in(op->importer, op->input[i], order)))
            return onnx_reject(op, "its input '%.200s' cannot be made", op->input[i]->name);
    }
    if (parts == 0)
        return onnx_reject(op, "all its inputs are empty");
    atl_node *y = parts == 1 ? part[0] : onnx_join(op, onnx_axis_in(order, rank, axis), parts, part);
    if (!onnx_give_in(op, 0, y, order))
        return 0;
    if (op->output[0] && op->output[0]->shape.size[axis] == ATL_ANY)
        op->output[0]->batch[axis] = batches;
    return 1;
}

/* Sizes of the parts: given, or as equal as can be. */
static int split_sizes(onnx_op *op, int64_t whole, int64_t *size)
{
    int64_t parts = op->outputs;
    int count = op->version < 13  ? onnx_attr_ints(op, "split", (int)parts, size)
                : onnx_has(op, 1) ? onnx_whole(op, 1, (int)parts, size)
                                  : 0;
    if (count < 0)
        return 0;
    if (count && count != parts)
        return onnx_reject(op, "it has %d size%s for %lld output%s", count, atl_plural(count), (long long)parts,
                           atl_plural(parts));
    if (!count && whole == ATL_ANY)
        return onnx_reject(op, "the size that it splits is unknown: fix it");
    int64_t each = count ? 0 : (whole + parts - 1) / parts, sum = 0;
    for (int64_t i = 0; i < parts; i++) {
        if (!count)
            size[i] = each < whole - sum ? each : whole - sum;
        if (size[i] < 0)
            return onnx_reject(op, "a part of the size %lld", (long long)size[i]);
        sum += size[i];
    }
    return whole == ATL_ANY || sum == whole ? 1
                                            : onnx_reject(op, "its parts have %lld element%s together, its input %lld",
                                                          (long long)sum, atl_plural(sum), (long long)whole);
}

static int import_split(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    int rank = onnx_rank(op, 0), axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", 0), rank) : -1;
    int64_t *size = onnx_room(op, op->outputs, sizeof *size), at = 0;
    if (axis < 0 || !size || op->outputs < 1 || op->outputs > 100000 ||
        !split_sizes(op, onnx_shape(op, 0).size[axis], size))
        return 0;
    for (int64_t i = 0; i < op->outputs; at += size[i++]) {
        atl_slice_args cut = {.x = x};
        int there = onnx_axis_in(order, rank, axis);
        cut.begin[there] = at;
        cut.end[there] = at + size[i];
        if (size[i] == 0 && op->output[i]) {
            atl_shape empty = onnx_shape(op, 0);
            empty.size[axis] = 0;
            if (!onnx_give_known(op, i, onnx_new_known(op->importer, onnx_is_float(onnx_type_of(op, 0)), empty),
                                 onnx_type_of(op, 0)))
                return 0;
        } else if (op->output[i] && !onnx_give_in(op, i, atl_slice_with(&cut), order))
            return 0;
    }
    return 1;
}

/* ---- depth and space --------------------------------------------------------------------------------------------- */

/* Channels become blocks of pixels, or the other way round; sizes but the batch must be known. */
static int import_depth_space(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0);
    atl_shape s = onnx_shape(op, 0);
    int64_t b = onnx_attr_int(op, "blocksize", 0);
    int to_depth = op->entry->kind, crd = strcmp(onnx_attr_text(op, "mode", "DCR"), "CRD") == 0;
    if (!x)
        return 0;
    if (s.rank != 4 || s.size[1] == ATL_ANY || s.size[2] == ATL_ANY || s.size[3] == ATL_ANY)
        return onnx_reject(op, "it takes [batch, channels, height, width], all but the batch known");
    int64_t c = s.size[1], h = s.size[2], w = s.size[3];
    if (b < 1 || b > 4096 || (to_depth ? h % b || w % b : c % (b * b)))
        return onnx_reject(op, "a block of %lld does not fit", (long long)b);
    if (to_depth) {
        x = atl_reshape(x, ATL_SHAPE(ATL_ANY, c, h / b, b, w / b, b));
        return onnx_give(op, 0,
                         atl_reshape(crd ? atl_transpose(x, .order = {0, 1, 3, 5, 2, 4})
                                         : atl_transpose(x, .order = {0, 3, 5, 1, 2, 4}),
                                     ATL_SHAPE(ATL_ANY, b * b * c, h / b, w / b)));
    }
    c /= b * b;
    x = atl_reshape(x, crd ? ATL_SHAPE(ATL_ANY, c, b, b, h, w) : ATL_SHAPE(ATL_ANY, b, b, c, h, w));
    x = crd ? atl_transpose(x, .order = {0, 1, 4, 2, 5, 3}) : atl_transpose(x, .order = {0, 3, 4, 1, 5, 2});
    return onnx_give(op, 0, atl_reshape(x, ATL_SHAPE(ATL_ANY, c, h * b, w * b)));
}

const onnx_entry onnx_movements[] = {{"Concat", 4, import_concat},
                                     {"DepthToSpace", 1, import_depth_space},
                                     {"SpaceToDepth", 1, import_depth_space, .kind = 1},
                                     {"Split", 2, import_split, .most_outputs = 100000},
                                     {"Transpose", 1, import_transpose},
                                     {0}};
