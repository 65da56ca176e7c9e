/* One change for all pictures: steps along the sum of the gradients of the pictures that resist, batch after batch.
 *
 * Universal (Moosavi-Dezfooli et al. 2016; the steps are those of Shafahi et al. 2018): added to each picture, within
 * eps.  Patch (Brown et al. 2017): a square that covers a part of each picture, at a place that is drawn anew for each
 * picture and pass. */
#include "attack/shared_change.h"

#include <math.h>
#include <string.h>

#include "attack/picture_shape.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

enum { BATCH = 32 };
static const double momentum = 0.75, first_step = 0.2, last_step = 0.02; /* steps: of eps, or of the range */

typedef struct fit {
    const atl_attempt *a;
    atl_shared_change *change;
    float *originals, *pixels, *gradients, *scores; /* [BATCH] of each */
    float *sum, *best;                              /* of the change's size */
    int64_t pictures, best_met;
    int labels[BATCH], targets[BATCH];
    atl_patch_place places[BATCH];
    int step, steps; /* done; in all */
} fit;

static int64_t size_of(const atl_shared_change *c) { return c->side ? c->side * c->side * c->channels : c->count; }

atl_patch_place atl_patch_place_at(const atl_shared_change *c, double u, double v)
{
    return (atl_patch_place){(int64_t)(u * (double)(c->height - c->side + 1)),
                             (int64_t)(v * (double)(c->width - c->side + 1))};
}

/* The element of a picture under element i of a patch. */
static int64_t under(const atl_shared_change *c, atl_patch_place place, int64_t i)
{
    int64_t row = c->side * c->channels;
    return ((place.top + i / row) * c->width + place.left) * c->channels + i % row;
}

void atl_shared_change_apply(const atl_shared_change *c, const float *original, atl_patch_place place, float *pixels)
{
    memcpy(pixels, original, (size_t)c->count * sizeof *pixels);
    for (int64_t i = 0; i < size_of(c); i++)
        if (c->side)
            pixels[under(c, place, i)] = c->pixels[i];
        else
            pixels[i] = fminf(fmaxf(original[i] + c->pixels[i] - c->base, 0), 255);
}

/* ---- a batch ----------------------------------------------------------------------------------------------------- */

static atl_status ask(fit *f, int64_t count, int with_gradient)
{
    atl_query queries[BATCH];
    int has_own = f->a->attacker->has_own_loss;
    for (int64_t i = 0; i < count; i++) {
        int target = f->targets[i];
        queries[i] = (atl_query){.pixels = f->pixels + i * f->change->count,
                                 .scores = f->scores + i * f->a->task.classes,
                                 .gradient = with_gradient ? f->gradients + i * f->change->count : NULL,
                                 .class = target >= 0 ? target : f->labels[i]};
        queries[i].mix[has_own ? ATL_TERM_OWN : ATL_TERM_CROSS_ENTROPY] = target >= 0 && !has_own ? -1 : 1;
    }
    *(with_gradient ? &f->change->gradients : &f->change->forwards) += count;
    return atl_query_queue_ask(f->a->queue, count, queries);
}

/* Reads the pictures from `first` on; a label that is not given is what the network says. */
static atl_status load(fit *f, int64_t first, int64_t count, int pass)
{
    const atl_attack_args *args = f->a->args;
    const atl_attacker *attacker = f->a->attacker;
    const atl_shared_change *c = f->change;
    atl_status status = ATL_OK;
    for (int64_t i = 0; i < count * c->count; i++) {
        float level =
            (float)(((double)atl_floats(args->pictures)[first * c->count + i] - attacker->lowest) / attacker->unit);
        f->originals[i] = f->a->task.is_rounded ? fminf(fmaxf(roundf(level), 0), 255) : level;
    }
    memcpy(f->pixels, f->originals, (size_t)(count * c->count) * sizeof *f->pixels);
    for (int64_t i = 0; i < count; i++) {
        f->labels[i] = args->labels ? args->labels[first + i] : 0;
        f->targets[i] = args->goal == ATL_GOAL_CLASS ? args->targets[first + i] : -1;
    }
    if (!args->labels)
        status = ask(f, count, 0);
    for (int64_t i = 0; i < count && !status; i++) {
        const float *z = f->scores + i * f->a->task.classes;
        for (int k = 1; k < f->a->task.classes && !args->labels; k++)
            f->labels[i] = z[k] > z[f->labels[i]] ? k : f->labels[i];
        int64_t index = args->indices ? args->indices[first + i] : first + i;
        uint64_t seed = atl_random_bits(args->seed ^ 0x5bd1e995, (uint64_t)index), at = 2 * (uint64_t)(pass + 1);
        f->places[i] = atl_patch_place_at(c, (double)(atl_random_bits(seed, at) >> 11) * 0x1p-53,
                                          (double)(atl_random_bits(seed, at + 1) >> 11) * 0x1p-53);
        atl_shared_change_apply(c, f->originals + i * c->count, f->places[i], f->pixels + i * c->count);
    }
    return status;
}

static int is_met(const fit *f, int64_t i)
{
    const float *z = f->scores + i * f->a->task.classes;
    int class = f->targets[i] >= 0 ? f->targets[i] : f->labels[i];
    float other = -INFINITY;
    for (int k = 0; k < f->a->task.classes; k++)
        other = k != class && z[k] > other ? z[k] : other;
    return f->targets[i] >= 0 ? z[class] > other : other > z[class];
}

