/* The attack on one picture: what a method asks of the network, and the best result so far. */
#include "attack/attempt.h"

#include <math.h>
#include <string.h>

#include "attack/stored.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/random.h"

atl_attempt_task atl_attempt_task_of(const atl_attempt *attempt)
{
    return attempt ? attempt->task : (atl_attempt_task){0};
}

void atl_attempt_set_steps(atl_attempt *a, int steps, int restarts)
{
    a->task.steps = steps;
    a->task.restarts = restarts;
}

float *atl_attempt_room(atl_attempt *a, int64_t count)
{
    if (!a || count < 0 || (a->task.count && count > INT64_MAX / 8 / a->task.count))
        return atl_set_error(ATL_INVALID, "atl_attempt_room: the attempt is null, or the count invalid"), NULL;
    atl_attempt_block *block = atl_allocate_aligned(sizeof *block + (size_t)(count * a->task.count) * sizeof(float));
    if (!block) {
        atl_out_of_memory();
        return NULL;
    }
    memset(block->room, 0, (size_t)(count * a->task.count) * sizeof(float));
    block->next = a->blocks;
    a->blocks = block;
    return block->room;
}

atl_status atl_attempt_begin(atl_attempt *a, const float *pixels)
{
    a->best_size = INFINITY;
    a->missed_size = INFINITY;
    a->unrounded_size = INFINITY;
    a->best_margin = -INFINITY;
    a->task.count = a->attacker->count;
    a->original = atl_attempt_room(a, 1);
    a->best = a->original ? atl_attempt_room(a, 1) : NULL;
    a->unrounded = a->best ? atl_attempt_room(a, 1) : NULL;
    a->before_jpeg = a->unrounded && a->args->jpeg ? atl_attempt_room(a, 1) : NULL;
    if (!a->unrounded || (a->args->jpeg && !a->before_jpeg))
        return ATL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < a->task.count; i++)
        a->original[i] = a->task.is_rounded ? fminf(fmaxf(roundf(pixels[i]), 0), 255) : pixels[i];
    memcpy(a->best, a->original, (size_t)a->task.count * sizeof(float));
    a->task.original = a->original;
    return ATL_OK;
}

void atl_attempt_end(atl_attempt *a)
{
    while (a->blocks) {
        atl_attempt_block *next = a->blocks->next;
        atl_release(a->blocks);
        a->blocks = next;
    }
}

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

double atl_attempt_uniform(atl_attempt *a)
{
    return a ? (double)(atl_random_bits(a->seed, a->drawn++) >> 11) * 0x1p-53 : 0;
}

/* Box & Muller 1958. */
double atl_attempt_normal(atl_attempt *a)
{
    if (!a)
        return 0;
    a->has_spare = !a->has_spare;
    if (!a->has_spare)
        return a->spare;
    double radius = sqrt(-2 * log(1 - atl_attempt_uniform(a))),
           angle = 2 * 3.14159265358979323846 * atl_attempt_uniform(a);
    a->spare = radius * sin(angle);
    return radius * cos(angle);
}

/* ---- margins ----------------------------------------------------------------------------------------------------- */

double atl_attempt_margin(const atl_attempt *a, const float *scores)
{
    if (!a || !scores)
        return NAN;
    int class = a->task.target >= 0 ? a->task.target : a->task.label;
    double other = -INFINITY;
    for (int i = 0; i < a->task.classes; i++)
        if (i != class && !((double)scores[i] <= other))
            other = (double)scores[i];
    return a->task.target >= 0 ? (double)scores[class] - other : other - (double)scores[class];
}

double atl_needed_margin(const atl_attempt *a, const float *scores)
{
    if (a->args->confidence > 0)
        return a->args->confidence;
    double largest = 0;
    for (int i = 0; i < a->task.classes; i++)
        largest = fmax(largest, fabs((double)scores[i]));
    return 1e-5 * largest;
}

