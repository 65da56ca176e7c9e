/* Batches of a data set, prepared by a separate thread while the caller works on the previous one.  A batch depends
 * only on the seed, its epoch and its index, so that training can resume anywhere. If the caller's threads use all
 * processors, one of them has to share its processor with that thread, and the others wait for it: a batch then costs
 * its whole time.  That does not matter for steps that take much longer than a batch.  If steps are short, as the first
 * batches show, the caller's threads prepare the following batches together, between two steps. */
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "cost/cost.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"
#include "io/dataset.h"
#include "kernels/kernels.h"

/* One slot for the caller, and one being prepared.  Small batches have more slots: the thread then prepares several
 * whenever it is woken, because waking it has a cost. */
enum { LEAST_SLOTS = 2, MOST_SLOTS = 4, BYTES_FOR_MORE = 4 << 20 };
enum {
    DRAWS = 8,   /* random numbers per example, at most */
    AHEAD = 4,   /* examples being prefetched while one is cropped */
    WATCHED = 16 /* batches after which the choice of who prepares the next ones is checked */
};
static const double most_share = 1.0 / 40; /* the maximum fraction of the caller's time that the thread may take */

typedef struct slot {
    float *images;
    int32_t *labels;
    atl_tensor
        *views[2][2][2]; /* [whole, short batch][small, large part][images, labels] over them; null: no examples */
    atl_batch batch;
} slot;

struct atl_batches {
    atl_batches_args args;
    int64_t per_epoch;  /* batches, not parts of them */
    int64_t short_size; /* of the last batch in an epoch; the normal size if the batches divide the epoch evenly */
    uint32_t *order;    /* of the examples in epoch `order_epoch` */
    int64_t order_epoch;
    slot slots[MOST_SLOTS];
    int slot_count;
    int64_t made, taken; /* batches since the beginning; the caller uses the last one taken */
    int is_making;       /* the thread, or the caller */
    int64_t
        /* It and all following ones are prepared by the caller's threads, in the first slot; INT64_MAX: none yet. */
        shared_from;
    double watched_since, thread_seconds; /* processor time that the thread has used since then */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int is_stopping;
};

/* ---- one example ------------------------------------------------------------------------------------------------- */

/* The random choices for an example. */
typedef struct variation {
    int64_t top, left; /* of the crop, in the padded image */
    int is_flipped;
    float gain, shift;
} variation;

static int64_t below(uint64_t seed, uint64_t counter, int64_t bound)
{
    return (int64_t)(atl_random_bits(seed, counter) % (uint64_t)bound);
}

/* `number` counts the examples over all epochs. */
static variation vary(const atl_batches_args *args, int64_t number)
{
    uint64_t counter = (uint64_t)number * DRAWS, seed = args->seed ^ 0x9d5f3a7b1c2e4680u;
    int64_t free_rows = args->data->height + 2 * args->pad - args->height,
            free_columns = args->data->width + 2 * args->pad - args->width;
    variation v = {free_rows / 2, free_columns / 2, 0, 1, 0};
    if (args->random_crop && free_rows > 0)
        v.top = below(seed, counter, free_rows + 1);
    if (args->random_crop && free_columns > 0)
        v.left = below(seed, counter + 1, free_columns + 1);
    if (args->flip)
        v.is_flipped = (int)(atl_random_bits(seed, counter + 2) >> 63);
    if (args->brightness > 0)
        v.shift = args->brightness * (2 * atl_random_uniform(seed, counter + 3) - 1);
    if (args->contrast > 0)
        v.gain = 1 + args->contrast * (2 * atl_random_uniform(seed, counter + 4) - 1);
    return v;
}

/* Copies consecutive pixels of the data set. */
static void copy_pixels(const atl_dataset *data, int64_t from, int64_t count, float *to)
{
    if (data->bytes) {
        atl_kernels->floats_of_bytes(data->bytes + from * data->channels, count * data->channels, to);
    } else if (count > 0) {
        memcpy(to, data->floats + from * data->channels, (size_t)(count * data->channels) * sizeof *to);
    }
}

static void reverse_pixels(float *row, int64_t width, int64_t channels)
{
    for (int64_t x = 0; x < width / 2; x++)
        for (int64_t c = 0; c < channels; c++) {
            float *one = row + x * channels + c, *other = row + (width - 1 - x) * channels + c, kept = *one;
            *one = *other;
            *other = kept;
        }
}

