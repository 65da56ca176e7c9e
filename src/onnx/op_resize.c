/* Importers of Resize and Upsample.  Sizes change one dimension after the other: each element of the result is a sum of
 * up to four elements, at places and with weights that are known while reading.
 * https://onnx.ai/onnx/operators/onnx__Resize.html */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

enum { MOST_TAPS = 4, LARGEST = 1 << 24 };
enum method { NEAREST, LINEAR, CUBIC };
enum place {
    HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_HALF_PIXEL_FOR_NN,
    TF_CROP_AND_RESIZE,
    PLACES
};
enum rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL, ROUNDINGS };

typedef struct resize {
    int method, place, rounding, exclude_outside, antialias;
    double cubic, extrapolation;
    int rank;
    int64_t output[ATL_MAX_RANK];                                        /* 0: that dimension stays as it is */
    double scale[ATL_MAX_RANK], first[ATL_MAX_RANK], last[ATL_MAX_RANK]; /* first, last: of the region, 0..1 */
} resize;

/* Which of the names it is; -1 with the reason. */
static int choice(onnx_op *op, const char *attribute, const char *otherwise, const char *const *name, int count)
{
    const char *asked = onnx_attr_text(op, attribute, otherwise);
    for (int i = 0; i < count; i++)
        if (strcmp(asked, name[i]) == 0)
            return i;
    onnx_reject(op, "its %s is '%.60s'", attribute, asked);
    return -1;
}

/* ---- one dimension ----------------------------------------------------------------------------------------------- */