bool atl_attempt_is_met(const atl_attempt *a, const float *scores)
{
    return a && scores && atl_attempt_margin(a, scores) > atl_needed_margin(a, scores);
}

int atl_attempt_is_plain(const atl_attempt *a, const float *pixels)
{
    for (int64_t i = 0; i < a->task.count; i++)
        if (pixels[i] != nearbyintf(pixels[i]) || pixels[i] < 0 || pixels[i] > 255)
            return 0;
    return 1;
}

static int is_within(const atl_attempt *a, double size)
{
    return size <= a->limit * (a->task.is_rounded ? 1 : 1 + 1e-6);
}

bool atl_attempt_keep(atl_attempt *a, const float *pixels, double margin, int is_met)
{
    double size = atl_change_size(a->task.norm, a->task.count, a->original, pixels);
    int better = is_met != a->met                  ? is_met
                 : is_met && a->method->is_minimal ? size < a->best_size
                                                   : margin > a->best_margin;
    if (is_met && !is_within(a, size))
        a->missed_size = fmin(a->missed_size, size);
    if (!better || !is_within(a, size))
        return false;
    memcpy(a->best, pixels, (size_t)a->task.count * sizeof(float));
    a->met = is_met;
    a->best_margin = margin;
    a->best_size = is_met ? size : INFINITY;
    return true;
}

const float *atl_attempt_best(const atl_attempt *a, double *size_out)
{
    if (size_out)
        *size_out = a && a->met ? a->best_size : INFINITY;
    return a && a->met ? a->best : NULL;
}

bool atl_attempt_is_done(const atl_attempt *a)
{
    return !a || (a->met && !a->method->is_minimal) || atl_query_queue_status(a->queue) != ATL_OK;
}

/* ---- asking the network ------------------------------------------------------------------------------------------ */

static atl_status ask(atl_attempt *a, int64_t count, atl_query *queries)
{
    if (queries->gradient)
        a->gradients += count;
    else
        a->forwards += count;
    atl_status status = atl_query_queue_ask(a->queue, count, queries);
    return status;
}

static atl_status ask_scores(atl_attempt *a, int64_t count, const float *pixels, float *scores)
{
    atl_query few[16], *queries = count <= 16 ? few : atl_allocate((size_t)count, sizeof *queries);
    if (!queries)
        return atl_out_of_memory();
    for (int64_t i = 0; i < count; i++)
        queries[i] = (atl_query){.pixels = pixels + i * a->task.count, .scores = scores + i * a->task.classes};
    atl_status status = ask(a, count, queries);
    if (queries != few)
        atl_release(queries);
    return status;
}

/* Whether these pixels can be a result as they are. */
static int is_valid(const atl_attempt *a, const float *pixels)
{
    return !a->task.is_rounded || a->args->project || a->args->jpeg || atl_attempt_is_plain(a, pixels);
}

/* Classifies the rounded picture and keeps it. */
static atl_status offer_rounded(atl_attempt *a, const float *pixels)
{
    float *scores = atl_allocate((size_t)a->task.classes, sizeof *scores);
    float *rounded = atl_allocate((size_t)a->task.count, sizeof *rounded);
    atl_status status = scores && rounded ? ATL_OK : atl_out_of_memory();
    if (!status && !atl_round_change(a->task.norm, a->task.eps, 0.5, a->task.count, a->original, pixels, rounded))
        status = atl_out_of_memory();
    if (!status && a->args->project)
        a->args->project(a->args->project_context, a->original, rounded, a->task.count);
    if (!status)
        status = atl_attempt_scores(a, 1, rounded, scores);
    atl_release(scores);
    atl_release(rounded);
    return status;
}

/* Looks at every picture that the network has judged: it may be a result already.  `asked`: what the method asked
 * about, which JPEG may have changed. */
