/* 1x1 convolutions and dense layers: products of [pixels, in] and [in, out], with an epilogue.
 *
 * The filter is packed in panels of as many outputs as a tile has.  A small filter stays in the first-level cache, and
 * all panels are multiplied with one tile's pixels after another.  Of a larger one a panel is multiplied with all
 * pixels of a block; meanwhile the next panel, which may come from memory, is fetched into the second-level cache.
 *
 * A post-op gets whole pixels that the second-level cache still holds: all outputs of a block of pixels, or of some
 * tiles of a small filter.  Ranges that fit the first-level cache would drive the filter and the image out of it. */
#include "kernels/pointwise.h"

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/lines_ahead.h"
#include "kernels/pointwise_pairs.h"
#include "kernels/post_op_ranges.h"

enum {
    KEPT_FILTER = ATL_NEAR_FLOATS,          /* which the second-level cache may keep from run to run */
    BLOCK_FLOATS = ATL_NEAR_FLOATS / 4 * 3, /* of a block of pixels, which the second-level cache keeps */
    LEAST_PIXELS = 96,                      /* of a block: fewer would not hide the fetching of a panel */
    LASTING_FILTER = 2 * ATL_NEAR_FLOATS,   /* which the second-level cache keeps from block to block */
    LASTING_FLOATS = BLOCK_FLOATS / 2,      /* of a block's results, and of as many that the epilogue reads */
    LEAST_OF_LASTING = 24,                  /* pixels of a block whose panels need not be fetched from afar */
    POST_OP_BLOCK = ATL_NEAR_FLOATS / 2     /* results of a small filter that a post-op gets at once */
};

/* Panels of WIDE vectors make the tile nearly square, which needs the fewest loads; what they leave over are panels of
 * OTHER vectors at the end: 5 vectors are 3 and 2. */
#if ATL_REGISTERS == 32
enum { WIDE = 3, WIDE_ROWS = 8, OTHER = 2, OTHER_ROWS = 12 };
#else
enum { WIDE = 2, WIDE_ROWS = 6, OTHER = 3, OTHER_ROWS = 4 };
#endif

/* Whether one kind of tile computes all outputs of a filter that the first-level cache keeps. */
static int is_small(const atl_pointwise *p)
{
    return p->in * p->out <= SMALL_FILTER && (tile_vectors(p->out) > 1 || p->out < 3 * VECTOR);
}

/* Vectors of a panel's outputs, but for OTHER panels. */
static int panel_vectors(const atl_pointwise *p)
{
    const int64_t vectors = p->out / VECTOR;
    if (is_small(p) || vectors < 3)
        return is_small(p) ? small_vectors(p->out) : tile_vectors(p->out);
    return ATL_REGISTERS == 32 && vectors % 3 && vectors % 4 == 0 ? 4 : WIDE;
}

/* How many outputs these panels have. */
static int64_t outputs_of_panels(const atl_pointwise *p, int vectors)
{
    const int64_t left = p->out / VECTOR % WIDE;
    const int64_t others = vectors != WIDE || is_small(p) || left == 0 ? 0 : WIDE == 3 ? 3 - left : 1;
    return p->out - others * OTHER * VECTOR;
}

/* To [out / block][in][block]. */
void KERNEL(pointwise_pack)(const atl_pointwise *p, const float *filter, int transposed, float *packed)
{
    const int vectors = panel_vectors(p);
    const int64_t wide = outputs_of_panels(p, vectors);
    if (is_paired(p)) {
        pack_pairs(p, filter, transposed, packed);
        return;
    }
    for (int64_t first = 0, block; first < p->out; first += block, packed += block * p->in) {
        block = (first < wide ? vectors : OTHER) * VECTOR;
        for (int64_t i = 0; i < p->in; i++)
            for (int64_t o = 0; o < block; o++)
                packed[i * block + o] = filter[transposed ? (first + o) * p->in + i : i * p->out + first + o];
    }
}

