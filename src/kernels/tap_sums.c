/* Convolutions as sums of products, one for each element of the window: of the pixels that it meets, and its matrix of
 * channels and results.
 *
 * The results are computed by blocks of pixels and panels of channels, whose sums stay in the first- or second-level
 * cache.  The filter is packed by panels, so that a panel's matrices are read from first to last, once for each block:
 * a part of a matrix that the first-level cache keeps is multiplied with all pixels of the block, and meanwhile the
 * next part, which may come from memory, is fetched. */
#include "kernels/tap_sums.h"

#include <string.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/lines_ahead.h"
#include "kernels/product_tiles.h"

enum {
    PANEL_VECTORS =
        ATL_REGISTERS == 16 && ATL_VECTOR == 4 ? 2 : 3, /* at most; without FMA a product needs a register */
    TILE_ROWS = ATL_REGISTERS == 32  ? 8
                : PANEL_VECTORS == 3 ? 4
                                     : 6,
    PANEL = PANEL_VECTORS * VECTOR,
    PART_TERMS = ATL_CORE_FLOATS / 4 * 3 / PANEL / TERMS * TERMS, /* of a matrix, which the first-level cache keeps */
    BLOCK_FLOATS = 16384, /* sums of a block, which the second-level one keeps */
    BLOCK_PIXELS = BLOCK_FLOATS / PANEL,
    FILTER_LINES = ATL_REGISTERS == 32 ? 4 : 2, /* fetched before some terms */
    PIXELS_AHEAD = 4                            /* whose operands of the epilogue are fetched */
};

/* ---- panels ------------------------------------------------------------------------------------------------------ */

/* As many for each thread, unless they would be single vectors. */
static int64_t count_of_panels(const atl_conv_sizes *d)
{
    const int64_t vectors = d->result_channels / VECTOR, least = atl_divide_up(vectors, PANEL_VECTORS);
    const int64_t even = atl_round_up(least, d->workers);
    return 2 * even <= vectors ? even : least;
}

/* The first channel of a panel; with their number, the end of the last.  They are nearly equal. */
static int64_t start_of_panel(const atl_conv_sizes *d, int64_t panels, int64_t n)
{
    return d->result_channels / VECTOR * n / panels * VECTOR;
}

/* To [panel][element of the window][channel][result channel of the panel]. */
void KERNEL(tap_sums_pack)(const atl_conv_sizes *d, const float *filter, float *packed)
{
    const int64_t taps = d->filter_height * d->filter_width, in = d->channels, out = d->result_channels;
    const int64_t panels = count_of_panels(d);
    for (int64_t n = 0; n < panels; n++)
        for (int64_t t = 0; t < taps; t++) {
            const float *matrix = filter + (d->flipped ? taps - 1 - t : t) * in * out;
            const int64_t end = start_of_panel(d, panels, n + 1);
            for (int64_t i = 0; i < in; i++)
                for (int64_t o = start_of_panel(d, panels, n); o < end; o++)
                    *packed++ = matrix[d->flipped ? o * in + i : i * out + o];
        }
}

/* ---- results and the pixels that they read ----------------------------------------------------------------------- */

/* Of a line: result + n * a step meets pixel + n * another, for all n below `count`. */
typedef struct meeting {
    int64_t result, pixel, count;
} meeting;

/* The results first..last-1 whose pixel, at result * stride + offset or, flipped, at (result + offset) / stride, is one
 * of the image's. */
static meeting meeting_of(const int flipped, int64_t offset, int64_t stride, int64_t pixels, int64_t first,
                          int64_t last)
{
    if (flipped) {
        const int64_t from = atl_divide_up(atl_larger(first + offset, 0), stride);
        const int64_t to = atl_smaller(atl_divide_up(atl_larger(last + offset, 0), stride), pixels);
        return (meeting){from * stride - offset, from, to - from};
    }
    const int64_t from = atl_larger(atl_divide_up(atl_larger(-offset, 0), stride), first);
    const int64_t to = atl_smaller(atl_divide_up(atl_larger(pixels - offset, 0), stride), last);
    return (meeting){from, from * stride + offset, to - from};
}

/* Results of some images: rows first_row..last_row-1 and columns first..last-1. */
typedef struct block {
    int64_t first_image, last_image, first_row, last_row, first, last;
} block;

/* How many there are: so many parts of the batch, of the rows and of the columns. */
typedef struct blocks {
    int64_t along, down, across;
} blocks;