/* The change within eps, and on whole levels if results are. */
static void project(fit *f, int is_rounded)
{
    atl_shared_change *c = f->change;
    float *x = c->pixels;
    if (c->side) {
        for (int64_t i = 0; i < size_of(c); i++)
            x[i] = fminf(fmaxf(is_rounded ? roundf(x[i]) : x[i], 0), 255);
        return;
    }
    for (int64_t i = 0; i < c->count; i++)
        f->gradients[i] = c->base; /* room that is free now */
    atl_project_change(f->a->task.norm, f->a->task.eps, c->count, f->gradients, x);
    if (is_rounded)
        atl_round_change(f->a->task.norm, f->a->task.eps, 0.5, c->count, f->gradients, x, x);
}

/* Adds the gradients of the pictures that resist, each of mean magnitude 1, to the running sum; then a step. */
static void advance(fit *f, int64_t count)
{
    atl_shared_change *c = f->change;
    int64_t size = size_of(c);
    for (int64_t i = 0; i < size; i++)
        f->sum[i] *= (float)momentum;
    for (int64_t p = 0; p < count; p++) {
        const float *g = f->gradients + p * c->count;
        double total = 0;
        for (int64_t i = 0; i < size; i++)
            total += fabs((double)g[c->side ? under(c, f->places[p], i) : i]);
        for (int64_t i = 0; i < size && total > 0 && !is_met(f, p); i++)
            f->sum[i] += (float)((double)g[c->side ? under(c, f->places[p], i) : i] * (double)size / total);
    }
    double part = f->steps > 1 ? (double)f->step / (f->steps - 1) : 0, length = 0;
    double step = (c->side ? 255 : f->a->task.eps) * (first_step + (last_step - first_step) * part);
    for (int64_t i = 0; i < size; i++)
        length += (double)f->sum[i] * (double)f->sum[i];
    int is_sign = c->side || f->a->task.norm == ATL_NORM_LINF;
    for (int64_t i = 0; i < size && length > 0; i++)
        c->pixels[i] += is_sign ? (float)step * (float)((f->sum[i] > 0) - (f->sum[i] < 0))
                                : (float)(step / sqrt(length) * (double)f->sum[i]);
    project(f, 0);
    f->step++;
}

/* ---- passes over the pictures ------------------------------------------------------------------------------------ */

static atl_status climb(fit *f, int pass)
{
    atl_status status = ATL_OK;
    for (int64_t first = 0; first < f->pictures && !status; first += BATCH) {
        int64_t count = f->pictures - first < BATCH ? f->pictures - first : BATCH;
        status = load(f, first, count, pass);
        if (!status)
            status = ask(f, count, 1);
        if (!status)
            advance(f, count);
    }
    return status;
}

/* Counts the pictures for which the rounded change reaches the goal, and keeps the best change. */
static atl_status judge(fit *f)
{
    size_t bytes = (size_t)size_of(f->change) * sizeof(float);
    int64_t met = 0;
    atl_status status = ATL_OK;
    memcpy(f->best + size_of(f->change), f->change->pixels, bytes); /* the unrounded one goes on */
    project(f, f->a->task.is_rounded);
    for (int64_t first = 0; first < f->pictures && !status; first += BATCH) {
        int64_t count = f->pictures - first < BATCH ? f->pictures - first : BATCH;
        status = load(f, first, count, -1);
        if (!status)
            status = ask(f, count, 0);
        for (int64_t i = 0; i < count && !status; i++)
            met += is_met(f, i);
    }
    if (!status && met > f->best_met) {
        f->best_met = met;
        memcpy(f->best, f->change->pixels, bytes);
    }
    memcpy(f->change->pixels, f->best + size_of(f->change), bytes);
    return status;
}

static atl_status run(fit *f)
{
    atl_status status = judge(f);
    for (int pass = 0; pass < f->a->task.steps && !status && f->best_met < f->pictures; pass++) {
        status = climb(f, pass);
        if (!status)
            status = judge(f);
    }
    memcpy(f->change->pixels, f->best, (size_t)size_of(f->change) * sizeof(float));
    f->change->forwards /= f->pictures; /* each pass asks about all of them */
    f->change->gradients /= f->pictures;
    return status;
}

static void set_shape(const atl_attempt *a, atl_shared_change *c)
{
    *c = (atl_shared_change){.count = a->task.count, .channels = a->task.channels, .base = 128};
    atl_picture_shape(&a->task, &c->height, &c->width);
    int64_t shorter = c->height < c->width ? c->height : c->width;
    if (a->task.norm != ATL_NORM_L0)
        return;
    c->side = (int64_t)sqrt(fmin(a->task.eps, (double)a->task.count) / (double)c->channels);
    c->side = c->side < 1 ? 1 : c->side < shorter ? c->side : shorter;
}

atl_status atl_shared_change_find(const atl_attempt *a, atl_shared_change *c)
{
    set_shape(a, c);
    fit f = {.a = a, .change = c, .pictures = atl_tensor_shape(a->args->pictures).size[0], .best_met = -1};
    f.steps = a->task.steps * (int)((f.pictures + BATCH - 1) / BATCH);
    size_t one = (size_t)c->count, size = (size_t)size_of(c);
    c->pixels = atl_allocate(size, sizeof(float));
    float *room = atl_allocate(3 * BATCH * one + 3 * size, sizeof *room);
    f.scores = atl_allocate(BATCH * (size_t)a->task.classes, sizeof *f.scores);
    atl_status status = c->pixels && room && f.scores ? ATL_OK : atl_out_of_memory();
    if (!status) {
        f.originals = room;
        f.pixels = f.originals + BATCH * one;
        f.gradients = f.pixels + BATCH * one;
        f.sum = f.gradients + BATCH * one;
        f.best = f.sum + size;
        for (size_t i = 0; i < size; i++)
            c->pixels[i] = c->base;
        status = run(&f);
    }
    atl_release(room);
    atl_release(f.scores);
    return status;
}

void atl_shared_change_free(atl_shared_change *c)
{
    atl_release(c->pixels);
    *c = (atl_shared_change){0};
}
