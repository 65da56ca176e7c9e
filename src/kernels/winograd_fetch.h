/* Fetching pixels to the second-level cache while products are computed, which read nothing from farther away: a tile's
 * rows lie so far from each other that the processor does not foresee them.  Included by the sources of the kernel
 * only. */
#ifndef ATLED_KERNELS_WINOGRAD_FETCH_H
#define ATLED_KERNELS_WINOGRAD_FETCH_H

#include "kernels/winograd_tiles.h"

/* An array of which each tile reads or writes TILE x TILE pixels that the tiles above and to the left of it do not. */
typedef struct fetched {
    const float *pixels;
    int64_t height, width, channels, pixel_stride;
    int64_t pad_top, pad_left; /* from the first pixel of a tile to its first result */
    int64_t shared;            /* rows and columns of pixels that the tiles before it read, too */
    int64_t first, tiles;      /* whose pixels are fetched */
    place at;                  /* of the tile at hand */
} fetched;

enum { MAX_FETCHED = 4 };
typedef struct fetching {
    fetched arrays[MAX_FETCHED];
    int count;
    int64_t tile, tiles;           /* of those of each array, the one at hand; and the most that an array has */
    int array;                     /* the next one of this tile */
    int64_t each;                  /* rows to fetch beside each tile of products */
    const float *row;              /* the next row of the array at hand, */
    int64_t rows;                  /* how many are left, */
    int64_t row_stride;            /* floats from one to the next, and */
    int64_t runs, run_stride, run; /* what is fetched of each: so many runs of floats that lie side by side */
} fetching;

static inline fetched fetched_image(const atl_winograd *w, const float *image)
{
    return (fetched){.pixels = image,
                     .height = w->height,
                     .width = w->width,
                     .channels = w->in,
                     .pixel_stride = w->in_pixel_stride ? w->in_pixel_stride : w->in,
                     .pad_top = w->pad_top,
                     .pad_left = w->pad_left,
                     .shared = w->kernel_size - 1};
}

static inline fetched fetched_result(const atl_winograd *w, const float *result, int64_t pixel_stride)
{
    return (fetched){.pixels = result,
                     .height = w->result_height,
                     .width = w->result_width,
                     .channels = w->out,
                     .pixel_stride = pixel_stride ? pixel_stride : w->out};
}

/* The pixels of so many tiles. */
static inline void add_fetched(fetching *f, const plan *p, fetched array, int64_t first, int64_t tiles)
{
    array.first = first, array.tiles = tiles, array.at = place_of(p, first);
    f->arrays[f->count++] = array;
    f->tiles = atl_larger(f->tiles, tiles);
}

/* True if the arrays are no larger than the second-level cache, which has some two times cache_bytes or more: they may
 * still be there. */
static inline int may_be_near(const atl_winograd *w)
{
    const int64_t floats = w->height * w->width * w->in + w->result_height * w->result_width * w->out;
    return w->batch * floats * 4 <= 2 * w->cache_bytes;
}

/* Shares the rows evenly among so many tiles of products. */
static inline void share_fetching(fetching *f, int64_t products)
{
    f->each = atl_divide_up(f->tiles * f->count * TILE, atl_larger(products, 1));
}

/* The pixels of one direction, from the first that is inside of the array; the first tile of a class of results reads
 * the pixels before, too. */
typedef struct stretch {
    int64_t first, count;
} stretch;

static inline stretch stretch_of(const lines *l, int64_t result, int64_t pad, int64_t shared, int64_t size)
{
    const int64_t step = l->dilation, start = result - pad, end = start + (shared + TILE) * step;
    const int64_t first = start + (result >= step ? shared * step : 0);
    const int64_t inside = first + steps_over(-first, step) * step;
    return (stretch){inside, steps_over(atl_smaller(end, size) - inside, step)};
}

static __attribute__((noinline)) void begin_dilated_rows(fetching *f, const plan *p, const fetched *a)
{
    const stretch down = stretch_of(&p->down, a->at.y, a->pad_top, a->shared, a->height);
    const stretch across = stretch_of(&p->across, a->at.x, a->pad_left, a->shared, a->width);
    f->rows = down.count;
    f->row = a->pixels + ((a->at.n * a->height + down.first) * a->width + across.first) * a->pixel_stride;
    f->row_stride = p->down.dilation * a->width * a->pixel_stride;
    f->runs = across.count;
    f->run_stride = p->across.dilation * a->pixel_stride;
    f->run = a->channels;
}

/* The rows of an array's tile. */
static inline void begin_rows(fetching *f, const plan *p, const fetched *a)
{
    const place *at = &a->at;
    if (p->down.dilation > 1 || p->across.dilation > 1) {
        begin_dilated_rows(f, p, a);
        return;
    }
    const int64_t x = at->x - a->pad_left + a->shared, y = at->y - a->pad_top + a->shared;
    const int64_t left = at->x ? x : 0, right = atl_smaller(x + TILE, a->width);
    const int64_t top = at->y ? y : 0, bottom = atl_smaller(y + TILE, a->height);
    const int is_dense = a->pixel_stride == a->channels;
    f->rows = bottom - top;
    f->row = a->pixels + ((at->n * a->height + top) * a->width + left) * a->pixel_stride;
    f->row_stride = a->width * a->pixel_stride;
    f->runs = is_dense ? 1 : right - left;
    f->run_stride = a->pixel_stride;
    f->run = is_dense ? (right - left) * a->channels : a->channels;
}

/* Beside a tile of products, whose loops keep their registers if this is a call.  The loops that fetch stand in a
 * function that writes: GCC takes one that only fetches for one without effect, and drops its calls. */
static __attribute__((noinline)) void fetch_some(const plan *p, fetching *f)
{
    enum { FAR = 2 }; /* to the second-level cache */
    for (int64_t k = 0; k < f->each && f->tile < f->tiles; k++) {
        if (f->rows <= 0) {
            fetched *a = &f->arrays[f->array];
            if (f->tile < a->tiles) {
                begin_rows(f, p, a);
                to_next_place(p, a->first + f->tile + 1, &a->at);
            }
            if (++f->array == f->count) {
                f->array = 0;
                f->tile++;
            }
        }
        if (f->rows > 0) {
            const float *run = f->row;
            for (int64_t i = 0; i < f->runs; i++, run += f->run_stride)
                for (int64_t c = 0; c < f->run; c += LINE_FLOATS)
                    __builtin_prefetch(run + c, 0, FAR);
            f->row += f->row_stride;
            f->rows--;
        }
    }
}

#endif