/* Images that are small share a block, others have several; in any case there is some work for each thread. */
static blocks blocks_of(const atl_conv_sizes *d, int64_t panels)
{
    const int64_t across = atl_divide_up(d->result_width, BLOCK_PIXELS), wanted = atl_divide_up(d->workers, panels);
    const int64_t rows = across > 1 ? 1 : BLOCK_PIXELS / d->result_width;
    int64_t down = atl_divide_up(d->result_height, rows);
    int64_t along = down * across > 1 ? d->batch : atl_divide_up(d->batch, rows / d->result_height);
    along = atl_smaller(d->batch, atl_larger(along, wanted));
    if (along * down * across < wanted)
        down = atl_smaller(d->result_height, atl_divide_up(wanted, along * across));
    return (blocks){along, down, across};
}

static block nth_block(const atl_conv_sizes *d, const blocks *all, int64_t n)
{
    const int64_t x = n % all->across, y = n / all->across % all->down, i = n / all->across / all->down;
    return (block){.first_image = d->batch * i / all->along,
                   .last_image = d->batch * (i + 1) / all->along,
                   .first_row = d->result_height * y / all->down,
                   .last_row = d->result_height * (y + 1) / all->down,
                   .first = d->result_width * x / all->across,
                   .last = d->result_width * (x + 1) / all->across};
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* sums [rows, vectors] += a [rows, terms] b [terms, vectors] */
INLINE void add_product(const int rows, const int vectors, int64_t terms, const float *a, int64_t a_row, const float *b,
                        float *sums, int64_t sums_row, lines_ahead *next)
{
    const int64_t panel = vectors * VECTOR, step = next->from < next->end ? next->step : 0;
    const float *ahead = next->from;
    product_tile sum;
    clear_tile(rows, vectors, sum);
    for (; terms >= TERMS; terms -= TERMS, a += TERMS, b += TERMS * panel, ahead += step) {
        fetch_lines(FILTER_LINES, ahead, 0);
        add_to_tile(rows, vectors, TERMS, a, a_row, 1, b, panel, sum); /* a length that the compiler knows */
    }
    if (terms > 0)
        add_to_tile(rows, vectors, terms, a, a_row, 1, b, panel, sum);
    next->from = ahead;
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++) {
        float *to = sums + i * sums_row + v * VECTOR;
        store(to, load(to) + sum[i][v]);
    }
}

/* The same for any number of rows, in tiles that are nearly equal. */
INLINE void add_line(const int vectors, int64_t count, int64_t terms, const float *a, int64_t a_row, const float *b,
                     float *sums, int64_t sums_row, lines_ahead *next)
{
    for (int64_t tiles = atl_divide_up(count, TILE_ROWS), rows; tiles > 0; tiles--, count -= rows) {
        rows = count / tiles;
        switch (rows) {
            CASES_TO_6(add_product, vectors, terms, a, a_row, b, sums, sums_row, next)
#if ATL_REGISTERS == 32
            CASE_OF(7, add_product, vectors, terms, a, a_row, b, sums, sums_row, next)
            CASE_OF(8, add_product, vectors, terms, a, a_row, b, sums, sums_row, next)
#endif
        }
        a += rows * a_row;
        sums += rows * sums_row;
    }
}

typedef struct convolution {
    const atl_conv_sizes *d;
    const float *image, *packed;
    const atl_epilogue *end;
    float *result;
} convolution;

