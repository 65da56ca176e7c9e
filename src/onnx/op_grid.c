/* Importer of GridSample: pictures read at places that are computed.  Differentiable by the picture and by the places.
 * https://onnx.ai/onnx/operators/onnx__GridSample.html */
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

enum mode { BILINEAR, NEAREST, BICUBIC };
enum padding { ZEROS, BORDER, REFLECTION };

enum { MOST_AXES = 3, LARGEST = 1 << 12, MOST_ELEMENTS = 1 << 24 }; /* places are numbered in float32 */

typedef struct grid {
    int mode, padding, align;
    int axes;                /* 2: height, width; 3: depth before them */
    int64_t size[MOST_AXES]; /* the last one first: width, height, depth */
    atl_node *x;             /* [n, c, elements] */
} grid;

/* -1..1 to elements */
static atl_node *to_elements(atl_node *g, int64_t size, int align)
{
    float s = (float)size;
    return align ? atl_scale(atl_add_scalar(g, 1), (s - 1) / 2) : atl_add_scalar(atl_scale(g, s / 2), (s - 1) / 2);
}

/* Back and forth between the middles, or the outer edges, of the first and the last element. */
static atl_node *reflected(atl_node *x, int64_t size, int align)
{
    float low = align ? 0 : -0.5f, span = align ? (float)size - 1 : (float)size;
    if (span <= 0)
        return atl_fill(x, 0);
    x = atl_add_scalar(x, -low);
    atl_node *round = atl_sub(x, atl_scale(atl_floor(atl_scale(x, 0.5f / span)), 2 * span)); /* in [0, 2 span) */
    atl_node *back = atl_sub(atl_fill(x, span), atl_abs(atl_add_scalar(round, -span)));
    return atl_clip(atl_add_scalar(back, low), 0, (float)size - 1);
}

static atl_node *padded_place(const grid *g, atl_node *x, int64_t size)
{
    if (g->padding == BORDER)
        return atl_clip(x, 0, (float)size - 1);
    return g->padding == REFLECTION ? reflected(x, size, g->align) : x;
}

static atl_node *inside(atl_node *x, int64_t size)
{
    return atl_logical_and(atl_greater_equal(x, atl_scalar(x, 0)), atl_less_equal(x, atl_scalar(x, (float)size - 1)));
}

/* The elements at whole places, one node for each axis, [n, c, places]: 0 outside. */
static atl_node *elements_at(const grid *g, atl_node *const *at)
{
    atl_node *fine = NULL, *place = NULL;
    for (int i = g->axes - 1; i >= 0; i--) {
        atl_node *x = atl_stop_gradient(g->mode == BICUBIC ? padded_place(g, at[i], g->size[i]) : at[i]);
        fine = fine ? atl_logical_and(fine, inside(x, g->size[i])) : inside(x, g->size[i]);
        place = place ? atl_add(atl_scale(place, (float)g->size[i]), x) : x;
    }
    place = atl_select(fine, place, atl_fill(place, -1));
    atl_node *index = atl_cast(place, ATL_INT32); /* [n, 1, places] */
    atl_shape to = atl_shape_of(index);
    to.size[0] = ATL_ANY;
    to.size[1] = atl_shape_of(g->x).size[1];
    to.size[2] = ATL_ANY;
    return atl_take_along(g->x, atl_broadcast_to(index, to));
}

/* Over the corners around each place: bit i of the corner is that of axis i. */
static atl_node *linear(const grid *g, atl_node *const *at)
{
    atl_node *sum = NULL;
    for (int corner = 0; corner < 1 << g->axes; corner++) {
        atl_node *weight = NULL, *whole[MOST_AXES];
        for (int i = g->axes - 1; i >= 0; i--) {
            atl_node *first = atl_stop_gradient(atl_floor(at[i])), *right = atl_sub(at[i], first);
            int is_second = corner >> i & 1;
            atl_node *one = is_second ? right : atl_add_scalar(atl_neg(right), 1);
            weight = weight ? atl_mul(one, weight) : one;
            whole[i] = atl_add_scalar(first, (float)is_second);
        }
        atl_node *part = atl_mul(weight, elements_at(g, whole));
        sum = sum ? atl_add(sum, part) : part;
    }
    return sum;
}

/* Keys 1981, a = -0.75: the weight at a distance d >= 0, below 1 or below 2. */
static atl_node *cubic_weight(atl_node *d, int is_far)
{
    const float a = -0.75f;
    if (!is_far) /* ((a + 2) d - (a + 3)) d^2 + 1 */
        return atl_add_scalar(atl_mul(atl_add_scalar(atl_scale(d, a + 2), -(a + 3)), atl_square(d)), 1);
    /* ((a d - 5 a) d + 8 a) d - 4 a */
    return atl_add_scalar(atl_mul(atl_add_scalar(atl_mul(atl_add_scalar(atl_scale(d, a), -5 * a), d), 8 * a), d),
                          -4 * a);
}

