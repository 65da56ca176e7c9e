/* Convolutions in groups: a vector of results sums, for each channel k of a group, a number of each pixel times the
 * filters' row k.  The number is the same for all lanes if a group fills the vector; in smaller groups every lane holds
 * channel k of its own group.  No product is with a zero.
 *
 * Pixels side by side share loads of the filter, and windows three wide also share pixels.  All rows are computed with
 * as many channels as have a filter that the first-level cache keeps, then with the next ones. */
#include "kernels/grouped.h"

#include "kernels/side_by_side.h"
#include "kernels/taps.h"

enum {
    COLUMNS = 10,        /* of a tile, at most */
    STRIDED_COLUMNS = 7, /* with a stride of two, whose pixels are twice as many: compilers unroll loops of 16 */
    ENOUGH = 8,          /* sums that a processor's units need at a time */
    NEAR_FILTER = 5120   /* floats of the vectors of a filter with which all rows are computed */
};

/* Lane i is lane number[i] of x. */
INLINE vec permuted(vec x, vec_int number)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_permutexvar_ps((__m512i)number, (__m512)x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec)_mm256_permutevar8x32_ps((__m256)x, (__m256i)number);
#else
    vec y;
    for (int i = 0; i < VECTOR; i++)
        y[i] = x[number[i]];
    return y;
#endif
}

/* The first lane of each lane's group. */
static vec_int first_of_group(int64_t group)
{
    vec_int first;
    for (int i = 0; i < VECTOR; i++)
        first[i] = (int32_t)(i / group * group);
    return first;
}

/* ---- vectors of channels ----------------------------------------------------------------------------------------- */

static int64_t vectors_of(int64_t channels) { return (channels + VECTOR - 1) / VECTOR; }

static int64_t vectors_in_all(const atl_conv_sizes *d, int64_t group)
{
    return group < VECTOR ? vectors_of(d->channels) : d->channels / group * vectors_of(group);
}

/* The first channel of vector number v, and the first one that it reads. */
typedef struct channels {
    int64_t made, read;
} channels;

INLINE int64_t vector_within(int64_t number, int64_t count)
{
    return number * VECTOR + VECTOR <= count ? number * VECTOR : count - VECTOR;
}

static channels channels_of(const atl_conv_sizes *d, int64_t group, int64_t v)
{
    if (group < VECTOR) {
        const int64_t first = vector_within(v, d->channels);
        return (channels){first, first};
    }
    const int64_t each = vectors_of(group), first = v / each * group;
    return (channels){first + vector_within(v % each, group), first};
}

int64_t KERNEL(grouped_floats)(const atl_conv_sizes *d, int64_t group)
{
    return vectors_in_all(d, group) * d->filter_height * d->filter_width * group * VECTOR;
}