/* ---- large filters ----------------------------------------------------------------------------------------------- */

/* What is fetched while a tile is computed: the next panel, the pixels of the next block, if they are dense, and what
 * the next tile, which begins there, reads and writes at its end: its own would come too late. */
typedef struct fetching {
    lines_ahead panel, image;
    int64_t pixel, first;
} fetching;

/* So many lines before some terms; where there are more, the processor foresees the rest. */
enum { PANEL_LINES = ATL_REGISTERS == 32 ? 4 : 2, IMAGE_LINES = 2 };

/* So many times TERMS terms.  Before each some lines are fetched, `with_pixels` also a pixel of the next tile.  Every
 * instruction on addresses may take the place of a multiplication: so nothing is asked for, and the same lines are
 * fetched again where there are no more, or no second array. */
INLINE void some_terms(const int rows, const int vectors, const int with_pixels, const product *x, int64_t times,
                       const float *a, const float *b, fetching *next, product_tile sum)
{
    const int64_t panel = vectors * VECTOR, a_row = x->p->in_pixel_stride;
    const int64_t panel_step = next->panel.from < next->panel.end ? next->panel.step : 0,
                  image_step = next->image.from < next->image.end ? next->image.step : 0;
    const pixel_array *first = x->array, *second = x->array + (x->arrays > 1);
    const float *of_panel = next->panel.from, *of_image = next->image.from;
    const float *of_first = first->from + next->pixel * first->row + next->first,
                *of_second = second->from + next->pixel * second->row + next->first;
    for (int64_t n = 0; n < times; n++, a += TERMS, b += TERMS * panel) {
        fetch_lines(PANEL_LINES, of_panel, 0);
        fetch_lines(IMAGE_LINES, of_image, 0);
        of_panel += panel_step;
        of_image += image_step;
        if (with_pixels) {
            fetch_lines((vectors * VECTOR + LINE_FLOATS - 1) / LINE_FLOATS, of_first, 1);
            fetch_lines((vectors * VECTOR + LINE_FLOATS - 1) / LINE_FLOATS, of_second, 1);
            of_first += first->row;
            of_second += second->row;
        }
        add_to_tile(rows, vectors, TERMS, a, a_row, 1, b, panel, sum); /* a length that the compiler knows */
    }
    next->panel.from = of_panel;
    next->image.from = of_image;
}

/* Some pixels from `pixel` on, and the outputs of the panel that starts with output `first`. */
INLINE void multiply_tile(const int rows, const int vectors, const product *x, int64_t pixel, int64_t first,
                          fetching *next)
{
    const atl_pointwise *p = x->p;
    const float *a = x->image + pixel * p->in_pixel_stride, *b = x->packed + first * p->in;
    const int64_t panel = vectors * VECTOR, times = p->in / TERMS, terms = times * TERMS;
    const int64_t with_pixels = atl_smaller(times, rows), before = with_pixels * TERMS;
    product_tile sum;
    clear_tile(rows, vectors, sum);
    some_terms(rows, vectors, 1, x, with_pixels, a, b, next, sum);
    some_terms(rows, vectors, 0, x, times - with_pixels, a + before, b + before * panel, next, sum);
    if (terms < p->in)
        add_to_tile(rows, vectors, p->in - terms, a + terms, p->in_pixel_stride, 1, b + terms * panel, panel, sum);
    if (with_pixels < rows || x->arrays > 2)
        for (int64_t i = 0; i < rows; i++)
            fetch_pixel(vectors, x, i < with_pixels ? 2 : 0, next->pixel + i, next->first);
    write_tile(rows, vectors, p, pixel, first, sum, &x->end, x->result);
}

/* The same, and behind it the next tile: in this panel up to pixel `to`, else at the next one's first pixel. */
INLINE void pixels_of_panel(const int rows, const int vectors, const product *x, int64_t pixel, int64_t to,
                            int64_t first, int64_t first_pixel, fetching *next)
{
    const int is_last = pixel + rows >= to;
    next->pixel = is_last ? first_pixel : pixel + rows;
    next->first = is_last ? first + vectors * VECTOR : first;
    multiply_tile(rows, vectors, x, pixel, first, next);
}