/* One element of the window: its matrix, part by part, with all pixels that it meets. */
INLINE void add_tap(const int vectors, const convolution *x, const block *b, int64_t i, int64_t j, const float *matrix,
                    float *sums)
{
    const atl_conv_sizes *d = x->d;
    const int flipped = d->flipped;
    const int64_t panel = vectors * VECTOR, in = d->channels, wide = b->last - b->first;
    const int64_t high = b->last_row - b->first_row, images = b->last_image - b->first_image;
    const meeting rows = meeting_of(flipped, i * d->dilation_y - d->pad_top, d->stride_y, d->height, b->first_row,
                                    b->last_row),
                  columns =
                      meeting_of(flipped, j * d->dilation_x - d->pad_left, d->stride_x, d->width, b->first, b->last);
    const int64_t down = flipped ? d->stride_y : 1, right = flipped ? d->stride_x : 1;
    const int64_t image_down = flipped ? 1 : d->stride_y, image_right = flipped ? 1 : d->stride_x;
    if (rows.count <= 0 || columns.count <= 0)
        return;
    const int64_t tiles = images * rows.count * atl_divide_up(columns.count, TILE_ROWS);
    const float *end = x->packed + d->filter_height * d->filter_width * in * d->result_channels;
    for (int64_t k = 0; k < in; k += PART_TERMS, matrix += PART_TERMS * panel) {
        const int64_t terms = atl_smaller(PART_TERMS, in - k), more = end - (matrix + terms * panel);
        lines_ahead next = spread(matrix + terms * panel, atl_smaller(terms * panel, more),
                                  tiles * atl_divide_up(terms, TERMS), FILTER_LINES);
        for (int64_t n = 0; n < images * rows.count; n++) {
            const int64_t image = n / rows.count, row = n % rows.count;
            const int64_t y = (b->first_image + image) * d->height + rows.pixel + row * image_down;
            const int64_t to = (image * high + rows.result + row * down - b->first_row) * wide;
            add_line(vectors, columns.count, terms, x->image + (y * d->width + columns.pixel) * in + k,
                     image_right * in, matrix, sums + (to + columns.result - b->first) * panel, right * panel, &next);
        }
    }
}

INLINE void fetch_operand(const int vectors, const float *operand, int64_t at)
{
    for (int v = 0; operand && v < vectors * VECTOR; v += LINE_FLOATS)
        __builtin_prefetch(operand + at + v, 0, 3);
}

/* The sums of a row of results, with the epilogue. */
INLINE void finish_row(const int vectors, const convolution *x, const float *sums, int64_t pixel, int64_t count,
                       int64_t first)
{
    const atl_epilogue end = *x->end; /* which no store into the result can change */
    const int64_t out = x->d->result_channels;
    for (int64_t at = pixel * out + first; count > 0; count--, at += out) {
        fetch_operand(vectors, end.residual, at + PIXELS_AHEAD * out);
        fetch_operand(vectors, end.relu_grad, at + PIXELS_AHEAD * out);
        for (int v = 0; v < vectors; v++, sums += VECTOR)
            store(x->result + at + v * VECTOR, apply_epilogue(&end, load(sums), at + v * VECTOR, first + v * VECTOR));
    }
}

INLINE void convolve_vectors(const int vectors, const convolution *x, const block *b, int64_t first, float *sums)
{
    const atl_conv_sizes *d = x->d;
    const int64_t panel = vectors * VECTOR, taps = d->filter_height * d->filter_width, wide = b->last - b->first;
    const int64_t high = b->last_row - b->first_row, images = b->last_image - b->first_image;
    memset(sums, 0, (size_t)(images * high * wide * panel) * sizeof *sums);
    for (int64_t t = 0; t < taps; t++)
        add_tap(vectors, x, b, t / d->filter_width, t % d->filter_width,
                x->packed + (first * taps + t * panel) * d->channels, sums);
    for (int64_t n = 0; n < images * high; n++) {
        const int64_t row = (b->first_image + n / high) * d->result_height + b->first_row + n % high;
        finish_row(vectors, x, sums + n * wide * panel, row * d->result_width + b->first, wide, first);
    }
}

static void convolve_panel(const convolution *x, const block *b, int64_t first, int64_t end)
{
    float sums[BLOCK_FLOATS];
    FOR_VECTORS((end - first) / VECTOR, (void)0, convolve_vectors(3, x, b, first, sums),
                convolve_vectors(2, x, b, first, sums), convolve_vectors(1, x, b, first, sums))
}

/* Where the filter is the larger, a thread computes all blocks with one panel after another, so that it reads only its
 * own panels, else all panels of one block after another. */
void KERNEL(tap_sums_convolve)(const atl_conv_sizes *d, const float *image, const float *packed,
                               const atl_epilogue *end, float *result)
{
    const convolution x = {d, image, packed, end, result};
    const int64_t panels = count_of_panels(d);
    const blocks all = blocks_of(d, panels);
    const int64_t count = all.along * all.down * all.across;
    const int by_panels = d->filter_height * d->filter_width * d->channels * d->result_channels >
                          d->batch * d->height * d->width * d->channels;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t n = count * panels * worker / d->workers; n < count * panels * (worker + 1) / d->workers; n++) {
            const int64_t panel = by_panels ? n / count : n % panels;
            const block b = nth_block(d, &all, by_panels ? n % count : n / panels);
            convolve_panel(&x, &b, start_of_panel(d, panels, panel), start_of_panel(d, panels, panel + 1));
        }
}
