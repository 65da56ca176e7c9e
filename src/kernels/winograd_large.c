/* Convolutions by Winograd's method that transform the filter as they go: see winograd.h.
 *
 * Many tiles are transformed together, by all workers.  Then each worker takes some outputs after the other: their
 * filter is transformed, for as many inputs as the cache of a core holds, and multiplied with all of these tiles.  The
 * bits do not depend on the number of workers. */
#include "kernels/winograd_tiles.h"

enum { SLICE = 128 }; /* inputs of a slice, at most */

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

/* Of y, a worker has one panel at a time.  Where its sums fill much of the cache, they are read and written seldom: in
 * slices of many inputs, and for some columns of points at a time, so that their transformed filter stays in the cache,
 * too.  The filter's elements are kept for the next columns. */
typedef struct large_plan {
    plan p; /* depth: inputs of a slice */
    int columns;
} large_plan;

static int64_t sum_bytes(const plan *p) { return p->tile_points * p->block * p->part * 4; }
static int has_few_sums(const atl_winograd *w, const plan *p) { return sum_bytes(p) <= 2 * w->cache_bytes; }

static large_plan large_plan_of(const atl_winograd *w)
{
    plan p = mixed_tiles_of(w);
    int rows = large_rows(large_vectors(w)), side = w->kernel_size + 3;
    p.part = panel_of(w);
    int64_t most = w->shared_bytes / (p.tile_points * w->in * 4);
    most = most < 4 * rows ? 4 * rows : most / rows * rows;
    int64_t blocks = (p.tiles + most - 1) / most;
    p.block = atl_round_up((p.tiles + blocks - 1) / (blocks ? blocks : 1), rows);
    /* The second-level cache has some four times cache_bytes.  Sums that leave it are written once, of all inputs. */
    const int leaves = sum_bytes(&p) > 4 * w->cache_bytes;
    const int in_groups = !has_few_sums(w, &p) && !leaves && w->in > SLICE;
    const int64_t some = w->cache_bytes / (p.tile_points * p.part * 4) / VECTOR * VECTOR;
    const int64_t slice = in_groups ? atl_divide_up(w->in, atl_divide_up(w->in, SLICE))
                          : leaves  ? w->in
                                    : atl_larger(some, 4 * VECTOR);
    p.depth = atl_smaller(atl_round_up(slice, VECTOR), w->in);
    p.x_stride = allocated_rows(&p, rows) * p.depth + PADDING;
    p.y_stride = allocated_rows(&p, rows) * p.part + PADDING;
    int64_t columns = in_groups ? atl_larger(1, w->cache_bytes / (side * p.depth * p.part * 4)) : side;
    columns = atl_divide_up(side, atl_divide_up(side, columns)); /* as many each time */
    return (large_plan){p, (int)columns};
}

static int64_t panel_stride(const plan *p) { return p->depth * p->part + PADDING; }

static int64_t x_floats(const atl_winograd *w, const plan *p)
{
    return (w->in + p->depth - 1) / p->depth * p->tile_points * p->x_stride;
}

/* Of a worker: the filter's elements for a panel, if they are kept; those of a slice at some points; and sums. */
static int64_t taps_floats(const atl_winograd *w, const plan *p, int columns)
{
    return columns == w->kernel_size + 3 ? 0 : w->kernel_size * w->kernel_size * w->in * p->part;
}
static int64_t filter_floats(const atl_winograd *w, const large_plan *l)
{
    return (w->kernel_size + 3) * l->columns * panel_stride(&l->p);
}
static int64_t worker_floats(const atl_winograd *w, const large_plan *l)
{
    return taps_floats(w, &l->p, l->columns) + filter_floats(w, l) + l->p.tile_points * l->p.y_stride;
}

int64_t KERNEL(winograd_large_scratch_floats)(const atl_winograd *w)
{
    large_plan l = large_plan_of(w);
    return x_floats(w, &l.p) + w->workers * worker_floats(w, &l);
}

typedef struct large_job {
    const atl_winograd *w;
    plan plan;
    int columns;
    const float *image, *filter;
    int transposed;
    const atl_epilogue *end;
    float *x, *workers, *result;
    int64_t worker_floats;
    int64_t first, tiles; /* of this block */
} large_job;

/* The filter of inputs first..last-1 and the outputs from o on, to [input][element][panel]. */
INLINE void gather_taps(const int taps, const large_job *job, int64_t o, int64_t first, int64_t last, float *to)
{
    const atl_winograd *w = job->w;
    const int64_t panel = job->plan.part;
    for (int64_t i = first; i < last && !job->transposed; i++)
        for (int t = 0; t < taps; t++) {
            const float *from = job->filter + (t * w->in + i) * w->out + o;
            for (int64_t v = 0; v < panel; v += VECTOR) {
                __builtin_prefetch(from + 4 * w->out + v); /* some inputs later: rows lie far from each other */
                store(to + (i * taps + t) * panel + v, load(from + v));
            }
        }
    for (int64_t i = first; i < last && job->transposed; i += VECTOR)
        for (int64_t v = 0; v < panel; v += VECTOR)
            for (int t = 0; t < taps; t++) {
                const float *from = job->filter + ((taps - 1 - t) * w->out + o + v) * w->in + i;
                vec square[VECTOR];
                load_turned(from, w->in, square);
                for (int k = 0; k < VECTOR; k++)
                    store(to + ((i + k) * taps + t) * panel + v, square[k]);
            }
}

