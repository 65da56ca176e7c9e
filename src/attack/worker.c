/* Runs the programs of an attacker for several queries at once. */
#include <math.h>
#include <string.h>

#include "attack/attacker.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

atl_status atl_attack_worker_begin(atl_attacker *a, atl_attack_worker *w)
{
    *w = (atl_attack_worker){.attacker = a,
                             .forward = atl_context_new(a->forward),
                             .backward = atl_context_new(a->backward),
                             .image = atl_tensor_new(ATL_FLOAT32, a->shape),
                             .class = atl_tensor_new(ATL_INT32, ATL_SHAPE(a->rows)),
                             .weights = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(a->rows, a->classes)),
                             .mix = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(a->rows, ATL_TERMS))};
    if (w->forward && w->backward && w->image && w->class && w->weights && w->mix)
        return ATL_OK;
    atl_attack_worker_end(w);
    return atl_out_of_memory();
}

void atl_attack_worker_end(atl_attack_worker *w)
{
    atl_context_free(w->forward);
    atl_context_free(w->backward);
    atl_tensor_free(w->image);
    atl_tensor_free(w->class);
    atl_tensor_free(w->weights);
    atl_tensor_free(w->mix);
    *w = (atl_attack_worker){0};
}

/* The smallest number of rows that holds so many queries and gives the same bits as a full run. */
static int64_t rows_for(const atl_attacker *a, int64_t count)
{
    for (int i = 0; i < 31 && (int64_t)1 << i < a->rows; i++)
        if (a->sizes >> i & 1 && (int64_t)1 << i >= count)
            return (int64_t)1 << i;
    return a->rows;
}

static void fill(atl_attack_worker *w, int64_t rows, int64_t count, atl_query *const *queries)
{
    const atl_attacker *a = w->attacker;
    for (int64_t r = 0; r < rows; r++) {
        const atl_query *q = queries[r < count ? r : count - 1]; /* unused rows repeat the last query */
        float *pixels = atl_floats(w->image) + r * a->count;
        if (a->unit == 1 && a->lowest == 0)
            memcpy(pixels, q->pixels, (size_t)a->count * sizeof *pixels);
        else
            for (int64_t i = 0; i < a->count; i++)
                pixels[i] = (float)(a->lowest + a->unit * (double)q->pixels[i]);
        if (!q->gradient)
            continue;
        float *weights = atl_floats(w->weights) + r * a->classes;
        if (q->weights)
            memcpy(weights, q->weights, (size_t)a->classes * sizeof *weights);
        else
            memset(weights, 0, (size_t)a->classes * sizeof *weights);
        memcpy(atl_floats(w->mix) + r * ATL_TERMS, q->mix, sizeof q->mix);
        atl_ints(w->class)[r] = q->class;
    }
}

static atl_status fetch(const atl_attack_worker *w, int64_t count, atl_query *const *queries)
{
    const atl_attacker *a = w->attacker;
    int has_gradient = queries[0]->gradient != NULL;
    const atl_context *context = has_gradient ? w->backward : w->forward;
    const float *scores = atl_floats(atl_context_value(context, a->scores));
    const float *gradient = has_gradient ? atl_floats(atl_context_value(context, a->gradient)) : NULL;
    const float *losses = has_gradient ? atl_floats(atl_context_value(context, a->losses)) : NULL;
    if (!scores || (has_gradient && (!gradient || !losses)))
        return atl_out_of_memory();
    for (int64_t r = 0; r < count; r++) {
        atl_query *q = queries[r];
        if (q->scores)
            memcpy(q->scores, scores + r * a->classes, (size_t)a->classes * sizeof *scores);
        if (!has_gradient)
            continue;
        q->loss = (double)losses[r];
        for (int64_t i = 0; i < a->count; i++)
            q->gradient[i] = (float)a->unit * gradient[r * a->count + i];
    }
    return ATL_OK;
}

