/* Detects NaNs that oneDNN's kernels drop, and recomputes the affected results. */
#include "onednn/nan_guard.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "cost/cost.h"
#include "graph/error.h"
#include "graph/memory.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* ---- the flag of an invalid operation, which each thread has ----------------------------------------------------- */

#ifdef __x86_64__
enum { INVALID = 1 };
static int lower_flag(void)
{
    unsigned flags = _mm_getcsr();
    if (flags & INVALID)
        _mm_setcsr(flags & ~(unsigned)INVALID);
    return flags & INVALID;
}
static void raise_flag(int was_up)
{
    if (was_up)
        _mm_setcsr(_mm_getcsr() | INVALID);
}
int onednn_can_guard(void) { return dnnl_version()->cpu_runtime == DNNL_RUNTIME_OMP; }
#else
static int lower_flag(void) { return 0; }
static void raise_flag(int was_up) { (void)was_up; }
int onednn_can_guard(void) { return 0; }
#endif

/* Clears the flags of all threads that a primitive may have used; true if any was set. */
static int lower_all_flags(void)
{
    int up = 0;
    if (omp_get_max_threads() == 1)
        return lower_flag();
#pragma omp parallel reduction(| : up)
    up |= lower_flag();
    return up;
}

/* The caller's flag is restored, or set by the computation. */
int onednn_execute_guarded(const onednn_guard *guard, const_dnnl_primitive_desc_t desc,
                           const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count,
                           const dnnl_exec_arg_t *arguments)
{
    int was_up = lower_flag(), ok = 1, met = 1;
    /* The other threads' flags may be set from earlier work: after they are cleared, a second execution is
     * conclusive. */
    for (int turn = 0; ok && met && turn < 2; turn++) {
        ok = onednn_succeeded(dnnl_primitive_execute(primitive, stream, count, arguments), "execute a primitive");
        met = lower_all_flags();
    }
    if (ok && met)
        ok = guard->recompute(guard, desc, stream, count, arguments);
    raise_flag(was_up || met);
    return ok;
}

void onednn_release_guard(onednn_guard *guard)
{
    if (guard->without_relu)
        dnnl_primitive_desc_destroy(guard->without_relu);
    guard->without_relu = NULL;
}

/* ---- relu -------------------------------------------------------------------------------------------------------- */

/* highest: 0: no limit */
static void relu_in_place(float *x, int64_t count, float highest)
{
    const float most = highest > 0 ? highest : INFINITY;
#pragma omp parallel for simd schedule(static) if (count > ATL_PIECE_FLOATS)
    for (int64_t i = 0; i < count; i++)
        x[i] = x[i] <= 0 ? 0.0f : x[i] > most ? most : x[i];
}

static dnnl_memory_t memory_of(int count, const dnnl_exec_arg_t *arguments, int argument)
{
    for (int i = 0; i < count; i++)
        if (arguments[i].arg == argument)
            return arguments[i].memory;
    return NULL;
}

static int execute_once(const_dnnl_primitive_desc_t desc, dnnl_stream_t stream, int count,
                        const dnnl_exec_arg_t *arguments)
{
    dnnl_primitive_t primitive = NULL;
    int ok = onednn_succeeded(dnnl_primitive_create(&primitive, desc), "make a primitive") &&
             onednn_succeeded(dnnl_primitive_execute(primitive, stream, count, arguments), "execute a primitive");
    if (primitive)
        dnnl_primitive_destroy(primitive);
    return ok;
}

/* Recomputes in the same memory, except for the scratchpad, whose size may differ. */
static int recompute_with_relu(const onednn_guard *guard, const_dnnl_primitive_desc_t desc, dnnl_stream_t stream,
                               int count, const dnnl_exec_arg_t *arguments)
{
    dnnl_exec_arg_t all[ONEDNN_MOST_ARGUMENTS + 1];
    dnnl_memory_t scratchpad = NULL;
    void *result = NULL;
    int used = 0;
    onednn_md needed = onednn_required_md(guard->without_relu, DNNL_ARG_SCRATCHPAD);
    for (int i = 0; i < count; i++)
        if (arguments[i].arg != DNNL_ARG_SCRATCHPAD)
            all[used++] = arguments[i];
    if (needed && dnnl_memory_desc_get_size(needed) > 0) {
        if (!onednn_succeeded(dnnl_memory_create(&scratchpad, needed, onednn_engine(), DNNL_MEMORY_ALLOCATE),
                              "make a scratchpad"))
            return 0;
        all[used++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, scratchpad};
    }
    int ok = execute_once(guard->without_relu, stream, used, all) &&
             onednn_succeeded(dnnl_memory_get_data_handle(memory_of(count, arguments, DNNL_ARG_DST), &result),
                              "use the memory");
    if (ok)
        relu_in_place(result,
                      (int64_t)(dnnl_memory_desc_get_size(onednn_required_md(desc, DNNL_ARG_DST)) / sizeof(float)),
                      guard->highest);
    if (scratchpad)
        dnnl_memory_destroy(scratchpad);
    return ok;
}

