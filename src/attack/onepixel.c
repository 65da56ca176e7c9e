/* One pixel, or a few: differential evolution of places and values, which uses scores only (Su et al. 2017).  There is
 * no crossover; a child replaces its own parent if it is better. */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/picture_shape.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { POPULATION = 400, BATCH = 16 };
static const double factor = 0.5; /* of the difference of two others */

typedef struct evolution {
    atl_attempt *attempt;
    atl_attempt_task task;
    int64_t width, height;
    int64_t pixels, genes;    /* that change; of a candidate: row, column and values of each */
    double *parents, *child;  /* [POPULATION, genes]; [BATCH, genes] */
    double *margins;          /* [POPULATION] */
    float *pictures, *scores; /* [BATCH] of each */
} evolution;

static int64_t index_in(double x, int64_t count)
{
    int64_t i = (int64_t)floor(x);
    return i < 0 ? 0 : i < count ? i : count - 1;
}

/* Coordinates uniform; values normal around the middle, as published. */
static void draw(evolution *e, double *genes)
{
    for (int64_t p = 0; p < e->pixels; p++) {
        double *g = genes + p * (2 + e->task.channels);
        g[0] = atl_attempt_uniform(e->attempt) * (double)e->height;
        g[1] = atl_attempt_uniform(e->attempt) * (double)e->width;
        for (int64_t c = 0; c < e->task.channels; c++)
            g[2 + c] = 128 + 127 * atl_attempt_normal(e->attempt);
    }
}

static int64_t other(evolution *e) { return index_in(atl_attempt_uniform(e->attempt) * POPULATION, POPULATION); }

/* The sum of a parent and half the difference of two others. */
static void mutate(evolution *e, double *genes)
{
    const double *a = e->parents + other(e) * e->genes, *b = e->parents + other(e) * e->genes,
                 *c = e->parents + other(e) * e->genes;
    for (int64_t i = 0; i < e->genes; i++)
        genes[i] = a[i] + factor * (b[i] - c[i]);
    for (int64_t p = 0; p < e->pixels; p++) { /* a place outside is drawn again */
        double *g = genes + p * (2 + e->task.channels);
        if (g[0] < 0 || g[0] >= (double)e->height)
            g[0] = atl_attempt_uniform(e->attempt) * (double)e->height;
        if (g[1] < 0 || g[1] >= (double)e->width)
            g[1] = atl_attempt_uniform(e->attempt) * (double)e->width;
    }
}

static void paint(const evolution *e, const double *genes, float *picture)
{
    memcpy(picture, e->task.original, (size_t)e->task.count * sizeof *picture);
    for (int64_t p = 0; p < e->pixels; p++) {
        const double *g = genes + p * (2 + e->task.channels);
        int64_t at = (index_in(g[0], e->height) * e->width + index_in(g[1], e->width)) * e->task.channels;
        for (int64_t c = 0; c < e->task.channels; c++)
            picture[at + c] = (float)nearbyint(fmin(fmax(g[2 + c], 0), 255));
    }
    atl_attempt_project(e->attempt, picture);
}

/* One generation: each child against its parent. */
static atl_status evolve(evolution *e, int is_first)
{
    for (int64_t first = 0; first < POPULATION && !atl_attempt_is_done(e->attempt); first += BATCH) {
        for (int64_t i = 0; i < BATCH; i++) {
            if (is_first)
                draw(e, e->child + i * e->genes);
            else
                mutate(e, e->child + i * e->genes);
            paint(e, e->child + i * e->genes, e->pictures + i * e->task.count);
        }
        atl_status status = atl_attempt_scores(e->attempt, BATCH, e->pictures, e->scores);
        for (int64_t i = 0; i < BATCH && !status; i++) {
            double margin = atl_attempt_margin(e->attempt, e->scores + i * e->task.classes);
            if (!is_first && !(margin > e->margins[first + i]))
                continue;
            e->margins[first + i] = margin;
            memcpy(e->parents + (first + i) * e->genes, e->child + i * e->genes, (size_t)e->genes * sizeof(double));
        }
        if (status)
            return status;
    }
    return ATL_OK;
}

atl_status atl_method_onepixel(atl_attempt *attempt)
{
    evolution e = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    atl_picture_shape(&e.task, &e.height, &e.width);
    /* eps counts elements; with fewer of them than a pixel has, the projection keeps the largest changes. */
    int64_t most = e.task.count / e.task.channels;
    e.pixels = e.task.eps < (double)e.task.count ? (int64_t)e.task.eps / e.task.channels : most;
    e.pixels = e.pixels < 1 ? 1 : e.pixels;
    e.genes = e.pixels * (2 + e.task.channels);
    e.pictures = atl_attempt_room(attempt, BATCH);
    e.scores = atl_allocate((size_t)(BATCH * e.task.classes), sizeof *e.scores);
    e.parents = atl_allocate((size_t)(POPULATION + BATCH), (size_t)e.genes * sizeof *e.parents);
    e.margins = atl_allocate(POPULATION, sizeof *e.margins);
    atl_status status = e.pictures && e.scores && e.parents && e.margins ? ATL_OK : atl_out_of_memory();
    e.child = e.parents ? e.parents + POPULATION * e.genes : NULL;
    for (int i = 0; i <= e.task.steps && !status && !atl_attempt_is_done(attempt); i++)
        status = evolve(&e, i == 0);
    atl_release(e.scores);
    atl_release(e.parents);
    atl_release(e.margins);
    return status;
}
