/* Convolutions by Winograd's method that transform the filter as they go: see winograd.h.
 *
 * Many tiles are transformed together, by all workers.  Then each worker takes some outputs after the other: their
 * filter is transformed, for as many inputs as the cache of a core holds, and multiplied with all of these tiles.  The
 * bits do not depend on the number of workers. */
#include "kernels/winograd_tiles.h"

/* The tile of a product in registers. */
static int large_vectors(const atl_winograd *w)
{
    int64_t all = w->out / VECTOR;
    return ATL_REGISTERS == 32 && all % 4 == 0 ? 4 : all % 2 == 0 ? 2 : 1;
}
static int large_rows(int vectors) { return vectors == 1 || (ATL_REGISTERS == 32 && vectors == 2) ? 12 : 6; }

/* The outputs that are worked on at once: the more, the less often all tiles are read; but each worker has some. */
static int64_t panel_of(const atl_winograd *w)
{
    enum { MOST = 64 };
    int64_t panel = large_vectors(w) * VECTOR;
    while (2 * panel <= MOST && w->out % (2 * panel) == 0 && w->out / (2 * panel) % w->workers == 0)
        panel *= 2;
    return panel;
}

/* Of y, a worker has one panel at a time; the depth: inputs whose transformed filters are worked on at once. */
static plan large_plan_of(const atl_winograd *w)
{
    plan p = tiles_of(w);
    int rows = large_rows(large_vectors(w));
    p.part = panel_of(w);
    int64_t most = w->shared_bytes / (p.tile_points * w->in * 4);
    most = most < 4 * rows ? 4 * rows : most / rows * rows;
    int64_t blocks = (p.tiles + most - 1) / most;
    p.block = atl_round_up((p.tiles + blocks - 1) / (blocks ? blocks : 1), rows);
    /* If the sums leave the second-level cache, some four times cache_bytes, they are written once, of all inputs. */
    int64_t far = p.tile_points * p.block * p.part * 4 > 4 * w->cache_bytes;
    p.depth = far ? w->in : w->cache_bytes / (p.tile_points * p.part * 4) / VECTOR * VECTOR;
    p.depth = p.depth < 4 * VECTOR ? 4 * VECTOR : p.depth;
    p.depth = p.depth < w->in ? p.depth : w->in;
    p.x_stride = p.block * p.depth + PADDING;
    p.y_stride = p.block * p.part + PADDING;
    return p;
}

static int64_t panel_stride(const plan *p) { return p->depth * p->part + PADDING; }

static int64_t x_floats(const atl_winograd *w, const plan *p)
{
    return (w->in + p->depth - 1) / p->depth * p->tile_points * p->x_stride;
}

static int64_t worker_floats(const plan *p) { return p->tile_points * (panel_stride(p) + p->y_stride); }