dnnl_status_t onednn_append_relu(dnnl_post_ops_t ops, float highest)
{
    dnnl_alg_kind_t kind = highest > 0 ? dnnl_eltwise_clip : dnnl_eltwise_relu; /* of a relu, alpha is a slope */
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(ops, kind, 0, highest);
#else
    return dnnl_post_ops_append_eltwise(ops, 1, kind, 0, highest);
#endif
}

onednn_guard onednn_guard_relu(dnnl_primitive_desc_t without_relu, float highest)
{
    return (onednn_guard){.recompute = recompute_with_relu, .without_relu = without_relu, .highest = highest};
}

typedef struct relu_job {
    int64_t count;
    float highest;
} relu_job;

static int run_relu(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    const relu_job *job = step->data;
    relu_in_place(memory[step->write[0]], job->count, job->highest);
    return 0;
}

int onednn_lower_relu(atl_lowering *lowering, atl_value_id value, onednn_md md, float highest)
{
    atl_plan_step step = {.implementation = "relu", .run = run_relu, .release = atl_release, .reads = 1, .writes = 1};
    relu_job *job = atl_allocate(1, sizeof *job);
    if (!job) {
        atl_out_of_memory();
        return 0;
    }
    *job = (relu_job){(int64_t)(dnnl_memory_desc_get_size(md) / sizeof(float)), highest};
    step.data = job;
    step.read[0] = step.write[0] = value;
    return atl_lower_step(lowering, &step);
}

/* ---- max-pooling ------------------------------------------------------------------------------------------------- */

/* Images in the plain layout, and the positions in their windows (null: not needed). */
typedef struct plain_pool {
    float *image, *result;
    uint8_t *positions;
    size_t position_bytes; /* 1 or 4 */
} plain_pool;

/* The maximum of one window of one channel; the first NaN, if there is one, else the first of equal maxima. */
static void pool_window(const onednn_guard *g, const plain_pool *p, int64_t n, int64_t row, int64_t column, int64_t c)
{
    const atl_window *v = &g->window[0], *h = &g->window[1];
    int64_t channels = g->image.size[3], top = row * v->stride - v->pad_before,
            left = column * h->stride - h->pad_before;
    int64_t to = ((n * v->output + row) * h->output + column) * channels + c;
    int32_t position = -1;
    float best = 0;
    for (int64_t k = 0; k < v->size * h->size; k++) {
        int64_t i = top + k / h->size, j = left + k % h->size;
        if (i < 0 || i >= v->input || j < 0 || j >= h->input)
            continue;
        float x = p->image[((n * v->input + i) * h->input + j) * channels + c];
        if (position < 0 || x > best || (x != x && best == best)) {
            best = x;
            position = (int32_t)k;
        }
    }
    p->result[to] = best;
    if (p->positions && p->position_bytes == 1)
        p->positions[to] = (uint8_t)position;
    else if (p->positions)
        ((int32_t *)(void *)p->positions)[to] = position;
}

static void pool_plain(const onednn_guard *g, const plain_pool *p)
{
    int64_t channels = g->image.size[3], rows = g->window[0].output, columns = g->window[1].output;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < g->image.size[0] * rows; row++)
        for (int64_t column = 0; column < columns; column++)
            for (int64_t c = 0; c < channels; c++)
                pool_window(g, p, row / rows, row % rows, column, c);
}

/* A copy of a memory in the plain layout. */
typedef struct plain_copy {
    onednn_desc desc;
    dnnl_memory_t memory;
    void *data;
} plain_copy;

static void release_copy(plain_copy *copy)
{
    if (copy->memory)
        dnnl_memory_destroy(copy->memory);
    onednn_release_desc(&copy->desc);
}

