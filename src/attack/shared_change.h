/* One change for all pictures of a call: found before the pictures are attacked. */
#ifndef ATLED_ATTACK_SHARED_CHANGE_H
#define ATLED_ATTACK_SHARED_CHANGE_H

#include "attack/attempt.h"

/* Where a patch lies in a picture. */
typedef struct atl_patch_place {
    int64_t top, left;
} atl_patch_place;

struct atl_shared_change {
    int64_t count;       /* elements of a picture */
    int64_t side, width; /* of a patch, 0: none; of the pictures */
    int64_t height, channels;
    float *pixels;               /* universal: [count], `base` + the change; a patch: [side, side, channels] */
    float base;                  /* the level that stands for no change */
    int64_t forwards, gradients; /* runs of the network for each picture while it was sought */
};

/* Finds the change for these options, by the pictures of the call.  The attempt tells the shape of a picture, eps and
 * the seed. */
atl_status atl_shared_change_find(const atl_attempt *shape, atl_shared_change *change_out);
void atl_shared_change_free(atl_shared_change *change);
/* The picture with the change; a patch lies at the place. */
void atl_shared_change_apply(const atl_shared_change *change, const float *original, atl_patch_place place,
                             float *pixels_out);
/* A place by two random numbers in [0, 1). */
atl_patch_place atl_patch_place_at(const atl_shared_change *change, double u, double v);

#endif