static atl_status run_rows(atl_attack_worker *w, int64_t rows, int has_gradient)
{
    const atl_attacker *a = w->attacker;
    atl_shape shape = a->shape;
    shape.size[0] = rows;
    atl_tensor *image = atl_tensor_view(ATL_FLOAT32, shape, atl_floats(w->image));
    atl_tensor *class = atl_tensor_view(ATL_INT32, ATL_SHAPE(rows), atl_ints(w->class));
    atl_tensor *weights = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(rows, a->classes), atl_floats(w->weights));
    atl_tensor *mix = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(rows, ATL_TERMS), atl_floats(w->mix));
    atl_status status = ATL_OUT_OF_MEMORY;
    if (image && class && weights && mix && !has_gradient)
        status = atl_context_run(w->forward, ATL_FEED(a->image, image));
    else if (image && class && weights && mix && !a->own_class)
        status = atl_context_run(w->backward,
                                 ATL_FEEDS({a->image, image}, {a->class, class}, {a->weights, weights}, {a->mix, mix}));
    else if (image && class && weights && mix)
        status = atl_context_run(w->backward, ATL_FEEDS({a->image, image}, {a->class, class}, {a->weights, weights},
                                                        {a->mix, mix}, {a->own_class, class}));
    atl_tensor_free(image);
    atl_tensor_free(class);
    atl_tensor_free(weights);
    atl_tensor_free(mix);
    return status;
}

atl_status atl_attack_worker_run(atl_attack_worker *w, int64_t count, atl_query *const *queries)
{
    int64_t rows = rows_for(w->attacker, count);
    fill(w, rows, count, queries);
    atl_status status = run_rows(w, rows, queries[0]->gradient != NULL);
    return status ? status : fetch(w, count, queries);
}

/* ---- which numbers of rows give the same bits -------------------------------------------------------------------- */

/* Random pictures, and what a full run says of them. */
typedef struct trial {
    atl_attack_worker worker;
    float *pixels, *scores, *gradient, *again; /* [rows of each]; `again`: one row of either */
} trial;

static void set_query(const trial *t, int64_t row, atl_query *q, float *scores, float *gradient)
{
    const atl_attacker *a = t->worker.attacker;
    *q = (atl_query){.pixels = t->pixels + row * a->count, .scores = scores, .gradient = gradient};
    q->mix[ATL_TERM_CROSS_ENTROPY] = 1;
}

/* Whether the last `size` pictures, in the opposite order, have the same scores and gradients in a run of so many
 * rows. */
static atl_status compare_size(trial *t, int64_t size, int *same_out)
{
    atl_attacker *a = t->worker.attacker;
    atl_query *queries = atl_allocate((size_t)size, sizeof *queries), **list = atl_allocate((size_t)size, sizeof *list);
    atl_status status = queries && list ? ATL_OK : atl_out_of_memory();
    for (int with_gradient = 0; with_gradient < 2 && !status && *same_out; with_gradient++) {
        for (int64_t r = 0; r < size; r++) {
            set_query(t, a->rows - 1 - r, &queries[r], t->again + r * (a->classes + a->count),
                      with_gradient ? t->again + r * (a->classes + a->count) + a->classes : NULL);
            list[r] = &queries[r];
        }
        fill(&t->worker, size, size, list);
        status = run_rows(&t->worker, size, with_gradient);
        if (!status)
            status = fetch(&t->worker, size, list);
        if (status)
            break;
        for (int64_t r = 0; r < size; r++) {
            int64_t full = a->rows - 1 - r;
            const float *scores = t->scores + (2 * full + with_gradient) * a->classes;
            *same_out = *same_out && memcmp(queries[r].scores, scores, (size_t)a->classes * sizeof *scores) == 0;
            if (with_gradient)
                *same_out = *same_out && memcmp(queries[r].gradient, t->gradient + full * a->count,
                                                (size_t)a->count * sizeof *t->gradient) == 0;
        }
    }
    atl_release(queries);
    atl_release(list);
    return status;
}

