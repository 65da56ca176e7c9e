/* Importers of pools.  They run with the channels last; what the engine's own pools do not have (dilation, three
 * dimensions, wide padding) is made of one slice of the picture for each element of the window. */
#include <float.h>
#include <string.h>

#include "atled/gradient.h"
#include "onnx/families.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"
#include "onnx/window.h"

enum { MOST_TAPS = 1024 };

static int is_dilated(const onnx_window *w)
{
    for (int d = 0; d < w->dims; d++)
        if (w->dilation[d] != 1)
            return 1;
    return 0;
}

/* The engine's pool, for one or two dimensions. */
static atl_node *pool2d(atl_node *x, const onnx_window *w, atl_node *pool(const atl_pool2d_args *args))
{
    int two = w->dims == 2, v = two ? 1 : 0;
    atl_pool2d_args args = {.image = two ? x : atl_expand_dims(x, 1),
                            .window = {two ? (int)w->size[0] : 1, (int)w->size[v]},
                            .stride = {two ? (int)w->stride[0] : 1, (int)w->stride[v]},
                            .pad = {two ? (int)w->before[0] : 0, two ? (int)(w->after[0] + w->extra[0]) : 0,
                                    (int)w->before[v], (int)(w->after[v] + w->extra[v])}};
    args.padding = args.pad[0] || args.pad[1] || args.pad[2] || args.pad[3] ? ATL_EXPLICIT : ATL_VALID;
    atl_node *y = pool(&args);
    return two ? y : atl_squeeze(y, 1);
}

/* The combination of all taps: x [n, spatial..., c].  One dimension after the other, the last one first, so that of
 * equal maxima the first one in row order counts. */
static atl_node *pool_by_taps(onnx_op *op, atl_node *x, onnx_window w, float padding,
                              atl_node *combine(atl_node *a, atl_node *b))
{
    int64_t taps = 0;
    for (int d = 0; d < w.dims; d++) {
        taps += w.size[d];
        if (w.input[d] == ATL_ANY || taps > MOST_TAPS) {
            onnx_reject(
                op,
                "a window with dilation or in three dimensions needs known sizes, and at most %d elements along "
                "its sides, not %lld",
                MOST_TAPS, (long long)taps);
            return NULL;
        }
        w.after[d] += w.extra[d];
        w.extra[d] = 0;
    }
    x = onnx_pad_window(x, &w, padding);
    for (int d = w.dims - 1; d >= 0; d--) {
        onnx_window one = w;
        int64_t tap[ONNX_MOST_SPATIAL] = {0};
        for (int k = 0; k < d; k++)
            one.size[k] = one.stride[k] = one.dilation[k] = 1;
        atl_node *y = onnx_tap(x, &one, tap);
        while (onnx_next_tap(&one, tap))
            y = combine(y, onnx_tap(x, &one, tap));
        x = y;
        w.input[d] = onnx_places(&w, d);
        w.size[d] = w.stride[d] = w.dilation[d] = 1;
    }
    return x;
}

static int give_pool(onnx_op *op, atl_node *y)
{
    if (y && onnx_is_int(op, 0))
        y = atl_cast(y, ATL_INT32);
    return !*op->why && onnx_give_in(op, 0, y, ONNX_CHANNELS_LAST);
}

/* Whether the open first size of input 0 is the batch. */
static int is_batch(const onnx_op *op) { return op->importer->batch_node && op->input[0]->batch[0] == 1; }

/* The place of a pixel within an example [c, ...]; with storage_order 1 the last dimension but one goes fastest. */
static int64_t place_of(onnx_op *op, int64_t channel, int64_t pixel)
{
    atl_shape s = onnx_shape(op, 0); /* [n, c, ..., h, w] */
    int64_t pixels = 1, w = s.size[s.rank - 1], h = s.rank > 3 ? s.size[s.rank - 2] : 1;
    for (int i = 2; i < s.rank; i++)
        pixels *= s.size[i];
    if (onnx_attr_int(op, "storage_order", 0) && s.rank > 3)
        pixel = pixel / (h * w) * (h * w) + pixel % w * h + pixel / w % h;
    return channel * pixels + pixel;
}

/* Where each example begins: [n, 1, ..., 1] */
static atl_node *first_places(onnx_op *op, atl_shape shape, int32_t count)
{
    atl_shape column = {.rank = shape.rank};
    int32_t *first = shape.size[0] == ATL_ANY ? NULL : onnx_room(op, shape.size[0], sizeof *first);
    for (int i = 0; i < shape.rank; i++)
        column.size[i] = i ? 1 : ATL_ANY;
    for (int64_t n = 0; first && n < shape.size[0]; n++)
        first[n] = (int32_t)n * count;
    atl_node *x = first ? onnx_int_vector(op, shape.size[0], first)
                  : shape.size[0] == ATL_ANY
                      ? atl_int_binary(ATL_INT_MUL, onnx_batch_numbers(op), onnx_int_vector(op, 1, &count))
                      : NULL;
    return atl_reshape(x, column);
}

