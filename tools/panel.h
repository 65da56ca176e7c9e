/* One picture that shows how a network was fooled. */
#ifndef ATLED_TOOLS_PANEL_H
#define ATLED_TOOLS_PANEL_H

#include "atled/tensor.h"

typedef struct story {
    const char *title, *subtitle;
    const atl_tensor *start, *result; /* [1, h, w, 3], 0..255 */
    const atl_tensor *gradient;       /* of the loss with respect to the start: [1, h, w, 3] */
    const double *probability; /* of the target, before the first iteration and after each: iterations + 1 values */
    int iterations;
    double confidence; /* the goal */
} story;

/* Start, result enlarged, difference, map of the gradient, and the curve, as PNG.  ATL_UNSUPPORTED if built without
 * cairo. */
atl_status write_panel(const char *path, const story *panel);

#endif