/* All points of inputs first..last-1, to [point][outputs / block][input][block]. */
INLINE void panel_to_points(const int size, const large_job *job, int64_t o, int64_t first, int64_t last, float *to)
{
    const atl_winograd *w = job->w;
    const int64_t panel = job->plan.part, point = panel_stride(&job->plan), block = large_vectors(w) * VECTOR;
    const int64_t each = job->transposed ? VECTOR : 1; /* inputs at a time; all of a row's outputs lie together */
    for (int64_t i = first; i < last; i += each)
        for (int64_t v = 0; v < panel; v += VECTOR) {
            float *at = to + (v / block * job->plan.depth + i - first) * block + v % block;
            if (job->transposed)
                filter_square_to_points(size, w, job->filter, 1, i, o + v, point, block, at);
            else
                filter_row_to_points(size, w, job->filter, i, o + v, point, at);
        }
}

/* The same of columns first..last-1 of the points, and inputs i..end-1, to [point][outputs / block][input][block]. */
INLINE void taps_to_panel(const int size, const large_job *job, int first, int last, int64_t i, int64_t end,
                          const float *taps, float *to)
{
    const int64_t panel = job->plan.part, block = large_vectors(job->w) * VECTOR;
    for (int64_t k = i; k < end; k++)
        for (int64_t v = 0; v < panel; v += VECTOR) {
            vec g[MAX_KERNEL_SIZE * MAX_KERNEL_SIZE];
            UNROLL
            for (int t = 0; t < size * size; t++)
                g[t] = load(taps + (k * size * size + t) * panel + v);
            taps_to_points(size, first, last, g, panel_stride(&job->plan),
                           to + (v / block * job->plan.depth + k - i) * block + v % block);
        }
}

/* The rows of the filter that are transformed after the part at hand.  They lie far from each other, so the processor
 * does not foresee them: they are fetched from memory while products are computed. */
typedef struct coming {
    const float *first;
    int64_t row, rows;  /* fetched so far, and all of them */
    int64_t of_element; /* rows for each element of the filter, */
    int64_t apart;      /* floats from one of these to the next */
    int64_t row_floats;
    int64_t each; /* rows to fetch beside each tile of products */
} coming;

/* What comes after inputs up to last - 1 of the outputs from o on, at the columns first_column..last_column-1: the next
 * slice is read for the first columns only, the next panel after the last ones. */
static coming coming_after(const large_job *job, int64_t o, int64_t last, int first_column, int last_column,
                           int is_last_panel)
{
    const atl_winograd *w = job->w;
    const plan *p = &job->plan;
    int is_whole = last == w->in, vectors = large_vectors(w), side = w->kernel_size + 3;
    int is_foreseen = !job->transposed && !has_few_sums(w, p); /* beside so many products it costs more than it saves */
    if (is_foreseen || (is_whole ? is_last_panel || last_column < side : first_column > 0))
        return (coming){0};
    const int64_t i = is_whole ? 0 : last, inputs = atl_smaller(p->depth, w->in - i);
    const int64_t out = is_whole ? o + p->part : o;
    coming c = {.of_element = inputs, .apart = w->out, .row_floats = p->part, .first = job->filter + i * w->out + out};
    if (job->transposed)
        c = (coming){.of_element = p->part,
                     .apart = w->in,
                     .row_floats = inputs,
                     .first = job->filter + out * w->in + i};
    const int64_t points = side * (last_column - first_column), panels = p->part / (vectors * VECTOR);
    c.rows = w->kernel_size * w->kernel_size * c.of_element;
    c.each = atl_divide_up(c.rows, points * panels * (job->tiles / large_rows(vectors) + 1));
    return c;
}

static void fetch_some(const large_job *job, coming *c)
{
    enum { FAR = 2 }; /* to the second-level cache */
    const int64_t end = atl_smaller(c->row + c->each, c->rows);
    for (; c->row < end; c->row++) {
        const float *row =
            c->first + c->row / c->of_element * job->w->in * job->w->out + c->row % c->of_element * c->apart;
        for (int64_t k = 0; k < c->row_floats; k += LINE_FLOATS)
            __builtin_prefetch(row + k, 0, FAR);
    }
}