/* Output 1: where each maximum is, counted over the whole of [n, c, ...]: the picture of those places, pooled along
 * with the picture itself, which is its derivative in that direction.  Added up as whole numbers, which floats beyond
 * 2^24 are not exactly. */
static int give_places(onnx_op *op, atl_node *x, atl_node *y)
{
    enum { EXACT = 1 << 24 }; /* whole numbers of a float */
    atl_shape shape = atl_shape_of(x), one = shape;
    if (op->outputs < 2 || !op->output[1])
        return 1;
    one.size[0] = 1;
    int64_t count = atl_shape_count(one), channels = one.size[one.rank - 1];
    if (count < 1 || count > EXACT)
        return onnx_reject(op, "its indices are used, for which its sizes must be known, and at most %d", EXACT);
    if (shape.size[0] == ATL_ANY ? !is_batch(op) : shape.size[0] * count > INT32_MAX)
        return onnx_reject(op, "its indices are used, for which the batch must be known, and not too large");
    float *place = onnx_room(op, count, sizeof *place);
    for (int64_t i = 0; place && i < count; i++)
        place[i] = (float)place_of(op, i % channels, i / channels);
    atl_node *picture = place ? atl_reshape(onnx_vector(op, count, place), one) : NULL;
    picture = picture ? atl_broadcast_like(picture, x) : NULL;
    atl_node *at = picture ? atl_cast(atl_stop_gradient(atl_jvp(y, x, picture)), ATL_INT32) : NULL;
    if (!at || !onnx_give_in(op, 1, atl_int_binary(ATL_INT_ADD, at, first_places(op, shape, (int32_t)count)),
                             ONNX_CHANNELS_LAST))
        return onnx_reject(op, "its indices cannot be made");
    op->output[1]->type = ONNX_INT64;
    return 1;
}

static int import_max_pool(onnx_op *op)
{
    onnx_window w;
    atl_node *x = onnx_channels_last(op, 0);
    if (!x || !onnx_read_window(op, NULL, ONNX_ROUNDED_WINDOW, &w))
        return 0;
    int by_engine = w.dims <= 2 && !is_dilated(&w) && onnx_pads_fit(&w);
    atl_node *y = by_engine ? pool2d(x, &w, atl_max_pool2d_with) : pool_by_taps(op, x, w, -FLT_MAX, atl_maximum);
    return give_pool(op, y) && give_places(op, x, y);
}

/* 1 / (how many elements of each window count), as [places..., 1]: those of the picture, and of the padding if
 * `padded`. */
static atl_node *reciprocal_counts(onnx_op *op, const onnx_window *w, int padded)
{
    atl_shape shape = {.rank = w->dims + 1};
    int64_t total = 1;
    for (int d = 0; d < w->dims; d++)
        total *= shape.size[d] = onnx_places(w, d);
    shape.size[w->dims] = 1;
    float *one_over = total <= (1 << 24) ? onnx_room(op, total, sizeof *one_over) : NULL;
    if (!one_over)
        return NULL;
    for (int64_t k = 0; k < total; k++) {
        int64_t rest = k, count = 1;
        for (int d = w->dims - 1; d >= 0; d--) {
            int64_t begin = rest % shape.size[d] * w->stride[d] - w->before[d], inside = 0;
            for (int64_t t = 0; t < w->size[d]; t++) {
                int64_t at = begin + t * w->dilation[d];
                inside += padded ? at < w->input[d] + w->after[d] : at >= 0 && at < w->input[d];
            }
            count *= inside;
            rest /= shape.size[d];
        }
        one_over[k] = count ? 1.0f / (float)count : 0;
    }
    return atl_reshape(onnx_vector(op, total, one_over), shape);
}

static atl_node *average(onnx_op *op, atl_node *x, onnx_window w, int padded)
{
    if (w.dims <= 2 && !is_dilated(&w)) {
        if (padded)
            x = onnx_pad_window(x, &w, 0);
        if (onnx_pads_fit(&w))
            return pool2d(x, &w, atl_avg_pool2d_with);
    }
    atl_node *sum = pool_by_taps(op, x, w, 0, atl_add), *over = sum ? reciprocal_counts(op, &w, padded) : NULL;
    return over ? atl_mul(sum, over) : NULL;
}

static int import_average_pool(onnx_op *op)
{
    onnx_window w;
    atl_node *x = onnx_channels_last(op, 0);
    if (!x || !onnx_read_window(op, NULL, ONNX_ROUNDED_WINDOW, &w))
        return 0;
    return give_pool(op, average(op, x, w, onnx_attr_int(op, "count_include_pad", 0) != 0));
}