/* One row of the crop: zeros, pixels of the image from column `left` (of the image, may be negative), zeros. */
static void cut_row(const atl_batches_args *args, int64_t example, int64_t row, int64_t left, float *to)
{
    const atl_dataset *data = args->data;
    int64_t channels = data->channels, before = left < 0 ? -left : 0, end = data->width - left;
    if (row < 0 || row >= data->height || before > args->width || end < before)
        before = end = args->width;
    end = end < args->width ? end : args->width;
    memset(to, 0, (size_t)(before * channels) * sizeof *to);
    copy_pixels(data, (example * data->height + row) * data->width + left + before, end - before,
                to + before * channels);
    memset(to + end * channels, 0, (size_t)((args->width - end) * channels) * sizeof *to);
}

/* Sums in lanes, which the compiler turns into a vector.  Exact for bytes, in any order. */
static float mean_of(const float *x, int64_t count)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k];
    for (; i < count; i++)
        sum += (double)x[i];
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return (float)(sum / (double)count);
}

/* (x - mean) * gain + mean + shift */
static void adjust(float *x, int64_t count, float gain, float shift)
{
    float mean = mean_of(x, count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (x[i] - mean) * gain + mean + shift;
}

static void cut_out(const atl_batches_args *args, int64_t example, variation v, float *to)
{
    const atl_dataset *data = args->data;
    int64_t row = args->width * data->channels;
    if (args->width == data->width && args->height == data->height && !args->pad) /* the whole image */
        copy_pixels(data, example * data->height * data->width, data->height * data->width, to);
    else
        for (int64_t y = 0; y < args->height; y++)
            cut_row(args, example, v.top + y - args->pad, v.left - args->pad, to + y * row);
    for (int64_t y = 0; y < args->height && v.is_flipped; y++)
        reverse_pixels(to + y * row, args->width, data->channels);
    if (args->brightness > 0 || args->contrast > 0)
        adjust(to, args->height * row, v.gain, v.shift);
}

/* ---- one batch --------------------------------------------------------------------------------------------------- */

/* Shuffles by Fisher & Yates. */
static void order_epoch(atl_batches *b, int64_t epoch)
{
    uint32_t count = (uint32_t)b->args.data->count;
    uint64_t seed = atl_random_bits(b->args.seed, (uint64_t)epoch);
    if (b->order_epoch == epoch)
        return;
    for (uint32_t i = 0; i < count; i++)
        b->order[i] = i;
    for (uint32_t i = count - 1; i > 0 && b->args.shuffle; i--) {
        int64_t j = below(seed, i, (int64_t)i + 1);
        uint32_t other = b->order[j];
        b->order[j] = b->order[i];
        b->order[i] = other;
    }
    b->order_epoch = epoch;
}

/* Prefetches: shuffled examples are far apart in memory. */
static void fetch_example(const atl_dataset *data, int64_t example)
{
    enum { CACHE_LINE = 64 };
    int64_t size = data->height * data->width * data->channels * (data->bytes ? 1 : (int64_t)sizeof *data->floats);
    const char *first = data->bytes ? (const char *)data->bytes : (const char *)data->floats;
    for (int64_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch(first + example * size + at);
}

/* Part `number`, counted over all batches. */
static void make_batch(atl_batches *b, int64_t number, int threads, slot *s)
{
    const atl_batches_args *args = &b->args;
    int64_t batch = args->first + number / args->part_count, part = args->first_part + number % args->part_count;
    int64_t epoch = batch / b->per_epoch, index = batch % b->per_epoch;
    int last = index == b->per_epoch - 1;
    int64_t whole = last ? b->short_size : args->size, before = whole * part / args->parts;
    int64_t count = whole * (part + 1) / args->parts - before, first = index * args->size + before;
    int64_t image = args->height * args->width * args->data->channels;
    int is_large = count > whole / args->parts;
    int64_t worth_sharing = atl_costs_in_use()->loop_elements;
    order_epoch(b, epoch);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && count * image >= worth_sharing)
    for (int64_t i = 0; i < count; i++) {
        int64_t example = b->order[first + i];
        if (i + AHEAD < count)
            fetch_example(args->data, b->order[first + i + AHEAD]);
        s->labels[i] = args->data->labels[example];
        cut_out(args, example, vary(args, epoch * args->data->count + first + i), s->images + i * image);
    }
    s->batch = (atl_batch){.images = s->views[last][is_large][0],
                           .labels = s->views[last][is_large][1],
                           .count = count,
                           .epoch = epoch,
                           .index = index,
                           .last = last && part == args->first_part + args->part_count - 1,
                           .part = part,
                           .whole = whole};
}

static slot *slot_of(atl_batches *b, int64_t number)
{
    return &b->slots[number < b->shared_from ? number % b->slot_count : 0];
}

/* Call it with the mutex held, while nobody else prepares a batch, and with a free slot. */
static void make_next(atl_batches *b, int threads)
{
    slot *s = slot_of(b, b->made);
    b->is_making = 1;
    pthread_mutex_unlock(&b->mutex);
    make_batch(b, b->made, threads, s);
    pthread_mutex_lock(&b->mutex);
    b->is_making = 0;
    if (b->made++ < b->shared_from) /* nobody waits for later batches: the thread need not wake */
        pthread_cond_broadcast(&b->changed);
}

/* Batches that are prepared and not yet returned. */
static int64_t kept(const atl_batches *b) { return b->made - b->taken + (b->taken > 0); }

static void *make_ahead(void *context)
{
    atl_batches *b = context;
    pthread_mutex_lock(&b->mutex);
    while (!b->is_stopping)
        if (b->is_making || kept(b) >= b->slot_count || b->made >= b->shared_from) {
            pthread_cond_wait(&b->changed, &b->mutex);
        } else {
            double start = atl_thread_seconds();
            make_next(b, 1);
            b->thread_seconds += atl_thread_seconds() - start;
        }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

/* Checks whether the thread takes too much of the time between two batches. */
static void watch(atl_batches *b)
{
    if (b->shared_from < INT64_MAX || b->args.threads < omp_get_num_procs() || b->taken % WATCHED)
        return;
    double now = atl_seconds_now();
    if (b->taken > 0 && b->thread_seconds > most_share * (now - b->watched_since))
        b->shared_from = b->made + b->is_making;
    b->watched_since = now;
    b->thread_seconds = 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* Fills in the defaults. */
static atl_status check_arguments(atl_batches_args *args)
{
    const atl_dataset *data = args->data;
    if (!data || data->count < 1)
        return atl_set_error(ATL_INVALID, "batches need a data set with examples");
    args->size = args->size ? args->size : 128;
    args->height = args->height ? args->height : data->height + 2 * (args->pad > 0 ? args->pad : 0);
    args->width = args->width ? args->width : data->width + 2 * (args->pad > 0 ? args->pad : 0);
    if (args->threads < 0)
        return atl_set_error(ATL_INVALID, "batches: %d threads; it must be positive, or 0 for OpenMP's number",
                             args->threads);
    if (args->size < 1 || args->first < 0 || args->pad < 0 || args->pad > 4096 || args->brightness < 0 ||
        args->contrast < 0)
        return atl_set_error(ATL_INVALID,
                             "the size of a batch must be at least 1, its first number, padding, brightness "
                             "and contrast at least 0");
    if (args->height < 1 || args->width < 1 || args->height > data->height + 2 * args->pad ||
        args->width > data->width + 2 * args->pad)
        return atl_set_error(ATL_INVALID,
                             "%" PRId64 " x %" PRId64 " pixels cannot be cut out of images of %" PRId64 " x %" PRId64
                             " with a border of %" PRId64,
                             args->height, args->width, data->height, data->width, args->pad);
    if (args->parts < 0 || args->first_part < 0 || args->part_count < 0 ||
        args->first_part + args->part_count > (args->parts ? args->parts : 1))
        return atl_set_error(ATL_INVALID,
                             "batches: parts %" PRId64 " to %" PRId64 " of %" PRId64 " are not parts of a batch",
                             args->first_part, args->first_part + args->part_count - 1, args->parts);
    args->parts = args->parts ? args->parts : 1;
    args->part_count = args->part_count ? args->part_count : args->parts - args->first_part;
    args->threads = args->threads > 0 ? args->threads : omp_get_max_threads();
    if (args->size > data->count)
        args->size = data->count;
    if (data->count > UINT32_MAX)
        return atl_set_error(ATL_INVALID, "%" PRId64 " examples are too many", data->count);
    return ATL_OK;
}

static int make_views(const atl_batches_args *args, int64_t count, slot *s, atl_tensor **views)
{
    if (count == 0)
        return 1;
    views[0] =
        atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(count, args->height, args->width, args->data->channels), s->images);
    views[1] = atl_tensor_view(ATL_INT32, ATL_SHAPE(count), s->labels);
    return views[0] && views[1];
}

static int make_slot(const atl_batches *b, slot *s)
{
    const atl_batches_args *args = &b->args;
    int64_t size = (args->size + args->parts - 1) / args->parts,
            image = args->height * args->width * args->data->channels;
    s->images = atl_allocate_aligned((size_t)(size * image) * sizeof *s->images);
    s->labels = atl_allocate((size_t)size, sizeof *s->labels);
    int ok = s->images && s->labels;
    for (int i = 0; i < 4 && ok; i++) {
        int64_t small = (i / 2 ? b->short_size : args->size) / args->parts;
        ok = small + i % 2 > size || make_views(args, small + i % 2, s, s->views[i / 2][i % 2]);
    }
    return ok;
}

static int make_slots(atl_batches *b)
{
    const atl_batches_args *args = &b->args;
    double examples = (double)args->size / (double)args->parts;
    double bytes = examples * (double)args->height * (double)args->width * (double)args->data->channels * 4;
    double fit = BYTES_FOR_MORE / bytes;
    if (bytes > (double)(PTRDIFF_MAX / 2))
        return 0;
    b->slot_count = fit < LEAST_SLOTS ? LEAST_SLOTS : fit < MOST_SLOTS ? (int)fit : MOST_SLOTS;
    for (int i = 0; i < b->slot_count; i++)
        if (!make_slot(b, &b->slots[i]))
            return 0;
    return 1;
}

static void free_batches(atl_batches *b)
{
    for (int i = 0; i < MOST_SLOTS; i++) {
        for (int k = 0; k < 8; k++)
            atl_tensor_free(b->slots[i].views[k / 4][k / 2 % 2][k % 2]);
        atl_release(b->slots[i].images);
        atl_release(b->slots[i].labels);
    }
    atl_release(b->order);
    atl_release(b);
}

static int start_thread(atl_batches *b)
{
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->changed, NULL);
    if (pthread_create(&b->thread, NULL, make_ahead, b) == 0)
        return 1;
    atl_set_error(ATL_OUT_OF_MEMORY, "the thread that makes batches could not be started");
    return 0;
}

atl_batches *atl_batches_new_with(const atl_batches_args *args)
{
    if (!args)
        return atl_null_argument("atl_batches_new", "the options are"), NULL;
    atl_batches_args checked = *args;
    if (check_arguments(&checked))
        return NULL;
    atl_batches *b = atl_allocate(1, sizeof *b);
    if (!b) {
        atl_out_of_memory();
        return NULL;
    }
    b->args = checked;
    b->per_epoch = (checked.data->count + checked.size - 1) / checked.size;
    b->short_size = checked.data->count - (b->per_epoch - 1) * checked.size;
    b->order_epoch = -1;
    b->shared_from = INT64_MAX;
    b->order = atl_allocate((size_t)checked.data->count, sizeof *b->order);
    int made = b->order && make_slots(b);
    if (!made)
        atl_out_of_memory();
    if (!made || !start_thread(b)) {
        free_batches(b);
        return NULL;
    }
    return b;
}

void atl_batches_free(atl_batches *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->mutex);
    b->is_stopping = 1;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    pthread_join(b->thread, NULL);
    pthread_mutex_destroy(&b->mutex);
    pthread_cond_destroy(&b->changed);
    free_batches(b);
}

int64_t atl_batches_per_epoch(const atl_batches *b) { return b ? b->per_epoch : 0; }

/* The caller has finished with the previous batch.  The thread is woken when half of the slots are free. */
const atl_batch *atl_batches_next(atl_batches *b)
{
    if (!b)
        return atl_null_argument("atl_batches_next", "the batches are"), NULL;
    pthread_mutex_lock(&b->mutex);
    watch(b);
    while (b->made == b->taken)
        if (b->is_making)
            pthread_cond_wait(&b->changed, &b->mutex);
        else
            make_next(b, b->args.threads);
    slot *s = slot_of(b, b->taken++);
    if (b->made < b->shared_from && kept(b) <= b->slot_count / 2)
        pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    return &s->batch;
}
