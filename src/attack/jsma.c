/* JSMA: the pair of elements that raises the target's score and lowers the sum of the others the most goes to its end
 * of the range, pair after pair (Papernot et al. 2016), either upwards or downwards (Wiyatno & Xu 2018). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/rivals.h"
#include "graph/memory.h"

enum { MOST_RIVALS = 3 };

/* An element that can still move, to one end of its range. */
typedef struct move {
    float rise, fall; /* of the target's score; of the sum of the others: per level */
    int64_t index;
    float end;
} move;

typedef struct walk {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *pixels, *of_target, *of_all, *weights, *scores;
    char *has_moved;
    move *moves; /* [2 * count] */
} walk;

/* The largest rise first; equal rises by their fall. */
static int by_rise(const void *a, const void *b)
{
    const move *x = a, *y = b;
    if (x->rise != y->rise)
        return x->rise < y->rise ? 1 : -1;
    if (x->fall != y->fall)
        return x->fall < y->fall ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Keeps the moves that at most one other beats in both numbers: a best pair consists of two of them, since any other
 * move could be replaced.  Returns how many there are. */
static int64_t prune(int64_t count, move *moves)
{
    float first = -INFINITY, second = -INFINITY; /* the largest falls so far */
    int64_t kept = 0;
    qsort(moves, (size_t)count, sizeof *moves, by_rise);
    for (int64_t i = 0; i < count; i++) {
        if (moves[i].fall <= second)
            continue;
        second = moves[i].fall > first ? first : moves[i].fall;
        first = fmaxf(first, moves[i].fall);
        moves[kept++] = moves[i];
    }
    return kept;
}

static int64_t list_moves(const walk *w)
{
    int64_t count = 0;
    for (int64_t i = 0; i < w->task.count; i++) {
        float rise = w->of_target[i], fall = rise - w->of_all[i];
        if (w->has_moved[i])
            continue;
        if (w->pixels[i] < 255)
            w->moves[count++] = (move){rise, fall, i, 255};
        if (w->pixels[i] > 0)
            w->moves[count++] = (move){-rise, -fall, i, 0};
    }
    return count;
}

/* The pair with the largest product of rise and fall, both above 0, goes to its ends.  Returns 0 if there is none. */
static int move_pair(walk *w)
{
    int64_t count = prune(list_moves(w), w->moves), best_a = -1, best_b = -1;
    float best = 0;
    for (int64_t a = 0; a < count; a++)
        for (int64_t b = a + 1; b < count; b++) {
            float rise = w->moves[a].rise + w->moves[b].rise, fall = w->moves[a].fall + w->moves[b].fall;
            if (rise <= 0 || fall <= 0 || rise * fall <= best || w->moves[a].index == w->moves[b].index)
                continue;
            best = rise * fall;
            best_a = a;
            best_b = b;
        }
    for (int k = 0; k < 2 && best_a >= 0; k++) {
        const move *m = &w->moves[k ? best_b : best_a];
        w->pixels[m->index] = m->end;
        w->has_moved[m->index] = 1;
    }
    return best_a >= 0;
}

/* The gradients of the target's score, and of the sum of all scores. */
static atl_status find_gradients(walk *w, int target)
{
    for (int k = 0; k < w->task.classes; k++)
        w->weights[k] = k == target;
    atl_status status =
        atl_attempt_gradient(w->attempt, w->pixels, ATL_ATTACK_WEIGHTED, w->weights, w->of_target, w->scores, NULL);
    for (int k = 0; k < w->task.classes; k++)
        w->weights[k] = 1;
    if (!status)
        status = atl_attempt_gradient(w->attempt, w->pixels, ATL_ATTACK_WEIGHTED, w->weights, w->of_all, NULL, NULL);
    return status;
}

static atl_status approach(walk *w, int target)
{
    memcpy(w->pixels, w->task.original, (size_t)w->task.count * sizeof *w->pixels);
    memset(w->has_moved, 0, (size_t)w->task.count);
    for (int i = 0; i < w->task.steps && !atl_attempt_is_done(w->attempt); i++) {
        double smallest;
        atl_attempt_best(w->attempt, &smallest);
        if (2 * i >= smallest) /* another class was reached with fewer elements */
            return ATL_OK;
        atl_status status = find_gradients(w, target);
        if (status || atl_attempt_is_met(w->attempt, w->scores) || !move_pair(w))
            return status;
        atl_attempt_project(w->attempt, w->pixels);
    }
    return atl_attempt_scores(w->attempt, 1, w->pixels, w->scores);
}

static atl_status run(walk *w)
{
    int rivals[MOST_RIVALS];
    atl_status status = atl_attempt_scores(w->attempt, 1, w->task.original, w->scores);
    int count = status ? 0 : atl_rivals_of(&w->task, w->scores, MOST_RIVALS, rivals);
    for (int k = 0; k < count && !status; k++)
        status = approach(w, rivals[k]);
    const float *best = atl_attempt_best(w->attempt, NULL);
    if (status || !best)
        return status;
    memcpy(w->pixels, best, (size_t)w->task.count * sizeof *w->pixels); /* an element may have become superfluous */
    return w->task.is_rounded ? atl_attempt_polish(w->attempt, w->pixels) : ATL_OK;
}

atl_status atl_method_jsma(atl_attempt *attempt)
{
    walk w = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    w.pixels = atl_attempt_room(attempt, 3);
    w.of_target = w.pixels + w.task.count;
    w.of_all = w.of_target + w.task.count;
    w.weights = atl_allocate(2 * (size_t)w.task.classes, sizeof *w.weights);
    w.scores = w.weights ? w.weights + w.task.classes : NULL;
    w.has_moved = atl_allocate((size_t)w.task.count, 1);
    w.moves = atl_allocate(2 * (size_t)w.task.count, sizeof *w.moves);
    atl_status status = w.pixels && w.weights && w.has_moved && w.moves ? run(&w) : ATL_OUT_OF_MEMORY;
    atl_release(w.weights);
    atl_release(w.has_moved);
    atl_release(w.moves);
    return status;
}
