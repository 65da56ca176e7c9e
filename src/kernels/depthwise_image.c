/* The gradient by the image of a depthwise convolution with strides.
 *
 * Of windows 3 and 5 wide with stride 2, pixels go by pairs: the first of a pair is read by the elements 0, 2, 4 of
 * windows, the second by 1 and 3.  A few pairs side by side share loads of the filter and of dy.  Other pixels go one
 * by one, by a list of who has read them, in the same order of sums. */
#include "kernels/depthwise.h"

#include "cost/cost.h"
#include "kernels/side_by_side.h"
#include "kernels/taps.h"

/* ---- one pixel --------------------------------------------------------------------------------------------------- */

/* A result that has read a pixel, and by which element of the filter. */
typedef struct reader {
    int64_t result, element; /* in floats from the first */
} reader;

static int find_readers(const atl_conv_sizes *d, taps v, taps h, int64_t y, int64_t x, reader *list)
{
    int count = 0;
    for (int64_t i = v.first; i < v.last; i += d->stride_y)
        for (int64_t j = h.first; j < h.last; j += d->stride_x)
            list[count++] = (reader){((y - i) / d->stride_y * d->result_width + (x - j) / d->stride_x) * d->channels,
                                     (i * d->filter_width + j) * d->channels};
    return count;
}

/* What a row of pixels is computed from. */
typedef struct image_row {
    const atl_conv_sizes *d;
    const float *dy, *filter; /* dy of the row's image */
    const atl_epilogue *end;
    float *dx;
    int64_t y, at; /* of the row in the padded image, and of its first float in dx */
    taps v;        /* the rows of the filter that read it, every stride-th */
} image_row;

/* All channels of pixel x. */
static void gradient_of_pixel(const image_row *r, int64_t x)
{
    const atl_conv_sizes *d = r->d;
    const int64_t padded = x + d->pad_left, at = r->at + x * d->channels;
    const taps h = elements_over(padded, d->stride_x, d->filter_width, d->result_width);
    reader list[ATL_MAX_DEPTHWISE * ATL_MAX_DEPTHWISE];
    const int count = find_readers(d, r->v, h, r->y, padded, list);
    for (int64_t c = 0; c < d->channels; c += VECTOR) {
        vec sum = {0};
        for (int k = 0; k < count; k++)
            sum += load(r->dy + list[k].result + c) * load(r->filter + list[k].element + c);
        write_results(1, r->end, &sum, at + c, d->channels, c, r->dx);
    }
}

/* ---- pairs of pixels --------------------------------------------------------------------------------------------- */

enum { PAIRS = SIDE_BY_SIDE_SUMS / 2 };

/* Adds what one row of the filter gives to pairs side by side.  Near an `edge` a result may be missing: bit k of
 * `inside`, for result k of those that have read them.  From the last result to the first, so that each pixel meets the
 * elements in ascending order, as in the list above. */
INLINE void sum_pairs(const int pairs, const int size, const int edge, int64_t channels, uint32_t inside,
                      const float *last, const float *elements, vec *sum)
{
    const int before = (size - 1) / 2;
    vec w[WIDEST];
    UNROLL
    for (int j = 0; j < size; j++) {
        w[j] = load(elements);
        elements += channels;
        HIDE_ADDRESS(elements);
    }
    UNROLL
    for (int k = pairs + before - 1; k >= 0; k--) {
        if (!edge || (inside >> k & 1)) {
            vec value = load(last);
            HIDE_VECTOR(value);
            UNROLL
            for (int j = 0; j < size; j++) {
                const int pair = k - before + j / 2;
                if (pair >= 0 && pair < pairs)
                    sum[2 * pair + j % 2] += w[j] * value;
            }
        }
        last -= channels;
        HIDE_ADDRESS(last);
    }
}

/* True if the image goes to memory: a processor that writes several pixels in turn does not foresee the next. */
static int is_far(const atl_conv_sizes *d) { return d->batch * d->height * d->width * d->channels >= ATL_FAR_FLOATS; }