static atl_status look_at(atl_attempt *a, const float *asked, const float *pixels, const float *scores)
{
    double margin = atl_attempt_margin(a, scores);
    int is_met = margin > atl_needed_margin(a, scores);
    if (is_valid(a, pixels)) {
        bool is_kept = atl_attempt_keep(a, pixels, margin, is_met);
        if (is_kept && a->before_jpeg)
            memcpy(a->before_jpeg, asked, (size_t)a->task.count * sizeof(float));
    } else if (is_met && a->method->is_minimal) {
        double size = atl_change_size(a->task.norm, a->task.count, a->original, pixels);
        if (size < a->unrounded_size) {
            memcpy(a->unrounded, pixels, (size_t)a->task.count * sizeof(float));
            a->unrounded_size = size;
        }
    } else if (is_met && !a->met)
        return offer_rounded(a, pixels);
    return ATL_OK;
}

/* The pictures that the network judges in place of these: the same, or what JPEG stores of them.  `pixels` become those
 * that are encoded.  Both are then in `room_out`, which the caller releases. */
static atl_status find_judged(const atl_attempt *a, int64_t count, const float **pixels, const float **judged_out,
                              float **room_out)
{
    const float *asked = *pixels;
    *judged_out = asked;
    *room_out = NULL;
    if (!a->args->jpeg)
        return ATL_OK;
    float *room = atl_allocate((size_t)(2 * count * a->task.count), sizeof *room);
    if (!room)
        return atl_out_of_memory();
    *room_out = room;
    *pixels = room;
    *judged_out = room + count * a->task.count;
    return atl_stored_pixels(a, count, asked, room, room + count * a->task.count);
}

static void follow(atl_attempt *a, const float *scores)
{
    atl_course_add(&a->course, a->task.classes, scores, a->task.target >= 0 ? a->task.target : a->task.label);
}

atl_status atl_attempt_scores(atl_attempt *a, int64_t count, const float *pixels, float *scores_out)
{
    if (!a || !pixels || !scores_out || count < 1)
        return atl_null_argument("atl_attempt_scores", "an argument is");
    const float *judged;
    float *room;
    atl_status status = find_judged(a, count, &pixels, &judged, &room);
    if (!status)
        status = ask_scores(a, count, judged, scores_out);
    if (!status && a->method->is_black_box)
        follow(a, scores_out);
    for (int64_t i = 0; i < count && !status; i++)
        status = look_at(a, pixels + i * a->task.count, judged + i * a->task.count, scores_out + i * a->task.classes);
    atl_release(room);
    return status;
}

atl_attack_loss atl_attempt_loss(const atl_attempt *a, atl_attack_loss loss)
{
    return a && a->attacker->has_own_loss ? ATL_ATTACK_OWN : loss;
}

/* The class and the factors of the terms for a loss; see loss_of in attacker.c. */
static void set_loss(const atl_attempt *a, atl_attack_loss loss, const float *weights, float *target_weights,
                     atl_query *q)
{
    int has_target = a->task.target >= 0;
    float sign = has_target ? -1 : 1;
    q->class = has_target ? a->task.target : a->task.label;
    switch (loss) {
    case ATL_ATTACK_MARGIN:
        q->mix[ATL_TERM_MARGIN] = sign;
        break;
    case ATL_ATTACK_WEIGHTED:
        q->mix[ATL_TERM_WEIGHTED] = 1;
        q->weights = weights;
        break;
    case ATL_ATTACK_OWN:
        q->mix[ATL_TERM_OWN] = 1;
        break;
    case ATL_ATTACK_DLR:
        if (weights) {
            q->weights = weights;
            q->mix[a->task.classes >= 4 ? ATL_TERM_DLR_TARGET : ATL_TERM_WEIGHTED] = 1;
            break;
        }
        if (!has_target) {
            q->mix[a->task.classes >= 3 ? ATL_TERM_DLR : ATL_TERM_MARGIN] = 1;
            break;
        }
        target_weights[a->task.target] = 1;
        target_weights[a->task.label] -= 1;
        q->weights = target_weights;
        q->mix[a->task.classes >= 4 ? ATL_TERM_DLR_TARGET : ATL_TERM_WEIGHTED] = 1;
        break;
    default:
        q->mix[ATL_TERM_CROSS_ENTROPY] = sign;
    }
}