/* The weight of tap t, -1..2, for a place `right` of tap 0. */
static atl_node *tap_weight(atl_node *right, int t)
{
    atl_node *distance = t <= 0 ? atl_add_scalar(right, (float)-t) : atl_add_scalar(atl_neg(right), (float)t);
    return cubic_weight(distance, t == -1 || t == 2);
}

static atl_node *bicubic(const grid *g, atl_node *const *at)
{
    atl_node *x = at[0], *y = at[1];
    atl_node *x0 = atl_stop_gradient(atl_floor(x)), *y0 = atl_stop_gradient(atl_floor(y)), *sum = NULL;
    for (int j = -1; j <= 2; j++)
        for (int i = -1; i <= 2; i++) {
            atl_node *weight = atl_mul(tap_weight(atl_sub(x, x0), i), tap_weight(atl_sub(y, y0), j));
            atl_node *const whole[] = {atl_add_scalar(x0, (float)i), atl_add_scalar(y0, (float)j)};
            atl_node *part = atl_mul(weight, elements_at(g, whole));
            sum = sum ? atl_add(sum, part) : part;
        }
    return sum;
}

static atl_node *nearest(const grid *g, atl_node *const *at)
{
    atl_node *whole[MOST_AXES];
    for (int i = 0; i < g->axes; i++)
        whole[i] = atl_round(at[i]);
    return elements_at(g, whole);
}

static int read_grid(onnx_op *op, grid *g)
{
    const char *mode = onnx_attr_text(op, "mode", "bilinear"), *padding = onnx_attr_text(op, "padding_mode", "zeros");
    atl_shape shape = onnx_shape(op, 0);
    int64_t elements = 1;
    g->mode = strcmp(mode, "bilinear") == 0 || strcmp(mode, "linear") == 0 ? BILINEAR
              : strcmp(mode, "nearest") == 0                               ? NEAREST
                                                                           : BICUBIC;
    g->padding = strcmp(padding, "border") == 0 ? BORDER : strcmp(padding, "reflection") == 0 ? REFLECTION : ZEROS;
    g->align = onnx_attr_int(op, "align_corners", 0) != 0;
    g->axes = shape.rank - 2;
    int fine = (g->axes == 2 || (g->axes == MOST_AXES && g->mode != BICUBIC)) && onnx_rank(op, 1) == shape.rank &&
               shape.size[1] != ATL_ANY;
    for (int i = 0; fine && i < g->axes; i++) {
        g->size[i] = shape.size[shape.rank - 1 - i];
        fine = g->size[i] >= 1 && g->size[i] <= LARGEST && (elements *= g->size[i]) <= MOST_ELEMENTS;
    }
    if (!fine)
        return onnx_reject(op,
                           "it takes [batch, channels, height, width], or with depth before height and no cubic "
                           "mode, of known size, at most %d each and 2^24 elements",
                           LARGEST);
    atl_node *x = onnx_float(op, 0);
    g->x = x ? atl_reshape(x, ATL_SHAPE(ATL_ANY, shape.size[1], elements)) : NULL;
    return g->x != NULL;
}

static int import_grid_sample(onnx_op *op)
{
    grid g;
    atl_node *places = onnx_float(op, 1), *at[MOST_AXES];
    atl_shape shape = onnx_shape(op, 1), to = shape;
    int64_t count = 1;
    if (!places || !read_grid(op, &g))
        return 0;
    to.size[0] = ATL_ANY;
    to.size[1] = onnx_shape(op, 0).size[1];
    for (int i = 0; i < g.axes; i++) {
        if (shape.size[i + 1] == ATL_ANY || __builtin_mul_overflow(count, shape.size[i + 1], &count))
            return onnx_reject(op, "the size of its result is unknown, or too large: fix it");
        to.size[i + 2] = shape.size[i + 1];
    }
    places = atl_reshape(places, ATL_SHAPE(ATL_ANY, 1, count, g.axes));
    for (int i = 0; i < g.axes; i++) {
        at[i] = to_elements(atl_index_last(places, i), g.size[i], g.align);
        if (g.mode != BICUBIC)
            at[i] = padded_place(&g, at[i], g.size[i]);
    }
    atl_node *value = g.mode == BILINEAR ? linear(&g, at) : g.mode == NEAREST ? nearest(&g, at) : bicubic(&g, at);
    return onnx_give(op, 0, atl_reshape(value, to));
}

const onnx_entry onnx_grids[] = {{"GridSample", 16, import_grid_sample}, {0}};
