/* Winograd algorithm for the gradient with respect to the filter: see winograd.h. */
#include "kernels/winograd_fetch.h"

/* Sizes of blocks of tiles that fit into the cache together with a worker's sums [points][in][out]. */
static plan gradient_plan_of(const atl_winograd *w)
{
    enum { FEWEST = 16 };
    plan p = tiles_of(w);
    p.block = w->cache_bytes * 3 / 4 / (p.tile_points * 4) / (w->in + w->out); /* the sums need some of it, too */
    p.block = p.block < FEWEST ? FEWEST : p.block;
    p.x_stride = p.block * w->in + PADDING;
    p.y_stride = p.block * w->out + PADDING;
    return p;
}

/* The number of floats of a worker: its sums, and a block of tiles. */
static int64_t sums_stride(const atl_winograd *w, const plan *p)
{
    return p->tile_points * (filter_stride(w) + p->x_stride + p->y_stride);
}

int64_t KERNEL(winograd_gradient_scratch_floats)(const atl_winograd *w)
{
    plan p = gradient_plan_of(w);
    return w->workers * sums_stride(w, &p);
}

/* G dy G' of one tile. */
INLINE void tile_of_gradient(const int side, const atl_winograd *w, const plan *p, const place *at, const float *dy,
                             float *to)
{
    int64_t row = w->result_width * w->out;
    const float *from = dy + (at->n * w->result_height + at->y) * row + at->x * w->out;
    const pixels read = pixels_of(TILE, TILE, at->y, at->x, w->result_height, w->result_width, row, w->out);
    for (int64_t c = 0; c < w->out; c += VECTOR) {
        vec half[TILE * MAX_SIDE], line[MAX_SIDE];
        const float *rows[TILE];
        find_rows(TILE, from + c, row, rows);
        UNROLL
        for (int j = 0; j < TILE; j++) {
            load_column(TILE, &read, rows, j, line);
            filter_transform(side, TILE, line, 1, half + j, TILE);
        }
        float *points = to + c;
        UNROLL
        for (int i = 0; i < side; i++, points += side * p->y_stride) {
            HIDE_ADDRESS(points);
            filter_transform(side, TILE, half + i * TILE, 1, line, 1);
            UNROLL
            for (int j = 0; j < side; j++)
                store(points + j * p->y_stride, line[j]);
        }
    }
}

static void block_of_gradient(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, const float *dy,
                              float *y)
{
    place at = place_of(p, first);
    for (int64_t t = 0; t < tiles; t++, to_next_place(p, first + t, &at))
        if (w->kernel_size == 3)
            tile_of_gradient(6, w, p, &at, dy, y + t * w->out);
        else
            tile_of_gradient(8, w, p, &at, dy, y + t * w->out);
}

/* sums [points][rows, of i on] += x' y, for VECTOR * vectors outputs from o on. */
INLINE void add_rows(const int rows, const int vectors, const atl_winograd *w, const plan *p, int64_t tiles, int64_t k,
                     int64_t i, int64_t o, const float *x, const float *y, float *sums)
{
    float *c = sums + k * filter_stride(w) + i * w->out + o;
    product_tile sum;
    load_tile(rows, vectors, c, w->out, sum);
    add_to_tile(rows, vectors, tiles, x + k * p->x_stride + i, 1, w->in, y + k * p->y_stride + o, w->out, sum);
    store_tile(rows, vectors, sum, c, w->out);
}

/* The inputs are rows of the products; `rest` divides the number of remaining rows. */
INLINE void add_products(const int rows, const int rest, const int vectors, const atl_winograd *w, const plan *p,
                         int64_t tiles, const float *x, const float *y, fetching *next, float *sums)
{
    const int64_t tiles_down = w->in / rows + w->in % rows / rest;
    share_fetching(next, p->tile_points * tiles_down * (w->out / (vectors * VECTOR)));
    for (int64_t k = 0; k < p->tile_points; k++)
        for (int64_t o = 0; o < w->out; o += vectors * VECTOR) {
            int64_t i = 0;
            for (; i + rows <= w->in; i += rows) {
                fetch_some(p, next);
                add_rows(rows, vectors, w, p, tiles, k, i, o, x, y, sums);
            }
            for (; i < w->in; i += rest)
                add_rows(rest, vectors, w, p, tiles, k, i, o, x, y, sums);
        }
}

