/* Height and width of a picture. */
#ifndef ATLED_ATTACK_PICTURE_SHAPE_H
#define ATLED_ATTACK_PICTURE_SHAPE_H

#include <math.h>

#include "atled/adversarial.h"

/* A picture of unknown shape is taken for a square, else for one row. */
static inline void atl_picture_shape(const atl_attempt_task *task, int64_t *height_out, int64_t *width_out)
{
    int64_t pixels = task->count / task->channels, side = (int64_t)llround(sqrt((double)pixels));
    *height_out = task->height > 0 ? task->height : side * side == pixels ? side : 1;
    *width_out = pixels / *height_out;
}

#endif