static int is_zero(int64_t count, const float *x)
{
    for (int64_t i = 0; i < count; i++)
        if (x[i] != 0)
            return 0;
    return 1;
}

/* Runs the network for queries of the same pixels, with gradients and scores; fills them. */
static atl_status ask_gradients(atl_attempt *a, const float *pixels, int64_t count, atl_query *queries)
{
    const float *judged;
    float *room;
    atl_status status = find_judged(a, 1, &pixels, &judged, &room);
    for (int64_t i = 0; i < count; i++)
        queries[i].pixels = judged;
    if (!status)
        status = ask(a, count, queries);
    for (int64_t i = 0; i < count && !status; i++) {
        follow(a, queries[i].scores);
        a->zero_gradients += is_zero(a->task.count, queries[i].gradient);
    }
    if (!status)
        status = look_at(a, pixels, judged, queries[0].scores);
    atl_release(room);
    return status;
}

atl_status atl_attempt_gradient(atl_attempt *a, const float *pixels, atl_attack_loss loss, const float *weights,
                                float *gradient_out, float *scores_out, double *loss_out)
{
    if (!a || !pixels || !gradient_out || (loss == ATL_ATTACK_WEIGHTED && !weights))
        return atl_null_argument("atl_attempt_gradient", "an argument is");
    if (loss == ATL_ATTACK_OWN && !a->attacker->has_own_loss)
        return atl_set_error(ATL_INVALID, "atl_attempt_gradient: the attacker has no loss of its own");
    float *scores = atl_allocate(2 * (size_t)a->task.classes, sizeof *scores);
    if (!scores)
        return atl_out_of_memory();
    atl_query q = {.scores = scores, .gradient = gradient_out};
    set_loss(a, loss, weights, scores + a->task.classes, &q);
    atl_status status = ask_gradients(a, pixels, 1, &q);
    if (!status && scores_out)
        memcpy(scores_out, scores, (size_t)a->task.classes * sizeof *scores);
    if (!status && loss_out)
        *loss_out = q.loss;
    atl_release(scores);
    return status;
}

atl_status atl_attempt_gradients(atl_attempt *a, const float *pixels, int count, const float *weights,
                                 float *gradients_out, double *losses_out)
{
    size_t classes = (size_t)a->task.classes;
    atl_query *queries = atl_allocate((size_t)count, sizeof *queries);
    float *scores = atl_allocate((size_t)count * classes, sizeof *scores);
    atl_status status = queries && scores ? ATL_OK : atl_out_of_memory();
    for (size_t i = 0; i < (size_t)count && !status; i++) {
        queries[i] =
            (atl_query){.scores = scores + i * classes, .gradient = gradients_out + (int64_t)i * a->task.count};
        set_loss(a, ATL_ATTACK_WEIGHTED, weights + i * classes, NULL, &queries[i]);
    }
    if (!status)
        status = ask_gradients(a, pixels, count, queries);
    for (int i = 0; i < count && !status; i++)
        losses_out[i] = queries[i].loss;
    atl_release(queries);
    atl_release(scores);
    return status;
}

atl_status atl_attempt_offer(atl_attempt *a, const float *pixels)
{
    if (!a || !pixels)
        return atl_null_argument("atl_attempt_offer", "an argument is");
    if (a->task.is_rounded)
        return offer_rounded(a, pixels);
    float *scores = atl_allocate((size_t)a->task.classes, sizeof *scores);
    atl_status status = scores ? atl_attempt_scores(a, 1, pixels, scores) : atl_out_of_memory();
    atl_release(scores);
    return status;
}

void atl_attempt_project(atl_attempt *a, float *pixels)
{
    if (!a || !pixels)
        return;
    atl_project_change(a->task.norm, a->task.eps, a->task.count, a->original, pixels);
    if (a->args->project)
        a->args->project(a->args->project_context, a->original, pixels, a->task.count);
}
