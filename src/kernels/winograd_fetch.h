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
    int64_t down, across; /* from the tile's first result to the first of these pixels */
    int64_t first, tiles; /* whose pixels are fetched */
    place at;             /* of the tile at hand */
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
                     .down = w->kernel_size - 1 - w->pad_top,
                     .across = w->kernel_size - 1 - w->pad_left};
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

/* The rows of an array's tile; the first tiles of an image read the pixels before, too. */
static inline void begin_rows(fetching *f, const fetched *a)
{
    const place *at = &a->at;
    const int64_t left = at->x ? at->x + a->across : 0, right = atl_smaller(at->x + a->across + TILE, a->width);
    const int64_t top = at->y ? at->y + a->down : 0, bottom = atl_smaller(at->y + a->down + TILE, a->height);
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
                begin_rows(f, a);
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