/* To [vectors][filter_height][filter_width][group][VECTOR]. */
void KERNEL(grouped_pack)(const atl_conv_sizes *d, int64_t group, int turned, const float *filter, float *packed)
{
    const int64_t elements = d->filter_height * d->filter_width, all = d->channels;
    for (int64_t v = 0; v < vectors_in_all(d, group); v++)
        for (int64_t t = 0; t < elements; t++)
            for (int64_t k = 0; k < group; k++)
                for (int64_t o = channels_of(d, group, v).made, end = o + VECTOR; o < end; o++)
                    *packed++ = turned ? filter[((elements - 1 - t) * group + o % group) * all + o / group * group + k]
                                       : filter[(t * group + k) * all + o];
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

typedef struct grouped {
    const atl_conv_sizes *d;
    int64_t group;
    vec_int first; /* see first_of_group */
    const float *image, *filter;
    const atl_epilogue *end;
    float *result;
} grouped;

/* Some results side by side, and the vectors from..to-1 of each. */
typedef struct tile {
    const grouped *g;
    const float *image; /* element (0, 0) of the first window; may be outside */
    int64_t left;       /* column of that */
    int64_t at;         /* of the first pixel in the result */
    int64_t from, to;
    taps v;          /* rows of the filter that are inside of the image */
    uint32_t inside; /* windows three wide: bit p: pixel p of the row that all windows cover is inside of the image */
} tile;

/* What a vector of results reads for channel k of its groups: `fills`: a group fills it. */
INLINE vec numbers(const int fills, const float *pixel, vec_int lanes)
{
    vec value = fills ? broadcast(*pixel) : permuted(load(pixel), lanes);
    HIDE_VECTOR(value);
    return value;
}

/* Sums of windows three wide; x is where the first row that is inside begins.  Where an `edge` is near, pixels that not
 * all windows cover may be outside. */
INLINE void sum_threes(const int count, const int stride, const int edge, const int fills, const tile *t,
                       const float *x, const float *w, vec *sum)
{
    enum { SIZE = 3 };
    const int pixels = (count - 1) * stride + SIZE;
    const atl_conv_sizes *d = t->g->d;
    const int64_t group = t->g->group, all = d->channels, row = d->dilation_y * d->width * all;
    const uint32_t inside = t->inside;
    const int two = ATL_REGISTERS == 32 && count < ENOUGH; /* of each result; three products in turn take longer than
                                                               all those of few results */
    vec more[COLUMNS];
    UNROLL
    for (int o = 0; o < count; o++)
        more[o] = (vec){0};
    for (int64_t i = t->v.first; i < t->v.last; i++, x += row, w += (SIZE - 1) * group * VECTOR) {
        vec_int lanes = t->g->first;
        for (int64_t k = 0; k < group; k++, w += VECTOR, lanes += 1) {
            const vec element[SIZE] = {load(w), load(w + group * VECTOR), load(w + 2 * group * VECTOR)};
            const float *pixel = x + (fills ? k : 0);
            UNROLL
            for (int p = 0; p < pixels; p++) {
                if (!edge || (p >= SIZE - 1 && p <= pixels - SIZE) || (inside >> p & 1)) {
                    const vec value = numbers(fills, pixel, lanes);
                    UNROLL
                    for (int o = 0; o < count; o++)
                        if (two && p == o * stride + SIZE - 1)
                            more[o] += element[SIZE - 1] * value;
                        else if (p >= o * stride && p < o * stride + SIZE)
                            sum[o] += element[p - o * stride] * value;
                }
                pixel += all;
                HIDE_ADDRESS(pixel);
            }
        }
    }
    UNROLL
    for (int o = 0; o < count; o++)
        if (two)
            sum[o] += more[o];
}

/* Adds element j of the rows of windows; bit p of `inside`: that of window p is inside of the image. */
INLINE void add_column(const int count, const int edge, const int fills, const tile *t, int64_t j, uint32_t inside,
                       const float *x, const float *w, vec *sum)
{
    const atl_conv_sizes *d = t->g->d;
    const int64_t group = t->g->group, all = d->channels, row = d->dilation_y * d->width * all;
    w += j * group * VECTOR;
    x += j * d->dilation_x * all;
    for (int64_t i = t->v.first; i < t->v.last; i++, x += row, w += (d->filter_width - 1) * group * VECTOR) {
        vec_int lanes = t->g->first;
        for (int64_t k = 0; k < group; k++, w += VECTOR, lanes += 1) {
            const vec element = load(w);
            const float *pixel = x + (fills ? k : 0);
            UNROLL
            for (int p = 0; p < count; p++) {
                if (!edge || (inside >> p & 1))
                    sum[p] += element * numbers(fills, pixel, lanes);
                pixel += d->stride_x * all;
                HIDE_ADDRESS(pixel);
            }
        }
    }
}

/* Sums of any windows, column after column. */
INLINE void sum_columns(const int count, const int fills, const tile *t, const float *x, const float *w, vec *sum)
{
    const atl_conv_sizes *d = t->g->d;
    for (int64_t j = 0; j < d->filter_width; j++) {
        uint32_t inside = 0;
        for (int p = 0; p < count; p++) {
            const int64_t column = t->left + p * d->stride_x + j * d->dilation_x;
            inside |= (uint32_t)(column >= 0 && column < d->width) << p;
        }
        if (inside == (1u << count) - 1)
            add_column(count, 0, fills, t, j, inside, x, w, sum);
        else if (inside)
            add_column(count, 1, fills, t, j, inside, x, w, sum);
    }
}

/* stride: of windows three wide; 0: any windows */
INLINE void run_tile(const int count, const int stride, const int edge, const int fills, const tile *t)
{
    const grouped *g = t->g;
    const atl_conv_sizes *d = g->d;
    const atl_epilogue end = *g->end; /* a copy, which no store into the result can change */
    const int64_t elements = d->filter_width * g->group * VECTOR; /* of a row */
    const float *row = t->image + t->v.first * d->dilation_y * d->width * d->channels;
    for (int64_t v = t->from; v < t->to; v++) {
        const channels c = channels_of(d, g->group, v);
        const float *w = g->filter + (v * d->filter_height + t->v.first) * elements;
        vec sum[COLUMNS];
        UNROLL
        for (int p = 0; p < count; p++)
            sum[p] = (vec){0};
        if (stride)
            sum_threes(count, stride, edge, fills, t, row + c.read, w, sum);
        else
            sum_columns(count, fills, t, row + c.read, w, sum);
        const atl_epilogue *operations = &end; /* read again each time: sums leave no registers for it */
        HIDE_ADDRESS(operations);
        write_results(count, operations, sum, t->at + c.made, d->channels, c.made, g->result);
    }
}

/* Functions, not cases of a switch in one: compilers treat a very long function badly. */
typedef void tile_function(const tile *t);
#define TILE_NAME(count, stride, edge, fills) tile_##count##_##stride##_##edge##_##fills
#define TILE(count, stride, edge, fills)                                                                               \
    static __attribute__((noinline)) void TILE_NAME(count, stride, edge, fills)(const tile *t)                         \
    {                                                                                                                  \
        run_tile(count, stride, edge, fills, t);                                                                       \
    }
#define TILES_UP_TO_4(stride, fills)                                                                                   \
    TILE(1, stride, 1, fills)                                                                                          \
    TILE(2, stride, 1, fills)                                                                                          \
    TILE(3, stride, 1, fills)                                                                                          \
    TILE(4, stride, 1, fills)
#define TILES_FROM_5(stride, edge, fills)                                                                              \
    TILE(5, stride, edge, fills)                                                                                       \
    TILE(6, stride, edge, fills)                                                                                       \
    TILE(7, stride, edge, fills)
#define TILES_FROM_8(stride, edge, fills)                                                                              \
    TILE(8, stride, edge, fills)                                                                                       \
    TILE(9, stride, edge, fills)                                                                                       \
    TILE(10, stride, edge, fills)
#define TILES(fills)                                                                                                   \
    TILES_UP_TO_4(0, fills)                                                                                            \
    TILES_FROM_5(0, 1, fills)                                                                                          \
    TILES_FROM_8(0, 1, fills)                                                                                          \
    TILES_UP_TO_4(1, fills)                                                                                            \
    TILES_FROM_5(1, 1, fills)                                                                                          \
    TILES_FROM_8(1, 1, fills)                                                                                          \
    TILES_FROM_5(1, 0, fills)                                                                                          \
    TILES_FROM_8(1, 0, fills)                                                                                          \
    TILES_UP_TO_4(2, fills)                                                                                            \
    TILES_FROM_5(2, 1, fills)                                                                                          \
    TILES_FROM_5(2, 0, fills)
TILES(0)
TILES(1)

/* By `fills`, strides (0: any windows), whether an edge is near, and columns.  Tiles that are away from edges have at
 * least 5 columns where the paddings are as usual. */
#define NAMES_UP_TO_7(stride, edge, fills)                                                                             \
    NULL, TILE_NAME(1, stride, 1, fills), TILE_NAME(2, stride, 1, fills), TILE_NAME(3, stride, 1, fills),              \
        TILE_NAME(4, stride, 1, fills), TILE_NAME(5, stride, edge, fills), TILE_NAME(6, stride, edge, fills),          \
        TILE_NAME(7, stride, edge, fills)
#define NAMES(stride, edge, fills)                                                                                     \
    {                                                                                                                  \
        NAMES_UP_TO_7(stride, edge, fills), TILE_NAME(8, stride, edge, fills), TILE_NAME(9, stride, edge, fills),      \
            TILE_NAME(10, stride, edge, fills)                                                                         \
    }
#define TILES_OF(fills)                                                                                                \
    {                                                                                                                  \
        {NAMES(0, 1, fills), NAMES(0, 1, fills)}, {NAMES(1, 0, fills), NAMES(1, 1, fills)},                            \
            {{NAMES_UP_TO_7(2, 0, fills)}, {NAMES_UP_TO_7(2, 1, fills)}},                                              \
    }
static tile_function *const tile_functions[2][3][2][COLUMNS + 1] = {TILES_OF(0), TILES_OF(1)};

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* The stride of windows three wide, of which the first begins no more than two pixels before a row and the last one not
 * behind it; else 0. */
static int64_t stride_of_threes(const atl_conv_sizes *d)
{
    const int are_threes = d->filter_width == 3 && d->dilation_x == 1 && d->stride_x <= 2 && d->pad_left < 3 &&
                           (d->result_width - 1) * d->stride_x - d->pad_left < d->width;
    return are_threes ? d->stride_x : 0;
}

static void convolve_row(const grouped *g, int64_t row, int64_t from, int64_t to)
{
    const atl_conv_sizes *d = g->d;
    const int64_t top = row % d->result_height * d->stride_y - d->pad_top, n = row / d->result_height;
    const int64_t stride = stride_of_threes(d), most = stride == 2 ? STRIDED_COLUMNS : COLUMNS;
    const int64_t tiles = (d->result_width + most - 1) / most;
    tile t = {.g = g, .from = from, .to = to, .v = taps_inside(top, d->height, d->filter_height, d->dilation_y)};
    for (int64_t i = 0; i < tiles; i++) {
        const int64_t column = d->result_width * i / tiles, count = d->result_width * (i + 1) / tiles - column;
        const int64_t pixels = (count - 1) * stride + 3;
        t.left = column * d->stride_x - d->pad_left;
        t.image = g->image + ((n * d->height + top) * d->width + t.left) * d->channels;
        t.at = (row * d->result_width + column) * d->channels;
        const taps p = taps_inside(t.left, d->width, pixels, 1);
        t.inside = stride ? (1u << p.last) - (1u << p.first) : 0;
        const int edge = p.first > 0 || p.last < pixels;
        tile_functions[g->group >= VECTOR][stride][edge][count](&t);
    }
}

/* As many parts of a filter as the first-level cache keeps in turn. */
static int64_t parts_of(const atl_conv_sizes *d, int64_t group)
{
    const int64_t each = d->filter_height * d->filter_width * group * VECTOR, vectors = vectors_in_all(d, group);
    const int64_t most = each < NEAR_FILTER ? NEAR_FILTER / each : 1;
    return (vectors + most - 1) / most;
}

/* Rows row..rows-1, with part n of so many of the filter; meanwhile the next part is fetched. */
static void convolve_rows(const grouped *g, int64_t row, int64_t rows, int64_t n, int64_t parts)
{
    const int64_t floats = KERNEL(grouped_floats)(g->d, g->group), vectors = vectors_in_all(g->d, g->group);
    const int64_t from = vectors * n / parts, to = vectors * (n + 1) / parts, count = rows - row;
    const float *next = g->filter + floats / vectors * to;
    const int64_t lines = n + 1 < parts ? floats / vectors * (vectors * (n + 2) / parts - to) / LINE_FLOATS : 0;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t line = lines * i / count; line < lines * (i + 1) / count; line++)
            __builtin_prefetch(next + line * LINE_FLOATS, 0, 2);
        convolve_row(g, row + i, from, to);
    }
}

/* Threads share the rows.  Few rows, which do not share evenly, count once for each part of the filter. */
void KERNEL(grouped_convolve)(const atl_conv_sizes *d, int64_t group, const float *image, const float *packed,
                              const atl_epilogue *end, float *result)
{
    enum { FEW = 16 }; /* rows a worker */
    const int64_t rows = d->batch * d->result_height, parts = parts_of(d, group);
    const int by_parts = rows % d->workers != 0 && rows < FEW * d->workers;
    const grouped g = {d, group, first_of_group(group), image, packed, end, result};
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t n = 0; n < parts; n++) {
            const int64_t all = by_parts ? rows * parts : rows, before = by_parts ? n * rows : 0;
            const int64_t from = all * worker / d->workers - before, to = all * (worker + 1) / d->workers - before;
            convolve_rows(&g, from > 0 ? from : 0, to < rows ? to : rows, n, parts);
        }
}