/* The pixels from..to-1 with one panel. */
INLINE void one_panel(const int rows, const int vectors, const product *x, int64_t from, int64_t to, int64_t first,
                      fetching *next)
{
    const int64_t start = from;
    for (int64_t less = shorter_tiles(to - from, rows); less > 0; less--, from += rows - 1)
        pixels_of_panel(rows - 1, vectors, x, from, to, first, start, next);
    for (; from + rows <= to; from += rows)
        pixels_of_panel(rows, vectors, x, from, to, first, start, next);
    for (; from + rows / 2 <= to; from += rows / 2)
        pixels_of_panel(rows / 2, vectors, x, from, to, first, start, next);
    for (; from < to; from++)
        pixels_of_panel(1, vectors, x, from, to, first, start, next);
}

/* Pixels of a block, for so many pixels: blocks of nearly equal size.  A panel writes one or a few lines of each pixel,
 * and the epilogue reads as many of each operand.  Processors fetch the line beside each of these, too; the next panel
 * finds it in the cache if the block is small.  A filter that the second-level cache keeps costs little a block. */
static int64_t pixels_of_block(const product *x, int64_t pixels, int rows)
{
    const atl_pointwise *p = x->p;
    int64_t wide = p->out * (1 + operands_of(&x->end));
    int64_t most = atl_larger(BLOCK_FLOATS / atl_larger(p->in, 1), LEAST_PIXELS), blocks;
    if (p->in * p->out <= LASTING_FILTER)
        most = atl_smaller(most, atl_larger(LASTING_FLOATS / wide, LEAST_OF_LASTING));
    blocks = (pixels + most - 1) / most;
    return blocks > 1 ? ((pixels + blocks - 1) / blocks + rows - 1) / rows * rows : pixels;
}

/* The pixels from..to-1 with the panels of the outputs begin..end-1, the last ones before `all`. */
INLINE void panels_of_block(const int rows, const int vectors, const product *x, int64_t from, int64_t to,
                            int64_t begin, int64_t end, int64_t all, int64_t steps, fetching *next)
{
    const int64_t in = x->p->in, panel = vectors * VECTOR;
    for (int64_t o = begin; o < end; o += panel) {
        const int64_t more = o + panel < all ? panel : 0; /* a narrower one begins in the same place */
        next->panel = spread(x->packed + (o + more) * in, more * in, steps, PANEL_LINES);
        one_panel(rows, vectors, x, from, to, o, next);
    }
}

/* Apart, so that the loops for the usual panels are as short as without it. */
static __attribute__((noinline)) void other_panels(const product *x, int64_t from, int64_t to, int64_t begin,
                                                   int64_t end, int64_t steps, fetching *next)
{
    panels_of_block(OTHER_ROWS, OTHER, x, from, to, begin, end, end, steps, next);
}

/* The same, one block of pixels after another. */
INLINE void some_panels(const int rows, const int vectors, const product *x, int64_t from, int64_t to, int64_t begin,
                        int64_t end)
{
    const int64_t in = x->p->in, block = pixels_of_block(x, to - from, rows);
    const int64_t steps = (block + rows - 1) / rows * ((in + TERMS - 1) / TERMS);
    const int64_t wide = atl_smaller(end, outputs_of_panels(x->p, vectors));
    for (; from < to; from += block) {
        const int64_t behind = atl_smaller(from + block, to), after = atl_smaller(behind + block, to) - behind;
        const int64_t floats = x->p->in_pixel_stride == in ? after * in : 0;
        fetching next = {.image = spread(x->image + (floats > 0 ? behind : from) * in, floats,
                                         steps * (end - begin) / (vectors * VECTOR), IMAGE_LINES)};
        panels_of_block(rows, vectors, x, from, behind, begin, wide, end, steps, &next);
        if (vectors == WIDE && wide < end) {
            fetching of_others = next; /* a copy, so that `next` itself can stay in registers */
            other_panels(x, from, behind, atl_larger(begin, wide), end, steps, &of_others);
        }
        apply_post_op_to_pixels(&x->end, from, behind - from, x->p->out, begin, end);
    }
}

