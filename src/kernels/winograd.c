/* Convolutions by Winograd's method with a transformed filter that is kept: see winograd.h, and winograd_tiles.h for
 * the mathematics. */
#include "kernels/winograd_fetch.h"

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static plan plan_of(const atl_winograd *w)
{
    plan p = mixed_tiles_of(w);
    int64_t rows = tile_rows(tile_vectors(w->out)), blocks_of_out = w->out / (tile_vectors(w->out) * VECTOR);
    if (p.tiles < 2 * rows * w->workers && blocks_of_out % w->workers == 0)
        p.parts = w->workers;
    p.part = w->out / p.parts;
    /* A filter that the cache cannot hold is read once for each block: larger blocks leave the cache, too, but less. */
    int64_t far = p.tile_points * w->in * p.part * 4 > 4 * w->cache_bytes;
    int64_t most = (far ? 3 : 1) * w->cache_bytes / (p.tile_points * 4) / (w->in + p.part),
            share = (p.tiles * p.parts + w->workers - 1) / w->workers;
    most = most < rows ? rows : most / rows * rows;
    int64_t blocks = (share + most - 1) / most;
    p.block = atl_round_up((share + blocks - 1) / blocks, rows);
    p.x_stride = allocated_rows(&p, rows) * w->in + PADDING;
    p.y_stride = allocated_rows(&p, rows) * p.part + PADDING;
    return p;
}

int64_t KERNEL(winograd_filter_floats)(const atl_winograd *w) { return tiles_of(w).tile_points * filter_stride(w); }

int64_t KERNEL(winograd_scratch_floats)(const atl_winograd *w)
{
    plan p = plan_of(w);
    return w->workers * p.tile_points * (p.x_stride + p.y_stride);
}

/* ---- the filter -------------------------------------------------------------------------------------------------- */

/* To [points][out / block][in][block], in which the products read it from the first to the last; of the inputs of one
 * worker. */
static void filter_to_points(const atl_winograd *w, int worker, const float *filter, int transposed, float *to)
{
    int64_t block = tile_vectors(w->out) * VECTOR, squares = w->in / VECTOR;
    for (int64_t k = squares * worker / w->workers; k < squares * (worker + 1) / w->workers; k++)
        for (int64_t o = 0; o < w->out; o += VECTOR) {
            int64_t i = k * VECTOR;
            float *at = to + (o / block * w->in + i) * block + o % block;
            if (w->kernel_size == 3)
                filter_square_to_points(3, w, filter, transposed, i, o, filter_stride(w), block, at);
            else
                filter_square_to_points(5, w, filter, transposed, i, o, filter_stride(w), block, at);
        }
}

void KERNEL(winograd_transform_filter)(const atl_winograd *w, const float *filter, int transposed, float *transformed)
{
#pragma omp parallel for num_threads(w->workers) schedule(static, 1) if (w->workers > 1)
    for (int worker = 0; worker < w->workers; worker++)
        filter_to_points(w, worker, filter, transposed, transformed);
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* All points of a block of tiles, for the outputs from `first` on, as many as a worker has. */
INLINE void products(const int rows, const int vectors, const atl_winograd *w, const plan *p, int64_t first_tile,
                     int64_t tiles, int64_t first, const float *x, const float *filter, fetching *next, float *y)
{
    int64_t block = vectors * VECTOR;
    share_fetching(next, p->tile_points * (tiles / rows) * (p->part / block));
    for (int64_t k = 0; k < p->tile_points; k++) {
        const point_rows range = rows_with_point(p, k, first_tile, tiles, rows);
        for (int64_t o = 0; o < p->part; o += block) {
            const float *b = filter + k * filter_stride(w) + (first + o) * w->in;
            for (int64_t t = range.from; t < range.end; t += rows) {
                product_tile sum;
                fetch_some(p, next);
                clear_tile(rows, vectors, sum);
                add_to_tile(rows, vectors, w->in, x + k * p->x_stride + t * w->in, w->in, 1, b, block, sum);
                store_tile(rows, vectors, sum, y + k * p->y_stride + t * p->part + o, p->part);
            }
        }
    }
}

static void products_of_block(const atl_winograd *w, const plan *p, int64_t first_tile, int64_t tiles, int64_t first,
                              const float *x, const float *filter, fetching *next, float *y)
{
    FOR_TILE(w->out, products, w, p, first_tile, tiles, first, x, filter, next, y)
}

/* What is fetched beside the products of a block of tiles: the image of the next block, and what the results of this
 * one are added to and written to.  Nothing where workers share a block: each writes other channels of its pixels. */
static fetching fetching_beside(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, int64_t next_tiles,
                                const float *image, const atl_epilogue *end, const float *result)
{
    fetching f = {.count = 0};
    if (may_be_near(w) || p->parts > 1)
        return f;
    if (next_tiles)
        add_fetched(&f, p, fetched_image(w, image), first + tiles, next_tiles);
    add_fetched(&f, p, fetched_result(w, result, w->out_pixel_stride), first, tiles);
    if (end->residual && end->residual != result)
        add_fetched(&f, p, fetched_result(w, end->residual, 0), first, tiles);
    if (end->relu_grad)
        add_fetched(&f, p, fetched_result(w, end->relu_grad, 0), first, tiles);
    return f;
}

/* ---- convolving -------------------------------------------------------------------------------------------------- */

static void convolve_part(const atl_winograd *w, const plan *p, int worker, const float *image, const float *filter,
                          const atl_epilogue *end, float *scratch, float *result)
{
    int64_t teams = w->workers / p->parts, team = worker / p->parts, first = worker % p->parts * p->part;
    int64_t from = p->tiles * team / teams, to = p->tiles * (team + 1) / teams, step = tile_rows(tile_vectors(w->out));
    float *x = scratch + worker * p->tile_points * (p->x_stride + p->y_stride), *y = x + p->tile_points * p->x_stride;
    for (; from < to; from += p->block) {
        int64_t tiles = to - from < p->block ? to - from : p->block;
        block_to_points(w, p, from, tiles, image, x);
        clear_rows(w, p, from, tiles, step, x);
        int64_t next_tiles = atl_smaller(to - from - tiles, p->block);
        fetching next = fetching_beside(w, p, from, tiles, next_tiles, image, end, result);
        products_of_block(w, p, from, tiles, first, x, filter, &next, y);
        block_from_points(w, p, from, tiles, first, y, end, result);
    }
}

void KERNEL(winograd_convolve)(const atl_winograd *w, const float *image, const float *transformed,
                               const atl_epilogue *end, float *scratch, float *result)
{
    plan p = plan_of(w);
#pragma omp parallel for num_threads(w->workers) schedule(static, 1) if (w->workers > 1)
    for (int worker = 0; worker < w->workers; worker++)
        convolve_part(w, &p, worker, image, transformed, end, scratch, result);
}
