/* Square attack: random squares of change, kept if they help; uses scores only (Andriushchenko et al. 2019). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "graph/memory.h"

static const double first_share = 0.8; /* of the picture's area, as in AutoAttack */

typedef struct search {
    atl_attempt *attempt;
    atl_attempt_task task;
    int64_t width, height;
    float *best, *trial, *scores;
    double margin;
} search;

/* The share of the area after i of n trials: halves at published moments, which are given for 10,000 trials. */
static double share_at(int64_t i, int64_t n)
{
    static const int moments[] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
    int64_t at = n > 0 ? i * 10000 / n : 0;
    double share = first_share;
    for (int k = 0; k < 9 && at > moments[k]; k++)
        share /= 2;
    return share;
}

static float sign_of(search *s) { return atl_attempt_uniform(s->attempt) < 0.5 ? -1.0f : 1.0f; }

static int64_t below(search *s, int64_t limit)
{
    int64_t drawn = (int64_t)(atl_attempt_uniform(s->attempt) * (double)limit);
    return drawn < limit ? drawn : limit - 1;
}

/* Sets a channel of a pixel to the original plus or minus eps. */
static void set(search *s, int64_t y, int64_t x, int64_t c, float sign)
{
    int64_t i = (y * s->width + x) * s->task.channels + c;
    s->trial[i] = s->task.original[i] + sign * (float)s->task.eps;
}

static atl_status judge(search *s)
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
static atl_status start(search *s)
{
    for (int64_t x = 0; x < s->width; x++)
        for (int64_t c = 0; c < s->task.channels; c++) {
            float sign = sign_of(s);
            for (int64_t y = 0; y < s->height; y++)
                set(s, y, x, c, sign);
        }
    return judge(s);
}

static atl_status try_square(search *s, double share)
{
    int64_t side = (int64_t)lround(sqrt(share * (double)(s->width * s->height)));
    int64_t most = (s->width < s->height ? s->width : s->height) - 1;
    side = side < 1 ? 1 : side > most && most > 0 ? most : side;
    int64_t top = below(s, s->height - side + 1), left = below(s, s->width - side + 1);
    memcpy(s->trial, s->best, (size_t)s->task.count * sizeof *s->trial);
    for (int64_t c = 0; c < s->task.channels; c++) {
        float sign = sign_of(s);
        for (int64_t y = top; y < top + side; y++)
            for (int64_t x = left; x < left + side; x++)
                set(s, y, x, c, sign);
    }
    return judge(s);
}

/* Height and width of the picture; a picture of unknown shape counts as one row. */
static void read_shape(search *s)
{
    int64_t pixels = s->task.count / s->task.channels, side = (int64_t)llround(sqrt((double)pixels));
    s->height = s->task.height > 0 ? s->task.height : side * side == pixels ? side : 1;
    s->width = pixels / s->height;
}

atl_status atl_method_square(atl_attempt *attempt)
{
    search s = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    read_shape(&s);
    s.best = atl_attempt_room(attempt, 2);
    s.trial = s.best + s.task.count;
    s.scores = atl_allocate((size_t)s.task.classes, sizeof *s.scores);
    atl_status status = s.best && s.scores ? ATL_OK : ATL_OUT_OF_MEMORY;
    for (int r = 0; r < s.task.restarts && !status && !atl_attempt_is_done(attempt); r++) {
        s.margin = -INFINITY;
        status = start(&s);
        for (int64_t i = 1; i < s.task.steps && !status && !atl_attempt_is_done(attempt); i++)
            status = try_square(&s, share_at(i, s.task.steps));
    }
    atl_release(s.scores);
    return status;
}
