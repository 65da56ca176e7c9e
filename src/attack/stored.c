/* Results that must survive JPEG: the network judges what the file stores.  The gradient is taken there, and followed
 * as if encoding changed nothing (straight through; Athalye et al. 2018). */
#include "attack/stored.h"

#include <math.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { ROUNDS = 8, TRIALS = 8, CORRECTIONS = 4 };

/* ---- one picture ------------------------------------------------------------------------------------------------- */

static atl_status encode(const atl_attempt *a, const float *pixels, void **bytes_out, size_t *size_out)
{
    const atl_attempt_task *t = &a->task;
    int64_t width = t->count / t->height / t->channels;
    atl_tensor *picture = atl_tensor_of_floats(ATL_SHAPE(t->height, width, t->channels), pixels);
    if (!picture)
        return atl_error_status();
    atl_status status = atl_encode_jpeg(picture, a->args->jpeg, bytes_out, size_out);
    atl_tensor_free(picture);
    return status;
}

static atl_status store(const atl_attempt *a, const float *pixels, float *stored)
{
    void *bytes;
    size_t size;
    atl_status status = encode(a, pixels, &bytes, &size);
    if (status)
        return status;
    atl_tensor *picture = atl_decode_image(bytes, size);
    atl_bytes_free(bytes);
    if (!picture)
        return atl_error_status();
    for (int64_t i = 0; i < a->task.count; i++)
        stored[i] = atl_floats(picture)[a->task.channels == 1 ? 3 * i : i];
    atl_tensor_free(picture);
    return ATL_OK;
}

/* Takes away from the pixels by how much the stored ones leave the bound.  Returns 0 if they do not leave it. */
static int correct(const atl_attempt *a, const float *stored, float *within, float *pixels)
{
    const atl_attempt_task *t = &a->task;
    if (atl_change_size(t->norm, t->count, a->original, stored) <= a->limit)
        return 0;
    memcpy(within, stored, (size_t)t->count * sizeof *within);
    atl_project_change(t->norm, a->limit, t->count, a->original, within);
    for (int64_t i = 0; i < t->count; i++)
        pixels[i] -= stored[i] - within[i];
    return 1;
}

atl_status atl_stored_pixels(const atl_attempt *a, int64_t count, const float *pixels, float *from_out,
                             float *stored_out)
{
    int64_t elements = a->task.count;
    float *within = atl_allocate((size_t)elements, sizeof *within);
    atl_status status = within ? ATL_OK : atl_out_of_memory();
    memcpy(from_out, pixels, (size_t)(count * elements) * sizeof *pixels);
    for (int64_t i = 0; i < count && !status; i++) {
        float *from = from_out + i * elements, *stored = stored_out + i * elements;
        status = store(a, from, stored);
        for (int k = 0; k < CORRECTIONS && !status && correct(a, stored, within, from); k++)
            status = store(a, from, stored);
    }
    atl_release(within);
    return status;
}

atl_status atl_stored_file(const atl_attempt *a, void **bytes_out, size_t *size_out)
{
    *bytes_out = NULL;
    *size_out = 0;
    if (memcmp(a->best, a->original, (size_t)a->task.count * sizeof *a->best) == 0)
        return ATL_OK;
    return encode(a, a->before_jpeg, bytes_out, size_out);
}

/* ---- the attack -------------------------------------------------------------------------------------------------- */

/* Encoding makes some changes larger.  If results have met the goal, but are larger than eps, the method runs again
 * within a smaller bound. */
static atl_status run_within_eps(atl_attempt *a)
{
    int steps = a->task.steps, restarts = a->task.restarts;
    double factor = 1;
    atl_status status = ATL_OK;
    for (int i = 0; i < ROUNDS; i++) {
        a->missed_size = INFINITY;
        a->task.eps = factor * a->limit;
        atl_attempt_set_steps(a, steps, restarts);
        status = a->method->run(a);
        if (status || atl_attempt_is_done(a) || !isfinite(a->missed_size))
            break;
        factor *= fmin(fmax(0.95 * a->limit / a->missed_size, 0.5), 0.85);
    }
    a->task.eps = a->limit;
    return status;
}

/* Shorter changes in the direction of the smallest one that was found. */
static atl_status shorten(atl_attempt *a)
{
    static const double factor[TRIALS] = {0.97, 0.93, 0.87, 0.8, 0.7, 0.55, 0.4, 0.2};
    int64_t count = a->task.count;
    float *trials = atl_attempt_room(a, TRIALS + 1), *from = trials + TRIALS * count;
    float *scores = atl_allocate((size_t)(TRIALS * a->task.classes), sizeof *scores);
    atl_status status = trials && scores ? ATL_OK : atl_out_of_memory();
    double before = INFINITY;
    for (int i = 0; i < ROUNDS && !status && a->met && a->best_size < before; i++) {
        before = a->best_size;
        memcpy(from, a->before_jpeg, (size_t)count * sizeof *from);
        for (int64_t k = 0; k < TRIALS * count; k++) {
            float original = a->original[k % count];
            trials[k] = original + (float)factor[k / count] * (from[k % count] - original);
        }
        status = atl_attempt_scores(a, TRIALS, trials, scores);
    }
    atl_release(scores);
    return status;
}

atl_status atl_run_for_jpeg(atl_attempt *a)
{
    if (!a->method->is_minimal)
        return isfinite(a->limit) ? run_within_eps(a) : a->method->run(a);
    atl_status status = a->method->run(a);
    return status ? status : shorten(a);
}

atl_status atl_check_jpeg(const atl_attack_args *args, const atl_attack_method *method, atl_shape shape)
{
    char text[160];
    if (args->jpeg == 0)
        return ATL_OK;
    if (args->jpeg < 1 || args->jpeg > 100)
        return atl_set_error(ATL_INVALID, "atl_attack: .jpeg is %d, but a quality is 1 to 100", args->jpeg);
    if (shape.rank != 4 || (shape.size[3] != 1 && shape.size[3] != 3))
        return atl_set_error(ATL_INVALID, "atl_attack: .jpeg is for pictures [n, h, w, 1 or 3], not for %s",
                             atl_shape_text(shape, text, sizeof text));
    const char *other = args->unrounded     ? ".unrounded"
                        : args->project     ? ".project"
                        : method->is_shared ? "a change that all pictures share"
                                            : NULL;
    return other ? atl_set_error(ATL_INVALID, "atl_attack: .jpeg does not go with %s", other) : ATL_OK;
}