int64_t KERNEL(winograd_large_scratch_floats)(const atl_winograd *w)
{
    plan p = large_plan_of(w);
    return x_floats(w, &p) + w->workers * worker_floats(&p);
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
INLINE void panel_to_points(const int size, const large_job *job, int64_t o, int64_t first, int64_t last, float *to)
{
    const atl_winograd *w = job->w;
    int64_t panel = job->plan.part, stride = panel_stride(&job->plan);
    for (int64_t i = first; i < last && !job->transposed; i++)
        for (int64_t v = 0; v < panel; v += VECTOR)
            filter_row_to_points(size, w, job->filter, i, o + v, stride, to + (i - first) * panel + v);
    for (int64_t i = first; i < last && job->transposed; i += VECTOR)
        for (int64_t v = 0; v < panel; v += VECTOR)
            filter_square_to_points(size, w, job->filter, 1, i, o + v, stride, panel, to + (i - first) * panel + v);
}

/* The rows of a transposed filter that are transformed after the part at hand.  They lie far from each other, so the
 * processor does not foresee them: they are fetched from memory while products are computed. */
typedef struct coming {
    const float *first;
    int64_t row, rows; /* fetched so far, and all of them: the outputs of a panel, for each tap */
    int64_t row_floats;
    int64_t each; /* rows to fetch beside each tile of products */
} coming;

/* What comes after inputs first..last-1 of the outputs from o on; nothing after the worker's last panel. */
static coming coming_after(const large_job *job, int64_t o, int64_t last, int is_last_panel)
{
    const atl_winograd *w = job->w;
    const plan *p = &job->plan;
    int is_whole = last == w->in, vectors = large_vectors(w);
    if (!job->transposed || (is_whole && is_last_panel))
        return (coming){0};
    int64_t i = is_whole ? 0 : last, rows = w->kernel_size * w->kernel_size * p->part;
    int64_t tiles = p->tile_points * (p->part / (vectors * VECTOR)) * (job->rows / large_rows(vectors));
    return (coming){.first = job->filter + (is_whole ? o + p->part : o) * w->in + i,
                    .rows = rows,
                    .row_floats = i + p->depth < w->in ? p->depth : w->in - i,
                    .each = (rows + tiles - 1) / tiles};
}

static void fetch_some(const large_job *job, coming *c)
{
    enum { LINE = 16, FAR = 2 }; /* floats of a line of the caches; to the second-level cache */
    int64_t panel = job->plan.part, end = c->row + c->each < c->rows ? c->row + c->each : c->rows;
    for (; c->row < end; c->row++) {
        const float *row = c->first + (c->row / panel * job->w->out + c->row % panel) * job->w->in;
        for (int64_t k = 0; k < c->row_floats; k += LINE)
            __builtin_prefetch(row + k, 0, FAR);
    }
}

/* y = the products of a slice of the inputs, first..last-1, or += if it is not the first. */
INLINE void panel_products(const int rows, const int vectors, const large_job *job, int64_t first, int64_t last,
                           const float *filter, coming *next, float *y)
{
    const plan *p = &job->plan;
    const float *x = job->x + first / p->depth * p->tile_points * p->x_stride;
    for (int64_t k = 0; k < p->tile_points; k++)
        for (int64_t o = 0; o < p->part; o += vectors * VECTOR)
            for (int64_t t = 0; t < job->rows; t += rows) {
                float *c = y + k * p->y_stride + t * p->part + o;
                product_tile sum;
                fetch_some(job, next);
                if (first == 0)
                    clear_tile(rows, vectors, sum);
                else
                    load_tile(rows, vectors, c, p->part, sum);
                add_to_tile(rows, vectors, last - first, x + k * p->x_stride + t * p->depth, p->depth, 1,
                            filter + k * panel_stride(p) + o, p->part, sum);
                store_tile(rows, vectors, sum, c, p->part);
            }
}

static void run_panel(const large_job *job, int worker, int64_t o, int is_last)
{
    const atl_winograd *w = job->w;
    const plan *p = &job->plan;
    float *filter = job->workers + worker * worker_floats(p), *y = filter + p->tile_points * panel_stride(p);
    for (int64_t i = 0; i < w->in; i += p->depth) {
        int64_t last = i + p->depth < w->in ? i + p->depth : w->in;
        if (w->kernel_size == 3)
            panel_to_points(3, job, o, i, last, filter);
        else
            panel_to_points(5, job, o, i, last, filter);
        coming next = coming_after(job, o, last, is_last);
        if (large_vectors(w) == 1)
            panel_products(12, 1, job, i, last, filter, &next, y);
        else if (large_vectors(w) == 2)
            panel_products(ATL_REGISTERS == 32 ? 12 : 6, 2, job, i, last, filter, &next, y);
        else
            panel_products(6, 4, job, i, last, filter, &next, y);
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
    block_to_points(w, &job->plan, job->first + from, to - from, job->image, job->x + from * job->plan.depth);
    if (worker == 0)
        clear_rows(w, &job->plan, job->tiles, job->rows, job->x);
}

static void run_share(const large_job *job, int worker)
{
    int64_t panel = job->plan.part, panels = job->w->out / panel, workers = job->w->workers;
    int64_t end = panels * (worker + 1) / workers;
    for (int64_t k = panels * worker / workers; k < end; k++)
        run_panel(job, worker, k * panel, k + 1 == end);
}

void KERNEL(winograd_convolve_large)(const atl_winograd *w, const float *image, const float *filter, int transposed,
                                     const atl_epilogue *end, float *scratch, float *result)
{
    const plan p = large_plan_of(w);
    float *workers = scratch + x_floats(w, &p);
#pragma omp parallel num_threads(w->workers) if (w->workers > 1)
    for (int64_t first = 0; first < p.tiles; first += p.block) {
        int64_t tiles = p.tiles - first < p.block ? p.tiles - first : p.block;
        const large_job job = {w,          p,     image,   filter,
                               transposed, end,   scratch, workers,
                               result,     first, tiles,   atl_round_up(tiles, large_rows(large_vectors(w)))};
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            transform_share(&job, worker);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            run_share(&job, worker);
    }
}
