/* Plots of a training and of an evaluation, drawn with cairo. */
#ifndef ATLED_TOOLS_PLOT_H
#define ATLED_TOOLS_PLOT_H

#include <stdint.h>

#include "atled/status.h"

typedef struct epoch_record {
    double epoch;                 /* from the beginning; not an integer where a training ended within an epoch */
    double loss, right;           /* of the training data */
    double test_loss, test_right; /* of the test data; right: a fraction, 0..1 */
} epoch_record;

/* Loss on the left, accuracy on the right, over epochs. */
atl_status write_curves(const char *path, const char *title, const epoch_record *record, int count);

enum { MOST_CONFUSION_CLASSES = 200 }; /* that can be drawn */

/* Rows are the true classes, columns the predicted ones, and both say so; a darker cell is a larger fraction of its
 * row.  names may be null. */
atl_status write_confusion(const char *path, const int64_t *confusion, int classes, const char *const *names);

#endif
