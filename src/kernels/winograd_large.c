/* Convolutions by Winograd's method that transform the filter as they go: see winograd.h.
 *
 * Many tiles are transformed together, by all workers.  Then each worker takes some outputs after the other: their
 * filter is transformed, for as many inputs as the cache of a core holds, and multiplied with all of these tiles.  The
 * bits do not depend on the number of workers. */
#include "kernels/winograd_tiles.h"

/* One panel of outputs is worked on at once. */
static int panel_vectors(const atl_winograd *w) { return w->out / VECTOR % 2 == 0 ? 2 : 1; }
static int panel_rows(int vectors) { return ATL_REGISTERS == 32 || vectors == 1 ? 12 : 6; }

/* Of y, a worker has one panel at a time. */
static plan large_plan_of(const atl_winograd *w)
{
    plan p = tiles_of(w);
    int vectors = panel_vectors(w), rows = panel_rows(vectors);
    p.part = vectors * VECTOR;
    int64_t most = w->shared_bytes / (p.tile_points * w->in * 4);
    most = most < 4 * rows ? 4 * rows : most / rows * rows;
    int64_t blocks = (p.tiles + most - 1) / most;
    p.block = atl_round_up((p.tiles + blocks - 1) / (blocks ? blocks : 1), rows);
    p.x_stride = p.block * w->in + PADDING;
    p.y_stride = p.block * p.part + PADDING;
    return p;
}

/* Inputs whose transformed filters are worked on at once. */
static int64_t depth_of(const atl_winograd *w, const plan *p)
{
    int64_t most = w->cache_bytes / (p->tile_points * p->part * 4) / VECTOR * VECTOR;
    return most < 4 * VECTOR ? 4 * VECTOR : most;
}

static int64_t panel_stride(const atl_winograd *w, const plan *p)
{
    int64_t depth = depth_of(w, p);
    return (depth < w->in ? depth : w->in) * p->part + PADDING;
}

static int64_t worker_floats(const atl_winograd *w, const plan *p)
{
    return p->tile_points * (panel_stride(w, p) + p->y_stride);
}

int64_t KERNEL(winograd_large_scratch_floats)(const atl_winograd *w)
{
    plan p = large_plan_of(w);
    return p.tile_points * p.x_stride + w->workers * worker_floats(w, &p);
}

typedef struct large_job {
    const atl_winograd *w;
    plan plan;
    const float *image, *filter;
    int transposed;
    const atl_epilogue *end;
    float *x, *workers, *result;
    int64_t first, tiles, rows; /* of this block; rows: rounded up */
} large_job;

/* Inputs first..last-1 of the outputs from o on, to [points][input][panel]. */
static void panel_to_points(const large_job *job, int64_t o, int64_t first, int64_t last, float *to)
{
    const atl_winograd *w = job->w;
    int64_t panel = job->plan.part, stride = panel_stride(w, &job->plan);
    for (int64_t i = first; i < last; i += VECTOR)
        for (int64_t v = 0; v < panel; v += VECTOR) {
            float *at = to + (i - first) * panel + v;
            if (w->kernel_size == 3)
                filter_square_to_points(3, w, job->filter, job->transposed, i, o + v, stride, panel, at);
            else
                filter_square_to_points(5, w, job->filter, job->transposed, i, o + v, stride, panel, at);
        }
}

/* y = the products of inputs first..last-1, or += if they are not the first. */
INLINE void panel_products(const int rows, const int vectors, const large_job *job, int64_t first, int64_t last,
                           const float *filter, float *y)
{
    const atl_winograd *w = job->w;
    const plan *p = &job->plan;
    for (int64_t k = 0; k < p->tile_points; k++)
        for (int64_t t = 0; t < job->rows; t += rows) {
            float *c = y + k * p->y_stride + t * p->part;
            product_tile sum;
            if (first == 0)
                clear_tile(rows, vectors, sum);
            else
                load_tile(rows, vectors, c, p->part, sum);
            add_to_tile(rows, vectors, last - first, job->x + k * p->x_stride + t * w->in + first, w->in, 1,
                        filter + k * panel_stride(w, p), vectors * VECTOR, sum);
            store_tile(rows, vectors, sum, c, p->part);
        }
}

static void run_panel(const large_job *job, int worker, int64_t o)
{
    const atl_winograd *w = job->w;
    const plan *p = &job->plan;
    float *filter = job->workers + worker * worker_floats(w, p), *y = filter + p->tile_points * panel_stride(w, p);
    int64_t depth = depth_of(w, p);
    for (int64_t i = 0; i < w->in; i += depth) {
        int64_t last = i + depth < w->in ? i + depth : w->in;
        panel_to_points(job, o, i, last, filter);
        if (panel_vectors(w) == 1)
            panel_products(12, 1, job, i, last, filter, y);
        else
            panel_products(ATL_REGISTERS == 32 ? 12 : 6, 2, job, i, last, filter, y);
    }
    for (int64_t t = 0; t < job->tiles; t++)
        if (w->kernel_size == 3)
            tile_from_points(6, w, p, job->first + t, o, y + t * p->part, job->end, job->result);
        else
            tile_from_points(8, w, p, job->first + t, o, y + t * p->part, job->end, job->result);
}

/* A worker's share of a block's tiles. */
static void transform_share(const large_job *job, int worker)
{
    const atl_winograd *w = job->w;
    int64_t from = job->tiles * worker / w->workers, to = job->tiles * (worker + 1) / w->workers;
    block_to_points(w, &job->plan, job->first + from, to - from, job->image, job->x + from * w->in);
    if (worker == 0)
        clear_rows(w, &job->plan, job->tiles, job->rows, job->x);
}

static void run_share(const large_job *job, int worker)
{
    int64_t panel = job->plan.part, panels = job->w->out / panel, workers = job->w->workers;
    for (int64_t k = panels * worker / workers; k < panels * (worker + 1) / workers; k++)
        run_panel(job, worker, k * panel);
}

void KERNEL(winograd_convolve_large)(const atl_winograd *w, const float *image, const float *filter, int transposed,
                                     const atl_epilogue *end, float *scratch, float *result)
{
    const plan p = large_plan_of(w);
    float *workers = scratch + p.tile_points * p.x_stride;
#pragma omp parallel num_threads(w->workers) if (w->workers > 1)
    for (int64_t first = 0; first < p.tiles; first += p.block) {
        int64_t tiles = p.tiles - first < p.block ? p.tiles - first : p.block;
        const large_job job = {w,          p,     image,   filter,
                               transposed, end,   scratch, workers,
                               result,     first, tiles,   atl_round_up(tiles, panel_rows(panel_vectors(w)))};
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            transform_share(&job, worker);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            run_share(&job, worker);
    }
}
