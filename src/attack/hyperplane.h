/* The smallest change that reaches a linear boundary. */
#ifndef ATLED_ATTACK_HYPERPLANE_H
#define ATLED_ATTACK_HYPERPLANE_H

#include "atled/adversarial.h"

/* change_out: the smallest change of `from` in that norm (Linf, L2 or L1) whose product with the gradient is `gap`,
 * with the pixels within 0..255; if that cannot be reached, the change that comes nearest. */
void atl_cross_hyperplane(atl_norm norm, int64_t count, const float *from, const float *gradient, double gap,
                          float *change_out);
/* The same with whole levels, along `direction`: round(f * direction) for the smallest factor f that reaches the gap;
 * returns f. */
double atl_cross_on_levels(atl_norm norm, int64_t count, const float *from, const float *gradient,
                           const float *direction, double gap, float *change_out);
/* round(f * direction), within 0..255. */
void atl_change_on_levels(atl_norm norm, int64_t count, const float *from, const float *direction, double factor,
                          float *change_out);

#endif
