/* Square attack: random squares of change, kept if they help; uses scores only (Andriushchenko et al. 2019).  Linf is
 * here, L2 and L1 are in square_windows.c. */
#include "attack/square.h"

#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/picture_shape.h"
#include "attack/square_published.h"
#include "attack/square_windows.h"
#include "graph/memory.h"

static const double first_share = 0.8; /* of the picture's area, as in AutoAttack */

enum { PUBLISHED_TRIALS = 10000 };

/* The share of the area after i of n trials: halves at published moments, which are given for 10,000 trials. */
static double share_at(int64_t i, int64_t n)
{
    static const int moments[] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
    int64_t at = n > 0 ? i * PUBLISHED_TRIALS / n : 0;
    double share = first_share;
    for (int k = 0; k < 9 && at > moments[k]; k++)
        share /= 2;
    return share;
}

float atl_square_sign(atl_square *s) { return atl_attempt_uniform(s->attempt) < 0.5 ? -1.0f : 1.0f; }

int64_t atl_square_below(atl_square *s, int64_t limit)
{
    int64_t drawn = (int64_t)(atl_attempt_uniform(s->attempt) * (double)limit);
    return drawn < limit ? drawn : limit - 1;
}

/* Sets a channel of a pixel to the original plus or minus eps. */
static void set(atl_square *s, int64_t y, int64_t x, int64_t c, float sign)
{
    int64_t i = (y * s->width + x) * s->task.channels + c;
    s->trial[i] = s->task.original[i] + sign * (float)s->task.eps;
}

atl_status atl_square_judge(atl_square *s)
{
    atl_attempt_project(s->attempt, s->trial);
    atl_status status = atl_attempt_scores(s->attempt, 1, s->trial, s->scores);
    double margin = atl_attempt_margin(s->attempt, s->scores);
    if (!status && margin > s->margin) {
        s->margin = margin;
        memcpy(s->best, s->trial, (size_t)s->task.count * sizeof *s->best);
    }
    return status;
}

/* Vertical stripes. */
static atl_status start(atl_square *s)
{
    for (int64_t x = 0; x < s->width; x++)
        for (int64_t c = 0; c < s->task.channels; c++) {
            float sign = atl_square_sign(s);
            for (int64_t y = 0; y < s->height; y++)
                set(s, y, x, c, sign);
        }
    return atl_square_judge(s);
}

static atl_status try_square(atl_square *s, double share)
{
    int64_t side = (int64_t)lround(sqrt(share * (double)(s->width * s->height)));
    int64_t most = (s->width < s->height ? s->width : s->height) - 1;
    side = side < 1 ? 1 : side > most && most > 0 ? most : side;
    int64_t top = atl_square_below(s, s->height - side + 1), left = atl_square_below(s, s->width - side + 1);
    memcpy(s->trial, s->best, (size_t)s->task.count * sizeof *s->trial);
    for (int64_t c = 0; c < s->task.channels; c++) {
        float sign = atl_square_sign(s);
        for (int64_t y = top; y < top + side; y++)
            for (int64_t x = left; x < left + side; x++)
                set(s, y, x, c, sign);
    }
    return atl_square_judge(s);
}

static atl_status search(atl_square *s)
{
    int is_linf = s->task.norm == ATL_NORM_LINF;
    s->margin = -INFINITY;
    atl_status status = is_linf ? start(s) : atl_square_windows_start(s);
    for (int64_t i = 1; i < s->task.steps && !status && !atl_attempt_is_done(s->attempt); i++) {
        double share = share_at(i, s->schedule);
        status = is_linf ? try_square(s, share) : atl_square_windows_try(s, share);
    }
    return status;
}

static atl_status search_all(atl_attempt *attempt, bool fits_trials)
{
    atl_square s = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    s.schedule = fits_trials ? s.task.steps : PUBLISHED_TRIALS;
    atl_picture_shape(&s.task, &s.height, &s.width);
    s.best = atl_attempt_room(attempt, 3);
    s.trial = s.best + s.task.count;
    s.bump = s.trial + s.task.count;
    s.scores = atl_allocate((size_t)s.task.classes, sizeof *s.scores);
    atl_status status = s.best && s.scores ? ATL_OK : ATL_OUT_OF_MEMORY;
    for (int r = 0; r < s.task.restarts && !status && !atl_attempt_is_done(attempt); r++)
        status = search(&s);
    atl_release(s.scores);
    return status;
}

atl_status atl_square_as_published(atl_attempt *attempt) { return search_all(attempt, false); }
atl_status atl_method_square(atl_attempt *attempt) { return search_all(attempt, true); }
