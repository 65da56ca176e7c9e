/* Importers of what networks for sound begin with: Fourier transforms, windows, filters of the mel scale.  A transform
 * is a product with a constant matrix, so that it has a gradient.
 * https://onnx.ai/onnx/operators/onnx__DFT.html, onnx__STFT.html, onnx__HannWindow.html, onnx__MelWeightMatrix.html */
#include <math.h>
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

static const double pi = 3.14159265358979323846;

enum { MOST_POINTS = 4096 };

/* ---- transforms -------------------------------------------------------------------------------------------------- */

typedef struct transform {
    int64_t points;      /* of the transform: the signal is cut, or filled up with zeros */
    int64_t given, made; /* points of the signal; of the result */
    int is_complex, is_inverse;
} transform;

/* cos or sin of 2 pi k n / points, [given, made] */
static atl_node *waves(onnx_op *op, const transform *t, int is_sine)
{
    float *value = onnx_room(op, t->given * t->made, sizeof *value);
    double scale = t->is_inverse ? 1 / (double)t->points : 1;
    for (int64_t n = 0; value && n < t->given; n++)
        for (int64_t k = 0; k < t->made; k++) {
            double angle = 2 * pi * (double)(n * k % t->points) / (double)t->points;
            value[n * t->made + k] = (float)(scale * (is_sine ? sin(angle) : cos(angle)));
        }
    atl_node *flat = value ? onnx_vector(op, t->given * t->made, value) : NULL;
    return flat ? atl_reshape(flat, ATL_SHAPE(t->given, t->made)) : NULL;
}

/* re, im [.., n]: [.., made, 2]; im may be null.  e^(-i a) = cos a - i sin a; the inverse has the other sign. */
static atl_node *transformed(onnx_op *op, const transform *t, atl_node *re, atl_node *im)
{
    atl_node *c = waves(op, t, 0), *s = c ? waves(op, t, 1) : NULL;
    if (!s)
        return NULL;
    s = t->is_inverse ? atl_neg(s) : s;
    atl_node *real = atl_matmul(re, c), *imaginary = atl_neg(atl_matmul(re, s));
    if (im) {
        real = atl_add(real, atl_matmul(im, s));
        imaginary = atl_add(imaginary, atl_matmul(im, c));
    }
    return atl_stack(atl_shape_of(real).rank, real, imaginary);
}

static int check_points(onnx_op *op, int64_t points)
{
    return points >= 1 && points <= MOST_POINTS
               ? 1
               : onnx_reject(op, "a transform of %lld points; 1 to %d are read", (long long)points, MOST_POINTS);
}

static int import_dft(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    atl_shape shape = onnx_shape(op, 0);
    int64_t axis = op->version < 20 ? onnx_attr_int(op, "axis", 1) : -2;
    int64_t channels = shape.rank > 1 ? shape.size[shape.rank - 1] : 0;
    if (!x || (op->version >= 20 && onnx_has(op, 2) && !onnx_one_whole(op, 2, &axis)))
        return 0;
    int along = onnx_axis(op, axis, shape.rank);
    if (along < 0 || along == shape.rank - 1 || (channels != 1 && channels != 2) || shape.size[along] == ATL_ANY)
        return onnx_reject(op, "it takes [.., 1] or [.., 2], real and imaginary parts, of a known length");
    transform t = {.points = shape.size[along], .is_complex = channels == 2};
    int one_sided = onnx_attr_int(op, "onesided", 0) != 0;
    t.is_inverse = onnx_attr_int(op, "inverse", 0) != 0;
    if ((onnx_has(op, 1) && !onnx_one_whole(op, 1, &t.points)) || !check_points(op, t.points))
        return 0;
    if (one_sided && t.is_inverse)
        return onnx_reject(op, "the inverse of one side is not read");
    t.given = shape.size[along] < t.points ? shape.size[along] : t.points;
    t.made = one_sided ? t.points / 2 + 1 : t.points;
    atl_slice_args cut = {.x = x};
    cut.end[along] = t.given;
    x = t.given < shape.size[along] ? atl_slice_with(&cut) : x;
    atl_node *re = onnx_axis_last(atl_index_last(x, 0), along),
             *im = t.is_complex ? onnx_axis_last(atl_index_last(x, 1), along) : NULL, *y = transformed(op, &t, re, im);
    if (!y)
        return 0;
    /* [.., made, 2]: the transformed dimension goes back to its place. */
    atl_transpose_args back = {.x = y};
    for (int i = 0; i < shape.rank; i++)
        back.order[i] = i < along ? i : i == along ? shape.rank - 2 : i < shape.rank - 1 ? i - 1 : i;
    return onnx_give(op, 0, atl_transpose_with(&back));
}