/* All channels of pairs from pixel x on; x + pad_left is even. */
INLINE void gradient_of_pairs(const int pairs, const int size, const int edge, const image_row *r, int64_t x,
                              uint32_t inside)
{
    const atl_epilogue own = *r->end; /* copies, which no store into the result can change */
    const int64_t channels = r->d->channels, at = r->at + x * channels, rows = (r->v.last - r->v.first + 1) / 2;
    const int64_t result_row = r->d->result_width * channels, filter_row = size * channels;
    const float *last =
        r->dy + (r->y - r->v.first) / 2 * result_row + ((x + r->d->pad_left) / 2 + pairs - 1) * channels;
    const float *elements = r->filter + r->v.first * filter_row;
    float *const dx = r->dx;
    const int far = is_far(r->d);
    for (int64_t c = 0; c < channels; c += VECTOR) {
        if (own.relu_grad && c % LINE_FLOATS == 0) /* of the next pairs */
            fetch_pixels(2 * pairs, own.relu_grad + at + 2 * pairs * channels + c, channels);
        if (far && c % LINE_FLOATS == 0) /* where they will be written */
            fetch_pixels(2 * pairs, dx + at + 2 * pairs * channels + c, channels);
        vec sum[2 * PAIRS];
        UNROLL
        for (int k = 0; k < 2 * pairs; k++)
            sum[k] = (vec){0};
        for (int64_t i = 0; i < rows; i++)
            sum_pairs(pairs, size, edge, channels, inside, last - i * result_row + c, elements + 2 * i * filter_row + c,
                      sum);
        const atl_epilogue *operations = &own; /* read again each time: sums leave no registers for it */
        HIDE_ADDRESS(operations);
        write_results(2 * pairs, operations, sum, at + c, channels, c, dx);
    }
}

typedef void pairs_function(const image_row *r, int64_t x, uint32_t inside);
#define PAIRS_NAME(size, edge, pairs) pairs_##size##_##edge##_##pairs
#define PAIRS_FUNCTION(size, edge, pairs)                                                                              \
    static __attribute__((noinline)) void PAIRS_NAME(size, edge, pairs)(const image_row *r, int64_t x,                 \
                                                                        uint32_t inside)                               \
    {                                                                                                                  \
        gradient_of_pairs(pairs, size, edge, r, x, inside);                                                            \
    }
#define PAIRS_FUNCTIONS(size)                                                                                          \
    PAIRS_FUNCTION(size, 1, 1)                                                                                         \
    PAIRS_FUNCTION(size, 1, 2)                                                                                         \
    PAIRS_FUNCTION(size, 1, 3)                                                                                         \
    PAIRS_FUNCTION(size, 1, 4)                                                                                         \
    PAIRS_FUNCTION(size, 0, 4)
PAIRS_FUNCTIONS(3)
PAIRS_FUNCTIONS(5)

/* By the filter's size, the number of pairs, and with 0 pairs those without an edge. */
#define PAIRS_OF(size)                                                                                                 \
    {                                                                                                                  \
        PAIRS_NAME(size, 0, 4), PAIRS_NAME(size, 1, 1), PAIRS_NAME(size, 1, 2), PAIRS_NAME(size, 1, 3),                \
            PAIRS_NAME(size, 1, 4)                                                                                     \
    }
static pairs_function *const pairs_functions[2][PAIRS + 1] = {PAIRS_OF(3), PAIRS_OF(5)};

static int has_pairs(const atl_conv_sizes *d)
{
    return (d->filter_width == 3 || d->filter_width == 5) && d->stride_x == 2 && d->stride_y == 2;
}

/* ---- all pixels -------------------------------------------------------------------------------------------------- */

static void gradient_of_row(const atl_conv_sizes *d, int64_t row, const float *dy, const float *filter,
                            const atl_epilogue *end, float *dx)
{
    const int64_t y = row % d->height + d->pad_top;
    const image_row r = {.d = d,
                         .dy = dy + row / d->height * d->result_height * d->result_width * d->channels,
                         .filter = filter,
                         .end = end,
                         .dx = dx,
                         .y = y,
                         .at = row * d->width * d->channels,
                         .v = elements_over(y, d->stride_y, d->filter_height, d->result_height)};
    int64_t x = 0;
    if (has_pairs(d)) {
        if (d->pad_left % 2)
            gradient_of_pixel(&r, x++);
        for (int64_t pairs; (pairs = (d->width - x) / 2) > 0; x += 2 * pairs) {
            const int64_t before = d->filter_width / 2, first = (x + d->pad_left) / 2 - before;
            pairs = pairs < PAIRS ? pairs : pairs < 2 * PAIRS ? (pairs + 1) / 2 : PAIRS;
            const taps inside = taps_inside(first, d->result_width, pairs + before, 1);
            const int edge = pairs < PAIRS || inside.first > 0 || inside.last < pairs + before;
            const uint32_t bits = inside.last < inside.first ? 0 : (1u << inside.last) - (1u << inside.first);
            pairs_functions[d->filter_width == 5][edge ? pairs : 0](&r, x, bits);
        }
    }
    for (; x < d->width; x++)
        gradient_of_pixel(&r, x);
}

void KERNEL(depthwise_image_gradient)(const atl_conv_sizes *d, const float *dy, const float *filter,
                                      const atl_epilogue *end, float *dx)
{
    int64_t rows = d->batch * d->height;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t row = rows * worker / d->workers; row < rows * (worker + 1) / d->workers; row++)
            gradient_of_row(d, row, dy, filter, end, dx);
}
