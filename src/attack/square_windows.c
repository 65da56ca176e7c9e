/* The square attack in L2 and L1: a bump takes the change of two windows, and what is left of eps, into one of them
 * (Andriushchenko et al. 2019, algorithm 3; L1: Croce & Hein 2021). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/square_windows.h"

typedef struct window {
    int64_t top, left, side;
} window;

static int is_in(const window *w, int64_t y, int64_t x)
{
    return y >= w->top && y < w->top + w->side && x >= w->left && x < w->left + w->side;
}

static double part_of(atl_norm norm, double d) { return norm == ATL_NORM_L2 ? d * d : fabs(d); }
static double size_of(atl_norm norm, double sum) { return norm == ATL_NORM_L2 ? sqrt(sum) : sum; }

/* The sum of 1 / (n + 1 - k)^2 for k = 0 to n - distance: the paper's eta at that distance from the centre. */
static double height_of_bump(int64_t n, int64_t distance)
{
    double sum = 0;
    for (int64_t k = 0; k <= n - distance; k++)
        sum += 1 / ((double)(n + 1 - k) * (double)(n + 1 - k));
    return sum;
}

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int draw_turn(atl_square *s) { return atl_attempt_uniform(s->attempt) > 0.5; }

/* Two bumps of opposite signs that fill a square, one above the other or side by side; of size 1. */
static void set_bump(atl_square *s, int64_t side, int is_turned)
{
    double sum = 0;
    for (int64_t i = 0; i < side; i++)
        for (int64_t j = 0; j < side; j++) {
            int64_t first = side / 2, is_second = i >= first, rows = is_second ? side - first : first;
            int64_t y = is_second ? i - first : i, n = larger(rows / 2, side / 2);
            double bump = height_of_bump(n, larger(magnitude(y - rows / 2), magnitude(j - side / 2)));
            s->bump[is_turned ? j * side + i : i * side + j] = (float)(is_second ? -bump : bump);
            sum += part_of(s->task.norm, bump);
        }
    double size = size_of(s->task.norm, sum);
    for (int64_t i = 0; i < side * side; i++)
        s->bump[i] = (float)((double)s->bump[i] / size);
}

static int64_t at(const atl_square *s, int64_t y, int64_t x, int64_t c)
{
    return (y * s->width + x) * s->task.channels + c;
}

/* The change in `trial`, scaled to eps, becomes a picture, which is judged. */
static atl_status judge_change(atl_square *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->task.count; i++)
        sum += part_of(s->task.norm, (double)s->trial[i]);
    double size = size_of(s->task.norm, sum), factor = size > 0 ? s->task.eps / size : 0;
    for (int64_t i = 0; i < s->task.count; i++)
        s->trial[i] = s->task.original[i] + (float)(factor * (double)s->trial[i]);
    return atl_square_judge(s);
}

/* Bumps in a grid of tiles, a fifth of the height each. */
atl_status atl_square_windows_start(atl_square *s)
{
    int64_t shorter = s->width < s->height ? s->width : s->height, side = shorter / 5 > 0 ? shorter / 5 : 1;
    memset(s->trial, 0, (size_t)s->task.count * sizeof *s->trial);
    for (int64_t top = 0; top + side <= s->height; top += side)
        for (int64_t left = 0; left + side <= s->width; left += side) {
            set_bump(s, side, draw_turn(s));
            for (int64_t c = 0; c < s->task.channels; c++) {
                float sign = atl_square_sign(s);
                for (int64_t i = 0; i < side * side; i++)
                    s->trial[at(s, top + i / side, left + i % side, c)] = sign * s->bump[i];
            }
        }
    return judge_change(s);
}

static window draw_window(atl_square *s, int64_t side)
{
    return (window){atl_square_below(s, s->height - side + 1), atl_square_below(s, s->width - side + 1), side};
}

/* The size of the change of a channel in either window; with `other` null, in the first. */
static double size_in(const atl_square *s, int64_t c, const window *w, const window *other)
{
    double sum = 0;
    for (int64_t y = 0; y < s->height; y++)
        for (int64_t x = 0; x < s->width; x++)
            if (is_in(w, y, x) || (other && is_in(other, y, x)))
                sum += part_of(s->task.norm, (double)s->trial[at(s, y, x, c)]);
    return size_of(s->task.norm, sum);
}

/* The new change of a channel: the bump and the old change's direction in `to`, nothing in the rest of `from`. */
static void move_change(atl_square *s, int64_t c, const window *to, const window *from, double unused)
{
    double old = size_in(s, c, to, NULL), both = size_in(s, c, to, from), sum = 0;
    double size = s->task.norm == ATL_NORM_L2 ? sqrt(both * both + unused) : both + unused;
    float sign = atl_square_sign(s);
    for (int64_t i = 0; i < to->side * to->side; i++) {
        double d = (double)s->trial[at(s, to->top + i / to->side, to->left + i % to->side, c)];
        s->bump[i] = (float)((double)(sign * s->bump[i]) + (old > 0 ? d / old : 0));
        sum += part_of(s->task.norm, (double)s->bump[i]);
    }
    for (int64_t y = from->top; y < from->top + from->side; y++)
        for (int64_t x = from->left; x < from->left + from->side; x++)
            s->trial[at(s, y, x, c)] = 0;
    double factor = sum > 0 ? size / size_of(s->task.norm, sum) : 0;
    for (int64_t i = 0; i < to->side * to->side; i++)
        s->trial[at(s, to->top + i / to->side, to->left + i % to->side, c)] = (float)(factor * (double)s->bump[i]);
}

atl_status atl_square_windows_try(atl_square *s, double share)
{
    int64_t most = s->width < s->height ? s->width : s->height;
    int64_t side = larger((int64_t)lround(sqrt(share * (double)(s->width * s->height))), 3);
    side += side % 2 == 0;
    side = side < most ? side : most;
    double used = 0;
    for (int64_t i = 0; i < s->task.count; i++) {
        s->trial[i] = s->best[i] - s->task.original[i];
        used += part_of(s->task.norm, (double)s->trial[i]);
    }
    double whole = s->task.norm == ATL_NORM_L2 ? s->task.eps * s->task.eps : s->task.eps;
    double unused = fmax(whole - used, 0) / (double)s->task.channels;
    window to = draw_window(s, side), from = draw_window(s, side);
    int is_turned = draw_turn(s);
    for (int64_t c = 0; c < s->task.channels; c++) {
        set_bump(s, side, is_turned); /* a channel's change is made in its place */
        move_change(s, c, &to, &from, unused);
    }
    return judge_change(s);
}