/* In the plain layout, with the element type of `like`. */
static int make_copy(plain_copy *copy, atl_shape shape, onednn_md like)
{
    return onednn_describe_image(&copy->desc, shape) && onednn_retype_desc(&copy->desc, like) &&
           onednn_succeeded(dnnl_memory_create(&copy->memory, ONEDNN_MD(copy->desc), onednn_engine(),
                                               DNNL_MEMORY_ALLOCATE),
                            "make a memory object") &&
           onednn_succeeded(dnnl_memory_get_data_handle(copy->memory, &copy->data), "use the memory");
}

static int reorder(dnnl_memory_t from, onednn_md from_md, dnnl_memory_t to, onednn_md to_md, dnnl_stream_t stream)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_engine_t engine = onednn_engine();
    dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    int ok = onednn_succeeded(dnnl_reorder_primitive_desc_create(&desc, from_md, engine, to_md, engine, NULL),
                              "reorder memory") &&
             execute_once(desc, stream, 2, arguments);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return ok;
}

static int recompute_max_pool(const onednn_guard *guard, const_dnnl_primitive_desc_t desc, dnnl_stream_t stream,
                              int count, const dnnl_exec_arg_t *arguments)
{
    static const int which[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WORKSPACE};
    plain_copy copies[3] = {0};
    dnnl_memory_t memory[3];
    int ok = 1;
    for (int i = 0; i < 3; i++) {
        memory[i] = memory_of(count, arguments, which[i]);
        ok = ok && (!memory[i] ||
                    make_copy(&copies[i], i ? guard->result : guard->image, onednn_required_md(desc, which[i])));
    }
    ok = ok && reorder(memory[0], onednn_required_md(desc, DNNL_ARG_SRC), copies[0].memory, ONEDNN_MD(copies[0].desc),
                       stream);
    if (ok) {
        size_t elements = (size_t)atl_shape_count(guard->result);
        plain_pool p = {.image = copies[0].data, .result = copies[1].data, .positions = copies[2].data};
        p.position_bytes = copies[2].memory ? dnnl_memory_desc_get_size(ONEDNN_MD(copies[2].desc)) / elements : 0;
        pool_plain(guard, &p);
    }
    for (int i = 1; ok && i < 3; i++)
        ok = !memory[i] || reorder(copies[i].memory, ONEDNN_MD(copies[i].desc), memory[i],
                                   onednn_required_md(desc, which[i]), stream);
    for (int i = 0; i < 3; i++)
        release_copy(&copies[i]);
    return ok;
}

onednn_guard onednn_guard_max_pool(atl_shape image, atl_shape result, const atl_window *window)
{
    onednn_guard guard = {.recompute = recompute_max_pool, .image = image, .result = result};
    memcpy(guard.window, window, sizeof guard.window);
    return guard;
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

static void softmax_row(const float *x, int64_t width, int logarithm, float *y)
{
    double largest = (double)x[0], sum = 0;
    for (int64_t i = 1; i < width; i++)
        largest = (double)x[i] > largest || isnan(x[i]) ? (double)x[i] : largest;
    for (int64_t i = 0; i < width; i++)
        sum += exp((double)x[i] - largest);
    for (int64_t i = 0; i < width; i++) {
        double below = (double)x[i] - largest;
        y[i] = (float)(logarithm ? below - log(sum) : exp(below) / sum);
    }
}

static int recompute_softmax(const onednn_guard *guard, const_dnnl_primitive_desc_t desc, dnnl_stream_t stream,
                             int count, const dnnl_exec_arg_t *arguments)
{
    int64_t rows = guard->image.size[0], width = guard->image.size[1];
    void *x = NULL, *y = NULL;
    (void)desc, (void)stream;
    if (!onednn_succeeded(dnnl_memory_get_data_handle(memory_of(count, arguments, DNNL_ARG_SRC), &x),
                          "use the memory") ||
        !onednn_succeeded(dnnl_memory_get_data_handle(memory_of(count, arguments, DNNL_ARG_DST), &y), "use the memory"))
        return 0;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        softmax_row((const float *)x + r * width, width, guard->logarithm, (float *)y + r * width);
    return 1;
}

onednn_guard onednn_guard_softmax(int64_t rows, int64_t width, int logarithm)
{
    return (onednn_guard){.recompute = recompute_softmax, .image = ATL_SHAPE(rows, width), .logarithm = logarithm};
}