/* y = the products of a slice of the inputs, first..last-1, at some columns of points, or += if it is not the first. */
INLINE void panel_products(const int rows, const int vectors, const large_job *job, int first_column, int last_column,
                           int64_t first, int64_t last, const float *filter, coming *next, float *y)
{
    const plan *p = &job->plan;
    const int64_t block = vectors * VECTOR;
    const int side = job->w->kernel_size + 3;
    const float *x = job->x + first / p->depth * p->tile_points * p->x_stride;
    for (int v = 0; v < side; v++)
        for (int h = first_column; h < last_column; h++, filter += panel_stride(p)) {
            const int64_t k = v * side + h;
            const point_rows range = rows_with_point(p, k, job->first, job->tiles, rows);
            for (int64_t o = 0; o < p->part; o += block)
                for (int64_t t = range.from; t < range.end; t += rows) {
                    float *c = y + k * p->y_stride + t * p->part + o;
                    product_tile sum;
                    fetch_some(job, next);
                    if (first == 0)
                        clear_tile(rows, vectors, sum);
                    else
                        load_tile(rows, vectors, c, p->part, sum);
                    add_to_tile(rows, vectors, last - first, x + k * p->x_stride + t * p->depth, p->depth, 1,
                                filter + o * p->depth, block, sum);
                    store_tile(rows, vectors, sum, c, p->part);
                }
        }
}

/* The filter of a slice of the inputs, i..end-1, at the columns first..last-1 of points. */
INLINE void filter_to_columns(const int size, const large_job *job, int first, int last, int64_t o, int64_t i,
                              int64_t end, float *taps, float *filter)
{
    if (last - first == size + 3) {
        panel_to_points(size, job, o, i, end, filter);
        return;
    }
    if (first == 0)
        gather_taps(size * size, job, o, i, end, taps);
    taps_to_panel(size, job, first, last, i, end, taps, filter);
}

/* The columns first..last-1 of points, of all inputs. */
static void run_columns(const large_job *job, int first, int last, int64_t o, int is_last_panel, float *taps,
                        float *filter, float *y)
{
    const atl_winograd *w = job->w;
    for (int64_t i = 0; i < w->in; i += job->plan.depth) {
        int64_t end = i + job->plan.depth < w->in ? i + job->plan.depth : w->in;
        if (w->kernel_size == 3)
            filter_to_columns(3, job, first, last, o, i, end, taps, filter);
        else
            filter_to_columns(5, job, first, last, o, i, end, taps, filter);
        coming next = coming_after(job, o, end, first, last, is_last_panel);
        if (large_vectors(w) == 1)
            panel_products(12, 1, job, first, last, i, end, filter, &next, y);
        else if (large_vectors(w) == 2)
            panel_products(ATL_REGISTERS == 32 ? 12 : 6, 2, job, first, last, i, end, filter, &next, y);
        else
            panel_products(6, 4, job, first, last, i, end, filter, &next, y);
    }
}

static void run_panel(const large_job *job, float *taps, int64_t o, int is_last)
{
    const atl_winograd *w = job->w;
    const int side = w->kernel_size + 3;
    float *filter = taps + taps_floats(w, &job->plan, job->columns),
          *y = filter + side * job->columns * panel_stride(&job->plan);
    for (int first = 0; first < side; first += job->columns)
        run_columns(job, first, first + job->columns < side ? first + job->columns : side, o, is_last, taps, filter, y);
    block_from_points(w, &job->plan, job->first, job->tiles, o, y, job->end, job->result);
}

/* A worker's share of a block's tiles. */
static void transform_share(const large_job *job, int worker)
{
    const atl_winograd *w = job->w;
    int64_t from = job->tiles * worker / w->workers, to = job->tiles * (worker + 1) / w->workers;
    block_to_points(w, &job->plan, job->first + from, to - from, job->image, job->x + from * job->plan.depth);
    if (worker == 0)
        clear_rows(w, &job->plan, job->first, job->tiles, large_rows(large_vectors(w)), job->x);
}

static void run_share(const large_job *job, int worker)
{
    int64_t panel = job->plan.part, panels = job->w->out / panel, workers = job->w->workers;
    int64_t end = panels * (worker + 1) / workers;
    for (int64_t k = panels * worker / workers; k < end; k++)
        run_panel(job, job->workers + worker * job->worker_floats, k * panel, k + 1 == end);
}

void KERNEL(winograd_convolve_large)(const atl_winograd *w, const float *image, const float *filter, int transposed,
                                     const atl_epilogue *end, float *scratch, float *result)
{
    const large_plan l = large_plan_of(w);
    const plan p = l.p;
    float *workers = scratch + x_floats(w, &p);
#pragma omp parallel num_threads(w->workers) if (w->workers > 1)
    for (int64_t first = 0; first < p.tiles; first += p.block) {
        int64_t tiles = p.tiles - first < p.block ? p.tiles - first : p.block;
        const large_job job = {.w = w,
                               .plan = p,
                               .columns = l.columns,
                               .image = image,
                               .filter = filter,
                               .transposed = transposed,
                               .end = end,
                               .x = scratch,
                               .workers = workers,
                               .result = result,
                               .worker_floats = worker_floats(w, &l),
                               .first = first,
                               .tiles = tiles};
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            transform_share(&job, worker);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            run_share(&job, worker);
    }
}