/* |x|^p, and the p-th root */
static atl_node *powered(atl_node *x, double p)
{
    return p == 2 ? atl_square(x) : p == 1 ? atl_abs(x) : atl_pow(atl_abs(x), atl_scalar(x, (float)p));
}
static atl_node *root(atl_node *x, double p)
{
    return p == 2 ? atl_sqrt(x) : p == 1 ? x : atl_pow(x, atl_scalar(x, (float)(1 / p)));
}

static int import_lp_pool(onnx_op *op)
{
    onnx_window w;
    double p = (double)onnx_attr_int(op, "p", 2);
    atl_node *x = onnx_channels_last(op, 0);
    if (!x || !onnx_read_window(op, NULL, ONNX_ROUNDED_WINDOW, &w))
        return 0;
    return give_pool(op, root(pool_by_taps(op, powered(x, p), w, 0, atl_add), p));
}

/* ---- the whole picture ------------------------------------------------------------------------------------------- */

static atl_node *over_picture(onnx_op *op, atl_node *x, atl_node *reduce(const atl_reduce_args *))
{
    atl_reduce_args args = {.x = x, .keep = 1, .axes = onnx_rank(op, 0) - 2};
    for (int i = 0; i < args.axes; i++)
        args.axis[i] = i + 1;
    return reduce(&args);
}

static int import_global_pool(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0);
    int is_max = op->entry->kind;
    if (!x)
        return 0;
    if (onnx_rank(op, 0) == 4)
        return give_pool(op, is_max ? atl_max_pool2d(x) : atl_avg_pool2d(x));
    return give_pool(op, over_picture(op, x, is_max ? atl_reduce_max_with : atl_reduce_mean_with));
}

static int import_global_lp_pool(onnx_op *op)
{
    double p = (double)onnx_attr_int(op, "p", 2);
    atl_node *x = onnx_channels_last(op, 0);
    return x && give_pool(op, root(over_picture(op, powered(x, p), atl_reduce_sum_with), p));
}

/* ---- back to the picture ----------------------------------------------------------------------------------------- */

/* The shape of the picture that was pooled to input 0; 0 with the reason. */
static int read_unpooled(onnx_op *op, onnx_number *size)
{
    onnx_window w;
    if (!onnx_read_window(op, NULL, ONNX_TRANSPOSED_WINDOW, &w))
        return 0;
    for (int i = 0; i < 2; i++) {
        int64_t known = onnx_shape(op, 0).size[i];
        size[i] = known == ATL_ANY ? (onnx_number){.batch = (long double)op->input[0]->batch[i]}
                                   : (onnx_number){.value = (long double)known};
    }
    for (int d = 0; d < w.dims; d++) {
        int64_t pixels = (w.input[d] - 1) * w.stride[d] + w.size[d] - w.before[d] - w.after[d];
        if (w.input[d] == ATL_ANY || pixels < 1)
            return onnx_reject(op, "the size of dimension %d must be known, and leave a picture", d + 2);
        if (w.stride[d] < w.size[d])
            return onnx_reject(op, "its windows overlap, so that two maxima may have one place");
        size[d + 2] = (onnx_number){.value = (long double)pixels};
    }
    return 1;
}

/* Each maximum at its place, counted over the whole of [n, c, ...], in a picture of zeros. */
static int import_max_unpool(onnx_op *op)
{
    onnx_number size[ATL_MAX_RANK];
    atl_node *x = onnx_float(op, 0), *places = x ? onnx_int(op, 1) : NULL;
    if (!places || !read_unpooled(op, size))
        return 0;
    if (onnx_has(op, 2))
        return onnx_reject(op, "it has an output_shape, for which ONNX and onnxruntime count the places differently");
    atl_node *like = onnx_like(op, onnx_rank(op, 0), size);
    if (!like)
        return 0;
    atl_shape flat = ATL_SHAPE(ATL_ANY);
    atl_node *y = atl_scatter_add(atl_reshape(x, flat), atl_reshape(places, flat), atl_reshape(like, flat), 0);
    return onnx_give(op, 0, atl_reshape_like(y, like));
}

const onnx_entry onnx_pools[] = {{"AveragePool", 1, import_average_pool},
                                 {"GlobalAveragePool", 1, import_global_pool},
                                 {"GlobalLpPool", 2, import_global_lp_pool},
                                 {"GlobalMaxPool", 1, import_global_pool, .kind = 1},
                                 {"LpPool", 2, import_lp_pool},
                                 {"MaxPool", 1, import_max_pool, .most_outputs = 2},
                                 {"MaxUnpool", 9, import_max_unpool},
                                 {0}};