/* Where element i of the result lies among those of the input. */
static double source_of(const resize *r, int axis, int64_t input, int64_t i)
{
    double in = (double)input, scale = r->scale[axis], x = (double)i;
    double output = in * scale; /* not rounded to the size that there is, as ONNX's own implementation has it */
    switch (r->place) {
    case ALIGN_CORNERS:
        return output > 1 ? x * (in - 1) / (output - 1) : 0;
    case ASYMMETRIC:
        return x / scale;
    case PYTORCH_HALF_PIXEL:
        return output > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / scale;
    case TF_CROP_AND_RESIZE:
        return output > 1 ? r->first[axis] * (in - 1) + x * (r->last[axis] - r->first[axis]) * (in - 1) / (output - 1)
                          : 0.5 * (r->first[axis] + r->last[axis]) * (in - 1);
    case HALF_PIXEL_SYMMETRIC: {
        double adjustment = (double)r->output[axis] / output;
        return in / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5;
    }
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static double nearest_of(const resize *r, double x)
{
    switch (r->rounding) {
    case ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case FLOOR:
        return floor(x);
    case CEIL:
        return ceil(x);
    default:
        return ceil(x - 0.5);
    }
}

/* Keys 1981 */
static double cubic_weight(double distance, double a)
{
    double d = fabs(distance);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* The elements and weights of element i; returns their number, 0 if it is beyond the input and takes the extrapolation
 * value. */
static int taps_of(const resize *r, int axis, int64_t input, int64_t i, int64_t *index, double *weight)
{
    double x = source_of(r, axis, input, i), base = floor(x), sum = 0;
    int taps = r->method == NEAREST ? 1 : r->method == LINEAR ? 2 : 4;
    if (r->place == TF_CROP_AND_RESIZE && !(x >= 0 && x <= (double)(input - 1)))
        return 0;
    for (int t = 0; t < taps; t++) {
        double at = r->method == NEAREST ? nearest_of(r, x) : r->method == LINEAR ? base + t : base + t - 1;
        weight[t] = r->method == NEAREST ? 1 : r->method == LINEAR ? 1 - fabs(x - at) : cubic_weight(x - at, r->cubic);
        if (r->exclude_outside && (at < 0 || at >= (double)input))
            weight[t] = 0;
        sum += weight[t];
        index[t] = at < 0 ? 0 : at >= (double)input ? input - 1 : (int64_t)at;
    }
    for (int t = 0; r->exclude_outside && t < taps; t++)
        weight[t] /= sum;
    return taps;
}

/* x with one dimension resized: sum over taps of weight * gather(x, index). */
static atl_node *resize_axis(onnx_op *op, const resize *r, atl_node *x, int file_axis, int axis)
{
    int64_t input = atl_shape_of(x).size[axis], output = r->output[file_axis];
    int taps = r->method == NEAREST ? 1 : r->method == LINEAR ? 2 : 4, outside = 0;
    int64_t *index = onnx_room(op, taps * output, sizeof *index);
    float *weight = onnx_room(op, taps * output, sizeof *weight), *beyond = onnx_room(op, output, sizeof *beyond);
    atl_shape column = {.rank = atl_shape_of(x).rank - axis};
    for (int i = 0; i < column.rank; i++)
        column.size[i] = i ? 1 : output;
    for (int64_t i = 0; index && weight && beyond && i < output; i++) {
        int64_t at[MOST_TAPS] = {0};
        double of[MOST_TAPS] = {0};
        if (!taps_of(r, file_axis, input, i, at, of)) {
            beyond[i] = (float)r->extrapolation;
            outside = 1;
        }
        for (int t = 0; t < taps; t++) {
            index[t * output + i] = at[t];
            weight[t * output + i] = (float)of[t];
        }
    }
    if (!index || !weight || !beyond)
        return NULL;
    if (r->method == NEAREST && !outside)
        return onnx_take(op, x, axis, output, index);
    atl_node *y = outside ? atl_reshape(onnx_vector(op, output, beyond), column) : NULL;
    for (int t = 0; t < taps; t++) {
        atl_node *part = atl_mul(onnx_take(op, x, axis, output, index + t * output),
                                 atl_reshape(onnx_vector(op, output, weight + t * output), column));
        y = y ? atl_add(y, part) : part;
    }
    return y;
}

/* With antialias, a filter is as wide as the elements of the result are apart: its weights make a matrix [input,
 * output]. */
static atl_node *reduce_axis(onnx_op *op, const resize *r, atl_node *x, int file_axis, int axis)
{
    int64_t input = atl_shape_of(x).size[axis], output = r->output[file_axis];
    double scale = r->scale[file_axis], reach = (r->method == CUBIC ? 2 : 1) / scale;
    float *matrix = input > 0 && input <= LARGEST / output ? onnx_room(op, input * output, sizeof *matrix) : NULL;
    if (!matrix) {
        onnx_reject(op, "from %lld to %lld element%s with antialias is too large", (long long)input, (long long)output,
                    atl_plural(output));
        return NULL;
    }
    memset(matrix, 0, (size_t)(input * output) * sizeof *matrix);
    for (int64_t i = 0; i < output; i++) {
        double place = source_of(r, file_axis, input, i), sum = 0, first = ceil(place - reach);
        for (int pass = 0; pass < 2; pass++) /* the sum, and then the weights, whose sum is one */
            for (double at = first; at <= place + reach; at++) {
                double d = fabs(at - place) * scale,
                       weight = r->method == CUBIC ? cubic_weight(d, r->cubic) : fmax(1 - d, 0);
                if (r->exclude_outside && (at < 0 || at >= (double)input))
                    continue;
                int64_t inside = at < 0 ? 0 : at >= (double)input ? input - 1 : (int64_t)at;
                if (pass)
                    matrix[inside * output + i] += (float)(weight / sum);
                else
                    sum += weight;
            }
    }
    atl_node *weights = atl_reshape(onnx_vector(op, input * output, matrix), ATL_SHAPE(input, output));
    return onnx_axis_back(atl_matmul(onnx_axis_last(x, axis), weights), axis);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Numbers for each dimension, or for those of the attribute `axes`, spread over all of them; what is not said is
 * `otherwise`. */
static int numbers_by_axis(onnx_op *op, int64_t input, int rank, double otherwise, int offset, int per_axis, double *to)
{
    int64_t axes[ATL_MAX_RANK];
    const onnx_known *known = onnx_numbers(op, input);
    int count = onnx_attr_ints(op, "axes", ATL_MAX_RANK, axes);
    if (!known || count < 0)
        return 0;
    int expected = count ? count : rank;
    if (known->count != (int64_t)expected * per_axis)
        return onnx_reject(op, "its input '%.200s' has %lld number%s for %d dimension%s", op->input[input]->name,
                           (long long)known->count, atl_plural(known->count), expected, atl_plural(expected));
    for (int i = 0; i < rank; i++)
        to[i] = otherwise;
    for (int i = 0; i < expected; i++) {
        int axis = count ? onnx_axis(op, axes[i], rank) : i;
        if (axis < 0)
            return 0;
        to[axis] = known->at[offset * expected + i].batch != 0 ? NAN : (double)known->at[offset * expected + i].value;
    }
    return 1;
}

/* Output sizes from scales. */
static int use_scales(onnx_op *op, resize *r)
{
    atl_shape shape = onnx_shape(op, 0);
    for (int i = 0; i < r->rank; i++) {
        if (r->scale[i] == 1)
            continue;
        double size = shape.size[i] == ATL_ANY ? NAN
                      : r->place == TF_CROP_AND_RESIZE
                          ? floor((double)shape.size[i] * (r->last[i] - r->first[i]) * r->scale[i])
                          : floor((double)shape.size[i] * r->scale[i]);
        if (!(size >= 1 && size <= LARGEST))
            return onnx_reject(op, "dimension %d, of size %lld, cannot be scaled by %g", i, (long long)shape.size[i],
                               r->scale[i]);
        r->output[i] = (int64_t)size;
    }
    return 1;
}

/* Scales from sizes, with the policies of opset 18. */
static int use_sizes(onnx_op *op, resize *r, const double *sizes)
{
    static const char *const policy[] = {"stretch", "not_larger", "not_smaller"};
    atl_shape shape = onnx_shape(op, 0);
    int asked = choice(op, "keep_aspect_ratio_policy", "stretch", policy, 3);
    double one = NAN;
    if (asked < 0)
        return 0;
    for (int i = 0; i < r->rank; i++) {
        if (isnan(sizes[i]) || sizes[i] == (double)shape.size[i])
            continue; /* the batch, or as it is */
        if (shape.size[i] == ATL_ANY || !(sizes[i] >= 1 && sizes[i] <= LARGEST))
            return onnx_reject(op, "dimension %d, of size %lld, cannot become %g", i, (long long)shape.size[i],
                               sizes[i]);
        r->output[i] = (int64_t)sizes[i];
        r->scale[i] = sizes[i] / (double)shape.size[i];
        if (isnan(one) || (asked == 1 ? r->scale[i] < one : r->scale[i] > one))
            one = r->scale[i];
    }
    for (int i = 0; asked && i < r->rank; i++)
        if (r->output[i]) {
            r->scale[i] = one;
            r->output[i] = (int64_t)floor((double)shape.size[i] * one + 0.5);
        }
    return 1;
}

static int read_modes(onnx_op *op, resize *r)
{
    static const char *const method[] = {"nearest", "linear", "cubic"};
    static const char *const place[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const rounding[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    r->method = choice(op, "mode", "nearest", method, 3);
    r->place =
        op->version < 11 ? ASYMMETRIC : choice(op, "coordinate_transformation_mode", "half_pixel", place, PLACES);
    r->rounding = op->version < 11 ? FLOOR : choice(op, "nearest_mode", "round_prefer_floor", rounding, ROUNDINGS);
    r->cubic = onnx_attr_float(op, "cubic_coeff_a", -0.75);
    r->extrapolation = onnx_attr_float(op, "extrapolation_value", 0);
    r->antialias = onnx_attr_int(op, "antialias", 0) != 0 && r->method != NEAREST;
    r->exclude_outside = onnx_attr_int(op, "exclude_outside", 0) != 0 && (r->method == CUBIC || r->antialias);
    return !*op->why;
}

/* The engine's own op, where it means the same. */
static atl_node *by_engine(const resize *r, atl_node *x, atl_shape shape)
{
    if (r->antialias || r->rank != 4 || r->output[0] || r->output[1] || r->method != LINEAR || r->place != HALF_PIXEL)
        return NULL;
    for (int i = 2; i < 4; i++)
        if (shape.size[i] == ATL_ANY ||
            (r->output[i] && fabs(r->scale[i] * (double)shape.size[i] - (double)r->output[i]) > 1e-6))
            return NULL;
    return atl_resize_bilinear(x, (int)(r->output[2] ? r->output[2] : shape.size[2]),
                               (int)(r->output[3] ? r->output[3] : shape.size[3]));
}

static int apply(onnx_op *op, const resize *r)
{
    onnx_order order = r->rank >= 3 ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    atl_node *x = order == ONNX_CHANNELS_LAST ? onnx_channels_last(op, 0) : onnx_float(op, 0);
    if (!x)
        return 0;
    atl_node *whole = by_engine(r, x, onnx_shape(op, 0));
    for (int i = 0; !whole && x && i < r->rank; i++)
        if (r->output[i])
            x = (r->antialias && r->scale[i] < 1 ? reduce_axis : resize_axis)(op, r, x, i,
                                                                              onnx_axis_in(order, r->rank, i));
    if (whole)
        x = whole;
    if (!*op->why && onnx_is_int(op, 0))
        x = atl_cast(x, ATL_INT32);
    return !*op->why && onnx_give_in(op, 0, x, order);
}

/* Opset 11 on: roi, scales, sizes; 10: scales. */
static int import_resize(onnx_op *op)
{
    resize r = {.rank = onnx_rank(op, 0)};
    double sizes[ATL_MAX_RANK];
    int scales = op->version < 11 ? 1 : 2;
    if (!onnx_has(op, 0) || !read_modes(op, &r))
        return 0;
    for (int i = 0; i < r.rank; i++) {
        r.scale[i] = 1;
        r.last[i] = 1;
    }
    if (r.place == TF_CROP_AND_RESIZE &&
        (!numbers_by_axis(op, 1, r.rank, 0, 0, 2, r.first) || !numbers_by_axis(op, 1, r.rank, 1, 1, 2, r.last)))
        return 0;
    int by_size = op->version >= 11 && onnx_has(op, 3);
    if (!by_size && onnx_has(op, scales) && atl_shape_count(onnx_shape(op, scales)) == 0)
        return onnx_reject(op, "it has neither scales nor sizes");
    if (by_size ? !numbers_by_axis(op, 3, r.rank, NAN, 0, 1, sizes) || !use_sizes(op, &r, sizes)
                : !numbers_by_axis(op, scales, r.rank, 1, 0, 1, r.scale) || !use_scales(op, &r))
        return 0;
    for (int i = 0; r.place == TF_CROP_AND_RESIZE && i < r.rank; i++)
        if (!r.output[i] && (r.first[i] != 0 || r.last[i] != 1))
            r.output[i] = onnx_shape(op, 0).size[i];
    return apply(op, &r);
}

/* Opset 7: scales as an attribute; 9: as an input. */
static int import_upsample(onnx_op *op)
{
    resize r = {.rank = onnx_rank(op, 0)};
    if (!onnx_has(op, 0) || !read_modes(op, &r))
        return 0;
    if (op->version >= 9)
        return numbers_by_axis(op, 1, r.rank, 1, 0, 1, r.scale) && use_scales(op, &r) && apply(op, &r);
    const onnx_attribute *scales = onnx_attribute_of(op, "scales", ONNX_ATTRIBUTE_FLOATS);
    if (!scales || scales->count != r.rank)
        return onnx_reject(op, "it needs a scale for each dimension");
    for (int i = 0; i < r.rank; i++)
        r.scale[i] = (double)scales->numbers[i];
    return use_scales(op, &r) && apply(op, &r);
}

const onnx_entry onnx_resizes[] = {{"Resize", 10, import_resize}, {"Upsample", 7, import_upsample}, {0}};