static atl_status run_full(trial *t)
{
    atl_attacker *a = t->worker.attacker;
    atl_status status = ATL_OK;
    for (int with_gradient = 0; with_gradient < 2 && !status; with_gradient++) {
        atl_query *queries = atl_allocate((size_t)a->rows, sizeof *queries);
        atl_query **list = atl_allocate((size_t)a->rows, sizeof *list);
        status = queries && list ? ATL_OK : atl_out_of_memory();
        for (int64_t r = 0; r < a->rows && !status; r++) {
            set_query(t, r, &queries[r], t->scores + (2 * r + with_gradient) * a->classes,
                      with_gradient ? t->gradient + r * a->count : NULL);
            list[r] = &queries[r];
        }
        if (!status)
            status = atl_attack_worker_run(&t->worker, a->rows, list);
        atl_release(queries);
        atl_release(list);
    }
    return status;
}

static atl_status try_sizes(trial *t)
{
    atl_attacker *a = t->worker.attacker;
    t->pixels = atl_allocate((size_t)(a->rows * a->count), sizeof(float));
    t->scores = atl_allocate((size_t)(a->rows * 2 * a->classes), sizeof(float));
    t->gradient = atl_allocate((size_t)(a->rows * a->count), sizeof(float));
    t->again = atl_allocate((size_t)(a->rows * (a->classes + a->count)), sizeof(float));
    if (!t->pixels || !t->scores || !t->gradient || !t->again)
        return atl_out_of_memory();
    for (int64_t i = 0; i < a->rows * a->count; i++)
        t->pixels[i] = floorf(256 * atl_random_uniform(1, (uint64_t)i));
    atl_status status = run_full(t);
    int sizes = 0;
    for (int i = 0; i < 31 && (int64_t)1 << i < a->rows && !status; i++) {
        int same = 1;
        status = compare_size(t, (int64_t)1 << i, &same);
        sizes |= same << i;
    }
    a->sizes = status ? 0 : sizes;
    int same = 1;
    if (!status)
        status = compare_size(t, a->rows, &same);
    if (!status && !same) { /* the bits depend on the row: one picture at a time */
        a->rows = a->shape.size[0] = 1;
        a->sizes = 0;
    }
    return status;
}

/* The kernels that a program uses depend on its sizes and not on the pixels, so pictures of noise tell. */
atl_status atl_attacker_find_sizes(atl_attacker *a)
{
    if (a->sizes_known || !a->any_rows)
        return ATL_OK;
    trial t = {0};
    atl_status status = atl_attack_worker_begin(a, &t.worker);
    if (status)
        return status;
    status = try_sizes(&t);
    a->sizes_known = !status;
    atl_attack_worker_end(&t.worker);
    atl_release(t.pixels);
    atl_release(t.scores);
    atl_release(t.gradient);
    atl_release(t.again);
    return status;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

atl_status atl_attacker_scores(atl_attacker *a, const atl_tensor *pictures, float *scores_out)
{
    if (!a || !pictures || !scores_out)
        return atl_null_argument("atl_attacker_scores", "an argument is");
    char given[160], wanted[160];
    atl_shape shape = atl_tensor_shape(pictures), expected = a->shape;
    expected.size[0] = shape.size[0];
    if (!atl_floats(pictures) || !atl_shape_equal(shape, expected))
        return atl_set_error(ATL_INVALID, "the pictures are %s %s, but the network takes float32 %s",
                             atl_dtype_name(atl_tensor_dtype(pictures)), atl_shape_text(shape, given, sizeof given),
                             atl_shape_text(a->shape, wanted, sizeof wanted));
    atl_attack_worker w;
    atl_status status = atl_attack_worker_begin(a, &w);
    for (int64_t first = 0; first < shape.size[0] && !status; first += a->rows) {
        int64_t count = shape.size[0] - first < a->rows ? shape.size[0] - first : a->rows;
        for (int64_t r = 0; r < a->rows; r++)
            memcpy(atl_floats(w.image) + r * a->count, atl_floats(pictures) + (first + (r < count ? r : 0)) * a->count,
                   (size_t)a->count * sizeof(float));
        status = run_rows(&w, a->rows, 0);
        const float *scores = status ? NULL : atl_floats(atl_context_value(w.forward, a->scores));
        if (scores)
            memcpy(scores_out + first * a->classes, scores, (size_t)(count * a->classes) * sizeof(float));
        else if (!status)
            status = atl_out_of_memory();
    }
    atl_attack_worker_end(&w);
    return status;
}