static void add_products_of_block(const atl_winograd *w, const plan *p, int64_t tiles, const float *x, const float *y,
                                  fetching *next, float *sums)
{
#define PRODUCTS(rows, rest, vectors) add_products(rows, rest, vectors, w, p, tiles, x, y, next, sums)
    enum { EIGHT = VECTOR < 8 ? VECTOR : 8 };
#if ATL_REGISTERS == 32
    FOR_VECTORS(tile_vectors(w->out), PRODUCTS(4, 4, 4), PRODUCTS(8, EIGHT, 3), PRODUCTS(8, EIGHT, 2),
                PRODUCTS(16, VECTOR, 1))
#else
    FOR_VECTORS(tile_vectors(w->out), (void)0, PRODUCTS(4, 4, 3), PRODUCTS(6, 2, 2), PRODUCTS(8, VECTOR, 1))
#endif
}

static void sum_part(const atl_winograd *w, const plan *p, int worker, const float *image, const float *dy,
                     float *scratch)
{
    int64_t from = p->tiles * worker / w->workers, to = p->tiles * (worker + 1) / w->workers;
    float *sums = scratch + worker * sums_stride(w, p), *x = sums + p->tile_points * filter_stride(w);
    float *y = x + p->tile_points * p->x_stride;
    memset(sums, 0, (size_t)(p->tile_points * filter_stride(w)) * sizeof *sums);
    for (; from < to; from += p->block) {
        int64_t tiles = to - from < p->block ? to - from : p->block;
        block_to_points(w, p, from, tiles, image, x);
        block_of_gradient(w, p, from, tiles, dy, y);
        int64_t after = from + tiles, next_tiles = may_be_near(w) ? 0 : atl_smaller(to - after, p->block);
        fetching next = {.count = 0};
        add_fetched(&next, p, fetched_image(w, image), after, next_tiles);
        add_fetched(&next, p, fetched_result(w, dy, 0), after, next_tiles);
        add_products_of_block(w, p, tiles, x, y, &next, sums);
    }
}

/* A' s A of the sums over all workers, for the inputs of one worker. */
INLINE void filter_from_points(const int kernel_size, const atl_winograd *w, const plan *p, int worker,
                               const float *scratch, float *dw)
{
    const int side = kernel_size + 3;
    int64_t stride = sums_stride(w, p), point = filter_stride(w);
    for (int64_t i = w->in * worker / w->workers; i < w->in * (worker + 1) / w->workers; i++)
        for (int64_t o = 0; o < w->out; o += VECTOR) {
            vec all[MAX_POINTS], half[MAX_KERNEL_SIZE * MAX_SIDE];
            for (int k = 0; k < side * side; k++) {
                const float *from = scratch + k * point + i * w->out + o;
                all[k] = load(from);
                for (int other = 1; other < w->workers; other++)
                    all[k] += load(from + other * stride);
            }
            UNROLL
            for (int j = 0; j < side; j++)
                from_points(side, kernel_size, all + j, side, half + j, side);
            UNROLL
            for (int y = 0; y < kernel_size; y++)
                from_points(side, kernel_size, half + y * side, 1, all + y * kernel_size, 1);
            for (int k = 0; k < kernel_size * kernel_size; k++)
                store(dw + (k * w->in + i) * w->out + o, all[k]);
        }
}

static void filter_of_worker(const atl_winograd *w, const plan *p, int worker, const float *scratch, float *dw)
{
    if (w->kernel_size == 3)
        filter_from_points(3, w, p, worker, scratch, dw);
    else
        filter_from_points(5, w, p, worker, scratch, dw);
}

void KERNEL(winograd_filter_gradient)(const atl_winograd *w, const float *image, const float *dy, float *scratch,
                                      float *dw)
{
    plan p = gradient_plan_of(w);
#pragma omp parallel num_threads(w->workers) if (w->workers > 1)
    {
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            sum_part(w, &p, worker, image, dy, scratch);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            filter_of_worker(w, &p, worker, scratch, dw);
    }
}