/* Transforms of pieces of a signal [batch, length, 1 or 2]: [batch, pieces, points, 2]. */
static int import_stft(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *window = x && onnx_has(op, 2) ? onnx_float(op, 2) : NULL;
    atl_shape shape = onnx_shape(op, 0);
    int64_t step = 0, points = window ? onnx_shape(op, 2).size[0] : 0;
    int has_channels = shape.rank == 3;
    if (!x || !onnx_one_whole(op, 1, &step) || (onnx_has(op, 3) && !onnx_one_whole(op, 3, &points)) ||
        !check_points(op, points))
        return 0;
    int64_t length = shape.rank > 1 ? shape.size[1] : 0, pieces = step > 0 ? 1 + (length - points) / step : 0;
    if ((!has_channels && shape.rank != 2) || length < points || step < 1 || pieces * points > 1 << 22 ||
        (has_channels && shape.size[2] != 1 && shape.size[2] != 2) ||
        (window && (onnx_rank(op, 2) != 1 || onnx_shape(op, 2).size[0] != points)))
        return onnx_reject(op, "it takes signals [batch, length, 1 or 2] of a known length, at least that of a piece, "
                               "and a window as long as a piece");
    transform t = {.points = points, .given = points, .is_complex = has_channels && shape.size[2] == 2};
    t.made = onnx_attr_int(op, "onesided", 1) ? points / 2 + 1 : points;
    int64_t *place = onnx_room(op, pieces * points, sizeof *place);
    atl_node *part[2] = {NULL, NULL};
    for (int64_t i = 0; place && i < pieces * points; i++)
        place[i] = i / points * step + i % points;
    for (int i = 0; place && i <= t.is_complex; i++) {
        atl_node *signal = has_channels ? atl_index_last(x, i) : x;
        atl_node *cut = onnx_take(op, signal, 1, pieces * points, place);
        cut = cut ? atl_reshape(cut, ATL_SHAPE(ATL_ANY, pieces, points)) : NULL;
        part[i] = window ? atl_mul(cut, window) : cut;
    }
    atl_node *y = part[0] ? transformed(op, &t, part[0], part[1]) : NULL;
    return y && onnx_give(op, 0, y);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* a - b cos(2 pi n / N) + c cos(4 pi n / N) */
typedef struct window {
    double a, b, c;
} window;
static const window windows[] = {{0.5, 0.5, 0}, {25.0 / 46, 21.0 / 46, 0}, {0.42, 0.5, 0.08}};

static onnx_type asked_type(onnx_op *op)
{
    int64_t type = onnx_attr_int(op, "output_datatype", ONNX_FLOAT);
    return type > 0 && type < ONNX_TYPES ? (onnx_type)type : ONNX_FLOAT;
}

static int import_window(onnx_op *op)
{
    const window *w = &windows[op->entry->kind];
    int64_t size = 0;
    if (!onnx_one_whole(op, 0, &size))
        return 0;
    if (size < 1 || size > 1 << 20)
        return onnx_reject(op, "a window of %lld numbers", (long long)size);
    double period = onnx_attr_int(op, "periodic", 1) ? (double)size : (double)size - 1;
    onnx_known *known = onnx_new_known(op->importer, 1, ATL_SHAPE(size));
    for (int64_t n = 0; known && n < size; n++) {
        double angle = period > 0 ? 2 * pi * (double)n / period : pi;
        known->at[n].value = (long double)(w->a - w->b * cos(angle) + w->c * cos(2 * angle));
    }
    return onnx_give_known(op, 0, known, asked_type(op));
}

/* Triangles between frequencies that are even on the mel scale: [points / 2 + 1, bins]. */
static int import_mel(onnx_op *op)
{
    double bins, points, rate, low, high;
    if (!onnx_one(op, 0, &bins) || !onnx_one(op, 1, &points) || !onnx_one(op, 2, &rate) || !onnx_one(op, 3, &low) ||
        !onnx_one(op, 4, &high))
        return 0;
    if (!(bins >= 1 && bins <= 4096 && points >= 2 && points <= 65536 && rate >= 1 && low >= 0 && high > low &&
          high <= 1e9))
        return onnx_reject(op, "%g bins of %g points from %g to %g Hz of %g", bins, points, low, high, rate);
    int64_t count = (int64_t)bins, rows = (int64_t)points / 2 + 1;
    double from = 2595 * log10(1 + low / 700), step = (2595 * log10(1 + high / 700) - from) / (bins + 2);
    onnx_known *known = onnx_new_known(op->importer, 1, ATL_SHAPE(rows, count));
    for (int64_t k = 0; known && k < count; k++) {
        int64_t edge[3];
        for (int i = 0; i < 3; i++) {
            double hertz = 700 * (pow(10, (from + (double)(k + i) * step) / 2595) - 1);
            edge[i] = (int64_t)floor((points + 1) * hertz / rate);
        }
        for (int64_t f = 0; f < rows; f++) {
            double up = edge[1] > edge[0] ? (double)(f - edge[0]) / (double)(edge[1] - edge[0]) : f == edge[1];
            double down = edge[2] > edge[1] ? (double)(edge[2] - f) / (double)(edge[2] - edge[1]) : 0;
            double value = f < edge[0] || f > edge[2] ? 0 : f <= edge[1] ? up : down;
            known->at[f * count + k].value = (long double)(f == edge[2] && f != edge[1] ? 0 : value);
        }
    }
    return onnx_give_known(op, 0, known, asked_type(op));
}

const onnx_entry onnx_signals[] = {{"BlackmanWindow", 17, import_window, .kind = 2},
                                   {"DFT", 17, import_dft},
                                   {"HammingWindow", 17, import_window, .kind = 1},
                                   {"HannWindow", 17, import_window},
                                   {"MelWeightMatrix", 17, import_mel},
                                   {"STFT", 17, import_stft},
                                   {0}};