static void multiply(const product *x, int64_t from, int64_t to, int64_t begin, int64_t end)
{
#if ATL_REGISTERS == 32
    FOR_VECTORS(panel_vectors(x->p), some_panels(6, 4, x, from, to, begin, end),
                some_panels(WIDE_ROWS, WIDE, x, from, to, begin, end), some_panels(12, 2, x, from, to, begin, end),
                some_panels(12, 1, x, from, to, begin, end))
#else
    FOR_VECTORS(panel_vectors(x->p), (void)0, some_panels(4, 3, x, from, to, begin, end),
                some_panels(WIDE_ROWS, WIDE, x, from, to, begin, end), some_panels(12, 1, x, from, to, begin, end))
#endif
}

/* Where a panel begins; with their number, where the last one ends. */
static int64_t start_of_panel(const atl_pointwise *p, int vectors, int64_t n)
{
    const int64_t panel = vectors * VECTOR, wide = outputs_of_panels(p, vectors);
    return n * panel <= wide ? n * panel : wide + (n - wide / panel) * OTHER * VECTOR;
}

/* Pixels of a small filter, in tiles of so many, and a post-op on some tiles at once. */
static void multiply_tiles(const product *x, int64_t from, int64_t to, int64_t rows)
{
    const int64_t some = atl_larger(POST_OP_BLOCK / (x->p->out * rows), 1) * rows;
    for (int64_t behind; from < to; from = behind) {
        behind = x->end.post_op.apply ? atl_smaller(from + some, to) : to;
        if (is_paired(x->p))
            multiply_pairs(x, from, behind);
        else
            multiply_small(x, from, behind);
        atl_apply_post_op(&x->end, from * x->p->out, behind * x->p->out);
    }
}

/* Threads share the pixels, so that each reads what it has written in the step before.  Where the filter is the larger
 * of what is read, and no cache has kept it since the last run, they share the panels: each fetches only its own. */
void KERNEL(pointwise_convolve)(const atl_pointwise *p, const float *image, const float *packed,
                                const atl_epilogue *end, float *result)
{
    const product x = new_product(p, image, packed, end, result);
    const int vectors = panel_vectors(p);
    const int64_t wide = outputs_of_panels(p, vectors);
    const int64_t panels = wide / (vectors * VECTOR) + (p->out - wide) / (OTHER * VECTOR);
    const int by_panels =
        !is_paired(p) && p->in * p->out > KEPT_FILTER && p->out > p->pixels && panels >= 2 * p->workers;
#pragma omp parallel for num_threads(p->workers) schedule(static, 1) if (p->workers > 1)
    for (int worker = 0; worker < p->workers; worker++) {
        if (by_panels) {
            multiply(&x, 0, p->pixels, start_of_panel(p, vectors, panels * worker / p->workers),
                     start_of_panel(p, vectors, panels * (worker + 1) / p->workers));
            continue;
        }
        /* A small filter's rest of a tile, which the last thread computes, is slow; of a larger one there is none. */
        int64_t rows = is_paired(p) ? paired_rows(p) : is_small(p) ? small_rows(p->out) : 1, groups = p->pixels / rows;
        int64_t from = groups * worker / p->workers * rows, to = groups * (worker + 1) / p->workers * rows;
        to = worker + 1 == p->workers ? p->pixels : to;
        if (is_paired(p) || is_small(p))
            multiply_tiles(&x, from, to, rows);
        else if (from < to)
            multiply(&x, from, to, 0, p->out);
    }
}
