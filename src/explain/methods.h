/* The methods of explaining, one file for each family. */
#ifndef ATLED_EXPLAIN_METHODS_H
#define ATLED_EXPLAIN_METHODS_H

#include "explain/explainer.h"

/* What every method gets: checked arguments, and an empty result. */
typedef struct atl_explain_task {
    const atl_explain_args *args;
    atl_explainer *explainer;
    const float *x;        /* the picture */
    const float *baseline; /* null: zeros */
    int64_t pixels;        /* h * w */
    int64_t elements;      /* h * w * channels */
    atl_explanation *result;
} atl_explain_task;

/* A method fills attribution and map, and what else of the result is its own. */
typedef atl_status atl_explain_function(atl_explain_task *task);
atl_explain_function atl_explain_by_gradient, atl_explain_by_smooth_grad, atl_explain_by_integration,
    atl_explain_by_cam, atl_explain_by_occlusion, atl_explain_by_rise;

/* ---- method.c ---- */

/* Runs the job, and counts its pictures; fills in explainer, target and the callback. */
atl_status atl_explain_job_of(atl_explain_task *task, atl_explain_job job);
/* An element of the baseline. */
static inline float atl_baseline_at(const atl_explain_task *task, int64_t i)
{
    return task->baseline ? task->baseline[i] : 0;
}
/* Writes the picture itself: a `fill` for a job whose data is the task. */
atl_status atl_explain_fill_picture(void *task, int64_t i, float *picture);
/* Makes the result's attribution [h, w, c] of these numbers times `factor`, and its map. */
atl_status atl_explain_finish_channels(atl_explain_task *task, const double *sum, double factor);
/* Makes both of one number for each pixel. */
atl_status atl_explain_finish_pixels(atl_explain_task *task, const double *attribution);

/* ATL_NOT_FINITE for an attribution that is NaN or infinite: it makes no map. */
atl_status atl_explain_check_finite(const atl_tensor *attribution);

/* ---- legendre.c ---- */

/* Points and weights of Gauss-Legendre quadrature on [0, 1]. */
void atl_gauss_legendre(int count, double *point, double *weight);

#endif
