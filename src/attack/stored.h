/* Results that must survive JPEG. */
#ifndef ATLED_ATTACK_STORED_H
#define ATLED_ATTACK_STORED_H

#include "attack/attempt.h"

/* What JPEG files of the asked quality store of `count` pictures, in levels.  Where that is more than eps from the
 * original, the pixels are moved so that it is less.  from_out: the pixels that were encoded. */
atl_status atl_stored_pixels(const atl_attempt *attempt, int64_t count, const float *pixels, float *from_out,
                             float *stored_out);
/* The file of the best picture, and its size; null if the picture is unchanged.  Freed by atl_bytes_free. */
atl_status atl_stored_file(const atl_attempt *attempt, void **bytes_out, size_t *size_out);
/* Runs the method, within smaller bounds as long as JPEG makes changes larger than eps; a minimal method's result is
 * then shortened. */
atl_status atl_run_for_jpeg(atl_attempt *attempt);
/* Whether .jpeg fits the other options. */
atl_status atl_check_jpeg(const atl_attack_args *args, const atl_attack_method *method, atl_shape shape);

#endif
