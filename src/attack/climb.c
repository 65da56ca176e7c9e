/* Steps along a gradient, shared by the methods that climb a loss within eps. */
#include "attack/climb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/remarks.h"
#include "attack/vectors.h"

/* The part of the steps in which a bound that is larger at first shrinks to eps. */
static const double shrinking_share = 0.6;

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void atl_climb_step_l1(int64_t wanted, double step, int64_t count, const float *gradient, float *pixels, float *copy)
{
    for (int64_t i = 0; i < count; i++)
        copy[i] = fabsf(gradient[i]);
    qsort(copy, (size_t)count, sizeof *copy, by_number);
    float least = copy[count - wanted];
    int64_t moving = 0;
    for (int64_t i = 0; i < count; i++)
        moving += gradient[i] != 0 && fabsf(gradient[i]) >= least;
    for (int64_t i = 0; moving && i < count; i++)
        if (gradient[i] != 0 && fabsf(gradient[i]) >= least)
            pixels[i] += (float)copysign(step / (double)moving, (double)gradient[i]);
}

void atl_climb_step(atl_norm norm, double step, int64_t count, const float *gradient, float *pixels, float *copy)
{
    if (norm == ATL_NORM_L1) { /* the steepest change has one element; a hundredth of them need fewer steps */
        atl_climb_step_l1(count / 100 + 1, step, count, gradient, pixels, copy);
        return;
    }
    double length = norm == ATL_NORM_L2 ? atl_l2_of(count, gradient) : 1;
    for (int64_t i = 0; i < count; i++)
        if (norm == ATL_NORM_LINF)
            pixels[i] += (float)step * (float)((gradient[i] > 0) - (gradient[i] < 0));
        else if (length > 0)
            pixels[i] += (float)(step / length * (double)gradient[i]);
}

/* In L1 a step has few elements.  One that is at the end of its range and would go on there is none of them. */
static void drop_outward(int64_t count, const float *pixels, float *gradient)
{
    for (int64_t i = 0; i < count; i++)
        if ((pixels[i] <= 0 && gradient[i] < 0) || (pixels[i] >= 255 && gradient[i] > 0))
            gradient[i] = 0;
}

/* ---- several steps ----------------------------------------------------------------------------------------------- */

void atl_climb_add_gradient(float momentum, int64_t count, const float *gradient, float *sum)
{
    double size = atl_l1_of(count, gradient);
    for (int64_t i = 0; size > 0 && i < count; i++)
        sum[i] = momentum * sum[i] + (float)((double)gradient[i] * (double)count / size);
}

/* The nearest picture within the bound of that step, which may be larger than eps. */
static void project(atl_attempt *attempt, const atl_attempt_task *task, const atl_climbing *how, int step,
                    float *pixels)
{
    double shrunk = (step + 1) / (shrinking_share * how->steps);
    double radius = shrunk < 1 ? how->widest + (1 - how->widest) * shrunk : 1;
    if (radius > 1)
        atl_project_change(task->norm, radius * task->eps, task->count, task->original, pixels);
    else
        atl_attempt_project(attempt, pixels);
}

atl_status atl_climb(atl_attempt *attempt, float *pixels, const atl_climbing *how)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *gradient = atl_attempt_room(attempt, 3);
    atl_attack_loss loss = atl_attempt_loss(attempt, how->loss);
    if (!gradient)
        return ATL_OUT_OF_MEMORY;
    float *copy = gradient + task.count, *sum = copy + task.count;
    double first = 0, last = 0;
    for (int i = 0; i < how->steps; i++) {
        atl_status status = atl_attempt_gradient(attempt, pixels, loss, how->weights, gradient, NULL, &last);
        if (status || atl_attempt_is_done(attempt))
            return status;
        first = i == 0 ? last : first;
        double step = how->step * (how->shrinks ? 1 - (double)i / how->steps : 1);
        if (task.norm == ATL_NORM_L1)
            drop_outward(task.count, pixels, gradient);
        if (task.norm == ATL_NORM_L1 && how->steps == 1) /* a step that no other one follows moves more of them */
            atl_climb_step_l1(task.count / 20 + 1, step, task.count, gradient, pixels, copy);
        else {
            if (how->momentum > 0)
                atl_climb_add_gradient(how->momentum, task.count, gradient, sum);
            atl_climb_step(task.norm, step, task.count, how->momentum > 0 ? sum : gradient, pixels, copy);
        }
        project(attempt, &task, how, i, pixels);
    }
    atl_remark_on_ascent(attempt, first, last);
    return atl_attempt_offer(attempt, pixels);
}

/* ---- random starts ----------------------------------------------------------------------------------------------- */

void atl_climb_random(atl_attempt *attempt, float *pixels)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    double sum = 0;
    for (int64_t i = 0; i < task.count; i++) {
        double x = task.norm == ATL_NORM_LINF ? 2 * atl_attempt_uniform(attempt) - 1
                   : task.norm == ATL_NORM_L2 ? atl_attempt_normal(attempt)
                                              : -log(1 - atl_attempt_uniform(attempt));
        if (task.norm == ATL_NORM_L1)
            x = atl_attempt_uniform(attempt) < 0.5 ? -x : x;
        pixels[i] = (float)x;
        sum += task.norm == ATL_NORM_L2 ? x * x : fabs(x);
    }
    /* The directions are uniform, and so is the volume within the radius. */
    double radius = pow(atl_attempt_uniform(attempt), 1.0 / (double)task.count);
    double factor = task.norm == ATL_NORM_LINF ? task.eps
                    : task.norm == ATL_NORM_L2 ? task.eps * radius / sqrt(sum)
                                               : task.eps * radius / sum;
    for (int64_t i = 0; i < task.count; i++)
        pixels[i] = task.original[i] + (float)factor * pixels[i];
    atl_attempt_project(attempt, pixels);
}

void atl_climb_noise(atl_attempt *attempt, float *pixels)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    for (int64_t i = 0; i < task.count; i++)
        pixels[i] = task.original[i] + (float)(255 * atl_attempt_normal(attempt));
}
